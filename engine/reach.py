"""What planners and tools reach the world with: secrets by name, and connections that are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

T = TypeVar("T")

# the key that vouches for the log, or a file of it: the engine's own, which no tool and no planner is given
LOG_KEY = "ENGINE_LOG_KEY"
LOG_KEY_FILE = "ENGINE_LOG_KEY_FILE"
OWN_NAMES = frozenset({LOG_KEY, LOG_KEY_FILE})

# the folder with the keys of people
PERSON_KEYS = "ENGINE_PERSON_KEYS"


class MissingSecret(Exception):
    """A secret that a document names is nowhere to be had."""


class Secrets(Protocol):
    """Reveals secrets by name, and masks them wherever they turn up."""

    def reveal(self, name: str) -> str:
        """The secret; raises MissingSecret."""
        ...

    def masked(self, value: T) -> T:
        """A copy of a text or of plain JSON without any secret that was revealed."""
        ...

    def beginning(self, text: str) -> str:
        """The same of a text that goes on: without an end that may become a secret."""
        ...


class Connections(Protocol):
    """Keeps what is opened once and used by many sessions; all of it is closed with the engine."""

    async def hold(self, key: str, opened: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """What is open under a key, opened if it is not; raises what opening it raises."""
        ...

    def drop(self, key: str, value: object) -> None:
        """Close what is open under a key if it is this value: it is of no use any more."""
        ...
