"""What was meant by a value of a document that has the wrong type or form; what is offered fits the schema."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from engine.bundle.foreign_words import span_instead
from engine.bundle.node import Node
from engine.diagnostic import nearest
from engine.language.arithmetic import is_number
from engine.language.provenance.numerals import plainly
from engine.language.syntax import SyntaxProblem, parse

# whether a text of YAML fits in the place of a value
Fits = Callable[[str], bool]

_ALL = frozenset({"*", "any", "every", "everything", "each", "all tools"})
_READS, _WRITES = frozenset({"read", "reading", "readonly"}), frozenset({"write", "writing", "mutations"})
_YES, _NO = frozenset({"yes", "on", "y", "true", "1"}), frozenset({"no", "off", "n", "false", "0"})
_AMOUNT = re.compile(r"(?:[$€£]|[A-Z]{3})?\s?(\d[\d.,_]*)\s?(?:[A-Z]{3}|[$€£])?\Z")
_BARE = re.compile(r"[A-Za-z0-9_./{}$-]+\Z")
_WORDS = {"none": _NO | {"never", "null"}, "unlimited": {"infinite", "infinity", "inf", "none", "no", "never", "-1"}}
_FORMS = {"calls_per_tool": ("{{other: {}}}",), "retry": ("{{attempts: {}, on: [retryable]}}", "{{attempts: {}}}")}
_CONDITIONS = frozenset({"when", "unless", "never", "release_unless"})
_NAMES = ("[A-Za-z][A-Za-z0-9_-]*", "[a-z][a-z0-9_]*")
SPAN = "(ms|s|m|h|d)"


def of_wrong_type(node: Node, what: str, words: Sequence[str], fits: Fits, *, spans: bool) -> str:
    """The help for a value of the wrong type: the first offer that fits in its place; empty where none does."""
    if isinstance(node.value, str) and (word := _word(node.value, words)):
        return word
    if is_number(node.value) and spans:
        return span_instead(str(node.value))
    condition = what in _CONDITIONS
    offers = (text for text in _offers(node, what, words) if fits(text) and not (condition and _says_nothing(text)))
    found = next((f"write `{text}`" for text in offers), "")
    if condition and not found:
        return "write a condition, such as `input.amount > params.most`"
    return found or ("list each of them by its name" if what == "tools" and isinstance(node.value, str) else "")


def _says_nothing(text: str) -> bool:
    """Whether a condition would always come out the same: it reads nothing."""
    try:
        return not any(isinstance(part, ast.Name) for part in ast.walk(parse(text.strip("'\""))))
    except SyntaxProblem:
        return True


def _word(value: str, words: Sequence[str]) -> str:
    """One of the words that may stand in the place of a value, said otherwise."""
    ours = group_meant(value)
    if ours in words:
        return f"write `{ours}`"
    near = nearest(value, words)
    return f"did you mean `{near}`?" if near else ""


def group_meant(value: str) -> str:
    """The word for a group of tools that another one stands for; empty where it stands for none."""
    groups = (("all", _ALL), ("reads", _READS), ("writes", _WRITES))
    return next((ours for ours, others in groups if value.strip().lower() in {ours, *others}), "")


def _offers(node: Node, what: str, words: Sequence[str]) -> Iterator[str]:
    """What may be written in the place of a value."""
    written = node.source.text[node.start : node.end]
    if isinstance(node.value, str):
        yield from _of_text(node.value, what, words)
    elif node.items is not None:
        yield from (item.source.text[item.start : item.end] for item in node.items if len(node.items) == 1)
    elif node.value is not None:
        yield f"[{written}]"
        yield from words if len(words) == 1 else ()
        yield from (form.format(written) for form in _FORMS.get(what, ()))
        yield f"'{written}'"


def _of_text(value: str, what: str, words: Sequence[str]) -> Iterator[str]:
    bare = value.strip().lower()
    yield from ("true",) if bare in _YES else ("false",) if bare in _NO else ()
    found = _AMOUNT.match(value.strip())
    yield from (number,) if found is not None and (number := plainly(found[1])) else ()
    yield from (word for word, others in _WORDS.items() if word in words and bare in others)
    if what == "tools" and (group_meant(value) or bare == "none"):
        return
    items = [item for item in (value.split() if what == "argv" else re.split(r"\s*,\s*", value.strip())) if item]
    if items and all(map(_BARE.match, items)):
        yield f"[{', '.join(items)}]"
    elif what != "argv":
        yield "['" + value.replace("'", "''") + "']"


def of_wrong_form(value: str, pattern: str, fits: Fits) -> str:
    """The help for a text of the wrong form: what it would be in the right one, where that fits."""
    if SPAN in pattern:
        return span_instead(value)
    for offer in _formed(value, pattern):
        if fits(offer):
            return f"write `{offer}`"
    return ""


def _formed(value: str, pattern: str) -> Iterator[str]:
    if "secret:" in pattern:
        found = re.fullmatch(r"\$?\{?\{?\s*(?:(?:secrets?|env)[:.])?\s*([A-Z][A-Z_]*[0-9]?)\s*\}?\}?", value.strip())
        reference = f"${{secret:{found[1] if found else 'NAME'}}}"
        yield from (reference, f'"{reference}"')
    elif "://" in pattern:
        yield f"http://{value}" if re.match(r"(?:localhost|127\.|\[::1\])", value) else f"https://{value}"
    elif "T[0-9]{2}" in pattern:
        day = value.strip().replace(" ", "T")
        yield from (f"{day}Z", f"{day}:00Z", f"{day}T00:00:00Z")
    elif any(name in pattern for name in _NAMES):
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", value.strip())
        yield re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
