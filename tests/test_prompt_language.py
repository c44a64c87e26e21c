"""Prompts: data before methods, and no template or text that takes long."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import TemplateError, TemplateSyntaxError

from engine.prompt_language import PromptEnvironment


def rendered(text: str, **given: Any) -> str:
    environment = PromptEnvironment()
    return environment.rendered(environment.from_string(text), given)


def test_a_field_comes_before_a_method_of_its_name() -> None:
    session = {"keys": "two", "items": [1], "values": 3, "get": 4, "name": "x"}
    assert (
        rendered("{{ s.keys }} {{ s.items[0] }} {{ s.values }} {{ s.get }} {{ s['keys'] }}", s=session)
        == "two 1 3 4 two"
    )


def test_methods_are_there_where_no_field_is_called_so() -> None:
    assert (
        rendered("{% for k, v in s.items() %}{{ k }}={{ v }}{% endfor %} {{ t.upper() }}", s={"a": 1}, t="x") == "a=1 X"
    )


def test_loops_know_where_they_are_and_namespaces_keep_values() -> None:
    text = "{% set n = namespace(k=0) %}{% for x in xs %}{% set n.k = n.k + x %}{{ loop.index }}"
    text += "{% if not loop.last %},{% endif %}{% endfor %}:{{ n.k }}"
    assert rendered(text, xs=[1, 2]) == "1,2:3"


def test_filters_of_texts_and_lists_work() -> None:
    assert (
        rendered(
            "{{ xs|join('-') }} {{ t|replace('a', 'b') }} {{ 2.345|round(1) }} {{ m|tojson }}",
            xs=[1, 2],
            t="aa",
            m={"a": 1},
        )
        == '1-2 bb 2.3 {"a": 1}'
    )


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% set n = namespace(t='aaaaaaaaaa') %}{% for a in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
        "{% set n = namespace(t='aaaaaaaaaa') %}{% for a in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
        "{% set n = namespace(t=[1, 2]) %}{% for a in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
        "{{ 'a' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '{:10000000000}'.format(1) }}",
        "{{ 'a'.ljust(10000000000) }}",
        "{{ 'a'|center(10000000000) }}",
        "{{ 'a'|indent(10000000000) }}",
        "{{ 1|round(10000000000, 'ceil') }}",
        "{{ ('a' ~ t)|replace('a', t) }}",
        "{{ range(100000)|join(t) }}",
        "{{ range(10000000000)|list }}",
        "{{ []|slice(10000000000)|list }}",
        "{{ lipsum(n=100000) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ s.__class__ }}",
        "{{ s.items.__globals__ }}",
        "{% for a in t %}{% for b in t %}{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}{{ t|upper|lower|length }}{% endfor %}",
    ],
)
def test_a_rendering_ends_soon_whatever_it_is_asked_for(text: str) -> None:
    with pytest.raises((TemplateError, TypeError, ValueError, AttributeError, RecursionError)):
        rendered(text, t="a" * 100_000, s={"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% if a %}" * 3000 + "{% endif %}" * 3000,
        "{% for a in b %}" * 40 + "{% endfor %}" * 40,
    ],
)
def test_a_template_that_is_nested_too_deep_is_no_template(text: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        PromptEnvironment().checked(text)
