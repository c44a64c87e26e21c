"""What every queue of jobs must do, as coroutine functions: each check of QUEUE gets an empty store of its own.

It is opened with a `SetClock`: what is due is said by the store's clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from engine.ports.records import Appended, Fenced, JobLease
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind
from engine.testing.log_events import LEASE, START, started, woken
from engine.testing.set_clock import set_clock

K = EventKind


def _event(session_id: str, seq: int, kind: EventKind, call_id: str, **more: Any) -> Event:
    return Event(session_id, seq, 1, kind, {"call_id": call_id, "tool": "report", "job": True, **more}, START)


def enqueued(session_id: str, seq: int, call_id: str = "c", after: float = 0) -> Event:
    """A job is handed over, to run after so many seconds."""
    run_at = (START + timedelta(seconds=after)).isoformat()
    return _event(
        session_id, seq, K.JOB_ENQUEUED, call_id, idempotency_key=None, key_scope=None, reserved=[], run_at=run_at
    )


def ended(session_id: str, seq: int, status: str, reason: str = "", call_id: str = "c") -> Event:
    """The end of a job."""
    more = {"status": status, "reason": reason, "output": None, "final": True, "reused": False, "settled": False}
    return _event(session_id, seq, K.TOOL_RESULT, call_id, **more)


async def _with_job(store: Store, session_id: str = "s", after: float = 0) -> None:
    assert await store.append(session_id, 0, [started(session_id), enqueued(session_id, 2, after=after)]) == Appended()


async def _lease(store: Store, owner: str = "w", seconds: float = 0) -> JobLease | None:
    set_clock(store, seconds)
    return await store.lease_job(owner, LEASE)


async def _status(store: Store, job_id: str = "s/c") -> tuple[str, str]:
    row = await store.job(job_id)
    assert row is not None
    return row.status, row.reason


async def a_job_is_there_with_the_event_that_says_so(store: Store) -> None:
    """And not where that was refused."""
    assert await store.next_job_at() is None
    await _with_job(store)
    await store.append("s", 1, [enqueued("s", 2, "other")])
    (row,) = await store.jobs()
    assert (row.id, row.session_id, row.call_id, row.tool, row.status) == ("s/c", "s", "c", "report", "queued")
    assert await store.next_job_at() == START
    assert await store.job("s/other") is None
    assert await store.jobs(status="dead") == []
    assert [found.id for found in await store.jobs(session_id="s")] == ["s/c"]


async def a_job_is_leased_to_one_worker_at_a_time(store: Store) -> None:
    """The one that has waited longest first, none before its time, and again once the lease has ended."""
    await _with_job(store, "a", after=5)
    await _with_job(store, "b", after=3)
    assert await _lease(store, seconds=2) is None
    first = await _lease(store, seconds=6)
    assert first == JobLease("b/c", "b", "c", "w", 1)
    second = await _lease(store, seconds=6)
    assert second is not None
    assert second.job_id == "a/c"
    assert await _lease(store, seconds=6) is None
    third = await _lease(store, "x", seconds=16)
    assert third is not None
    assert third.epoch == 2


async def a_job_that_is_passed_is_left_to_others(store: Store) -> None:
    """Whoever can't run it gives it back, and gets those behind it."""
    await _with_job(store, "a")
    await _with_job(store, "b", after=1)
    first = await _lease(store, seconds=2)
    assert first is not None
    assert await store.renew_job(first, timedelta(0))
    second = await store.lease_job("w", LEASE, but=[first.job_id])
    assert second is not None
    assert second.job_id == "b/c"
    assert await store.lease_job("w", LEASE, but=[first.job_id]) is None
    third = await _lease(store, "x", seconds=2)
    assert third == JobLease("a/c", "a", "c", "x", 2)


async def a_heartbeat_keeps_a_lease_and_a_lost_one_is_told(store: Store) -> None:
    """Whoever was overtaken appends nothing for the job any more."""
    await _with_job(store)
    first = await _lease(store)
    assert first is not None
    assert await store.renew_job(first, timedelta(seconds=30))
    assert await _lease(store, seconds=20) is None
    second = await _lease(store, "x", seconds=30)
    assert second is not None
    assert not await store.renew_job(first, timedelta(seconds=60))
    assert isinstance(await store.append("s", 2, [woken("s", 3)], job=first), Fenced)
    assert await store.append("s", 2, [woken("s", 3)], job=second) == Appended()
    assert await store.append("s", 3, [ended("s", 4, "ok")], job=second) == Appended()
    assert isinstance(await store.append("s", 4, [woken("s", 5)], job=second), Fenced)


async def a_job_goes_on_as_the_events_of_its_call_say(store: Store) -> None:
    """Started, failed and due again, given back, held, handed over again, and over."""
    await _with_job(store)
    await _lease(store)
    await store.append("s", 2, [_event("s", 3, K.CALL_STARTED, "c", attempt=1)])
    row = await store.job("s/c")
    assert row is not None
    assert (row.status, row.attempts, row.owner) == ("leased", 1, "w")
    due = (START + timedelta(seconds=7)).isoformat()
    await store.append("s", 3, [_event("s", 4, K.ATTEMPT_FAILED, "c", reason="busy", due_at=due)])
    assert await _status(store) == ("queued", "busy")
    assert await store.next_job_at() == START + timedelta(seconds=7)
    await _lease(store, seconds=7)
    await store.append("s", 4, [_event("s", 5, K.JOB_RELEASED, "c")])
    assert await _status(store) == ("queued", "")
    await _lease(store, seconds=7)
    held = _event("s", 6, K.VERDICT, "c", verdict="require_approval", satisfied=False, reason="big")
    await store.append("s", 5, [held])
    assert await _status(store) == ("held", "big")
    assert await store.next_job_at() is None
    await store.append("s", 6, [enqueued("s", 7, after=9)])
    assert await _status(store) == ("queued", "")
    await store.append("s", 7, [ended("s", 8, "terminal_error", "boom")])
    assert await _status(store) == ("dead", "boom")
    await store.append("s", 8, [_event("s", 9, K.JOB_DISCARDED, "c", by="ana")])
    assert await _status(store) == ("discarded", "ana")


async def the_end_of_a_job_tells_how_it_ended(store: Store) -> None:
    """Well, for good, by somebody, with its session, or nobody knows."""
    ends = [
        ("ok", "", "done"),
        ("terminal_error", "x", "dead"),
        ("terminal_error", "discarded", "discarded"),
        ("blocked", "session_cancelled", "cancelled"),
        ("unknown", "cut_off", "unknown"),
    ]
    for number, (status, reason, wanted) in enumerate(ends):
        await _with_job(store, f"s{number}")
        await store.append(f"s{number}", 2, [ended(f"s{number}", 3, status, reason)])
        assert (await _status(store, f"s{number}/c"))[0] == wanted


async def sessions_are_due_that_were_left_running_or_whose_request_has_expired(store: Store) -> None:
    """Unless they are over, or somebody drives them."""
    await store.append("left", 0, [started("left")])
    expires = (START + timedelta(seconds=5)).isoformat()
    for name, state in (("asked", "awaiting_human_review"), ("over", "done")):
        asks = {"request_id": f"{name}.1", "request_kind": "approval", "expires_at": expires}
        parked = {"state": state, "outcome": state}
        events = [
            started(name),
            Event(name, 2, 1, K.REQUEST_OPENED, asks, START),
            Event(name, 3, 1, K.STATE_TRANSITION, parked, START),
        ]
        await store.append(name, 0, events)
    assert await store.due_sessions() == ["left"]
    set_clock(store, 5)
    assert sorted(await store.due_sessions()) == ["asked", "left"]


async def a_session_is_due_when_a_delayed_yes_counts_and_not_when_its_request_expires(store: Store) -> None:
    """Until the yes is taken back."""

    def after(seconds: int) -> str:
        return (START + timedelta(seconds=seconds)).isoformat()

    asks = {"request_id": "s.1", "request_kind": "approval", "expires_at": after(5)}
    parked = {"state": "awaiting_human_review", "outcome": "awaiting_human_review"}
    opened = Event("s", 2, 1, K.REQUEST_OPENED, asks, START)
    await store.append("s", 0, [started("s"), opened, Event("s", 3, 1, K.STATE_TRANSITION, parked, START)])
    said = {"request_id": "s.1", "counts_at": after(20)}
    await store.append("s", 3, [Event("s", 4, 1, K.YES_DELAYED, said, START)])
    set_clock(store, 19)
    assert await store.due_sessions() == []
    set_clock(store, 20)
    assert await store.due_sessions() == ["s"]
    assert [row.counts_at for row in await store.requests()] == [START + timedelta(seconds=20)]
    assert await store.verify("s") == []
    await store.append("s", 4, [Event("s", 5, 1, K.YES_TAKEN_BACK, {"request_id": "s.1"}, START)])
    set_clock(store, 5)
    assert await store.due_sessions() == ["s"]
    assert [row.counts_at for row in await store.requests()] == [None]
    assert await store.verify("s") == []


async def a_session_is_due_once_what_it_waits_for_has_come(store: Store) -> None:
    """An answer, a message or a cancel that is in its log, and that nobody has driven it on."""
    said: dict[str, tuple[str, K, dict[str, str]]] = {
        "answered": ("awaiting_human_review", K.REQUEST_ANSWERED, {"request_kind": "approval"}),
        "cancelled": ("awaiting_job", K.CANCEL_REQUESTED, {"by": "ops"}),
        "told": ("awaiting_message", K.MESSAGE_RECEIVED, {"text": "hello"}),
        "told-aside": ("awaiting_human_review", K.MESSAGE_RECEIVED, {"text": "hello"}),
        "noted": ("awaiting_human_review", K.REQUEST_ANSWERED, {"request_kind": "follow_up"}),
        "over": ("done", K.REQUEST_ANSWERED, {"request_kind": "settle"}),
    }
    for name, (state, kind, told) in said.items():
        payload = {**told, "request_id": f"{name}.1"}
        parked = Event(name, 2, 1, K.STATE_TRANSITION, {"state": state, "outcome": state}, START)
        opened = Event(name, 2, 1, K.REQUEST_OPENED, {**payload, "request_kind": "approval", "expires_at": None}, START)
        await store.append(name, 0, [started(name), opened, replace(parked, seq=3)])
        assert await store.due_sessions() == []
        await store.append(name, 3, [Event(name, 4, 1, kind, payload, START)])
        due = name in ("answered", "cancelled", "told")
        assert await store.due_sessions() == ([name] if due else [])
        assert (await store.session(name)).state == ("running" if due else state)
        await store.append(name, 4, [Event(name, 5, 1, K.STATE_TRANSITION, {"state": "done", "outcome": "ok"}, START)])
        assert await store.due_sessions() == []
        assert await store.verify(name) == []


QUEUE: Mapping[str, Callable[[Store], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        a_job_is_there_with_the_event_that_says_so,
        a_job_is_leased_to_one_worker_at_a_time,
        a_job_that_is_passed_is_left_to_others,
        a_heartbeat_keeps_a_lease_and_a_lost_one_is_told,
        a_job_goes_on_as_the_events_of_its_call_say,
        the_end_of_a_job_tells_how_it_ended,
        sessions_are_due_that_were_left_running_or_whose_request_has_expired,
        a_session_is_due_when_a_delayed_yes_counts_and_not_when_its_request_expires,
        a_session_is_due_once_what_it_waits_for_has_come,
    )
}
