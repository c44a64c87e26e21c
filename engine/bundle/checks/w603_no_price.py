"""W603: a model has no price."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Severity

MANUAL = Manual(
    code="W603",
    title="a model has no price",
    what="A planner asks a model that stands in no table of prices.",
    why="Its cost can't be counted, so `model_cost_usd` does not hold for it; `model_tokens` still does.",
    wrong="planners:\n  gpt: {kind: openai, model: gpt-new}",
    right="kind: Prices\nname: hosted\nmodels:\n  gpt-new: {input_usd: 0.4, output_usd: 1.6}",
    severity=Severity.WARNING,
)


def at(node: Node, model: str) -> Diagnostic:
    """The model's name."""
    return MANUAL.at(
        node.place,
        f"model `{model}` has no price: its cost is not counted",
        help="put it into a document of `kind: Prices`",
    )
