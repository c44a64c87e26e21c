"""What planners are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from engine.ports.resources import Connections, Secrets
from engine.spec.bundle import Agent, Bundle
from engine.spec.secret_refs import filled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.planner.transport import Traffic


@dataclass(frozen=True, slots=True)
class PlannerResources:
    """What planners reach models with; `traffic` None is the servers themselves."""

    secrets: Secrets
    connections: Connections
    dice: Callable[[], Decimal]
    traffic: Traffic | None = None

    def fill_secrets(self, text: str) -> str:
        """A text with the secrets that it refers to (`${secret:NAME}`); raises MissingSecret."""
        return filled(text, self.secrets.reveal)


@dataclass(frozen=True, slots=True)
class PlannerContext:
    """What a planner is made for: its name, its agent, the bundle; and what it reaches a model with."""

    name: str
    agent: Agent
    bundle: Bundle
    resources: PlannerResources
