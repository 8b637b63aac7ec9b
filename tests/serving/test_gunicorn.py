"""The internals of gunicorn that the worker depends on."""

import hashlib
import inspect
from typing import Any

import gunicorn  # type: ignore[import-untyped]
import pytest
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.message import Message  # type: ignore[import-untyped]
from gunicorn.http.parser import Parser  # type: ignore[import-untyped]
from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response, base_environ, create  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    PollableMethodQueue,
    TConn,
    ThreadWorker,
)

#: The parts that it calls, overrides or is called by, each with the start of its source's SHA-256.
DEPENDED_ON: dict[Any, str] = {
    TConn.__init__: "c8763d7c",
    TConn.init: "5ff3d4ba",
    TConn.close: "6d1c334e",
    PollableMethodQueue: "5b4a78bd",
    ThreadWorker.__init__: "5681b8b5",
    ThreadWorker.init_process: "e4fc63a1",
    ThreadWorker.handle_exit: "b4e7decd",
    ThreadWorker.set_accept_enabled: "140150eb",
    ThreadWorker.wait_for_and_dispatch_events: "ea969b35",
    ThreadWorker.run: "f92c7394",
    ThreadWorker.handle: "ca85c9be",
    ThreadWorker.handle_request: "6d0de5b9",
    ThreadWorker._keepalive_after: "4ebdbbc8",
    ThreadWorker.finish_request: "616e7bb1",
    Message.__init__: "14b64a40",
    Message.set_body_reader: "e3ba33f5",
    Parser.finish_body: "54c5d0d2",
    Parser.__next__: "b8536520",
    Unreader: "84aaa8f9",
    ChunkedReader.parse_chunk_size: "997c6693",
    base_environ: "94249457",
    create: "2c35d4a2",
    Response: "d67f8e6b",
    Arbiter.reload: "fec344d2",
}
ADVICE = "read the change, see that nexus/serving still fits, and write down the new hash"


@pytest.mark.parametrize("part", DEPENDED_ON, ids=lambda part: part.__qualname__)
def test_the_internals_of_gunicorn_are_unchanged(part: Any) -> None:
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:8]
    assert found == DEPENDED_ON[part], f"gunicorn {gunicorn.__version__}: {ADVICE}"
