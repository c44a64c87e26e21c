"""The `rules` planner: an ordered table of conditions and decisions.  No model, no network, no key."""

from __future__ import annotations

from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.value import jsonable
from engine.ports.planner import PlannerError
from engine.session.planner_view import PlannerView
from engine.spec.planner_spec import PlannerSpec, Row


class RulesPlanner:
    """Proposes what the first matching row says."""

    def __init__(self, spec: PlannerSpec, *_: object) -> None:
        self._rows = spec.rows

    async def propose(self, view: PlannerView) -> Any:
        """The decision of the first row whose `when` holds; raises PlannerError where a row has no value."""
        for number, row in enumerate(self._rows, 1):
            try:
                if row.when is None or row.when.value(view.names) is True:
                    return _decision(row, view)
            except EvaluationError as error:
                message = f"row {number} of the decision table has no value: {error}"
                raise PlannerError(message) from None
        raise PlannerError("no row of the decision table matches")


def _decision(row: Row, view: PlannerView) -> dict[str, Any]:
    return {
        "message": row.message.render(view.names),
        "tool_calls": [
            {
                "id": f"call-{view.ask}-{number}",
                "name": call.name,
                "input": {name: jsonable(value.value(view.names)) for name, value in call.input.items()},
            }
            for number, call in enumerate(row.tool_calls, 1)
        ],
        "done": row.done,
    }
