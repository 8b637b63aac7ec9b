"""The client is complete: every API call is a method with every parameter, and nothing else is needed."""

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from nexus.client import calls, shop
from nexus.config import Settings
from tests.client.page import examples
from tests.environment import flask

#: Calls without a method: what the client does by itself, what is for operators, and the CSV file.
NO_METHOD = {
    ("POST", "/api/auth/refresh"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/orders.csv"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
}
#: Arguments for the required parameters of any call.
SAMPLES = {"product_id": 1, "order_id": "o", "session_id": str(uuid4()), "price": 1}
#: Parameters that are no fields of the API: headers, and the page size.
OWN = {"key", "receipt", "page_size"}
#: Fields that are no parameters: the client pages by itself, and sellers need not give their own id.
LEFT_OUT = {"cursor", "limit", "user_id"}


def made() -> Iterator[tuple[str, Any]]:
    """Each call, made with sample arguments for its required parameters."""
    for name in vars(shop.Shop):
        if not name.startswith("_"):
            make = getattr(calls, name)
            needed = [one for one in inspect.signature(make).parameters.values() if one.default is one.empty]
            yield (
                name,
                make(
                    *(SAMPLES[one.name] for one in needed if one.kind is not one.KEYWORD_ONLY),
                    **{
                        one.name: SAMPLES.get(one.name, "x") for one in needed if one.kind is one.KEYWORD_ONLY
                    },
                ),
            )


def test_every_api_call_is_a_client_method_with_every_field(app: Flask) -> None:
    declared = {
        (method, rule.rule): vars(app.view_functions[rule.endpoint])["endpoint"]
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if hasattr(app.view_functions[rule.endpoint], "endpoint")
    }
    found = {}
    for name, call in made():
        endpoint, values = app.url_map.bind("").match(call.path, call.method)
        (rule,) = (one for one in app.url_map.iter_rules(endpoint) if call.method in (one.methods or ()))
        found[call.method, rule.rule] = name
        taken = inspect.signature(getattr(calls, name)).parameters.keys() - OWN
        one = declared[call.method, rule.rule]
        fields = {field for model in (one.body, one.query) if model for field in model.model_fields}
        assert fields - LEFT_OUT <= taken, name
        assert taken <= fields | values.keys(), name

    assert declared.keys() - NO_METHOD == found.keys()


def test_the_client_imports_nothing_of_the_service() -> None:
    code = "import nexus.client, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = loaded.stdout.split()

    assert not {"flask", "peewee", "psycopg2", "pydantic_settings"} & {*modules}
    assert not {"nexus.config", "nexus.db", "nexus.models"} & {*modules}


def test_the_service_does_not_import_httpx(root: Path) -> None:
    service = [path for path in (root / "nexus").rglob("*.py") if path.parent.name != "client"]

    assert not [path for path in service if "httpx" in path.read_text("utf-8")]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is missing")
def test_the_typescript_example_of_the_docs_compiles(root: Path, settings: Settings, tmp_path: Path) -> None:
    described = flask(root, settings, "openapi").stdout
    assert json.loads(described)["openapi"] == "3.1.0"
    (tmp_path / "openapi.json").write_text(described, "utf-8")
    (example,) = examples(root, "typescript")
    (commands,) = [one for one in examples(root, "console") if "npm install" in one]
    (tmp_path / "package.json").write_text("{}", "utf-8")

    def run(program: str) -> str:
        (tmp_path / "shop.ts").write_text(program, "utf-8")
        (check,) = [line for line in commands.splitlines() if "tsc" in line]
        return subprocess.run(check.split(), cwd=tmp_path, capture_output=True, text=True).stdout

    for command in commands.splitlines():
        if command.startswith(("npm", "npx openapi")):
            subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    assert run(example) == ""
    # A successful compilation only proves something if a wrong name fails to compile.
    assert "price_chanced" in run(example.replace("price_changed", "price_chanced"))
