"""The results as a table, as JSON and as a plot; ratios are relative to the unit, paired by round."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.peers.contestants import CONTESTANTS, UNIT
from tests.benchmarks.peers.workload import ENDPOINTS, Measurement

TITLES = {contestant.name: contestant.title for contestant in CONTESTANTS}
#: The rounds in order, by endpoint and contestant.
Rounds = Mapping[str, Mapping[str, Sequence[Measurement]]]
#: The dimensions of a panel of the plot, in pixels.
WIDTH, ROW, HEAD, LABEL = 860, 22, 46, 190
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.bar { fill: #8c959f } .ours { fill: #0969da } .spread { stroke: #24292f; stroke-width: 1.5 }
.unit { stroke: #cf222e; stroke-dasharray: 3 3 } .ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .bar { fill: #656c76 } .ours { fill: #4493f8 }
.spread { stroke: #e6edf3 } .unit { stroke: #f85149 } .ground { fill: #0d1117 }
}
"""


@dataclass(frozen=True)
class Figure:
    """The result of a contestant for an endpoint: medians of its rounds, and its ratio to the unit."""

    endpoint: str
    contestant: str
    rate: float
    p50: float
    p99: float
    errors: int
    #: Median, minimum and maximum; None without the unit.
    ratio: tuple[float, float, float] | None


def figures(rounds: Rounds) -> list[Figure]:
    """Return all figures, in the order of measurement."""
    return [
        Figure(
            endpoint,
            name,
            rate=median(one.rate for one in found),
            p50=median(one.p50 for one in found),
            p99=median(one.p99 for one in found),
            errors=sum(one.errors for one in found),
            ratio=_ratio(found, contestants.get(UNIT, ())),
        )
        for endpoint, contestants in rounds.items()
        for name, found in contestants.items()
    ]


def _ratio(found: Sequence[Measurement], unit: Sequence[Measurement]) -> tuple[float, float, float] | None:
    # Interrupted rounds have no pair.
    ratios = [one.rate / other.rate for one, other in zip(found, unit, strict=False) if other.rate]
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def table(found: Sequence[Figure]) -> str:
    """Return a table as Markdown, which is also readable in a terminal."""
    lines = [
        "| endpoint | contestant | requests/s | p50 ms | p99 ms | relative to the unit | errors |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        ratio = "{:.2f} ({:.2f} to {:.2f})".format(*one.ratio) if one.ratio else ""
        cells = (
            *(ENDPOINTS[one.endpoint], TITLES[one.contestant], f"{one.rate:.0f}"),
            *(f"{one.p50:.2f}", f"{one.p99:.2f}", ratio, str(one.errors)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def document(rounds: Rounds, *, missing: Mapping[str, str], wrong: Mapping[str, Sequence[str]]) -> str:
    """Return everything as JSON: the machine, each round, and the ratios."""
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "missing": dict(missing),
        "wrong": dict(wrong),
        "rounds": {
            endpoint: {name: [one.as_json() for one in each] for name, each in contestants.items()}
            for endpoint, contestants in rounds.items()
        },
        "ratios": {
            endpoint: {
                one.contestant: [round(part, 3) for part in one.ratio]
                for one in figures(rounds)
                if one.endpoint == endpoint and one.ratio
            }
            for endpoint in rounds
        },
    }
    return json.dumps(found, indent=1) + "\n"


def machine() -> dict[str, str]:
    """Return facts about the machine."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = subprocess.run(["nproc"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return {
        "processor": model,
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def plot(found: Sequence[Figure]) -> str:
    """Return a bar chart as SVG, one panel per endpoint: the ratio to the unit, and a line for its range."""
    compared = [one for one in found if one.ratio]
    endpoints = list(dict.fromkeys(one.endpoint for one in compared))
    parts, top = [], 20
    for endpoint in endpoints:
        panel = [one for one in compared if one.endpoint == endpoint]
        parts.append(_panel(panel, top))
        top += HEAD + ROW * len(panel)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 10}" role="img">'
        f"<title>Requests per second, relative to Flask + Peewee</title><style>{STYLE}</style>"
        f'<rect class="ground" width="{WIDTH}" height="{top + 10}"/>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Sequence[Figure], top: int) -> str:
    largest = max(one.ratio[2] for one in panel if one.ratio)
    # With room for the numbers after the longest line.
    scale = (WIDTH - LABEL - 190) / max(largest, 1)
    unit = LABEL + scale
    bottom = top + 14 + ROW * len(panel)
    parts = [
        f'<text class="title" x="12" y="{top + 4}">{escape(ENDPOINTS[panel[0].endpoint])}</text>',
        f'<line class="unit" x1="{unit:.1f}" x2="{unit:.1f}" y1="{top + 12}" y2="{bottom}"/>',
    ]
    for at, one in enumerate(panel):
        if one.ratio is None:
            continue
        y = top + 16 + ROW * at
        middle, lowest, highest = (LABEL + part * scale for part in one.ratio)
        kind = "bar ours" if TITLES[one.contestant].startswith("Nexus") else "bar"
        label = f"×{one.ratio[0]:.2f}, p50 {one.p50:.1f} ms, p99 {one.p99:.1f} ms"
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(TITLES[one.contestant])}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{middle - LABEL:.1f}" height="15" rx="2"/>',
            f'<line class="spread" x1="{lowest:.1f}" x2="{highest:.1f}" y1="{y + 7.5}" y2="{y + 7.5}"/>',
            f'<text class="small" x="{highest + 8:.1f}" y="{y + 12}">{label}</text>',
        ]
    return "".join(parts)
