"""The documentation is complete and correct: what exists is described, and what is described exists."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from nexus.config import Settings, example
from nexus.errors import family
from nexus.i18n import MESSAGES
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.steps import Actor
from nexus.models.users import User
from nexus.pages.advice import ADVICE, FIELD_ADVICE
from nexus.pages.texts import TEXTS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("migrations/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OURS = ("db", "migrate", "openapi", "orders", "products", "seed", "studio", "users")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(text: str, level: str = "##") -> list[str]:
    return re.findall(rf"^{level} (.+)$", text, re.MULTILINE)


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_exactly_the_existing_routes_are_described(app: Flask) -> None:
    routes = {
        f"`{method} {re.sub(r'<[^>]+>', '{id}', rule.rule)}`"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert set(headings(read("docs/api.md"), "###")) - {"Signing in", "Lists and pages", "Receipts"} == routes


def test_every_route_is_described_with_its_errors(app: Flask) -> None:
    sections = dict(re.findall(r"^### `(.+?)`\n(.+?)(?=^##|\Z)", read("docs/api.md"), re.M | re.S))
    for rule in app.url_map.iter_rules():
        declared = getattr(app.view_functions[rule.endpoint], "endpoint", None)
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        section = sections[f"{method} {re.sub(r'<[^>]+>', '{id}', rule.rule)}"]
        for error in declared.errors if declared else ():
            assert f"`{error.code}`" in section or "Errors as for" in section, (rule.rule, error.code)


def test_the_calls_in_the_examples_fit_the_models() -> None:
    known = {"User": User, "Product": Product, "Order": Order, "Actor": Actor, "user": User(id=1)}
    (examples,) = re.findall(r"^```python\n(.+?)^```", read("docs/DATABASE.md"), re.M | re.S)
    calls = [node for node in ast.walk(ast.parse(examples)) if isinstance(node, ast.Call)]
    # Calls on the result of a query, such as `first`, belong to Peewee.
    functions = [call for call in calls if re.fullmatch(r"\w+(\.\w+)?", ast.unparse(call.func))]

    for call in functions:
        function, *given = (
            eval(ast.unparse(part), known)
            for part in (call.func, *call.args, *(named.value for named in call.keywords))
        )
        names = [named.arg or "" for named in call.keywords]
        values = len(given) - len(names)
        inspect.signature(function).bind(*given[:values], **dict(zip(names, given[values:], strict=True)))
    assert len(functions) > 6


def test_exactly_the_existing_errors_are_described() -> None:
    codes = {error.code.replace("_", "-") for error in family()}

    assert set(headings(read("docs/errors.md"))) - {"Problems of a field"} == codes


def test_the_page_of_errors_repeats_the_advice_of_the_code() -> None:
    sections = dict(re.findall(r"^## ([a-z-]+)\n\n(.+?)\n\n", read("docs/errors.md"), re.M))
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", read("docs/errors.md"), re.M))

    for error in family():
        advice, _ = ADVICE[error.code]
        assert sections[error.code.replace("_", "-")] == f"{error.status.value}. {advice}"
    assert rows == {code: meaning for code, (meaning, _) in FIELD_ADVICE.items()}


def test_every_error_has_a_message_in_both_languages() -> None:
    assert {error.code for error in family()} == {code for code in MESSAGES if "." not in code}
    assert all(english and russian for english, russian in MESSAGES.values())


def test_russian_texts_have_the_placeholders_code_and_numbers_of_the_english_ones() -> None:
    parts = re.compile(r"\{\w+\}|`[^`]+`|\d+(?:[ ,]\d{3})*")
    different = [
        key
        for texts in (MESSAGES, TEXTS, ADVICE, FIELD_ADVICE)
        for key, (english, russian) in texts.items()
        if not (
            {re.sub("[ ,]", "", part) for part in parts.findall(english)}
            <= {re.sub("[ ,]", "", part) for part in parts.findall(russian)}
        )
    ]

    assert different == []


def test_exactly_the_existing_problems_of_fields_are_described() -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", read("docs/errors.md"), re.MULTILINE))

    assert described == {code.removeprefix("field.") for code in MESSAGES if code.startswith("field.")}


def test_exactly_the_existing_settings_are_described() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", read("docs/settings.md"), re.MULTILINE))

    assert described == {name.upper() for name in Settings.model_fields}


def test_env_example_is_current() -> None:
    assert read(".env.example") == example(), "run: .venv/bin/python -m nexus.config >.env.example"


def test_exactly_the_existing_commands_are_described_with_their_options(app: Flask) -> None:
    text = read("docs/cli.md")
    sections = dict(re.findall(r"^### `(flask .+?)`\n(.+?)(?=^##|\Z)", text, re.M | re.S))
    ours = {name: command for name, command in commands(app.cli, "flask") if name.split()[1] in OURS}

    assert set(sections) == {*ours, "flask run"}
    for name, command in ours.items():
        for option in command.params:
            for flag in option.opts:
                assert f"`{flag}`" in sections[name], (name, flag)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_existing_targets(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            anchors = {
                re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
                for title in re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            }
            assert anchor in anchors, link


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}

    assert {page for page in PAGES if page not in (index, ROOT / "README.md")} <= linked


def test_the_tree_in_the_readme_is_current() -> None:
    (tree,) = re.findall(r"```text\n(.+?)```", read("README.md"), re.DOTALL)
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines()}

    assert all((ROOT / name).exists() for name in shown)
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {
        "README.md",
        "__pycache__",
        "build",
    } - {path.name for path in ROOT.glob("*.egg-info")} <= shown


def test_every_page_names_its_audience() -> None:
    for page in PAGES:
        if page != ROOT / "README.md":
            assert re.search(r"^For \w+", page.read_text(encoding="utf-8"), re.MULTILINE), page
