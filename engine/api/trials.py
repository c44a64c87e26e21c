"""Bundles on trial: a canary, which a share of new sessions begins with, and a shadow, which judges past sessions.

Both end with the next deployment that activates a bundle, or when they are lifted.  What a shadow would have decided
is recorded nowhere: it follows from the logs and the bundle, which stay as they are, and is told when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.ports.deployments import Deployment, DeploymentKind, DeploymentStore

_PAGE = 20


@dataclass(frozen=True, slots=True)
class Trials:
    """The deployments that are on trial now."""

    canary: Deployment | None = None
    shadow: Deployment | None = None

    @property
    def bundles(self) -> set[str]:
        """The digests of what is on trial."""
        return {one.bundle for one in (self.canary, self.shadow) if one is not None}


def trials_of(newest_first: Sequence[Deployment]) -> Trials:
    """What is on trial after some deployments."""
    lifted: set[str] = set()
    # the newest of each kind, which takes the place of any before it; None if it was lifted
    found: dict[DeploymentKind, Deployment | None] = {}
    for one in newest_first:
        if one.kind is DeploymentKind.ACTIVATE:
            break
        if one.kind is DeploymentKind.LIFT:
            lifted.add(one.bundle)
        elif one.kind in (DeploymentKind.CANARY, DeploymentKind.SHADOW):
            found.setdefault(one.kind, one if one.bundle not in lifted else None)
    return Trials(found.get(DeploymentKind.CANARY), found.get(DeploymentKind.SHADOW))


async def trials_now(store: DeploymentStore) -> Trials:
    """What is on trial now: of what was deployed no more is read than since a bundle was activated."""
    found: list[Deployment] = []
    while page := await store.deployments(_PAGE, found[-1].number if found else None):
        found += page
        if any(one.kind is DeploymentKind.ACTIVATE for one in page):
            break
    return trials_of(found)
