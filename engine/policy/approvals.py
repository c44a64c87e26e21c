"""Who has to say yes: a set of groups for each ask, any member of which will do, and all asks have to be met."""

from __future__ import annotations

from collections.abc import Iterable

Groups = frozenset[str]


def uncovered(asked: Iterable[Groups], by: Iterable[Groups]) -> list[Groups]:
    """The asks that may be left open by people who meet all the others; none if those ask at least as much."""
    others = list(by)
    return [groups for groups in asked if not any(other <= groups for other in others)]
