"""What every store must keep of deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from engine.ports.deliveries import Delivery, DeliveryState
from engine.ports.store import Store
from engine.testing.log_events import START

ONE = Delivery("d1", "desk", "opened", "ses_1.1", START, START)
TWO = replace(ONE, id="d2", due_at=START + timedelta(minutes=5), made_at=START + timedelta(minutes=1))
SOON, LATER = START + timedelta(minutes=1), START + timedelta(minutes=9)


async def a_delivery_is_made_once_and_taken_by_one(store: Store) -> None:
    """Whoever has taken it has it until a moment; then the next one may try."""
    kept = store.deliveries
    await kept.add_deliveries([ONE, TWO])
    await kept.add_deliveries([replace(ONE, due_at=LATER)])
    assert await kept.deliveries() == [TWO, ONE]
    taken = replace(ONE, attempts=1, due_at=LATER)
    assert await kept.take_due("desk", SOON, LATER) == [taken]
    assert await kept.take_due("desk", SOON, LATER) == []
    # what another notifier is to tell is left to it
    assert await kept.take_due("other", LATER, LATER) == []
    assert await kept.take_due("desk", LATER, LATER, limit=1) == [replace(TWO, attempts=1, due_at=LATER)]


async def a_delivery_that_is_settled_is_due_no_more(store: Store) -> None:
    """Or at the moment that is said, where it stays pending."""
    kept = store.deliveries
    await kept.add_deliveries([ONE])
    (taken,) = await kept.take_due("desk", SOON, LATER)
    again = replace(taken, due_at=SOON, problem="503")
    await kept.settle(again)
    assert await kept.take_due("desk", SOON, LATER) == [replace(again, attempts=2, due_at=LATER)]
    await kept.settle(replace(taken, state=DeliveryState.DELIVERED, problem=""))
    assert await kept.take_due("desk", LATER, LATER) == []
    assert [one.id for one in await kept.deliveries(state=DeliveryState.DELIVERED)] == ["d1"]
    assert await kept.deliveries(state=DeliveryState.DEAD) == []


DELIVERIES: Mapping[str, Callable[[Store], Awaitable[None]]] = {
    check.__name__: check
    for check in (a_delivery_is_made_once_and_taken_by_one, a_delivery_that_is_settled_is_due_no_more)
}
