"""What every answer tells browsers and caches about itself."""

from flask import Flask, Response, request

from nexus.config import Settings

#: What a view may say otherwise; a page needs a policy of its own.
USUAL = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
#: A year, as browsers' lists of such sites ask for.
HTTPS_ONLY = "max-age=31536000"


def init_app(app: Flask, settings: Settings) -> None:
    """Let nobody keep what belongs to one caller, and no browser take an answer for something else."""

    @app.after_request
    def tell(response: Response) -> Response:
        headers = response.headers
        said = {name for name, _ in headers}
        # Each look into the headers goes through all of them.
        headers.extend((name, value) for name, value in USUAL.items() if name not in said)
        if request.is_secure and not settings.development:
            headers["Strict-Transport-Security"] = HTTPS_ONLY
        if request.path.startswith("/api/"):
            if "Cache-Control" not in said:
                headers.add("Cache-Control", _keeping(response))
            if request.path.startswith("/api/products"):
                if "Vary" in said:
                    response.vary.update(("Authorization", "Cookie"))
                else:
                    headers.add("Vary", "Authorization, Cookie")
        return response


def _keeping(response: Response) -> str:
    """Who may keep an answer: the catalogue who asked, or anybody where a stranger did; nobody the rest."""
    if not request.path.startswith("/api/products") or response.status_code not in (200, 304):
        return "no-store"
    # Kept, and asked for again each time: a product may be withdrawn at any moment.
    known = "Authorization" in request.headers or "token" in request.cookies
    return "private, no-cache" if known else "public, no-cache"
