"""The settings of the service, typed and validated; all problems are reported at once."""

import os
import secrets
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from nexus.database_url import DatabaseURL
from nexus.env_file import SettingsError, refuse_broken, refuse_foreign, save
from nexus.proxies import Proxies
from nexus.rates import Rate
from nexus.setting_problems import CollectorURL, SentryURL, Token, lines
from nexus.signing_keys import split, weak_keys

ROOT = Path(__file__).resolve().parent.parent
DOTENV = ROOT / ".env"

RateText = Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)]


def rate(default: str, description: str) -> Any:
    """A settings field that holds a rate."""
    return Field(default=default, validate_default=True, description=description)


#: Secrets that are generated in development and saved in `.env`.
GENERATED = ("JWT_SECRET_KEY", "RECEIPT_SECRET_KEY")


class Settings(BaseSettings):
    """Every variable that the service reads; the environment takes precedence over `.env`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    app_env: Literal["production", "development"] = Field(
        default="production", description="`development` starts the embedded PostgreSQL and relaxes cookies."
    )
    database_url: str | None = Field(
        default=None,
        validate_default=True,
        repr=False,
        description="Direct URL of PostgreSQL, for migrations and commands. Required in production.",
        examples=["postgresql://nexus:secret@localhost:5432/nexus_sales_dev"],
    )
    database_pool_url: str | None = Field(
        default=None,
        repr=False,
        description="URL of a pooler, for the web process only; the default is DATABASE_URL.",
        examples=["postgresql://nexus:secret@db.example.com:6543/postgres?pgbouncer=true"],
    )
    database_pool_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Connections that one process may hold, by default 8: one for each thread and one for "
        "the event loop. All processes together hold at most WEB_CONCURRENCY times as many.",
    )
    database_pool_wait: int | None = Field(
        default=None,
        ge=2,
        le=60,
        description="Seconds that a request waits for a connection before it answers 503, by default 5.",
    )
    migrate_lock_timeout: int = Field(
        default=5,
        ge=0,
        le=86400,
        description="Seconds that a migration waits for a lock before it gives up; 0 is no limit.",
    )
    migrate_statement_timeout: int = Field(
        default=300,
        ge=0,
        le=86400,
        description="Seconds that one statement of a migration may take; 0 is no limit.",
    )
    jwt_secret_key: str = Field(
        default="",
        validate_default=True,
        repr=False,
        description="Signs access tokens: 32 bytes or more. With several keys, separated by commas, the "
        "first signs and all are accepted, so that keys can be rotated. "
        "Development generates one and saves it in `.env`.",
        examples=["change-me-to-the-output-of:openssl-rand-base64-48"],
    )
    receipt_secret_key: str = Field(
        default="",
        validate_default=True,
        repr=False,
        description="Signs the receipts of orders, which never expire. The same rules apply, and it must "
        "not share a key with JWT_SECRET_KEY.",
        examples=["change-me-to-the-output-of:openssl-rand-base64-48"],
    )
    password_min_score: int = Field(
        default=0,
        ge=0,
        le=4,
        description="Minimum strength of a new password: a zxcvbn score from 0, which accepts any, to 4.",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Origins of other sites whose pages may call the API, separated by commas.",
        examples=["https://nexus.sales,https://admin.nexus.sales"],
    )
    trusted_proxies: Annotated[Proxies, NoDecode, BeforeValidator(Proxies.parse)] = Field(
        default="0",
        validate_default=True,
        description="Which proxies are trusted to set X-Forwarded-For and X-Forwarded-Proto: the number of "
        "proxies in front of this service, or their networks, separated by commas.",
        examples=["1"],
    )
    rate_limit_enabled: bool = Field(default=True, description="Whether the rates below are enforced.")
    rate_limit_sign_in: RateText = rate(
        "10/minute", "Tries of a password or a reset token from one address; five times that for one account."
    )
    rate_limit_register: RateText = rate("10/minute", "New accounts from one address.")
    rate_limit_refresh: RateText = rate("60/minute", "Refreshes from one address.")
    rate_limit_orders: RateText = rate("30/minute", "Orders placed from one address.")
    default_locale: Literal["ru", "en"] = Field(
        default="ru", description="`ru` or `en`: language of messages when a request asks for neither."
    )
    currency: str = Field(
        default="USD", pattern="^[A-Z]{3}$", description="ISO 4217 currency of new products."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="DEBUG, INFO, WARNING or ERROR; in development, DEBUG shows every query as well.",
    )
    slow_request_ms: int = Field(
        default=1000,
        ge=0,
        le=3_600_000,
        description="Requests that take this many milliseconds or more are logged as warnings.",
    )
    slow_query_ms: int = Field(
        default=200,
        ge=0,
        le=3_600_000,
        description="Queries that take this many milliseconds or more are logged as warnings.",
    )
    metrics_key: Token | None = Field(
        default=None,
        repr=False,
        description="Bearer token for reading /metrics: 32 bytes or more. If unset, /metrics is not "
        "available, except in development, where everybody may read it.",
        examples=["change-me-to-the-output-of:openssl-rand-base64-48"],
    )
    sentry_dsn: SentryURL | None = Field(
        default=None,
        repr=False,
        description="Sentry DSN to which unexpected exceptions are reported; needs the extra `sentry`.",
        examples=["https://key@sentry.example.com/1"],
    )
    otel_exporter_otlp_endpoint: CollectorURL | None = Field(
        default=None,
        description="OpenTelemetry collector that receives spans over HTTP; needs the extra `otel`.",
        examples=["http://localhost:4318"],
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port that gunicorn listens on.")
    web_concurrency: int = Field(default=2, ge=1, le=256, description="Number of gunicorn workers.")
    seed_password: str | None = Field(
        default=None,
        repr=False,
        min_length=8,
        max_length=128,
        description="Password of the seeded user, for `flask seed --force` in production.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split(value) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            # Browsers send origins without a path; "*" and "null" would allow every site, with cookies.
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or f"{parts.scheme}://{parts.netloc.lower()}" != origin.lower()
            ):
                raise ValueError(f"{origin!r} is not an origin such as https://nexus.sales")
        return [origin.lower() for origin in origins]

    @field_validator("database_url", "database_pool_url")
    @classmethod
    def _database_url(cls, url: str | None) -> str | None:
        if url is not None:
            DatabaseURL.parse(url)
        return url

    # Field validators, although they use APP_ENV: a model validator would not run while any field is
    # invalid, and all problems of a deployment should be reported at once.

    @field_validator("database_url")
    @classmethod
    def _required(cls, url: str | None, others: ValidationInfo) -> str | None:
        if url is None and others.data.get("app_env") != "development":
            raise ValueError("is required in production; with APP_ENV=development it is not")
        return url

    @field_validator("jwt_secret_key", "receipt_secret_key")
    @classmethod
    def _strong(cls, secret: str, others: ValidationInfo) -> str:
        generated_later = not secret and others.data.get("app_env") == "development"
        if not generated_later and (weak := weak_keys(secret)):
            raise ValueError(f"{weak}; generate one with: openssl rand -base64 48")
        # With a shared key, a leak of one setting would compromise both.
        if set(split(secret)) & set(split(others.data.get("jwt_secret_key", ""))):
            raise ValueError("shares a key with JWT_SECRET_KEY; generate one with: openssl rand -base64 48")
        return secret

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine rather than production."""
        return self.app_env == "development"

    @property
    def jwt_keys(self) -> list[str]:
        """The keys for access tokens, newest first."""
        return split(self.jwt_secret_key)

    @property
    def receipt_keys(self) -> list[str]:
        """The keys for receipts, newest first."""
        return split(self.receipt_secret_key)

    @property
    def direct(self) -> DatabaseURL | None:
        """Where migrations and commands connect; None means the embedded server."""
        return DatabaseURL.parse(self.database_url) if self.database_url else None

    @property
    def pooled(self) -> DatabaseURL | None:
        """Where the web process connects; None means the embedded server."""
        return DatabaseURL.parse(self.database_pool_url) if self.database_pool_url else self.direct

    @property
    def pool_size(self) -> int:
        """Connections of one process: the setting, else `connection_limit` of the URL, else 8."""
        return self.database_pool_size or (self.pooled and self.pooled.connection_limit) or 8

    @property
    def pool_wait(self) -> int:
        """Seconds to wait for a connection: the setting, else `pool_timeout` of the URL, else 5."""
        return self.database_pool_wait or (self.pooled and self.pooled.pool_timeout) or 5


def load_settings(dotenv: Path = DOTENV) -> Settings:
    """Read the environment and `.env`; raise SettingsError that names every problem."""
    try:
        refuse_foreign(DOTENV)
        refuse_broken(dotenv)
        settings = _read(dotenv)
        unset = [name for name in GENERATED if settings.development and not getattr(settings, name.lower())]
        for name in unset:
            save(dotenv, name, secrets.token_urlsafe(48))
        if unset:
            settings = _read(dotenv)
    except ValidationError as error:
        raise SettingsError("\n".join(lines(error))) from None
    except OSError as error:
        raise SettingsError(f"{dotenv}: {error}") from None
    return settings


def _read(dotenv: Path) -> Settings:
    for name in map(str.upper, Settings.model_fields):
        # pydantic-settings would take blanks as a value and ignore the one in `.env`.
        if name in os.environ and not os.environ[name].strip():
            del os.environ[name]
    return Settings(_env_file=dotenv)  # type: ignore[call-arg]  # pydantic-settings documents it so.


def example() -> str:
    """The text of `.env.example`: every variable with its meaning, and its default or an example."""
    blocks = ["# Copy to .env and set what you need; the environment takes precedence over this file."]
    for name, field in Settings.model_fields.items():
        value = field.examples[0] if field.examples else field.default
        if isinstance(value, list) or value is None:
            value = ""
        comment = textwrap.fill(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")
        blocks.append(f"{comment}\n# {name.upper()}={value}")
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example())
