"""What fails in a prompt whenever it is rendered is told at load."""

from __future__ import annotations

import pytest

from tests.marked_base import BASE, said_of

PROMPT = "prompts/clerk.md.j2"


@pytest.mark.parametrize(("text", "code"), [
    ("{% include 'more' %}", "E408"), ("{% extends 'more' %}", "E408"), ("{% import 'more' as more %}{{ more }}", "E408"),
    ("{% from 'more' import one %}{{ one }}", "E408"), ("{{ 1 / 0 }}", "E408"), ("{{ step.number % 0 }}", "E408"),
    ("{{ session['shp'] }}", "E407"), ("{% if session['shp'] %}x{% endif %}", "E407"),
])  # fmt: skip
def test_what_can_never_be_rendered_is_told(text: str, code: str) -> None:
    found = said_of({PROMPT: BASE[PROMPT] + text + "\n"})
    assert [(d.code, d.place.file, d.on_entry) for d in found] == [(code, PROMPT, True)]
    assert found[0].place.line == BASE[PROMPT].count("\n") + 1


@pytest.mark.parametrize(
    "text", ["{{ session['shop'] }}", "{{ step.number / 2 }}", "{{ tools[0].name }}", "{{ {'a': 1}['b'] }}"]
)
def test_what_may_be_is_not(text: str) -> None:
    assert said_of({PROMPT: BASE[PROMPT] + text + "\n"}) == []
