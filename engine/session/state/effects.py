"""What the stored facts call for: data that the runtime performs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class AskPlanner:
    """Ask the planner; `ask` counts all questions of the session."""

    ask: int

    @property
    def key(self) -> str:
        """What tells this effect from all others of the session."""
        return f"planner:{self.ask}"


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a started call's tool, for `timeout` at the longest; `idempotency_key` is handed to the adapter."""

    call_id: str
    tool: str
    input: Mapping[str, Any]
    attempt: int
    idempotency_key: str | None
    timeout: timedelta

    @property
    def key(self) -> str:
        """What tells this effect from all others of the session."""
        return self.key_of(self.call_id, self.attempt)

    @staticmethod
    def key_of(call_id: str, attempt: int) -> str:
        """The key of the run of a call's attempt."""
        return f"call:{call_id}:{attempt}"


@dataclass(frozen=True, slots=True)
class ReadFact:
    """Read a fact that a gate waits for."""

    fact_key: str
    tool: str
    input: Mapping[str, Any]
    gate: int

    @property
    def key(self) -> str:
        """What tells this effect from all others of the session."""
        return f"fact:{self.fact_key}:{self.gate}"


NextEffect = AskPlanner | RunTool | ReadFact
