"""`flask db doctor`."""

import json
from dataclasses import asdict

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.printing import as_json
from nexus.doctor import Finding, examine

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@as_json("the list")
@plainly
def doctor(*, as_json: bool) -> None:
    """Diagnose the database and the connection to it; each line is ok, warn or fail, with what to do."""
    findings = list(examine(current_app.config["SETTINGS"]))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _print(findings)
    if any(finding.status == "fail" for finding in findings):
        click.get_current_context().exit(1)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        status = click.style(f"{finding.status:<4}", fg=COLOURS[finding.status])
        click.echo(f"{status}  {finding.check:<{width}}  {finding.detail}")
        for line in (finding.advice or "").splitlines():
            click.echo(f"{'':{4 + 2 + width}}  > {line}")
