"""What every store must do, as coroutine functions: each check of CONTRACT gets an empty store of its own.

It is opened with a `SetClock`: how long a lease lasts is said by the store's clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import trio

from engine.ports.access import Creation
from engine.ports.records import (
    ERASED,
    Appended,
    AppendResult,
    Claim,
    Conflict,
    ExpiredKey,
    Fenced,
    HeldKey,
    HeldSession,
    Lease,
    UnknownSession,
)
from engine.ports.store import Store
from engine.session.state.event import Event
from engine.testing.access_contract import ACCESS
from engine.testing.bundle_contract import BUNDLES
from engine.testing.delivery_contract import DELIVERIES
from engine.testing.deployment_contract import DEPLOYMENTS
from engine.testing.log_events import LEASE, START, K, call_started, claimed, opened, result, start, started, woken
from engine.testing.meter_contract import (
    a_shared_meter_forgets_what_is_older_than_its_window,
    a_shared_meter_never_goes_beyond_its_limit,
    racing_calls_for_a_meter_fill_it_and_no_more,
    two_calls_of_one_append_count_together,
)
from engine.testing.set_clock import set_clock


async def events_come_back_as_they_were_appended(store: Store) -> None:
    """Exactly, in order, and from any point on."""
    await start(store)
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
    await start(store)
    assert await store.append("s", 1, [woken("s", 2)]) == Appended()
    assert await store.append("s", 1, [woken("s", 2), woken("s", 3)]) == Conflict(2)
    assert await store.append("s", 0, [started("s")]) == Conflict(2)
    assert await store.append("s", 7, [woken("s", 8)]) == Conflict(2)
    assert len(await store.load("s")) == 2
    assert await store.heads(["s", "none"]) == {"s": (2, 0)}


async def racing_appends_have_one_winner(store: Store) -> None:
    """Fifty writers, one place."""
    await start(store)
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


async def _take(store: Store, seq: int, owner: str, epoch: int, seconds: float, **more: Any) -> AppendResult:
    set_clock(store, seconds)
    take = Claim(Lease("s", owner, epoch), LEASE)
    return await store.append("s", seq - 1, [claimed("s", seq, owner, epoch)], take=take, **more)


async def a_claim_excludes_others_until_its_lease_ends(store: Store) -> None:
    """And each claim has a higher epoch than the one before; it is taken with what it appends, or not at all."""
    await start(store)
    assert await _take(store, 2, "a", 1, 0) == Appended()
    assert await _take(store, 3, "b", 2, 9) == HeldSession("a", START + LEASE)
    assert len(await store.load("s")) == 2
    assert await _take(store, 3, "b", 1, 11) == Conflict(2)
    assert await _take(store, 2, "b", 2, 11) == Conflict(2)
    assert await _take(store, 3, "b", 2, 11) == Appended()
    assert await store.heads(["s"]) == {"s": (3, 2)}


async def a_session_may_begin_with_its_claim(store: Store) -> None:
    """In one transaction, and be let go of in the same."""
    take = Claim(Lease("s", "a", 1), LEASE)
    assert await store.append("s", 0, [started("s"), claimed("s", 2, "a", 1)], take=take) == Appended()
    assert await _take(store, 3, "b", 2, 1) == HeldSession("a", START + LEASE)
    take = Claim(Lease("t", "a", 1), LEASE)
    events = [started("t"), claimed("t", 2, "a", 1)]
    assert await store.append("t", 0, events, take=take, release_lease=True) == Appended()
    later = Claim(Lease("t", "b", 2), LEASE)
    assert await store.append("t", 2, [claimed("t", 3, "b", 2)], take=later) == Appended()


async def a_lease_is_renewed_and_given_back_only_by_its_holder(store: Store) -> None:
    """A lost lease can do neither, and an append may give it back."""
    await start(store)
    first, second = Lease("s", "a", 1), Lease("s", "b", 2)
    await _take(store, 2, "a", 1, 0)
    await store.renew([first], timedelta(seconds=20))
    assert await _take(store, 3, "b", 2, 15) == HeldSession("a", START + timedelta(seconds=20))
    assert await _take(store, 3, "b", 2, 21) == Appended()
    await store.renew([first], timedelta(seconds=60))
    await store.release(first)
    assert await _take(store, 4, "c", 3, 22) == HeldSession("b", START + timedelta(seconds=31))
    await store.release(second)
    assert await _take(store, 4, "c", 3, 22) == Appended()
    assert await store.append("s", 4, [woken("s", 5)], epoch=3, release_lease=True) == Appended()
    assert await _take(store, 6, "d", 4, 23) == Appended()


async def an_older_epoch_is_fenced(store: Store) -> None:
    """Who was overtaken appends nothing; who comes without a claim may."""
    await start(store)
    await _take(store, 2, "a", 1, 0)
    await _take(store, 3, "b", 2, 11)
    assert await store.append("s", 3, [woken("s", 4)], epoch=1) == Fenced(2)
    assert await store.append("s", 3, [woken("s", 4)], epoch=2) == Appended()
    assert await store.append("s", 4, [woken("s", 5)]) == Appended()


async def a_key_is_held_by_one_call_and_gives_its_result(store: Store) -> None:
    """In flight first, then with the output; a refused claim leaves nothing."""
    await start(store, "a")
    await start(store, "b")
    assert await store.append("a", 1, [call_started("a", 2, "k")]) == Appended()
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == HeldKey("[]:k", "in_flight", None, "a/c")
    assert await store.heads(["b"]) == {"b": (1, 0)}
    await store.append("a", 2, [result("a", 3, "ok", {"id": 7})])
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == HeldKey("[]:k", "ok", {"id": 7}, "a/c")
    assert await store.append("b", 1, [call_started("b", 2, "other")]) == Appended()


async def the_inbox_is_listed_in_pages(store: Store) -> None:
    """The oldest first: so many, behind one that is open no more as well, and for a tenant alone."""
    for name in "abc":
        await start(store, name)
        await store.append(name, 1, [opened(name, 2, f"{name}.1")])
    assert [row.id for row in await store.requests(limit=2)] == ["a.1", "b.1"]
    await store.append("b", 2, [Event("b", 3, 1, K.REQUEST_ANSWERED, {"request_id": "b.1"}, START)])
    assert [row.id for row in await store.requests(after="b.1", limit=2)] == ["c.1"]
    assert [row.id for row in await store.requests(after="a.1", open_only=False)] == ["b.1", "c.1"]
    assert await store.requests(after="nothing.1") == []
    await store.access.reserve(Creation("acme/tok_1", "key", "digest", "c", "acme", START, "acme/tok_1"))
    assert [row.id for row in await store.requests(tenant="acme")] == ["c.1"]
    assert await store.requests(tenant="globex") == []
    assert [(await store.inbox(tenant=tenant)).count for tenant in ("acme", None)] == [1, 2]


async def requests_are_found_by_a_value_of_their_call(store: Store) -> None:
    """The newest first, open or not, and not what only mentions it."""
    for number, (name, account) in enumerate((("a", "x"), ("b", "y"), ("c", "x"), ("d", 'x"'))):
        await start(store, name)
        first = opened(name, 2, f"{name}.1")
        told = {**first.payload, "input": {"account": account, "n": 1}, "message": "about x"}
        await store.append(name, 1, [replace(first, payload=told, at=START + timedelta(seconds=number))])
    assert [row.id for row in await store.requests_about("x", limit=9)] == ["c.1", "a.1"]
    assert [row.id for row in await store.requests_about("x", limit=1)] == ["c.1"]
    assert [row.id for row in await store.requests_about('x"', limit=9)] == ["d.1"]
    assert await store.requests_about("about x", limit=9) == []
    assert await store.requests_about("x", limit=0) == []
    await start(store, "e")
    whole = opened("e", 2, "e.1")
    await store.append("e", 1, [replace(whole, payload={**whole.payload, "input": "sealed:1:x"})])
    assert await store.requests_about("sealed:1:x", limit=9) == [], "what is sealed as a whole has no values"
    await store.access.reserve(Creation("acme/tok_1", "key", "digest", "a", "acme", START, "acme/tok_1"))
    assert [row.id for row in await store.requests_about("x", limit=9, tenant="acme")] == ["a.1"]


async def the_inbox_is_listed_by_what_expires_soonest(store: Store) -> None:
    """What never expires comes last, the oldest of it first."""
    for number, (name, expires) in enumerate((("a", None), ("b", 9), ("c", None), ("d", 3), ("e", 9))):
        await start(store, name)
        until = (START + timedelta(hours=expires)).isoformat() if expires is not None else None
        first = opened(name, 2, f"{name}.1")
        at = START + timedelta(seconds=number)
        await store.append(name, 1, [replace(first, payload={**first.payload, "expires_at": until}, at=at)])
    page = await store.inbox()
    assert ([row.id for row in page.rows], page.count) == (["d.1", "b.1", "e.1", "a.1", "c.1"], 5)
    for limit in (0, 2, 5, 9):
        page = await store.inbox(limit=limit)
        assert ([row.id for row in page.rows], page.count) == (["d.1", "b.1", "e.1", "a.1", "c.1"][:limit], 5)


async def what_is_erased_says_nothing_and_what_was_done_stays_done(store: Store) -> None:
    """Its chain verifies, nothing of it is in the inbox, and its idempotency keys stay taken."""
    await start(store, "a")
    await start(store, "b")
    await store.append("a", 1, [call_started("a", 2, "k", compared={"to": "x"}), opened("a", 3, "a.1"), woken("a", 4)])
    await store.append("a", 4, [result("a", 5, "ok", {"id": 7})])
    assert await store.erase("a") == 4
    assert await store.erase("a") == 0
    assert await store.erased("a") == [1, 2, 3, 5]
    assert [bool(event.payload) for event in await store.load("a")] == [False, False, False, True, False]
    assert await store.verify("a") == []
    assert await store.requests(open_only=False) == []
    held = await store.append("b", 1, [call_started("b", 2, "k")])
    assert isinstance(held, HeldKey)
    assert (held.status, held.output, held.compared) == (ERASED, None, None)
    assert [event.seq for event in await store.load("b")] == [1]
    # what comes later stands behind it
    assert await store.append("a", 5, [woken("a", 6)]) == Appended()
    assert await store.verify("a") == []
    try:
        await store.erase("nobody")
    except UnknownSession:
        return
    raise AssertionError("a session that is not there was erased")


async def a_key_is_free_again_when_its_call_did_not_happen(store: Store) -> None:
    """But not while nobody knows; and the same call may start again under its own key."""
    await start(store, "a")
    await start(store, "b")
    await store.append("a", 1, [call_started("a", 2, "k")])
    assert await store.append("a", 2, [call_started("a", 3, "k")]) == Appended()
    await store.append("a", 3, [result("a", 4, "unknown")])
    assert isinstance(await store.append("b", 1, [call_started("b", 2, "k")]), HeldKey)
    await store.append("a", 4, [result("a", 5, "terminal_error")])
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == Appended()


async def a_key_says_what_it_was_taken_for(store: Store) -> None:
    """The fields that have to be as they were, in flight and afterwards."""
    await start(store, "a")
    await start(store, "b")
    await store.append("a", 1, [call_started("a", 2, "k", compared={"usd": Decimal("9.5"), "to": None})])
    taken = HeldKey("[]:k", "in_flight", None, "a/c", {"usd": Decimal("9.5"), "to": None})
    assert await store.append("b", 1, [call_started("b", 2, "k")]) == taken
    await store.append("a", 2, [result("a", 3, "ok", {})])
    held = await store.append("b", 1, [call_started("b", 2, "k")])
    assert isinstance(held, HeldKey)
    assert held.compared == taken.compared


async def a_key_is_free_again_after_its_window(store: Store) -> None:
    """If its call ended well, for who says how many results have expired; what is in flight or unknown stays."""
    soon = {"key_until": "2026-01-01T08:59:59.000000Z"}
    for name, end in (("a", "ok"), ("b", None), ("c", "unknown")):
        await start(store, name)
        await store.append(name, 1, [call_started(name, 2, name, **soon)])
        if end is not None:
            await store.append(name, 2, [result(name, 3, end, {})])
    await start(store, "d")
    assert isinstance(await store.append("d", 1, [call_started("d", 2, "b")]), HeldKey)
    assert isinstance(await store.append("d", 1, [call_started("d", 2, "c")]), HeldKey)
    later = {"key_until": "2026-01-01T09:00:01.000000Z"}
    assert await store.append("d", 1, [call_started("d", 2, "a", **later)]) == ExpiredKey("[]:a", 1)
    assert await store.append("d", 1, [call_started("d", 2, "a", **later, generation=2)]) == ExpiredKey("[]:a", 1)
    assert await store.append("d", 1, [call_started("d", 2, "a", **later, generation=1)]) == Appended()
    # what came to nothing leaves the key free, with as many results expired
    await store.append("d", 2, [result("d", 3, "terminal_error")])
    assert await store.append("d", 3, [call_started("d", 4, "a", **later)]) == ExpiredKey("[]:a", 1)
    assert await store.append("d", 3, [call_started("d", 4, "a", **later, generation=1)]) == Appended()
    await store.append("d", 4, [result("d", 5, "ok", {})])
    await start(store, "e")
    assert isinstance(await store.append("e", 1, [call_started("e", 2, "a")]), HeldKey)


async def racing_calls_for_a_key_have_one_winner(store: Store) -> None:
    """Of twenty sessions one starts."""
    for n in range(20):
        await start(store, f"s{n}")
    outcomes: list[object] = []

    async def one(session_id: str) -> None:
        outcomes.append(await store.append(session_id, 1, [call_started(session_id, 2, "k")]))

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(one, f"s{n}")
    assert outcomes.count(Appended()) == 1
    assert sum(isinstance(outcome, HeldKey) for outcome in outcomes) == 19


async def requests_stand_in_the_inbox_until_they_are_answered_or_closed(store: Store) -> None:
    """Oldest first, with the event that opened them."""
    await start(store)
    await store.append("s", 1, [opened("s", 2, "s.1"), opened("s", 3, "s.2"), opened("s", 4, "s.3")])
    assert [row.id for row in await store.requests()] == ["s.1", "s.2", "s.3"]
    answered = Event("s", 5, 1, K.REQUEST_ANSWERED, {"request_id": "s.1"}, START)
    closed = Event("s", 6, 1, K.REQUEST_CLOSED, {"request_id": "s.2", "how": "expired"}, START)
    await store.append("s", 4, [answered, closed])
    assert [row.id for row in await store.requests()] == ["s.3"]
    assert [row.status for row in await store.requests(session_id="s", open_only=False)] == [
        "answered",
        "expired",
        "open",
    ]
    assert [(await store.inbox(open_only=only, limit=1)).count for only in (True, False)] == [1, 3]
    assert ((await store.inbox(tenant="globex", limit=0)).count, await store.requests(limit=0)) == (0, [])
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
    assert [row.id for row in await store.sessions(since=START + timedelta(seconds=1))] == ["s2", "s1"]
    assert [row.id for row in await store.sessions(1, "running", since=START, agent="bot")] == ["s2"]
    assert await store.sessions(agent="other") == []
    row = await store.session("s1")
    assert (row.state, row.seq, row.agent, row.bundle) == ("done", 2, "bot", "b1")
    assert row.updated_at == START + timedelta(seconds=9)


async def a_log_verifies(store: Store) -> None:
    """As long as nobody touches it."""
    await start(store)
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
        what_is_erased_says_nothing_and_what_was_done_stays_done,
        the_inbox_is_listed_in_pages,
        the_inbox_is_listed_by_what_expires_soonest,
        requests_are_found_by_a_value_of_their_call,
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
        *ACCESS.values(),
        *DEPLOYMENTS.values(),
        *DELIVERIES.values(),
    )
}
