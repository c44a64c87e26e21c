"""What an expression is made of, and what an evaluation tells of it on its way."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.conditions import conditions, orderings
from engine.language.expression import Expression, compile_expression
from engine.language.syntax import span
from engine.policy.bindings import FactOutput
from engine.policy.flip_names import BadFlip, flip_name
from engine.policy.observe import Observation, WatchedWords, observe, watch_rule
from tests.bundle_texts import agent, bundle, policy, tool

SCOPE: dict[str, types.Type] = {
    "a": types.NUMBER,
    "b": types.BOOLEAN,
    "text": types.TEXT,
    "items": types.ListOf(types.record(n=types.NUMBER, ok=types.BOOLEAN)),
    "note": types.Record({"x": types.Field(types.NUMBER, optional=True)}),
}


def made(text: str) -> Expression:
    expression, problems = compile_expression(text, SCOPE)
    assert not problems, problems
    return expression


def written(text: str) -> list[str]:
    return [text[slice(*span(node))] for node in conditions(made(text))]


LOOP = "any(i.ok and i.n > 1 for i in items if i.n < 9)"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a > 1 and not b", ["a > 1", "b"]),
        ("b or (a == 2 and text == 'x')", ["b", "a == 2", "text == 'x'"]),
        ("true", []),
        ("a > 1 if b else false", ["a > 1", "b"]),
        (LOOP, [LOOP, "i.ok", "i.n > 1", "i.n < 9"]),
        ("count(i.ok for i in items) > 1", ["count(i.ok for i in items) > 1", "i.ok"]),
        ("a + (1 if b else 2)", ["b"]),
        ("[i.n for i in items if i.ok]", ["i.ok"]),
        ("record(x=a > 1).x", ["record(x=a > 1).x", "a > 1"]),
        ("sum(i.n for i in items)", []),
    ],
)  # fmt: skip
def test_the_conditions_of_an_expression_are_what_is_true_or_false_by_itself(text: str, parts: list[str]) -> None:
    assert sorted(written(text)) == sorted(parts)


def test_the_orderings_are_the_comparisons_with_an_order() -> None:
    found = list(orderings(made("1 < a <= 3 and a != 2").tree))
    assert [(ast.unparse(left), ast.unparse(right)) for _, _, left, right in found] == [("1", "a"), ("a", "3")]


def seen(text: str, **names: Any) -> Any:
    return observe(made(text), {"a": 0, "b": False, "items": [], "note": {}, "text": "", **names})


def test_an_evaluation_tells_the_sides_and_what_was_compared() -> None:
    told = seen("a > 1 and b", a=2, b=True)
    assert told.value is True
    assert [values for _, values in sorted(told.sides.items())] == [[True], [True]]
    assert list(told.pairs.values()) == [[(2, 1)]]


def test_what_was_not_come_to_is_not_told() -> None:
    told = seen("a > 1 and b", a=1, b=True)
    assert (told.value, len(told.sides)) == (False, 1)


def test_a_chain_of_comparisons_stops_at_the_first_that_does_not_hold() -> None:
    assert list(seen("1 < a < 3", a=0).pairs.values()) == [[(1, 0)]]
    assert seen("1 < a < 3", a=2).value is True


def test_a_field_that_is_absent_is_told_as_null() -> None:
    assert list(seen("note.x == null").reads.values()) == [[None]]


def test_an_expression_without_a_value_has_its_error() -> None:
    told = seen("a / (a - a) > 1", a=1)
    assert (told.value, told.error) == (None, "division by zero")
    with pytest.raises(EvaluationError):
        made("a / (a - a) > 1").value({"a": 1})


def test_a_function_is_made_when_it_is_first_asked_for_and_once() -> None:
    expression = made("a > 1")
    assert expression.fast is expression.fast


@pytest.mark.parametrize(
    "text", ["r:approval->allow", "r:require_approval→allow", "r: approval -to- allow", "r:ask to allow"]
)
def test_a_flip_is_named_alike_however_it_is_written(text: str) -> None:
    assert flip_name(text) == "r:approval→allow"


def test_a_tool_that_is_new_and_an_input_that_is_taken_are_flips() -> None:
    assert flip_name("not_offered:deny->added") == "not_offered:deny→added"
    assert flip_name("invalid_input:deny->taken") == "invalid_input:deny→taken"


@pytest.mark.parametrize("text", ["approval->allow", ":allow->deny", "r:allow", "r:allow->nothing", "r:a->b->c"])
def test_what_names_no_flip_is_refused(text: str) -> None:
    with pytest.raises(BadFlip):
        flip_name(text)


ZERO = "division by zero"


@pytest.mark.parametrize(
    ("n", "matches", "told"),
    [
        (6, True, [("let", "large", True, None), ("rule", "shut", True, None)]),
        (5, False, [("let", "large", False, None), ("rule", "shut", False, None)]),
        (
            0,
            None,
            [("let", "large", None, ZERO), ("rule", "shut", None, f"`large` has no value: {ZERO}")],
        ),
    ],
)
def test_a_let_tells_what_it_saw_and_hands_on_that_it_has_no_value(n: int, matches: Any, told: list[Any]) -> None:
    rules = "  - {id: shut, tools: [write], effect: deny, when: large}\n  - {id: open, tools: [write], effect: allow}\n"
    path, text = policy(rules)
    given = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    write = tool("write", "write", input=given)
    own = bundle(agent("[write]", policies="[rules]"), (path, text + "let: {large: 12 / input.n <= 2}\n"), write)
    (rules_of,) = own.agents["bot"].guards["write"].policies
    seen: list[Any] = []

    def tell(what: str, name: str, _: Expression, saw: Observation) -> None:
        seen.append((what, name, saw.value, saw.error))

    words = WatchedWords(rules_of, {"input": {"n": n}}, lambda need: FactOutput(), tell)
    assert [watch_rule(rule, words, tell) for rule in rules_of.rules] == [matches, True]
    assert seen == told
