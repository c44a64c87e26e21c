"""An agent's budgets: the limits, as the rows of `LIMITS` say them, its meters, and how long requests wait."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from engine.bundle.documents.parts import ON_ENTRY, DocumentModel, Expression, Name, SomeTime, Span, ToolName
from engine.language.value import duration_text
from engine.spec.limits import LIMITS, Form, Limit, Limits

Count = Annotated[int, Field(ge=1)] | Literal["unlimited"]
CountOrNone = Annotated[int, Field(ge=0)] | Literal["unlimited"]
Time = SomeTime | Literal["unlimited"]
Crossing = Annotated[
    Literal["block", "stop", "review", "finish"],
    Field(
        description="What is beyond it never starts (`block`); the session also ends with the step (`stop`), asks "
        "whether it gets more (`review`), or gives its planner one last turn (`finish`)."
    ),
]
Reviewed = Annotated[Name | None, Field(description="With `review`: the group that may grant more.")]


class CrossingCount(DocumentModel):
    """A limit with what crossing it does."""

    limit: CountOrNone
    crossing: Crossing
    extend_by: Annotated[int | None, Field(ge=1, description="With `review`: what a yes grants.")] = None
    reviewers: Reviewed = None


class CrossingSteps(CrossingCount):
    """A limit of steps, of which there is at least one, with what crossing it does."""

    limit: Annotated[int, Field(ge=1, json_schema_extra={ON_ENTRY: ["minimum"]})] | Literal["unlimited"]


class CrossingMoney(DocumentModel):
    """A limit of money with what crossing it does."""

    limit: Annotated[int | float, Field(ge=0)] | Literal["unlimited"]
    crossing: Crossing
    extend_by: Annotated[int | float | None, Field(gt=0, description="With `review`: what a yes grants.")] = None
    reviewers: Reviewed = None


class Expires(DocumentModel):
    """How long each kind of request may wait for its answer."""

    approval: Time = "24h"
    input: Time = "24h"
    choice: Time = "24h"
    settle: Time = "24h"
    budget: Time = "24h"
    planner: Time = "24h"


class Meter(DocumentModel):
    """A business quantity that calls add to, such as the money that refunds pay out."""

    sum: Annotated[Expression, Field(description="What one call adds, over its `input` and `session`.")]
    over: Annotated[list[ToolName], Field(min_length=1, description="The tools whose calls add to it.")]
    limit: Annotated[int | float, Field(ge=0, description="A call that would go beyond it never starts.")]
    crossing: Crossing = "block"
    extend_by: Annotated[int | float | None, Field(gt=0, description="With `review`: what a yes grants.")] = None
    reviewers: Reviewed = None
    per: Annotated[
        Expression | None, Field(description="Over `session` and `input`: all sessions with this value share it.")
    ] = None
    window: Annotated[SomeTime | None, Field(description="With `per`: how long what was added counts.")] = None


def _written(limit: Limit) -> Any:
    """What may be written for a limit."""
    match limit.form:
        case Form.TIME:
            return Time if limit.unlimited else Span
        case Form.PER_TOOL:
            return dict[str, CountOrNone]
        case Form.MONEY:
            return Annotated[int | float, Field(ge=0)] | Literal["unlimited"] | CrossingMoney
        case Form.COUNT:
            count = Count if limit.least else CountOrNone
            return count | (CrossingSteps if limit.least else CrossingCount) if limit.crossings else count


def _field(name: str, limit: Limit) -> tuple[Any, Any]:
    default = getattr(Limits(), name)
    if limit.form is Form.TIME:
        default = duration_text(default)
    return Annotated[_written(limit), Field(description=limit.says)], default


_FIELDS: dict[str, Any] = {name: _field(name, limit) for name, limit in LIMITS.items()}
_Limits: Any = create_model("_Limits", __base__=DocumentModel, **_FIELDS)


class Budgets(_Limits):  # type: ignore[misc]  # its fields are made of the rows
    """The limits of a session; what is left out has its default, and `unlimited` has to be written."""

    meters: Annotated[dict[ToolName, Meter], Field(description="Business quantities with a limit of their own.")] = {}
    expires: Expires = Expires()
