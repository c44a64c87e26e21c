"""What a look at the server of a store found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerFinding:
    """Whether something is as it has to be, and what is said of it."""

    well: bool
    told: str
