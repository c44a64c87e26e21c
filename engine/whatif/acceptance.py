"""The loosenings that somebody answers for: in a bundle, or in a command."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.spec.bundle import AcceptedLoosening


class Acceptance:
    """What is accepted by a bundle's policies and by whoever asks.

    What a bundle accepts answers for the change that it came with, and not for further ones: it says nothing of a
    session whose own bundle had accepted the same already.
    """

    def __init__(self, accepted: Iterable[AcceptedLoosening], named: Collection[str] = ()) -> None:
        self._accepted = tuple(accepted)
        self._named = frozenset(named)

    def covers(self, name: str, before: Collection[AcceptedLoosening] = ()) -> bool:
        """Whether somebody answers for a flip against a bundle that had accepted something itself."""
        new = {one.flip for one in self._accepted if one not in before}
        return name in self._named or name in new

    def unneeded(self, names: Collection[str]) -> list[str]:
        """What is accepted, and not among the loosenings that were found."""
        return sorted((self._named | {one.flip for one in self._accepted}) - set(names))
