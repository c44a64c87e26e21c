"""What planners and tools reach the world with: secrets by name, and connections that are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from engine.errors import EngineError

T = TypeVar("T")

# the key that vouches for the log, or a file of it: the engine's own, which no tool and no planner is given
LOG_KEY = "ENGINE_LOG_KEY"
LOG_KEY_FILE = "ENGINE_LOG_KEY_FILE"
OWN_NAMES = frozenset({LOG_KEY, LOG_KEY_FILE})

# the folder with the keys of people
PERSON_KEYS = "ENGINE_PERSON_KEYS"


class EnvironmentFault(EngineError):
    """What a bundle needs is not there where it runs: no fault of a tool, a planner or a model.

    Whoever finds it lets go of the session as it is, for another who has what is missing.
    """


class MissingSecret(EnvironmentFault):
    """A secret that a document names is nowhere to be had, or can't be used."""


def in_header(reveal: Callable[[str], str]) -> Callable[[str], str]:
    """Reveals what can be sent in a header; raises MissingSecret for what can't."""

    def revealed(name: str) -> str:
        value = reveal(name)
        if not value.isascii() or value != value.strip() or any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise MissingSecret(f"the secret {name} can't be sent in a header: it holds what no header may")
        return value

    return revealed


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
