"""What every store has to do with meters that sessions share; see store_contract."""

from __future__ import annotations

from decimal import Decimal

import trio

from engine.ports.records import (
    Appended,
    FullMeter,
)
from engine.ports.store import Store
from engine.testing.log_events import adding, call_started, result, start


async def a_shared_meter_never_goes_beyond_its_limit(store: Store) -> None:
    """What is in flight counts, what did not happen does not, and the brim may be reached; numbers are exact."""
    for name in "abcd":
        await start(store, name)
    assert await store.append("a", 1, [call_started("a", 2, None, **adding(Decimal("60.1")))]) == Appended()
    refused = await store.append("b", 1, [call_started("b", 2, None, **adding(40))])
    assert refused == FullMeter("b/c", "usd", Decimal("60.1"), 100)
    assert await store.heads(["b"]) == {"b": (1, 0)}
    assert await store.append("b", 1, [call_started("b", 2, None, **adding(Decimal("39.9")))]) == Appended()
    await store.append("a", 2, [result("a", 3, "terminal_error")])
    assert await store.append("c", 1, [call_started("c", 2, None, **adding(Decimal("60.1")))]) == Appended()
    assert isinstance(await store.append("d", 1, [call_started("d", 2, None, **adding(1))]), FullMeter)


async def a_shared_meter_forgets_what_is_older_than_its_window(store: Store) -> None:
    """But never what is in flight, nor what nobody can vouch for."""
    later = "2026-01-01T09:00:00.000000Z"
    for name, end in (("a", "ok"), ("b", None), ("c", "unknown")):
        await start(store, name)
        await store.append(name, 1, [call_started(name, 2, None, **adding(30))])
        if end is not None:
            await store.append(name, 2, [result(name, 3, end, {})])
    await start(store, "d")
    assert await store.append("d", 1, [call_started("d", 2, None, **adding(41, later))]) == FullMeter(
        "d/c", "usd", 60, 100
    )
    assert await store.append("d", 1, [call_started("d", 2, None, **adding(40, later))]) == Appended()
    await start(store, "e")
    assert await store.append("e", 1, [call_started("e", 2, None, **adding(1, None, 130))]) == FullMeter(
        "e/c", "usd", 130, 130
    )


async def two_calls_of_one_append_count_together(store: Store) -> None:
    """And a refusal leaves nothing of the append, not even the key of the first."""
    await start(store, "a")
    both = [call_started("a", 2, "key", **adding(60)), call_started("a", 3, None, "d", **adding(60))]
    assert await store.append("a", 1, both) == FullMeter("a/d", "usd", 60, 100)
    await start(store, "b")
    assert await store.append("b", 1, [call_started("b", 2, "key", **adding(100))]) == Appended()


async def racing_calls_for_a_meter_fill_it_and_no_more(store: Store) -> None:
    """Of a hundred sessions that add 30 each to a meter of 1,000, thirty-three do; none fails for another's sake."""
    for n in range(100):
        await start(store, f"s{n}")
    outcomes: list[object] = []

    async def one(n: int) -> None:
        outcomes.append(await store.append(f"s{n}", 1, [call_started(f"s{n}", 2, None, **adding(30, limit=1000))]))

    async with trio.open_nursery() as nursery:
        for n in range(100):
            nursery.start_soon(one, n)
    assert sum(outcome == Appended() for outcome in outcomes) == 33
    assert all(outcome == Appended() or isinstance(outcome, FullMeter) for outcome in outcomes)
