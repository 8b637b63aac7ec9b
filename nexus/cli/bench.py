"""`flask db bench`."""

import json

import click
from flask import current_app

from nexus.bench import LIMIT_MS, WARM_UP, BenchReport, Measurement, NothingToMeasure
from nexus.bench import bench as measure
from nexus.cli.failing import plainly, refuse_pending
from nexus.cli.printing import as_json
from nexus.cli.terminal import bar
from nexus.config import Settings


@click.command()
@click.option(
    "--runs", type=click.IntRange(min=1), default=300, show_default=True, help="Number of measurements."
)
@click.option("--force", is_flag=True, help="Place and delete orders in production as well.")
@as_json("the report")
@plainly
def bench(*, runs: int, force: bool, as_json: bool) -> None:
    """Measure the database through the models and as bare SQL; leave no row behind."""
    settings: Settings = current_app.config["SETTINGS"]
    refuse_pending()
    with bar(runs) as progress:
        try:
            report = measure(settings, runs=runs, write=settings.development or force, tick=progress.update)
        except NothingToMeasure as error:
            raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_data(report)) if as_json else _table(report))


def _data(report: BenchReport) -> dict[str, object]:
    return {
        "runs": report.runs,
        "warm_up": WARM_UP,
        "limit_ms": LIMIT_MS,
        "user": report.user_id,
        "products": report.products,
        "measurements": [
            {
                "name": found.name,
                "models_ms": _rounded(found.models_ms),
                "bare_ms": _rounded(found.bare_ms),
                "ratio": round(found.ratio, 2),
                "fast_enough": found.fast_enough,
            }
            for found in report.measurements
        ],
        "left_out": [{"name": name, "why": why} for name, why in report.left_out.items()],
    }


def _rounded(milliseconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in milliseconds.items()}


def _table(report: BenchReport) -> str:
    head = ["milliseconds", "p50", "p95", "p99", "bare p50", "p95", "p99", "ratio", f"p95 < {LIMIT_MS}"]
    rows = [head, *(_row(found) for found in report.measurements)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    size = f"user {report.user_id} has {report.products} live products"
    lines = [
        f"{report.runs} runs each, after {WARM_UP} to warm up; {size}",
        "bare: the same SQL through psycopg2 alone, in alternation",
        "",
    ]
    for name, *cells in rows:
        aligned = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([f"{name:<{widths[0]}}", *aligned]))
    lines += [f"left out: {name}; {why}" for name, why in report.left_out.items()]
    return "\n".join(lines)


def _row(found: Measurement) -> list[str]:
    times = [f"{value:.2f}" for value in (*found.models_ms.values(), *found.bare_ms.values())]
    return [found.name, *times, f"{found.ratio:.2f}", "yes" if found.fast_enough else "NO"]
