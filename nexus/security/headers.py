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
        headers = response.headers
        said = {name for name, _ in headers}
        # A set of names, since each lookup in the headers would scan all of them.
        more = [(name, value) for name, value in DEFAULTS.items() if name not in said]
        if request.environ["wsgi.url_scheme"] == "https" and not settings.development:
            more.append(("Strict-Transport-Security", HTTPS_ONLY))
        catalogue = request.path.startswith("/api/products")
        if "Cache-Control" not in said:
            kept = catalogue and response.status_code in (200, 304)
            more.append(("Cache-Control", _cache_control(request) if kept else "no-store"))
        if catalogue:
            if "Vary" in said:
                response.vary.update(("Authorization", "Cookie"))
            else:
                more.append(("Vary", "Authorization, Cookie"))
        # Directly, since Werkzeug would search each of these constants for a line break.
        headers._list += more

    app.finishing.append(tell)


def _cache_control(request: Request) -> str:
    """Cache-Control of the catalogue: private for a caller with credentials, else public."""
    # With `no-cache`, so that it is revalidated each time: a product may be withdrawn at any moment.
    environ = request.environ
    known = "HTTP_AUTHORIZATION" in environ or ("HTTP_COOKIE" in environ and "token" in request.cookies)
    return "private, no-cache" if known else "public, no-cache"
