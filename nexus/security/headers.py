"""What every answer tells browsers and caches about itself."""

from flask import Flask, Response, request


def init_app(app: Flask) -> None:
    """Let nobody keep what belongs to one caller, and no browser take an answer for something else."""

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.path.startswith("/api/"):
            # Who asks decides what is seen, by cookie too, which caches between us would not look at.
            ours = "no-store" if request.path.startswith("/api/auth/") else "private, no-cache"
            response.headers.setdefault("Cache-Control", ours)
        return response
