"""Access control: admins get in with their API session, and forms must come from our own pages."""

import hmac
import io
from secrets import compare_digest

from flask import Flask, Response, current_app, g, redirect, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from nexus.body import read_body
from nexus.config import Settings
from nexus.errors import CrossOrigin, InvalidCredentials, NexusError, Throttled
from nexus.i18n import locale, message
from nexus.models.sessions import Caller, Session
from nexus.models.users import ADMIN
from nexus.pages.page import show
from nexus.schemas.auth import SignIn
from nexus.security import journal, signing_in, tokens
from nexus.security.origins import CHANGING, refuse_cross_origin


def init_app(app: Flask, settings: Settings) -> None:
    """Derive the keys for form tokens."""
    app.config["FORM_KEYS"] = [
        hmac.digest(key.encode(), b"tokens of forms", "sha256") for key in settings.jwt_keys
    ]


def admit() -> Redirect | None:
    """Let staff in, and redirect everyone else to the sign-in page; a form must come from our own pages."""
    if request.method in CHANGING:
        # Pages of CORS_ORIGINS may call the API, but not send forms here.
        refuse_cross_origin(allowed=())
        # The whole body is read first, since Werkzeug's form parser would accept a truncated one.
        request.environ["wsgi.input"] = io.BytesIO(read_body(request))
    g.session = tokens.current_session(request)
    if g.session:
        g.user_id = g.session.user_id
    if request.endpoint in ("admin.show_sign_in", "admin.sign_in"):
        return None
    if not _is_staff():
        return redirect(url_for("admin.show_sign_in"), 303)
    if request.method in CHANGING:
        given = request.form.get("form_token", "").encode()
        good = [_form_token(key).encode() for key in current_app.config["FORM_KEYS"]]
        if not any(compare_digest(given, token) for token in good):
            raise CrossOrigin
    return None


def show_sign_in() -> Response | Redirect:
    """Show the sign-in page, which tells signed-in users that they are not admins."""
    if _is_staff():
        return redirect(url_for("admin.home"), 303)
    return _sign_in_page(None)


def sign_in() -> Response | Redirect:
    """Begin a session as `POST /api/auth/login` does, but with cookies only."""
    try:
        given = SignIn.model_validate(request.form.to_dict())
        session, refresh_token = signing_in.sign_in(email=given.email, password=given.password)
    except ValidationError:
        return _sign_in_page(InvalidCredentials())
    except (InvalidCredentials, Throttled) as error:
        return _sign_in_page(error)
    response = redirect(url_for("admin.home"), 303)
    tokens.set_cookies(response, token=tokens.issue(session), refresh_token=refresh_token)
    return response


def sign_out() -> Redirect:
    """End this session."""
    Session.end(g.session.id, user_id=g.session.user_id)
    journal.record("session_ended", user=g.session.user_id, session=g.session.id, by="owner")
    response = redirect(url_for("admin.show_sign_in"), 303)
    tokens.clear_cookies(response)
    return response


def form_token() -> str:
    """The CSRF token of this session's forms; pages of other sites cannot read it."""
    return _form_token(current_app.config["FORM_KEYS"][0])


def actor() -> str:
    """The admin who is signed in, as events and the audit log name them: by id, since addresses change."""
    return f"staff:{g.session.user_id}"


def person() -> str | None:
    """The e-mail address of the admin who is signed in."""
    return str(g.session.user.email) if _is_staff() else None


def _is_staff() -> bool:
    session: Caller | None = g.get("session")
    return session is not None and session.user.role == ADMIN


def _form_token(key: bytes) -> str:
    return hmac.new(key, str(g.session.id).encode(), "sha256").hexdigest()


def _sign_in_page(error: NexusError | None) -> Response:
    says = message(error.code, locale()) if error else None
    session: Caller | None = g.get("session")
    response = show("admin_sign_in.html", says=says, stranger=session.user.email if session else None)
    if error:
        response.status_code = error.status
        response.headers.update(error.headers)
    return response
