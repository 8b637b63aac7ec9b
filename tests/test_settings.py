"""Settings: what is accepted, what is refused, and that all problems are reported together."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.config import Settings, load_settings
from nexus.database_url import DatabaseURL
from nexus.env_file import SettingsError
from tests.environment import environment

KEY = "k3Jx9-Qw7Zr2_Tb8Vn4Lm6Pc1Yd5Hs0Gf"
OTHER_KEY = "Rw2-uT9aXb4_Kd7Fq1Zs6Mj3Pv8Nc5Lh0"
KEYS = f"JWT_SECRET_KEY={KEY}\nRECEIPT_SECRET_KEY={OTHER_KEY}\n"
URL = "postgresql://nexus:pa55word@localhost/nexus"


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def problems(dotenv: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv)
    return str(caught.value).splitlines()


def test_production_is_the_default_and_has_required_settings(dotenv: Path) -> None:
    first, second, third = problems(dotenv)

    assert first.startswith("DATABASE_URL: is required in production")
    assert second.startswith("JWT_SECRET_KEY: is required in production")
    assert third.startswith("RECEIPT_SECRET_KEY: is required in production")
    assert not dotenv.exists()


def test_all_problems_are_reported_together(dotenv: Path) -> None:
    dotenv.write_text(
        "APP_ENV=staging\nDATABASE_URL=mysql://x\nDATABASE_POOL_SIZE=0\nDATABASE_POOL_WAIT=1\nPORT=http\n"
        "CORS_ORIGINS=*\nDEFAULT_LOCALE=fr\nCURRENCY=dollar\nLOG_LEVEL=LOUD\nWEB_CONCURRENCY=-1\nTRUSTED_PROXIES=10.0.0.1/8\nRATE_LIMIT_ENABLED=maybe\n"
        "RATE_LIMIT_SIGN_IN=ten\nRATE_LIMIT_REGISTER=0/minute\nRATE_LIMIT_REFRESH=5/week\nRATE_LIMIT_ORDERS=5\nSEED_PASSWORD=short\n"
        "JWT_SECRET_KEY=x\nRECEIPT_SECRET_KEY=x\nMETRICS_KEY=x\n"
    )
    named = [line.partition(":")[0] for line in problems(dotenv)]

    assert sorted(named) == [
        "APP_ENV",
        "CORS_ORIGINS",
        "CURRENCY",
        "DATABASE_POOL_SIZE",
        "DATABASE_POOL_WAIT",
        "DATABASE_URL",
        "DEFAULT_LOCALE",
        "JWT_SECRET_KEY",
        "LOG_LEVEL",
        "METRICS_KEY",
        "PORT",
        "RATE_LIMIT_ENABLED",
        "RATE_LIMIT_ORDERS",
        "RATE_LIMIT_REFRESH",
        "RATE_LIMIT_REGISTER",
        "RATE_LIMIT_SIGN_IN",
        "RECEIPT_SECRET_KEY",
        "SEED_PASSWORD",
        "TRUSTED_PROXIES",
        "WEB_CONCURRENCY",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"PORT=1\nDATABASE_URL='postgresql://x\nwhat is this\n", ["line 2 cannot", "line 3 cannot"]),
        ("# настройки\n".encode("cp1251"), ["is not encoded in UTF-8"]),
    ],
)
def test_a_malformed_file_is_refused_rather_than_ignored(dotenv: Path, text: bytes, said: list[str]) -> None:
    dotenv.write_bytes(text)

    for line, part in zip(problems(dotenv), said, strict=True):
        assert line.startswith(f"{dotenv}: ")
        assert part in line


@pytest.mark.parametrize(
    "secret",
    ["short", "x" * 64, "change-me-please-change-me-please-1234", "password-password-password-123456"],
)
@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "RECEIPT_SECRET_KEY"])
def test_a_weak_secret_is_refused_and_not_repeated(
    dotenv: Path, secret: str, environment: str, name: str
) -> None:
    dotenv.write_text(f"APP_ENV={environment}\nDATABASE_URL={URL}\n{KEYS}{name}={secret}\n")

    (line,) = problems(dotenv)

    assert line.startswith(f"{name}:")
    assert secret not in line


def test_each_weak_key_of_several_is_reported_by_its_position(dotenv: Path) -> None:
    weak = f"short, {KEY},{'x' * 64}"
    dotenv.write_text(f"APP_ENV=production\nDATABASE_URL={URL}\n{KEYS}JWT_SECRET_KEY={weak}\n")

    (line,) = problems(dotenv)

    assert line.startswith("JWT_SECRET_KEY: key 1 has 5 bytes and needs 32 or more; key 3 looks like")
    assert KEY not in line


def test_receipts_and_access_tokens_must_not_share_a_key(dotenv: Path) -> None:
    dotenv.write_text(f"DATABASE_URL={URL}\n{KEYS}JWT_SECRET_KEY={KEY},{OTHER_KEY}\n")

    (line,) = problems(dotenv)

    assert line.startswith("RECEIPT_SECRET_KEY: shares a key with JWT_SECRET_KEY")
    assert OTHER_KEY not in line


def test_the_secrets_of_env_example_are_refused(root: Path, dotenv: Path) -> None:
    text = (root / ".env.example").read_text()
    for name in ("DATABASE_URL", "JWT_SECRET_KEY", "RECEIPT_SECRET_KEY"):
        text = text.replace(f"# {name}=", f"{name}=")
    dotenv.write_text(text)

    refused = [line.partition(":")[0] for line in problems(dotenv)]
    assert refused == ["JWT_SECRET_KEY", "RECEIPT_SECRET_KEY"]


def test_development_generates_secrets_once_in_a_private_file(dotenv: Path) -> None:
    dotenv.write_text("APP_ENV=development\n# mine\n")
    dotenv.chmod(0o600)

    first, second = load_settings(dotenv), load_settings(dotenv)

    assert len(first.jwt_secret_key) >= 32
    assert len(first.receipt_secret_key) >= 32
    assert first.jwt_secret_key == second.jwt_secret_key != first.receipt_secret_key
    assert first.receipt_secret_key == second.receipt_secret_key
    assert "# mine" in dotenv.read_text()
    assert dotenv.stat().st_mode & 0o777 == 0o600


def test_the_environment_takes_precedence_and_blank_counts_as_unset(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv.write_text(f"APP_ENV=production\nDATABASE_URL={URL}\n{KEYS}PORT=9000\n")
    monkeypatch.setenv("PORT", "9001")
    monkeypatch.setenv("APP_ENV", "")
    monkeypatch.setenv("DATABASE_URL", "  ")
    monkeypatch.setenv("DATABASE_POOL_SIZE", " ")

    settings = load_settings(dotenv)

    assert (settings.port, settings.development) == (9001, False)
    assert (settings.database_url, settings.database_pool_size) == (URL, None)


@pytest.mark.parametrize("name", [".env", ".flaskenv"])
def test_settings_that_flask_read_from_a_parent_folder_are_refused(
    root: Path, tmp_path: Path, settings: Settings, name: str
) -> None:
    checkout = tmp_path / "above" / "shop"
    checkout.mkdir(parents=True)
    for part in ("nexus", "migrations", "wsgi.py", "pyproject.toml", "seed"):
        (checkout / part).symlink_to(root / part)
    (checkout.parent / name).write_text("CURRENCY=EUR\n")
    # The package is a link to this checkout, so its settings file would be too.
    program = "import nexus.config as c; c.DOTENV = c.Path.cwd() / '.env'; from flask.cli import main; main()"
    command = [sys.executable, "-c", program, "db", "ping"]
    given = environment(settings)

    refused = subprocess.run(command, cwd=checkout, env=given, capture_output=True, text=True, check=False)
    skipped = {**given, "FLASK_SKIP_DOTENV": "1"}
    taken = subprocess.run(command, cwd=checkout, env=skipped, capture_output=True, text=True, check=False)
    (checkout / name).write_text("")
    own = subprocess.run(command, cwd=checkout, env=given, capture_output=True, text=True, check=False)

    assert (refused.returncode, taken.returncode, own.returncode) == (1, 0, 0)
    assert f"{checkout.parent / name}: flask has loaded this file" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_origin_is_accepted_in_upper_case(dotenv: Path) -> None:
    dotenv.write_text("APP_ENV=development\nCORS_ORIGINS=HTTPS://Shop.example\n")

    assert load_settings(dotenv).cors_origins == ["https://shop.example"]


@pytest.mark.parametrize("origin", ["*", "null", "http://", "https://:80", "shop.example", "https://a.b/c"])
def test_an_invalid_origin_is_refused(dotenv: Path, origin: str) -> None:
    dotenv.write_text(f"APP_ENV=development\nCORS_ORIGINS={origin}\n")

    with pytest.raises(SettingsError, match="is not an origin such as"):
        load_settings(dotenv)


def test_the_repr_of_settings_hides_secrets(dotenv: Path) -> None:
    dotenv.write_text(f"DATABASE_URL={URL}\n{KEYS}")

    shown = repr(load_settings(dotenv))

    assert KEY not in shown
    assert OTHER_KEY not in shown
    assert "pa55word" not in shown


def test_pool_parameters_of_the_url_apply_unless_a_setting_is_given(dotenv: Path) -> None:
    base = f"{KEYS}DATABASE_URL={URL}?connection_limit=10&pool_timeout=7\n"
    dotenv.write_text(base)
    assert (load_settings(dotenv).pool_size, load_settings(dotenv).pool_wait) == (10, 7)

    dotenv.write_text(base + "DATABASE_POOL_SIZE=3\nDATABASE_POOL_WAIT=4\n")
    assert (load_settings(dotenv).pool_size, load_settings(dotenv).pool_wait) == (3, 4)


def test_the_web_process_uses_the_pooler_and_commands_do_not(dotenv: Path) -> None:
    pooled = "postgresql://nexus@pool.example:6543/nexus?pgbouncer=true"
    dotenv.write_text(f"{KEYS}DATABASE_URL={URL}\nDATABASE_POOL_URL={pooled}\n")

    settings = load_settings(dotenv)

    assert settings.pooled
    assert settings.direct
    assert settings.pooled.parameters["host"] == "pool.example"
    assert settings.pooled.pgbouncer
    assert settings.direct.parameters["host"] == "localhost"


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgres://u:p@h/d", {"user": "u", "password": "p", "host": "h", "dbname": "d"}),
        (
            "postgresql://u@h1:1,h2:2/d?target_session_attrs=read-write&sslmode=require",
            {"user": "u", "host": "h1,h2", "port": "1,2", "dbname": "d"}
            | {"target_session_attrs": "read-write", "sslmode": "require"},
        ),
        ("postgresql:///d?host=/tmp/a%20b", {"host": "/tmp/a b", "dbname": "d"}),
        ("postgresql://h/d?schema=public&pgbouncer=true", {"host": "h", "dbname": "d"}),
        (
            "postgresql://h/d?schema=my%20shop",
            {"host": "h", "dbname": "d", "options": "-csearch_path=my\\ shop"},
        ),
        ("postgresql://u:p%40%23%2F@h/d?application_name=a%26b", None),
    ],
)
def test_valid_database_urls_are_parsed(url: str, parameters: dict[str, str] | None) -> None:
    read = DatabaseURL.parse(url).parameters

    if parameters is None:
        parameters = {"user": "u", "password": "p@#/", "host": "h", "dbname": "d", "application_name": "a&b"}
    assert read == parameters


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:hunter2@h/d", "must begin with postgresql://"),
        ("postgresql+psycopg2://u:hunter2@h/d", "must begin with postgresql://"),
        ("postgresql://u:hunter2@h", "has no database name"),
        ("postgresql://u:hunter2@h/d?sslmod=require", 'invalid URI query parameter: "sslmod"'),
        ("postgresql://u:hunter2@[h/d", "is not a URL that libpq can read"),
        ("postgresql://u:hunter2@h/d?pgbouncer=maybe", "pgbouncer= must be true or false"),
        ("postgresql://u:hunter2@h/d?connection_limit=many", "connection_limit= must be a whole number"),
        ("postgresql://u:hunter2@h/d?connection_limit=0000010000000", "connection_limit= must be a whole"),
        ("postgresql://u:hunter2@h/d?connection_limit=0", "connection_limit= must be a whole number"),
        ("postgresql://u:hunter2@h/d?pool_timeout=1", "pool_timeout= must be a whole number from 2"),
        ("postgresql://u:hunter2@h/d?schema=x&pgbouncer=true", "schema= needs a direct URL"),
        ("postgresql://u:hunter2@h/d?options=-cx%3D1&pgbouncer=true", "options= needs a direct URL"),
        ("postgresql://u:p@hunter2@h/d", "must be encoded"),
        ("postgresql://u:1/hunter2@h/d", "must be encoded"),
        ("postgresql://u:p?hunter2@h/d", "must be encoded"),
    ],
)
def test_invalid_database_urls_are_refused_with_the_reason_without_the_password(
    url: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        DatabaseURL.parse(url)

    assert "hunter2" not in str(caught.value)
