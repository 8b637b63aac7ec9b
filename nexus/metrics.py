"""The metrics of the service, and the page on which Prometheus reads them."""

from collections.abc import Iterator
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from nexus.metric_files import metric_files

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram
    from prometheus_client.core import Metric

#: Clients can send any word as the method, and each label value is kept forever.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
#: Upper bounds of the histogram's buckets, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: The page's format.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAKING = Lock()


class Metrics:
    """Every metric that is updated as events happen."""

    def __init__(self) -> None:
        # It decides at import whether to count in files, and most commands count nothing at all.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

        # The files hold no creation times, and the page should be the same without files.
        disable_created_metrics()
        ours = self.registry = CollectorRegistry()
        self.requests = Histogram(
            "nexus_request_seconds",
            "Requests by method, route and status, with their duration in seconds.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=ours,
        )
        self.queries = Counter("nexus_queries", "Queries made by requests.", registry=ours)
        self.query_seconds = Counter("nexus_query_seconds", "Seconds spent in queries.", registry=ours)
        # An ended process no longer holds any connections.
        held = partial(Gauge, registry=ours, multiprocess_mode="livesum")
        self.pool_size = held("nexus_pool_size", "Maximum number of connections.")
        self.pool_in_use = held("nexus_pool_in_use", "Connections in use.")
        self.pool_waits = Counter("nexus_pool_waits", "Waits for a connection.", registry=ours)
        self.pool_refusals = Counter("nexus_pool_refusals", "Waits that timed out.", registry=ours)
        self.sign_ins = Counter("nexus_sign_ins", "Attempts to sign in.", ["outcome"], registry=ours)
        self.order_steps = Counter("nexus_order_steps", "Orders by new status.", ["status"], registry=ours)
        self.throttled = Counter("nexus_throttled", "Calls refused by a rate limit.", ["rate"], registry=ours)


@cache
def counted() -> Metrics:
    """The metrics of this process, the same for all its threads."""
    # The cache alone would let concurrent first calls create several.
    with MAKING:
        return _made()


@cache
def _made() -> Metrics:
    return Metrics()


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a finished request and its duration."""
    _timer(method if method in METHODS else "other", route, status).observe(seconds)


def queried(queries: int, seconds: float) -> None:
    """Count the queries of a request and their duration."""
    counted().queries.inc(queries)
    counted().query_seconds.inc(seconds)


def moved(status: str) -> None:
    """Count an order's new status."""
    _steps(status).inc()


@cache
def _steps(status: str) -> "Counter":
    return counted().order_steps.labels(status=status)


@cache
def _timer(method: str, route: str, status: int) -> "Histogram":
    return counted().requests.labels(method=method, route=route, status=status)


def page(*, at_head: bool | None) -> bytes:
    """All metrics of all processes of this server; `at_head` is None if the database cannot be asked."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import GaugeMetricFamily

    class Page(CollectorRegistry):
        def collect(self) -> "Iterator[Metric]":
            yield from metric_files.merged() if metric_files.shared else counted().registry.collect()
            head = GaugeMetricFamily("nexus_migrations_at_head", "Whether every migration has been applied.")
            if at_head is not None:
                head.add_metric([], float(at_head))
            yield head

    return generate_latest(Page())
