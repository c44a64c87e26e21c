"""How a session is opened: its agent, its first message, the planners it may ask; and whether it is as it was seen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.random_bytes import random_hex
from engine.runtime.errors import NotAllowed
from engine.session.state.inputs import InputRefused
from engine.session.state.state import State
from engine.spec.bundle import Agent


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session begins; `planner` None is the agent's own, `started_by` None the customer.

    `session_id` was chosen before, by who may ask for the same session twice; None lets it be chosen here.
    What the session draws is drawn by its `key`, a random one unless a fixture brings its own.  A machine that starts
    it `stands_for` the people who made its token.
    """

    agent: str
    message: str
    attributes: Mapping[str, Any]
    planner: str | None = None
    started_by: str | None = None
    session_id: str | None = None
    key: str | None = None
    stands_for: tuple[str, ...] = ()

    def check(self, agent: Agent) -> None:
        """Raise NotAllowed where it is none of this agent."""
        if self.planner is not None and self.planner not in agent.planners:
            told = f"agent {agent.name} has no planner {self.planner}: it has {', '.join(sorted(agent.planners))}"
            raise NotAllowed(InputRefused("unknown_planner", told))
        if not isinstance(self.message, str) or not isinstance(self.started_by, str | None):
            raise NotAllowed(InputRefused("not_text", "`message` and `started_by` must be text"))


def _chain(agent: Agent, planner: str | None) -> tuple[str, ...]:
    """The planners that are asked, each where the last has nothing to propose; one that is named is asked alone."""
    return (planner,) if planner else (agent.planner, *agent.fallback)


def new_session_id() -> str:
    """An id that no other session has."""
    return f"ses_{random_hex(8)}"


def check_stands(state: State, only_at: int | None) -> None:
    """Raise NotAllowed where a session stands at another event than who does something to it has seen."""
    if only_at is not None and state.seq != only_at:
        told = f"session {state.session_id} stands at event {state.seq}, and not at {only_at}: look at it again"
        raise NotAllowed(InputRefused("changed_meanwhile", told))


def _absolute(root: Path) -> str:
    """As `session_started` records it: a path that means the same from everywhere."""
    return os.path.abspath(root)
