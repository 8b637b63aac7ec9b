"""The log lines of requests that ended at the same time: written together, and each complete."""

import json
import logging
import select
from typing import Any

import pytest
from flask import Flask

from nexus import lines
from nexus.observe import Tally, tell
from nexus.serving.answering import TOGETHER
from tests.events import events

#: Milliseconds from which a request is slow.
SLOW = 100


def ended(number: int, *, seconds: float = 0.001) -> tuple[Tally, dict[str, Any], float, float]:
    tally = Tally(request_id=f"r-{number}", traceparent=None, slow_query=SLOW)
    facts = {"method": "GET", "route": "/healthz", "status": 200, "user": None}
    return tally, facts, seconds, 1_700_000_000 + number / 8


def test_requests_that_ended_together_have_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(lines.Lines(lines.for_machines))
    with caplog.at_level("INFO"):
        tell([ended(0), ended(1, seconds=1), ended(2)], slow=SLOW, trace=lambda *_: None)

    usual, slow = [record for record in caplog.records if record.name == "nexus.request"]
    written = [json.loads(line) for one in (usual, slow) for line in caplog.handler.format(one).splitlines()]
    assert [(line["request"], line["level"], line["event"], line["ms"]) for line in written] == [
        ("r-0", "info", "request", 1.0),
        ("r-2", "info", "request", 1.0),
        ("r-1", "warning", "slow request", 1000.0),
    ]
    assert [line["at"][17:] for line in written] == ["20.000+00:00", "20.250+00:00", "20.125+00:00"]
    assert {line["logger"] for line in written} == {"nexus.request"}


def test_the_longest_lines_that_are_written_together_fit_into_one_write_to_a_pipe(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    route = max((rule.rule for rule in app.url_map.iter_rules()), key=len)
    facts = {"method": "OPTIONS", "route": route, "status": 503, "user": 2**63 - 1}
    tally = Tally("r" * 128, "0" * 55, SLOW, queries=999, in_database=99.0, sent=999_999_999)
    caplog.handler.setFormatter(lines.Lines(lines.for_machines))
    with caplog.at_level("INFO"):
        tell([(tally, facts, 99.0, 0.001)] * TOGETHER, slow=SLOW, trace=lambda *_: None)

    (record,) = [record for record in caplog.records if record.name == "nexus.request"]
    assert len(caplog.handler.format(record)) < select.PIPE_BUF


def test_only_slow_requests_are_written_if_only_warnings_are_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "nexus.request"):
        tell([ended(0), ended(1, seconds=1)], slow=SLOW, trace=lambda *_: None)

    assert [event["request"] for event in events(caplog, "nexus.request")] == ["r-1"]


def test_all_are_logged_even_if_one_cannot_be_traced(caplog: pytest.LogCaptureFixture) -> None:
    def trace(facts: dict[str, Any], _: float) -> None:
        if facts["request"] == "r-1":
            raise OSError("the disk is full")

    with caplog.at_level("INFO"), pytest.raises(OSError, match="full"):
        tell([ended(number) for number in range(3)], slow=SLOW, trace=trace)

    assert [event["request"] for event in events(caplog, "nexus.request")] == ["r-0", "r-1", "r-2"]
