"""Which other sites' pages may call the API, and use a visitor's cookie to change something."""

from collections.abc import Collection

from flask import Request, Response, current_app, request

from nexus.application import Application
from nexus.errors import CrossOrigin

CHANGING = ("POST", "PUT", "PATCH", "DELETE")


#: Paths that pages of other origins can never read; CORS_ORIGINS is for the API only.
SAME_ORIGIN_ONLY = "/admin"


def refuse_cross_origin(*, allowed: Collection[str] | None = None) -> None:
    """Raise CrossOrigin when a request that changes something comes from a page of another site.

    Pages of `allowed` origins may send such requests; by default those of CORS_ORIGINS.

    Browsers say where a request comes from in headers that pages cannot set. A request without either of
    them is not from a browser, so no other site can have caused it.
    """
    if request.method not in CHANGING:
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none") or (site is None and origin is None):
        return
    others = current_app.config["CORS_ORIGINS"] if allowed is None else allowed
    if origin is None or not (_same_origin(origin) or origin.lower() in others):
        raise CrossOrigin


def _same_origin(origin: str) -> bool:
    return origin.lower() == f"{request.scheme}://{request.host}".lower()


def init_app(app: Application) -> None:
    """Answer preflight requests of CORS_ORIGINS, and let their pages read responses, with credentials."""

    def allow(request: Request, response: Response) -> None:
        if not app.config["CORS_ORIGINS"] or request.path.startswith(SAME_ORIGIN_ONLY):
            return
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "").lower()
        if origin not in app.config["CORS_ORIGINS"]:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = (
            "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Request-Id, "
            "traceparent"
        )
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Allow-Headers"] = (
                "Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                "X-Request-Id, traceparent"
            )
            response.headers["Access-Control-Max-Age"] = "600"

    app.finishing.append(allow)
