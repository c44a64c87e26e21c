"""Spans on their way to a collector: OTLP over HTTP, as JSON."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import trio

from engine.language.value import compact
from engine.ports.records import CorruptLog, UnknownSession
from engine.ports.resources import MissingSecret, Secrets
from engine.ports.store import Store
from engine.runtime.bundles import Bundles
from engine.runtime.errors import BundleUnavailable
from engine.session.state.state import FINAL
from engine.spec.bundle import Tool
from engine.spec.secret_refs import filled
from engine.telemetry.spans import TraceSpan, spans_of
from engine.version import __version__

_log = logging.getLogger("engine.telemetry")

LOOK_EVERY = 5.0
# how long one may take, in seconds, and how many spans go together
TIME, MOST = 15.0, 2000
# what ended so long before a service starts is sent once more: it may have stopped before it was sent
BEFORE = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TraceTarget:
    """A collector: the address of `/v1/traces`, and headers whose values may refer to secrets."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class TraceExporter:
    """Sends the trace of each session once it is over; what is not taken is sent again."""

    def __init__(self, store: Store, target: TraceTarget, secrets: Secrets) -> None:
        self._store = store
        self._target = target
        self._secrets = secrets
        self._clock = store.clock
        self._since = store.clock.now() - BEFORE
        self._sent: set[str] = set()
        self._problem = ""
        self._bundles = Bundles(store)

    async def run(self, stopping: trio.Event) -> None:
        """Send until it is to stop; what goes wrong is logged once, and tried again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_for_ever)
            await stopping.wait()
            # what is not taken by then is sent by the next start
            nursery.cancel_scope.cancel()

    async def _send_for_ever(self) -> None:
        while True:
            try:
                await self.export()
                self._problem = ""
            except (httpx2.HTTPError, MissingSecret, OSError, trio.TooSlowError) as error:
                told = str(error) or f"no answer within {TIME:g} seconds"
                if self._problem != told:
                    self._problem = told
                    _log.warning("traces are not taken by %s: %s", self._target.url, self._secrets.masked(told))
            except Exception:
                _log.exception("traces are not sent now")
            await trio.sleep(LOOK_EVERY)

    async def export(self) -> int:
        """Send what has ended and was not sent; how many sessions that were.

        What a collector refuses is sent session by session, and what it refuses then is given up, so that nothing
        waits behind it.  Raises httpx2.HTTPError, MissingSecret, trio.TooSlowError.
        """
        began = self._clock.now()
        over = [
            row.id
            for row in reversed(await self._store.sessions())
            if row.state in FINAL and (row.updated_at or _EPOCH) >= self._since
        ]
        # what ended before that is not looked at again
        self._sent &= set(over)
        ended = [session_id for session_id in over if session_id not in self._sent]
        async with httpx2.AsyncClient(timeout=TIME, trust_env=False) as client:
            batch: dict[str, list[TraceSpan]] = {}
            for number, session_id in enumerate(ended, 1):
                batch[session_id] = await self._spans(session_id)
                if sum(map(len, batch.values())) >= MOST or number == len(ended):
                    await self._send(client, batch)
                    self._sent.update(batch)
                    batch = {}
        self._since = max(self._since, began - BEFORE)
        return len(ended)

    async def _spans(self, session_id: str) -> list[TraceSpan]:
        """The trace of a session; none of one that can't be read."""
        try:
            log = await self._store.load(session_id)
            return spans_of(log, await self._tools(log[0].payload.get("bundle", "")) if log else {})
        except (CorruptLog, UnknownSession) as error:
            _log.warning("%s has no trace: %s", session_id, error)
        except Exception:
            _log.exception("%s has no trace", session_id)
        return []

    async def _tools(self, digest: str) -> Mapping[str, Tool]:
        """The tools of a bundle; none of one that can't be had."""
        try:
            return (await self._bundles.get(digest)).tools
        except BundleUnavailable:
            return {}

    async def _send(self, client: httpx2.AsyncClient, batch: Mapping[str, Sequence[TraceSpan]]) -> None:
        status = await self._post(client, [span for spans in batch.values() for span in spans])
        if not _is_refused(status):
            return
        for session_id, spans in batch.items():
            if len(batch) > 1:
                status = await self._post(client, spans)
            if _is_refused(status):
                _log.warning("the trace of %s is refused with %d, and given up", session_id, status)

    async def _post(self, client: httpx2.AsyncClient, spans: Sequence[TraceSpan]) -> int:
        """What a collector answers with, of which nobody reads more than that."""
        if not spans:
            return 200
        headers = {name: filled(text, self._secrets.reveal) for name, text in self._target.headers.items()}
        headers |= {"content-type": "application/json"}
        body = compact(body_of(spans)).encode()
        with trio.fail_after(TIME):
            async with client.stream("POST", self._target.url, content=body, headers=headers) as done:
                if not _is_refused(done.status_code):
                    done.raise_for_status()
                return done.status_code


def _is_refused(status: int) -> bool:
    """Whether a collector will not take it later either, as one that is too large."""
    return 400 <= status < 500 and status not in (401, 403, 404, 408, 429)


def body_of(spans: Sequence[TraceSpan]) -> dict[str, Any]:
    """An ExportTraceServiceRequest as OTLP has it in JSON."""
    about = {"service.name": "steadyhand", "service.version": __version__}
    scope = {"scope": {"name": "steadyhand", "version": __version__}, "spans": [_span(one) for one in spans]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(about)}, "scopeSpans": [scope]}]}


def _span(span: TraceSpan) -> dict[str, Any]:
    failed = {"code": 2, "message": span.failed} if span.failed else {}
    attributes = dict(span.attributes) | ({"error.type": span.failed} if span.failed else {})
    return {
        "traceId": span.trace, "spanId": span.id, "parentSpanId": span.parent, "name": span.name, "kind": span.kind,
        "startTimeUnixNano": _nanoseconds(span.began), "endTimeUnixNano": _nanoseconds(span.ended),
        "attributes": _attributes(attributes), "status": failed,
    }  # fmt: skip


def _nanoseconds(at: datetime) -> str:
    return str((at - _EPOCH) // timedelta(microseconds=1) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {"stringValue": str(value)}
