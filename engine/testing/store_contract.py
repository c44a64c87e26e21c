"""What every store must do, as coroutine functions: each check of CONTRACT gets an empty store of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import trio

from engine.ports.records import (
    Appended,
    AppendResult,
    Conflict,
    Fenced,
    Held,
    KeyExpired,
    KeyHeld,
    Lease,
    MeterFull,
    Take,
    UnknownSession,
)
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind
from engine.testing.bundle_contract import BUNDLES

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LEASE = timedelta(seconds=10)

K = EventKind


def started(session_id: str) -> Event:
    """The first event of a session."""
    payload: dict[str, Any] = {
        "agent": "bot", "planner": "script", "bundle": "b1", "root": "/r", "attributes": {}, "started_by": None,
        "limits": {},
    }  # fmt: skip
    return Event(session_id, 1, 0, K.SESSION_STARTED, payload, START)


def woken(session_id: str, seq: int, step: int = 0) -> Event:
    """An event without much in it."""
    return Event(session_id, seq, step, K.SESSION_WOKEN, {"n": seq}, START + timedelta(seconds=seq))


def call_started(session_id: str, seq: int, key: str | None, call_id: str = "c", **more: Any) -> Event:
    """A call starts under a key."""
    payload = {"call_id": call_id, "idempotency_key": key, "key_scope": "[]", **more}
    return Event(session_id, seq, 1, K.CALL_STARTED, payload, START)


def result(session_id: str, seq: int, status: str, output: Any = None, call_id: str = "c") -> Event:
    """The end of a call."""
    payload = {"call_id": call_id, "status": status, "output": output, "final": True, "reused": False, "settled": False}
    return Event(session_id, seq, 1, K.TOOL_RESULT, payload, START)


def opened(session_id: str, seq: int, request_id: str) -> Event:
    """A request."""
    payload = {
        "request_id": request_id, "request_kind": "approval", "expires_at": "2026-01-02T09:00:00+00:00", "tool": "pay",
        "input": {"n": 1}, "groups": ["leads"], "rules": ["ask"], "reason": "", "message": "", "schema": None,
        "digest": "",
    }  # fmt: skip
    return Event(session_id, seq, 1, K.REQUEST_OPENED, payload, START + timedelta(seconds=seq))


async def _start(store: Store, session_id: str = "s") -> None:
    assert await store.append(session_id, 0, [started(session_id)]) == Appended()


async def events_come_back_as_they_were_appended(store: Store) -> None:
    """Exactly, in order, and from any point on."""
    await _start(store)
    odd = Event(
        "s", 2, 1, K.MESSAGE_RECEIVED, {"text": "é \u2028 \ud800", "n": [Decimal("1.5"), None, True, {"k": "v"}]}, START
    )
    await store.append("s", 1, [odd, woken("s", 3)])
    log = await store.load("s")
    assert [event.seq for event in log] == [1, 2, 3]
    assert log[1].payload["text"] == "é \u2028 \ud800"
    assert log[1] == Event("s", 2, 1, K.MESSAGE_RECEIVED, log[1].payload, START)
    assert [event.seq for event in await store.load("s", 2)] == [3]
    assert await store.load("s", 3) == []


async def an_append_behind_the_head_is_refused_and_leaves_nothing(store: Store) -> None:
    """Whoever was first wins; the loser learns where the log stands."""
    await _start(store)
    assert await store.append("s", 1, [woken("s", 2)]) == Appended()
    assert await store.append("s", 1, [woken("s", 2), woken("s", 3)]) == Conflict(2)
    assert await store.append("s", 0, [started("s")]) == Conflict(2)
    assert await store.append("s", 7, [woken("s", 8)]) == Conflict(2)
    assert len(await store.load("s")) == 2
    assert await store.heads(["s", "none"]) == {"s": (2, 0)}


async def racing_appends_have_one_winner(store: Store) -> None:
    """Fifty writers, one place."""
    await _start(store)
    outcomes: list[object] = []

    async def one() -> None:
        outcomes.append(await store.append("s", 1, [woken("s", 2)]))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert outcomes.count(Appended()) == 1
    assert outcomes.count(Conflict(2)) == 49


async def unknown_sessions_are_told(store: Store) -> None:
    """By one exception, everywhere."""
    for ask in (store.load, store.session, store.verify):
        assert await _unknown(partial(ask, "none")) == "none", "an unknown session was found"


async def _unknown(ask: Callable[[], Awaitable[Any]]) -> str | None:
    try:
        await ask()
    except UnknownSession as error:
        return error.session_id
    return None


def claimed(session_id: str, seq: int, owner: str, epoch: int) -> Event:
    """A driver takes the session."""
    return Event(session_id, seq, 0, K.SESSION_CLAIMED, {"owner": owner, "epoch": epoch}, START)


async def _take(store: Store, seq: int, owner: str, epoch: int, seconds: float, **more: Any) -> AppendResult:
    now = START + timedelta(seconds=seconds)
    take = Take(Lease("s", owner, epoch, now + LEASE), now)
    return await store.append("s", seq - 1, [claimed("s", seq, owner, epoch)], take=take, **more)


async def a_claim_excludes_others_until_its_lease_ends(store: Store) -> None:
    """And each claim has a higher epoch than the one before; it is taken with what it appends, or not at all."""
    await _start(store)
    assert await _take(store, 2, "a", 1, 0) == Appended()
    assert await _take(store, 3, "b", 2, 9) == Held("a", START + LEASE)
    assert len(await store.load("s")) == 2
    assert await _take(store, 3, "b", 1, 11) == Conflict(2)
    assert await _take(store, 2, "b", 2, 11) == Conflict(2)
    assert await _take(store, 3, "b", 2, 11) == Appended()
    assert await store.heads(["s"]) == {"s": (3, 2)}


async def a_session_may_begin_with_its_claim(store: Store) -> None:
    """In one transaction, and be let go of in the same."""
    take = Take(Lease("s", "a", 1, START + LEASE), START)
    assert await store.append("s", 0, [started("s"), claimed("s", 2, "a", 1)], take=take) == Appended()
    assert await _take(store, 3, "b", 2, 1) == Held("a", START + LEASE)
    take = Take(Lease("t", "a", 1, START + LEASE), START)
    events = [started("t"), claimed("t", 2, "a", 1)]
    assert await store.append("t", 0, events, take=take, let_go=True) == Appended()
    later = Take(Lease("t", "b", 2, START + LEASE), START)
    assert await store.append("t", 2, [claimed("t", 3, "b", 2)], take=later) == Appended()


async def a_lease_is_renewed_and_given_back_only_by_its_holder(store: Store) -> None:
    """A lost lease can do neither, and an append may give it back."""
    await _start(store)
    first, second = Lease("s", "a", 1, START), Lease("s", "b", 2, START)
    await _take(store, 2, "a", 1, 0)
    await store.renew([first], START + timedelta(seconds=20))
    assert await _take(store, 3, "b", 2, 15) == Held("a", START + timedelta(seconds=20))
    assert await _take(store, 3, "b", 2, 21) == Appended()
    await store.renew([first], START + timedelta(seconds=60))
    await store.release(first)
    assert await _take(store, 4, "c", 3, 22) == Held("b", START + timedelta(seconds=31))
    await store.release(second)
    assert await _take(store, 4, "c", 3, 22) == Appended()
    assert await store.append("s", 4, [woken("s", 5)], epoch=3, let_go=True) == Appended()
    assert await _take(store, 6, "d", 4, 23) == Appended()


async def an_older_epoch_is_fenced(store: Store) -> None:
    """Who was overtaken appends nothing; who comes without a claim may."""
    await _start(store)
    await _take(store, 2, "a", 1, 0)
    await _take(store, 3, "b", 2, 11)
    assert await store.append("s", 3, [woken("s", 4)], epoch=1) == Fenced(2)
    assert await store.append("s", 3, [woken("s", 4)], epoch=2) == Appended()
    assert await store.append("s", 4, [woken("s", 5)]) == Appended()


async def a_key_is_held_by_one_call_and_gives_its_result(store: Store) -> None:
    """In flight first, then with the output; a refused claim leaves nothing."""
    await _start(store, "a")
    await _start(store, "b")
    assert await store.append("a", 1, [call_started("a", 2, "k")]) == Appended()
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == KeyHeld("[]:k", "in_flight", None, "a/c")
    assert await store.heads(["b"]) == {"b": (1, 0)}
    await store.append("a", 2, [result("a", 3, "ok", {"id": 7})])
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == KeyHeld("[]:k", "ok", {"id": 7}, "a/c")
    assert await store.append("b", 1, [call_started("b", 2, "other")]) == Appended()


async def a_key_is_free_again_when_its_call_did_not_happen(store: Store) -> None:
    """But not while nobody knows; and the same call may start again under its own key."""
    await _start(store, "a")
    await _start(store, "b")
    await store.append("a", 1, [call_started("a", 2, "k")])
    assert await store.append("a", 2, [call_started("a", 3, "k")]) == Appended()
    await store.append("a", 3, [result("a", 4, "unknown")])
    assert isinstance(await store.append("b", 1, [call_started("b", 2, "k")]), KeyHeld)
    await store.append("a", 4, [result("a", 5, "terminal_error")])
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == Appended()


async def a_key_says_what_it_was_taken_for(store: Store) -> None:
    """The fields that have to be as they were, in flight and afterwards."""
    await _start(store, "a")
    await _start(store, "b")
    await store.append("a", 1, [call_started("a", 2, "k", compared={"usd": Decimal("9.5"), "to": None})])
    taken = KeyHeld("[]:k", "in_flight", None, "a/c", {"usd": Decimal("9.5"), "to": None})
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == taken
    await store.append("a", 2, [result("a", 3, "ok", {})])
    held = await store.append("b", 1, [call_started("b", 2, "k")])
    assert isinstance(held, KeyHeld)
    assert held.compared == taken.compared


async def a_key_is_free_again_after_its_window(store: Store) -> None:
    """If its call ended well, for who says how many results have expired; what is in flight or unknown stays."""
    soon = {"key_until": "2026-01-01T08:59:59.000000Z"}
    for name, end in (("a", "ok"), ("b", None), ("c", "unknown")):
        await _start(store, name)
        await store.append(name, 1, [call_started(name, 2, name, **soon)])
        if end is not None:
            await store.append(name, 2, [result(name, 3, end, {})])
    await _start(store, "d")
    assert isinstance(await store.append("d", 1, [call_started("d", 2, "b")]), KeyHeld)
    assert isinstance(await store.append("d", 1, [call_started("d", 2, "c")]), KeyHeld)
    later = {"key_until": "2026-01-01T09:00:01.000000Z"}
    assert await store.append("d", 1, [call_started("d", 2, "a", **later)]) == KeyExpired("[]:a", 1)
    assert await store.append("d", 1, [call_started("d", 2, "a", **later, generation=2)]) == KeyExpired("[]:a", 1)
    assert await store.append("d", 1, [call_started("d", 2, "a", **later, generation=1)]) == Appended()
    # what came to nothing leaves the key free, with as many results expired
    await store.append("d", 2, [result("d", 3, "terminal_error")])
    assert await store.append("d", 3, [call_started("d", 4, "a", **later)]) == KeyExpired("[]:a", 1)
    assert await store.append("d", 3, [call_started("d", 4, "a", **later, generation=1)]) == Appended()
    await store.append("d", 4, [result("d", 5, "ok", {})])
    await _start(store, "e")
    assert isinstance(await store.append("e", 1, [call_started("e", 2, "a")]), KeyHeld)


def adding(amount: Any, since: str | None = "2026-01-01T08:00:00.000000Z", limit: Any = 100) -> dict[str, Any]:
    """What a call adds to a meter that sessions share, as `call_started` says it."""
    return {"reserved": [{"meter": "usd", "key": "k", "amount": amount, "limit": limit, "since": since}]}


async def a_shared_meter_never_goes_beyond_its_limit(store: Store) -> None:
    """What is in flight counts, what did not happen does not, and the brim may be reached; numbers are exact."""
    for name in "abcd":
        await _start(store, name)
    assert await store.append("a", 1, [call_started("a", 2, None, **adding(Decimal("60.1")))]) == Appended()
    refused = await store.append("b", 1, [call_started("b", 2, None, **adding(40))])
    assert refused == MeterFull("b/c", "usd", Decimal("60.1"), 100)
    assert await store.heads(["b"]) == {"b": (1, 0)}
    assert await store.append("b", 1, [call_started("b", 2, None, **adding(Decimal("39.9")))]) == Appended()
    await store.append("a", 2, [result("a", 3, "terminal_error")])
    assert await store.append("c", 1, [call_started("c", 2, None, **adding(Decimal("60.1")))]) == Appended()
    assert isinstance(await store.append("d", 1, [call_started("d", 2, None, **adding(1))]), MeterFull)


async def a_shared_meter_forgets_what_is_older_than_its_window(store: Store) -> None:
    """But never what is in flight, nor what nobody can vouch for."""
    later = "2026-01-01T09:00:00.000000Z"
    for name, end in (("a", "ok"), ("b", None), ("c", "unknown")):
        await _start(store, name)
        await store.append(name, 1, [call_started(name, 2, None, **adding(30))])
        if end is not None:
            await store.append(name, 2, [result(name, 3, end, {})])
    await _start(store, "d")
    assert await store.append("d", 1, [call_started("d", 2, None, **adding(41, later))]) == MeterFull(
        "d/c", "usd", 60, 100
    )
    assert await store.append("d", 1, [call_started("d", 2, None, **adding(40, later))]) == Appended()
    await _start(store, "e")
    assert await store.append("e", 1, [call_started("e", 2, None, **adding(1, None, 130))]) == MeterFull(
        "e/c", "usd", 130, 130
    )


async def two_calls_of_one_append_count_together(store: Store) -> None:
    """And a refusal leaves nothing of the append, not even the key of the first."""
    await _start(store, "a")
    both = [call_started("a", 2, "key", **adding(60)), call_started("a", 3, None, "d", **adding(60))]
    assert await store.append("a", 1, both) == MeterFull("a/d", "usd", 60, 100)
    await _start(store, "b")
    assert await store.append("b", 1, [call_started("b", 2, "key", **adding(100))]) == Appended()


async def racing_calls_for_a_meter_fill_it_and_no_more(store: Store) -> None:
    """Of a hundred sessions that add 30 each to a meter of 1,000, thirty-three do; none fails for another's sake."""
    for n in range(100):
        await _start(store, f"s{n}")
    outcomes: list[object] = []

    async def one(n: int) -> None:
        outcomes.append(await store.append(f"s{n}", 1, [call_started(f"s{n}", 2, None, **adding(30, limit=1000))]))

    async with trio.open_nursery() as nursery:
        for n in range(100):
            nursery.start_soon(one, n)
    assert sum(outcome == Appended() for outcome in outcomes) == 33
    assert all(outcome == Appended() or isinstance(outcome, MeterFull) for outcome in outcomes)


async def racing_calls_for_a_key_have_one_winner(store: Store) -> None:
    """Of twenty sessions one starts."""
    for n in range(20):
        await _start(store, f"s{n}")
    outcomes: list[object] = []

    async def one(session_id: str) -> None:
        outcomes.append(await store.append(session_id, 1, [call_started(session_id, 2, "k")]))

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(one, f"s{n}")
    assert outcomes.count(Appended()) == 1
    assert sum(isinstance(outcome, KeyHeld) for outcome in outcomes) == 19


async def requests_stand_in_the_inbox_until_they_are_answered_or_closed(store: Store) -> None:
    """Oldest first, with the event that opened them."""
    await _start(store)
    await store.append("s", 1, [opened("s", 2, "s.1"), opened("s", 3, "s.2"), opened("s", 4, "s.3")])
    assert [row.id for row in await store.requests()] == ["s.1", "s.2", "s.3"]
    answered = Event("s", 5, 1, K.REQUEST_ANSWERED, {"request_id": "s.1"}, START)
    closed = Event("s", 6, 1, K.REQUEST_CLOSED, {"request_id": "s.2", "how": "expired"}, START)
    await store.append("s", 4, [answered, closed])
    assert [row.id for row in await store.requests()] == ["s.3"]
    assert [row.status for row in await store.requests(session_id="s", open_only=False)] == [
        "answered", "expired", "open",
    ]  # fmt: skip
    one = await store.request("s.3")
    assert one is not None
    assert (one.session_id, one.kind, one.payload["request_id"]) == ("s", "approval", "s.3")
    assert one.expires_at == datetime(2026, 1, 2, 9, tzinfo=UTC)
    assert await store.request("s.9") is None
    assert await store.requests(session_id="other") == []


async def sessions_are_listed_newest_first_with_their_state(store: Store) -> None:
    """As their newest transition says."""
    for n in range(3):
        first = started(f"s{n}")
        await store.append(f"s{n}", 0, [Event(f"s{n}", 1, 0, first.kind, first.payload, START + timedelta(seconds=n))])
    done = Event("s1", 2, 1, K.STATE_TRANSITION, {"state": "done", "outcome": "answered"}, START + timedelta(seconds=9))
    await store.append("s1", 1, [done])
    assert [row.id for row in await store.sessions()] == ["s2", "s1", "s0"]
    assert [row.id for row in await store.sessions(limit=2)] == ["s2", "s1"]
    assert [(row.id, row.outcome) for row in await store.sessions(state="done")] == [("s1", "answered")]
    row = await store.session("s1")
    assert (row.state, row.seq, row.agent, row.bundle) == ("done", 2, "bot", "b1")
    assert row.updated_at == START + timedelta(seconds=9)


async def a_log_verifies(store: Store) -> None:
    """As long as nobody touches it."""
    await _start(store)
    await store.append("s", 1, [woken("s", 2), woken("s", 3)])
    assert await store.verify("s") == []


CONTRACT: Mapping[str, Callable[[Store], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        events_come_back_as_they_were_appended,
        an_append_behind_the_head_is_refused_and_leaves_nothing,
        racing_appends_have_one_winner,
        unknown_sessions_are_told,
        a_claim_excludes_others_until_its_lease_ends,
        a_session_may_begin_with_its_claim,
        a_lease_is_renewed_and_given_back_only_by_its_holder,
        an_older_epoch_is_fenced,
        a_key_is_held_by_one_call_and_gives_its_result,
        a_key_is_free_again_when_its_call_did_not_happen,
        a_key_says_what_it_was_taken_for,
        a_key_is_free_again_after_its_window,
        a_shared_meter_never_goes_beyond_its_limit,
        a_shared_meter_forgets_what_is_older_than_its_window,
        two_calls_of_one_append_count_together,
        racing_calls_for_a_meter_fill_it_and_no_more,
        racing_calls_for_a_key_have_one_winner,
        requests_stand_in_the_inbox_until_they_are_answered_or_closed,
        sessions_are_listed_newest_first_with_their_state,
        a_log_verifies,
        *BUNDLES,
    )
}
