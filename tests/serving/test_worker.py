"""What the worker leans on in gunicorn: another version may have changed it."""

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
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    PollableMethodQueue,
    TConn,
    ThreadWorker,
)

#: The parts that it calls, overrides or is called by, and the beginning of a hash of each one's source.
LEANED_ON: dict[Any, str] = {
    TConn.__init__: "c8763d7c",
    TConn.init: "5ff3d4ba",
    TConn.close: "6d1c334e",
    PollableMethodQueue: "5b4a78bd",
    ThreadWorker.__init__: "5681b8b5",
    ThreadWorker.init_process: "e4fc63a1",
    ThreadWorker.handle_exit: "b4e7decd",
    ThreadWorker.set_accept_enabled: "140150eb",
    ThreadWorker.enqueue_req: "c9f42895",
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
    Arbiter.reload: "fec344d2",
}
ADVICE = "read the change, see that nexus/serving/worker.py still fits, and write down the new hash"


@pytest.mark.parametrize("part", LEANED_ON, ids=lambda part: part.__qualname__)
def test_gunicorn_is_as_the_worker_knows_it(part: Any) -> None:
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:8]
    assert found == LEANED_ON[part], f"gunicorn {gunicorn.__version__}: {ADVICE}"
