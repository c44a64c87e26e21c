"""What every store must keep of deployments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from engine.ports.deployments import FILES, Deployment, DeploymentKind, Upload
from engine.ports.store import Store
from engine.testing.log_events import START

FIRST = Deployment(0, DeploymentKind.ACTIVATE, "one", START, FILES)
REPORT = {"loosens": True, "changes": [{"where": "é", "usd": Decimal("1.50")}]}


async def deployments_come_one_after_the_other(store: Store) -> None:
    """Of two that were made after the same one only the first is kept; they come back newest first."""
    kept = store.deployments
    assert await kept.active() is None
    assert await kept.deploy(FIRST, 0) == replace(FIRST, number=1)
    assert await kept.deploy(FIRST, 0) is None
    assert await kept.deploy(FIRST, 5) is None
    second = replace(FIRST, bundle="two", by="tok_1", person="mona", note="why", report=REPORT)
    assert await kept.deploy(second, 1) == replace(second, number=2)
    assert await kept.deployments() == [replace(second, number=2), replace(FIRST, number=1)]
    assert await kept.deployments(1) == [replace(second, number=2)]
    assert await kept.deployments(10, before=2) == [replace(FIRST, number=1)]


async def what_is_active_is_the_newest_that_was_activated(store: Store) -> None:
    """An urgent bundle judges beside it, and takes the place of none."""
    await store.deployments.deploy(FIRST, 0)
    for number, kind in enumerate((DeploymentKind.URGE, DeploymentKind.LIFT), 1):
        await store.deployments.deploy(replace(FIRST, bundle="urgent", kind=kind), number)
    assert await store.deployments.active() == replace(FIRST, number=1)


async def a_canary_has_its_share_and_takes_no_place(store: Store) -> None:
    """And a shadow decides nothing: what was active is active still."""
    await store.deployments.deploy(FIRST, 0)
    canary = replace(FIRST, bundle="two", kind=DeploymentKind.CANARY, share=Decimal("2.5"), attribute="account_id")
    assert await store.deployments.deploy(canary, 1) == replace(canary, number=2)
    await store.deployments.deploy(replace(FIRST, bundle="three", kind=DeploymentKind.SHADOW), 2)
    assert (await store.deployments.deployments())[1] == replace(canary, number=2)
    assert await store.deployments.active() == replace(FIRST, number=1)


async def who_brought_a_bundle_first_stays_who_brought_it(store: Store) -> None:
    """Or whoever brings it again would hide who did."""
    first = Upload("one", START, "tok_1", "mona")
    assert await store.deployments.uploads() == {}
    assert await store.deployments.add_upload(first) == first
    assert await store.deployments.add_upload(Upload("one", START, "tok_2", None)) == first
    assert await store.deployments.uploads() == {"one": first}


DEPLOYMENTS: Mapping[str, Callable[[Store], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        deployments_come_one_after_the_other,
        what_is_active_is_the_newest_that_was_activated,
        a_canary_has_its_share_and_takes_no_place,
        who_brought_a_bundle_first_stays_who_brought_it,
    )
}
