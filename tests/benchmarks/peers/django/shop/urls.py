"""Where everything is."""

from django.urls import path

from shop.accounts import Login, Me
from shop.catalog import ProductDetail, ProductList
from shop.observe import metrics
from shop.orders import OrderCreate

urlpatterns = [
    path("api/products", ProductList.as_view()),
    path("api/products/<int:pk>", ProductDetail.as_view()),
    path("api/orders", OrderCreate.as_view()),
    path("api/auth/me", Me.as_view()),
    path("api/auth/login", Login.as_view()),
    path("metrics", metrics),
]
