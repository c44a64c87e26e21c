"""The `scripted` planner: a fixed list of decisions, one for each question, taken as they are."""

from __future__ import annotations

from typing import Any

from engine.ports.planner import PlannerError, Proposal
from engine.session.planner_view import PlannerView
from engine.spec.planner_spec import PlannerSpec


class ScriptedPlanner:
    """Proposes the decision whose turn it is; after the last one it fails, or repeats it."""

    def __init__(self, spec: PlannerSpec, *_: object) -> None:
        self._decisions = spec.decisions
        self._usage = spec.usage
        self._repeats = spec.when_exhausted == "repeat"

    async def propose(self, view: PlannerView) -> Any:
        """The next decision; raises PlannerError when the script is over."""
        index = view.ask - 1
        if index < len(self._decisions):
            return Proposal(self._decisions[index], self._usage)
        if self._repeats:
            return Proposal(_renamed(self._decisions[-1], view.ask), self._usage)
        raise PlannerError(f"the script has {len(self._decisions)} decisions, and this is question {view.ask}")


def _renamed(decision: Any, ask: int) -> Any:
    """The same decision once more; its calls are new ones, so they need new ids."""
    if not isinstance(decision, dict) or not isinstance(decision.get("tool_calls"), list):
        return decision
    calls = [
        {**call, "id": f"{call['id']}-{ask}"} if isinstance(call, dict) and isinstance(call.get("id"), str) else call
        for call in decision["tool_calls"]
    ]
    return {**decision, "tool_calls": calls}
