"""The security and cache headers of every response."""

from flask import Request, Response

from nexus.application import Application
from nexus.config import Settings

#: The defaults, which a view may override; pages have a content security policy of their own.
DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
#: A year, as the HSTS preload list requires.
HTTPS_ONLY = "max-age=31536000"


def init_app(app: Application, settings: Settings) -> None:
    """Keep private responses out of caches, and browsers from misinterpreting any response."""

    def tell(request: Request, response: Response) -> None:
        more = DEFAULTS.copy()
        if request.environ["wsgi.url_scheme"] == "https" and not settings.development:
            more["Strict-Transport-Security"] = HTTPS_ONLY
        catalogue = request.path.startswith("/api/products")
        kept = catalogue and response.status_code in (200, 304)
        more["Cache-Control"] = _cache_control(request) if kept else "no-store"
        if catalogue:
            more["Vary"] = "Authorization, Cookie"
        # The headers themselves are a list, which each lookup would scan.
        said = [name for name, _ in response.headers if more.pop(name, None)]
        if "Vary" in said:
            response.vary.update(("Authorization", "Cookie"))
        # Directly, since Werkzeug would search each of these constants for a line break.
        response.headers._list += more.items()

    app.finishing.append(tell)


def _cache_control(request: Request) -> str:
    """Cache-Control of the catalogue: private for a caller with credentials, else public."""
    # With `no-cache`, so that it is revalidated each time: a product may be withdrawn at any moment.
    environ = request.environ
    known = "HTTP_AUTHORIZATION" in environ or ("HTTP_COOKIE" in environ and "token" in request.cookies)
    return "private, no-cache" if known else "public, no-cache"
