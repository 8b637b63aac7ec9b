"""The structure of the code: allowed imports, the top-level folder, and the length of files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nexus"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: The modules of ours that each layer may import; a module's layer is its longest prefix here.
LAYERS: dict[str, set[str]] = {
    "nexus": {"admin", "api", "application", "cli", "config", "db", "observe", "pages", "problems"}
    | {"security", "sentry"},
    "nexus.__main__": {"bootstrap"},
    "nexus.bootstrap": set(),
    "nexus.up": {"config", "create_app", "embedded", "env_file", "errors", "metric_files"}
    | {"migrate", "seed", "server"},
    "nexus.api": {
        "api",
        "body",
        "db",
        "errors",
        "limits",
        "metrics",
        "models",
        "paging",
        "readiness",
        "schemas",
    }
    | {"security"},
    "nexus.client": {"client", "errors", "refusals", "schemas"},
    "nexus.cli": {
        "bench",
        "cli",
        "config",
        "db",
        "doctor",
        "errors",
        "lines",
        "migrate",
        "models",
        "postgres_programs",
        "scale",
        "schemas",
        "seed",
        "transfer",
    },
    "nexus.cli.openapi": {"api.openapi", "cli"},
    "nexus.cli.studio": {"cli", "config", "database_url", "db", "embedded", "studio"},
    "nexus.cli.passwords": {"config", "i18n", "security"},
    "nexus.cli.sweep": {"cli", "db", "models"},
    "nexus.cli.users": {"cli", "config", "db", "errors", "i18n", "lines", "models", "schemas", "security"},
    "nexus.listing": {"db", "errors", "listing", "models", "paging", "schemas.fields"},
    "nexus.studio": {"config", "db", "errors", "listing", "models", "pages", "schemas", "security", "studio"},
    "nexus.admin": {
        "admin",
        "application",
        "body",
        "config",
        "db",
        "errors",
        "i18n",
        "listing",
        "models",
        "pages",
    }
    | {"schemas", "security"},
    "nexus.pages": {"db", "errors", "i18n", "listing", "models", "pages", "problems", "schemas", "security"}
    | {"sentry"},
    "nexus.pages.numbers": {"currencies", "i18n"},
    "nexus.schemas.orders_csv": {"currencies", "models", "schemas"},
    "nexus.doctor": {"config", "database_url", "db", "doctor", "errors", "migrate", "proxies"},
    "nexus.seed": {"config", "db", "models"},
    "nexus.sample": {"config"},
    "nexus.scale": {"config", "db", "sample", "security.passwords", "seed"},
    "nexus.bench": {"config", "db", "models", "paging"},
    "nexus.server": {"config", "doctor.start", "env_file", "limits", "lines", "metric_files"},
    "nexus.granian_server": {"config", "create_app", "doctor.start", "limits", "metric_files", "server"},
    "nexus.serving": {"limits", "metric_files", "serving", "wsgi_keys"},
    "nexus.observe": {"application", "config", "db", "lines", "metrics", "tracing", "wsgi_keys"},
    "nexus.sentry": {"config"},
    "nexus.tracing": {"config"},
    "nexus.metrics": {"metric_files"},
    "nexus.readiness": {"db", "migrate"},
    "nexus.schemas": {"models", "schemas", "security.passwords"},
    "nexus.security.strength": {"schemas.fields", "security.passwords", "security.russian"},
    "nexus.security.signing_in": {"errors", "metrics", "models", "schemas.fields", "security"},
    "nexus.security": {"application", "config", "errors", "metrics", "models", "proxies", "security"},
    "nexus.body": {"errors", "limits"},
    "nexus.paging": {"errors"},
    "nexus.transfer": {"config", "db", "errors", "models", "transfer"},
    "nexus.transfer.backup": {"config", "database_url", "db", "embedded", "errors", "migrate"}
    | {"postgres_programs", "transfer"},
    "nexus.migrate": {"config", "database_url", "db", "errors", "migrate"},
    "nexus.migrate.check": {"db", "errors", "migrate"},
    "nexus.migrate.scratch": {"database_url", "db", "embedded", "errors", "migrate", "postgres_programs"},
    "nexus.migrate.declared": {"migrate", "models"},
    "nexus.models": {"db", "errors", "metrics", "models", "paging", "rates", "security.passwords"},
    "nexus.db": {"application", "config", "database_url", "db", "embedded", "errors", "metrics", "problems"},
    "nexus.problems": {"errors", "i18n", "refusals", "sentry", "wsgi_keys"},
    "nexus.refusals": {"errors"},
    "nexus.config": {"database_url", "env_file", "proxies", "rates", "setting_problems", "signing_keys"},
    "nexus.setting_problems": {"signing_keys"},
    "nexus.embedded": {"embedded_home"},
    "nexus.postgres_programs": {"embedded_home"},
}
#: Modules that import none of ours.
LEAVES = {
    "nexus.application",
    "nexus.currencies",
    "nexus.errors",
    "nexus.i18n",
    "nexus.database_url",
    "nexus.embedded_home",
    "nexus.limits",
    "nexus.lines",
    "nexus.metric_files",
    "nexus.security.passwords",
    "nexus.wsgi_keys",
}
LEAVES |= {"nexus.env_file", "nexus.security.russian", "nexus.proxies", "nexus.rates", "nexus.signing_keys"}
#: Layers that may import Peewee.
PEEWEE = {"nexus.db", "nexus.migrate", "nexus.models", "nexus.observe"}
#: The files and folders in the root.
TOP = {"pyproject.toml", "requirements.txt", "wsgi.py", "nexus", "migrations", "seed", "tests", "docs"} | {
    "Procfile",
    "README.md",
}


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str, layers: set[str]) -> str:
    return max((known for known in layers if f"{name}.".startswith(f"{known}.")), key=len, default="")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_import_only_what_their_layer_may(path: Path) -> None:
    name = dotted(path)
    known = layer(name, set(LAYERS) | LEAVES)
    allowed = LAYERS.get(known, set())
    assert known != "nexus" or name == "nexus", f"{name} is missing in LAYERS"
    for found in imported(path):
        if found.startswith("nexus."):
            ours = found.removeprefix("nexus.")
            assert any(f"{ours}.".startswith(f"{one}.") for one in allowed), f"{name} imports {found}"
        if found.split(".")[0] in ("peewee", "playhouse", "peewee_migrate"):
            assert layer(name, PEEWEE), f"{name} imports {found}"


def test_blueprints_do_not_import_each_other() -> None:
    modules = {path: path.read_text(encoding="utf-8") for path in (PACKAGE / "api").glob("[a-z]*.py")}
    blueprints = {f"nexus.api.{path.stem}" for path, text in modules.items() if "= Blueprint(" in text}
    assert len(blueprints) > 5
    for path in modules:
        found = imported(path)
        assert not (found | {one.rpartition(".")[0] for one in found}) & blueprints, path.name


def test_models_do_not_import_flask_or_schemas() -> None:
    for path in (PACKAGE / "models").glob("*.py"):
        assert not [one for one in imported(path) if one.startswith(("flask", "nexus.schemas"))], path.name


def test_migrations_do_not_import_nexus() -> None:
    for path in (ROOT / "migrations").glob("*.py"):
        assert not [one for one in imported(path) if one.startswith("nexus")], path.name
        assert path.read_bytes().isascii(), (
            f"{path.name} must be ASCII, since it is read in the machine's encoding"
        )


def test_no_file_has_more_than_300_lines() -> None:
    for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 300 or "benchmarks" in path.parts, f"{path.relative_to(ROOT)} has {lines} lines"


def test_no_module_has_a_catch_all_name() -> None:
    catch_alls = {"utils", "util", "helpers", "helper", "common", "misc", "services", "managers"}
    assert not [path for path in MODULES if path.stem in catch_alls]


def test_the_top_level_folder_has_only_the_known_entries() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= TOP


def test_importing_nexus_and_creating_the_application_open_no_connection() -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/nothing"
    code = (
        "import nexus, sys\n"
        "assert not [name for name in sys.modules if name.startswith(('flask', 'nexus.'))]\n"
        "nexus.create_app()\n"
        "from nexus.db import database\n"
        "assert not database._in_use and not database._connections\n"
    )
    environment = {"APP_ENV": "production", "DATABASE_URL": unreachable}
    environment["JWT_SECRET_KEY"] = "k3Jx9-Qw7Zr2_Tb8Vn4Lm6Pc1Yd5Hs0Gf"
    environment["RECEIPT_SECRET_KEY"] = "Rw2-uT9aXb4_Kd7Fq1Zs6Mj3Pv8Nc5Lh0"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
