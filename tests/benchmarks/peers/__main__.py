"""Measure the product and its peers: `python -m tests.benchmarks.peers --help`."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import click

from tests.benchmarks.peers import figures, verifying
from tests.benchmarks.peers.contestants import CONTESTANTS, PRODUCT, UNIT, Contestant, Missing, started
from tests.benchmarks.peers.data import cluster, databases
from tests.benchmarks.peers.workload import ENDPOINTS, Measurement, measure

#: The endpoints of `--short`: enough to check that everything works, and for a rough comparison.
SHORT = ("list", "product", "order")


def main(words: Sequence[str] | None = None) -> int:
    """Install, start, verify, measure and write; return 0 if all responses were as expected."""
    given = _arguments(words)
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (wrk on Debian)")
    # Handled like Ctrl-C, so that nothing is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    missing: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    rounds: dict[str, dict[str, list[Measurement]]] = {}
    with ExitStack() as stack:
        wanted = _installed(given, missing)
        server = stack.enter_context(nullcontext(given.database) if given.database else cluster())
        click.echo("filling the database, which takes minutes the first time")
        ours, theirs = databases(server)
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
        urls = {}
        for one in wanted:
            try:
                database = ours if one.ours else theirs
                urls[one.name] = stack.enter_context(started(one, database=database, logs=logs))
            except Missing as reason:
                missing[one.name] = str(reason)
        wrong |= _verify(urls)
        try:
            _measure(urls, given, rounds, logs)
        except KeyboardInterrupt:
            click.echo("interrupted: writing the results so far")
        wrong |= _verify(urls)
        _write(given.to, rounds, missing=missing, wrong=wrong)
    errors = sum(one.errors for one in figures.figures(rounds))
    return 1 if errors or wrong else 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    names = [one.name for one in CONTESTANTS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="only installed contestants, a second each: two minutes"
    )
    parser.add_argument("--only", default="", help=f"comma-separated, of {', '.join(names)}")
    parser.add_argument("--endpoints", default="", help=f"comma-separated, of {', '.join(ENDPOINTS)}")
    parser.add_argument("--rounds", type=int, help="number of rounds (5; short: 2)")
    parser.add_argument("--seconds", type=int, help="length of each measurement (4; short: 1)")
    parser.add_argument("--to", type=Path, default=Path("build/peers"), help="where the files are written")
    parser.add_argument(
        "--database", help="URL, without a database name, of a server to use instead of a separate one"
    )
    given = parser.parse_args(words)
    given.only = _chosen(parser, given.only, names)
    given.endpoints = _chosen(parser, given.endpoints, list(SHORT if given.short else ENDPOINTS))
    given.rounds = given.rounds or (2 if given.short else 5)
    given.seconds = given.seconds or (1 if given.short else 4)
    return given


def _chosen(parser: argparse.ArgumentParser, value: str, among: list[str]) -> list[str]:
    chosen = [name for name in value.split(",") if name]
    known = {*among, *ENDPOINTS} if among[0] in ENDPOINTS else set(among)
    if unknown := set(chosen) - known:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    return chosen or among


def _installed(given: argparse.Namespace, missing: dict[str, str]) -> list[Contestant]:
    """Install and return the selected contestants and the unit; with --short, only installed ones."""
    ready = []
    for one in CONTESTANTS:
        if one.name not in (*given.only, UNIT):
            continue
        if given.short and not one.installed and one.name not in (UNIT, PRODUCT):
            missing[one.name] = "it is not installed, and --short does not install"
            continue
        try:
            if not one.installed:
                click.echo(f"installing {one.title}")
            one.prepare()
            ready.append(one)
        except Missing as reason:
            missing[one.name] = str(reason)
    for name, why in missing.items():
        click.echo(f"missing: {name}: {why}")
    return ready


def _verify(urls: dict[str, str]) -> dict[str, list[str]]:
    """Report where responses differ from the product's, or from the first contestant's."""
    found = {name: verifying.answers(url) for name, url in urls.items()}
    expected = found.get(PRODUCT) or next(iter(found.values()), {})
    wrong = {name: verifying.differences(expected, answers) for name, answers in found.items()}
    for name, lines in wrong.items():
        for line in lines:
            click.echo(f"wrong: {name}: {line}")
    return {name: lines for name, lines in wrong.items() if lines}


def _measure(
    urls: dict[str, str],
    given: argparse.Namespace,
    rounds: dict[str, dict[str, list[Measurement]]],
    folder: Path,
) -> None:
    """Measure all contestants in turn, round by round; every second round in reverse order."""
    for endpoint in given.endpoints:
        found = rounds.setdefault(endpoint, {name: [] for name in urls})
        for url in urls.values():
            measure(url, endpoint, seconds=1, seed=0, folder=folder)
        for number in range(1, given.rounds + 1):
            for name in list(urls)[:: 1 if number % 2 else -1]:
                one = measure(urls[name], endpoint, seconds=given.seconds, seed=number, folder=folder)
                found[name].append(one)
                line = f"{endpoint:8} {number}/{given.rounds} {name:8} {one.rate:7.0f}/s"
                click.echo(f"{line}  p50 {one.p50:6.2f} ms  p99 {one.p99:7.2f} ms  errors {one.errors}")


def _write(folder: Path, rounds: Any, *, missing: dict[str, str], wrong: dict[str, list[str]]) -> None:
    found = figures.figures({endpoint: each for endpoint, each in rounds.items() if all(each.values())})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(figures.document(rounds, missing=missing, wrong=wrong))
    (folder / "peers.svg").write_text(figures.plot(found))
    click.echo(figures.table(found))
    click.echo(f"written: {folder / 'peers.json'}, {folder / 'peers.svg'}")


if __name__ == "__main__":
    sys.exit(main())
