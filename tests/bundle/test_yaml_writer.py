"""What the engine writes as YAML reads back as itself under its own reader, for every scalar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bundle.yaml_reader import read
from engine.bundle.yaml_writer import NotWritable, written
from engine.diagnostic import Diagnostic, SourceFile
from engine.language.value import exact

# all that these reach of the core others reach too, under coverage
pytestmark = pytest.mark.untraced


def read_back(text: str) -> Any:
    said: list[Diagnostic] = []
    node = read(SourceFile("x.yaml", text), said.append)
    assert said == []
    assert node is not None
    return node.plain


LIKE_OTHERS = ["08", "09", "1e5", "1E5", "+.5", "1.e5", "0o17", "0x1f", "1e999", ".inf", ".nan", "no", "yes", "on", "null",
               "~", "", " ", "true", "True", "- a", "a: b", "a #b", "#", "!x", "&a", "*a", "%", "@", "`", "|", ">", "[", "{",
               "'", '"', "\\", "a\n", "\na", "a\n\nb", " a\nb", "a \nb", "\t", "a\tb", "\x85", "\u2028", "\u2029", "\x7f",
               "\x80", "\ufeff", "\ufffe", "\x00", "2026-01-01", "12:30:00", "1_000", "=", "<<", "---", "...", "? a"]  # fmt: skip
texts = st.sampled_from(LIKE_OTHERS) | st.text(st.characters(codec="utf-8"), max_size=30)
numbers = st.integers(-(10**30), 10**30) | st.decimals(-(10**20), 10**20, places=8).map(exact)
values = st.recursive(
    texts | numbers | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, min_size=1, max_size=5), st.sampled_from([None, True, False]))
def test_whatever_is_written_reads_back_as_itself(value: Any, flow: bool | None) -> None:
    assert read_back(written(value, flow=flow)) == value


@pytest.mark.parametrize("text", LIKE_OTHERS)
def test_a_text_that_looks_like_something_else_stays_text(text: str) -> None:
    for document in ({"a": text}, {"a": [text]}, {"a": {text: text}}):
        assert read_back(written(document)) == document


def test_numbers_are_written_exactly() -> None:
    value = {"a": Decimal("12345678901234567.89"), "b": 10**30, "c": Decimal("0.10")}
    assert read_back(written(value)) == {"a": Decimal("12345678901234567.89"), "b": 10**30, "c": Decimal("0.1")}


def test_what_no_document_can_hold_is_said() -> None:
    with pytest.raises(NotWritable, match="surrogate"):
        written({"a": "\ud800"})
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    with pytest.raises(NotWritable, match="deeper"):
        written({"a": deep})


@pytest.mark.parametrize(
    ("text", "value"), [("a: &x 5\nb: {*x : 1}\n", {"a": 5, "b": {"5": 1}}), ("&k 5: a\n", {"5": "a"})]
)
def test_a_key_that_is_an_alias_leaves_what_it_stands_for(text: str, value: Any) -> None:
    assert read_back(text) == value
