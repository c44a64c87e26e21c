"""How a model is asked: the shape of a decision, in the form that its server takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.planner.schemas import Shapes, object_of, plain
from engine.spec.bundle import Tool
from engine.strict_schema import without_nulls

JSON_SCHEMA, TOOLS = "json_schema", "tools"
FINISH = "finish"


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How a model is asked: by which shape, for which tools, with how many calls and characters of a text at most.

    `strict` servers take one form of a schema only, and give null for what is left out.
    """

    mode: str
    tools: tuple[Tool, ...]
    most_calls: int
    most_text: int | None
    strict: bool = False

    @property
    def rules(self) -> str:
        """How to answer, in words."""
        if self.mode == TOOLS:
            return (
                "Call tools to act; what you write beside calls is a note for the log. Without calls, what you write "
                f"goes to the customer. When the work is done, call `{self.finish}` alone, with your last words to "
                "them."
            )
        return (
            'Answer with one JSON object: {"message": text, "tool_calls": [{"name": ..., "input": {...}}], "done": '
            "true or false}. Beside calls the message is a note for the log; without calls it goes to the customer. "
            "Never set done to true beside calls."
        )

    def schema(self, *, one_form: bool = False) -> dict[str, Any]:
        """The JSON Schema of a decision: it acts, or it is done; with `one_form` its root is an object.

        Every reference resolves: what a tool's schema defines stands at the root, under the tool's name.
        """
        shapes = Shapes(self.strict, self.most_text)
        message = shapes.text()
        forms = [
            object_of({"name": {"type": "string", "enum": [tool.name]}, "input": shapes.input(tool)})
            for tool in self.tools
        ]
        calls: dict[str, Any] = {"type": "array", "maxItems": 0, "items": {}}
        acting: dict[str, Any]
        acting = {"type": "array", "items": {"anyOf": forms}} if forms else calls
        if forms and not self.strict:
            acting["maxItems"] = self.most_calls
        if self.strict and not forms:
            acting = {"type": "array", "items": {"type": "string"}}
        if self.strict or one_form:
            found = object_of({"message": message, "tool_calls": acting, "done": {"type": "boolean"}})
        else:
            done = object_of({"message": message, "tool_calls": calls, "done": {"type": "boolean", "const": True}})
            on = object_of({"message": message, "tool_calls": acting, "done": {"type": "boolean", "const": False}})
            found = {"anyOf": [on, done]}
        return {**found, "$defs": shapes.definitions} if shapes.definitions else found

    def functions(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Each tool's name, description and input, and the way to be done."""
        for tool in self.tools:
            yield tool.name, tool.description, plain(tool.input_schema)
        words = {"message": {"type": "string", "description": "Your last words to the customer."}}
        yield self.finish, "The work is done: say your last words to the customer.", object_of(words)

    def read(self, decision: dict[str, Any]) -> dict[str, Any]:
        """A decision as it is meant: strict servers say null where a field is left out."""
        calls = decision["tool_calls"]
        if not self.strict or not isinstance(calls, list):
            return decision
        schemas = {tool.name: tool.input_schema for tool in self.tools}
        meant = [
            {**call, "input": without_nulls(call["input"], schemas[call["name"]])}
            if isinstance(call, dict) and call.get("name") in schemas and "input" in call
            else call
            for call in calls
        ]
        return {**decision, "tool_calls": meant}

    @property
    def finish(self) -> str:
        """What the way to be done is called: as no tool of the agent is."""
        name = FINISH
        while any(tool.name == name for tool in self.tools):
            name += "_"
        return name
