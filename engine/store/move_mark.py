"""Whether a store takes writes: not one that moved elsewhere, nor one into which another is still being moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.ports.records import StoreMoved

MOVED = "moved_to, moved_from"
# asked within each transaction: it may change at any time while others work with the store
ASK = f"SELECT {MOVED} FROM store"


def check_open(row: Sequence[Any] | None) -> None:
    """Raise StoreMoved for what was asked of a store that takes no writes."""
    if row is not None and (row[0] is not None or row[1] is not None):
        raise StoreMoved(closed_text(*row))


def closed_text(moved_to: str | None, moved_from: str | None) -> str:
    """What is said of such a store."""
    if moved_from is not None:
        told = f"the move of {moved_from} into this store is not finished, and nothing goes on here before it is"
        return f"{told}: engine store move"
    return f"this store was moved to {moved_to}, and its sessions go on there: give that one as --store"
