"""The planner of the kind `client`, where somebody wants to ask it all the same."""

from __future__ import annotations

from typing import Any

from engine.ports.planner import PlannerError
from engine.session.planner_view import PlannerView


class ClientPlanner:
    """Has nothing to propose: its decisions come from outside (see `engine.session.decide.client_planner`)."""

    def __init__(self, *_: object) -> None:
        """It needs nothing."""

    async def propose(self, view: PlannerView) -> Any:
        """Raises PlannerError."""
        raise PlannerError("decisions of a client come from outside: it can't be asked", final=True)
