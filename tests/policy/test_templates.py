"""Texts with `{{ expression }}`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.template import compile_template

SCOPE: dict[str, types.Type] = {"a": types.UNKNOWN, "b": types.UNKNOWN}


def render(text: str, **names: object) -> str:
    template, problems = compile_template(text, SCOPE)
    assert not problems
    return template.render(names)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (Decimal("250.00"), "250"),
        (None, "-"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"k": 1}, '{"k":1}'),
    ],
)
def test_a_value_is_printed_for_people(value: object, text: str) -> None:
    assert render("<{{ a }}>", a=value) == f"<{text}>"


def test_text_without_expressions_stays_as_it_is() -> None:
    assert render("costs ${5} { } %") == "costs ${5} { } %"
    assert render("") == ""


@pytest.mark.parametrize("text", ["{{ a", "{% if a %}", "{# a #}", "x {{ a }} {{"])
def test_what_is_not_closed_or_not_known_is_a_problem(text: str) -> None:
    _, problems = compile_template(text, SCOPE)
    assert problems


def test_problems_carry_their_place_in_the_whole_text() -> None:
    text = "one {{ a }} two {{ c }} three {{ a + }}"
    _, problems = compile_template(text, SCOPE)
    assert text[problems[0].start : problems[0].end] == "c"
    assert len(problems) == 2


def test_a_text_that_grows_too_long_has_no_value() -> None:
    with pytest.raises(EvaluationError, match="longer"):
        render("{{ a }}", a="x" * 200_000)
