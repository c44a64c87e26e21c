"""The metrics of a service in the form that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.ports.records import JobRow, RequestRow
from engine.spec.request_kind import RequestKind
from engine.telemetry.counts import BUCKETS, EventCounts, Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at a moment: what is open, due and running."""

    now: datetime
    requests: Sequence[RequestRow]
    jobs: Sequence[JobRow]
    due: int
    connections: int
    streams: int


# name, what it says, its labels, and where it is counted
_COUNTERS = (
    ("engine_sessions_started", "Sessions that began.", ("agent",), "started"),
    ("engine_sessions_ended", "Sessions that are over.", ("agent", "outcome", "state"), "ended"),
    ("engine_policy_verdicts", "What the rules said of calls.", ("tool", "rule", "verdict"), "verdicts"),
    ("engine_policy_asks", "Verdicts in which a rule asks people, beside others that do.", ("tool", "rule"), "asks"),
    ("engine_calls", "Calls that ended.", ("tool", "status"), "calls"),
    ("engine_failures", "What failed: tools and planners, no holds and no budgets.", ("kind",), "failures"),
    ("engine_budget_stops", "Limits that were crossed.", ("limit", "crossing"), "budget_stops"),
    ("engine_model_calls", "Requests to models.", ("planner", "model", "status"), "model_calls"),
    ("engine_model_tokens", "Tokens that models read and wrote.", ("planner", "model", "direction"), "tokens"),
    ("engine_model_cost_usd", "What models cost, where they have a price.", ("planner", "model"), "cost"),
    ("engine_claims", "Sessions that were taken to be driven.", (), "claims"),
)


class ServiceCollector(Collector):
    """What is counted and what stands, as families of Prometheus."""

    def __init__(self, counts: EventCounts, standing: Standing) -> None:
        self._counts = counts
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        for name, says, labels, where in _COUNTERS:
            family = CounterMetricFamily(name, says, labels=labels)
            found: Mapping[Labels, float] = getattr(self._counts, where)
            for values, count in found.items():
                family.add_metric(list(values), count)
            yield family
        yield self._waits()
        yield from self._gauges()

    def _waits(self) -> Metric:
        family = HistogramMetricFamily(
            "engine_hold_seconds", "How long people were asked, by how it ended.", labels=("group", "ended")
        )
        for values, waits in self._counts.waits.items():
            buckets = [(str(most), float(count)) for most, count in zip(BUCKETS, waits.within, strict=True)]
            family.add_metric(list(values), [*buckets, ("+Inf", float(waits.number))], waits.seconds)
        return family

    def _gauges(self) -> Iterator[Metric]:
        standing = self._standing
        holds = Counter(",".join(row.payload.get("groups", ["?"])) for row in standing.requests)
        yield _gauge(
            "engine_holds_open", "Requests that wait for people.", ("group",), {(k,): v for k, v in holds.items()}
        )
        late = sum(1 for row in standing.requests if row.due_at is not None and row.due_at <= standing.now)
        yield _gauge("engine_holds_overdue", "Requests whose time is over, and that nobody has closed.", (), {(): late})
        unknown = sum(1 for row in standing.requests if row.kind == RequestKind.SETTLE)
        yield _gauge(
            "engine_unknown_writes_open", "Writes of which nobody knows whether they happened.", (), {(): unknown}
        )
        jobs = Counter(row.status for row in standing.jobs)
        yield _gauge("engine_jobs", "Jobs by status.", ("status",), {(k,): v for k, v in jobs.items()})
        waiting = [row.run_at for row in standing.jobs if row.status == "queued" and row.run_at is not None]
        oldest = max((standing.now - at).total_seconds() for at in waiting) if waiting else 0.0
        yield _gauge("engine_oldest_due_job_seconds", "How long the oldest job is due.", (), {(): max(oldest, 0.0)})
        yield _gauge("engine_due_sessions", "Sessions that go on and that nobody drives.", (), {(): standing.due})
        yield _gauge("engine_connections_open", "Connections of clients.", (), {(): standing.connections})
        yield _gauge("engine_streams_open", "Streams and waits of clients.", (), {(): standing.streams})


def _gauge(name: str, says: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=labels)
    for own, value in values.items():
        family.add_metric(list(own), value)
    return family


def exposed(counts: EventCounts, standing: Standing) -> bytes:
    """All metrics as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(counts, standing))
    return generate_latest(registry)
