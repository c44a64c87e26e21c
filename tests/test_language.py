"""Every construct of the language: its value, its error at load and its error at run, as the reference shows them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import language_reference as reference
import pytest

from engine.bundle.documents.policy import Policy, Rule, Vocabulary
from engine.diagnostic import has_errors
from engine.language.functions import FUNCTIONS
from engine.language.value import exact

EXPRESSIONS = [pytest.param(entry, id=entry["form"]) for _, entry in reference.constructs("expressions")]
DOCUMENTS = [pytest.param(entry, id=entry["form"]) for _, entry in reference.constructs("documents")]


def literal(text: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    return Decimal(text) if re.fullmatch(r"-?\d+\.\d+", text) else exact(ast.literal_eval(text))


@pytest.mark.parametrize("entry", EXPRESSIONS)
def test_an_expression_has_the_value_that_its_entry_says(entry: Mapping[str, Any]) -> None:
    shown = reference.shown_of(entry, "example")
    assert (shown.problem, shown.error) == (None, None)
    assert shown.value == literal(entry["gives"])


@pytest.mark.parametrize("entry", EXPRESSIONS)
def test_what_an_entry_calls_wrong_is_refused_at_load(entry: Mapping[str, Any]) -> None:
    problem = reference.shown_of(entry, "wrong").problem
    assert problem is not None
    assert reference.CODES[problem.kind] == entry["code"]
    assert 0 <= problem.start < problem.end <= len(entry["wrong"])


@pytest.mark.parametrize("entry", EXPRESSIONS)
def test_an_expression_is_an_error_at_run_where_its_entry_says(entry: Mapping[str, Any]) -> None:
    if "never_fails" in entry:
        assert "fails" not in entry
        return
    shown = reference.shown_of(entry, "fails")
    assert shown.problem is None
    assert shown.error is not None
    assert entry["error"] in shown.error


@pytest.mark.parametrize("entry", DOCUMENTS)
def test_a_construct_of_a_document_gives_the_verdict_that_its_entry_says(entry: Mapping[str, Any]) -> None:
    example = reference.Example(entry)
    assert not has_errors(example.loaded().diagnostics)
    payload = example.judged().payload()
    assert payload["errors"] == []
    assert {key: payload[key] for key in entry["gives"]} == entry["gives"]


@pytest.mark.parametrize("entry", DOCUMENTS)
def test_a_wrong_document_is_refused_with_its_code(entry: Mapping[str, Any]) -> None:
    found = {diagnostic.code for diagnostic in reference.Example(entry).loaded(wrong=True).diagnostics}
    assert found == {entry["wrong"]["code"]}


@pytest.mark.parametrize("entry", DOCUMENTS)
def test_a_construct_of_a_document_fails_closed_at_run(entry: Mapping[str, Any]) -> None:
    if "never_fails" in entry:
        assert "fails" not in entry
        return
    found = reference.Example(entry).judged(failing=True)
    assert found.verdict == entry["fails"]["verdict"] != "allow"
    assert any(entry["fails"].get("error", "") in error for error in [*found.errors, ""])


def test_every_function_and_every_key_of_a_policy_has_an_entry() -> None:
    told = " ".join(entry["form"] + entry.get("policy", "") for _, entry in reference.constructs("expressions"))
    assert [name for name in FUNCTIONS if not re.search(rf"\b{name}\(", told)] == []
    shown = " ".join(str(dict(entry)) for _, entry in reference.constructs("documents"))
    keys = {*Policy.model_fields, *Vocabulary.model_fields, *Rule.model_fields} - {"kind", "name", "description"}
    assert [key for key in sorted(keys) if key.rstrip("_") not in shown] == []
