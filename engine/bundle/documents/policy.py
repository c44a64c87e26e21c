"""kind: Policy and kind: Reviewers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.parts import TOOL_NAME, Condition, Expression, Name, Shape, Span, Text, ToolName


class Fact(Shape):
    """A read that rules need, done by the runtime."""

    tool: ToolName
    input: dict[str, Expression] = {}
    max_age: Annotated[Span, Field(description="How old a result may be; fresh for each verdict unless given.")] = "0s"


class Rule(Shape):
    """One rule; without a condition it always matches."""

    id: Name
    source: Annotated[str, Field(description="The sentence of the business's own text that it enforces.")] = ""
    tools: Literal["all", "reads", "writes"] | list[ToolName]
    except_: Annotated[list[ToolName], Field(alias="except")] = []
    effect: Literal["allow", "require_approval", "deny"]
    when: Condition | None = None
    unless: Condition | None = None
    reason: Annotated[str, Field(pattern=TOOL_NAME, description="For machines; the id unless given.")] = ""
    message: Annotated[Text, Field(description="For people and the planner.")] = ""
    approvers: Annotated[list[Name], Field(description="Groups of reviewers, or `customer`.")] = []


class Policy(Shape):
    """Rules over the calls of tools."""

    kind: Literal["Policy"]
    name: Name
    description: str = ""
    params: Annotated[
        dict[str, Any], Field(description="The dials: numbers, texts, lists, tables; `24h` is a duration.")
    ] = {}
    facts: dict[str, Fact] = {}
    no_rule_allows: Annotated[str, Field(description="What is said when no rule allows a call that needs one.")] = ""
    rules: list[Rule]


class Reviewers(Shape):
    """A group of people who may be asked."""

    kind: Literal["Reviewers"]
    name: Name
    description: str = ""
    members: Annotated[list[str], Field(min_length=1)]
