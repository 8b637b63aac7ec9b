"""Django's settings."""

import os

import dj_database_url

SECRET_KEY = os.environ["JWT_SECRET_KEY"]
RECEIPT_KEY = os.environ["RECEIPT_KEY"].encode()
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["rest_framework", "shop"]
MIDDLEWARE = [
    "shop.observe.Observed",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
APPEND_SLASH = False
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
DATABASES = {"default": dj_database_url.config(conn_max_age=60)}
TIME_ZONE = "UTC"
USE_I18N = False
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # Accounts are a table of the shop's own, and django.contrib.auth is not installed.
    "UNAUTHENTICATED_USER": None,
}
