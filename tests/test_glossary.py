"""The words of the glossary are the ones that the documents use, and the words that it rules out are not."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TERMS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docs/glossary.yaml").read_text("utf-8"))
# what was decided, and what was changed, stays as it was told then
PAGES = [
    page
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    if page.parent.name != "decisions" and page.name != "glossary.md"
]


def prose(page: Path) -> str:
    """A page without its code: examples and names say what they have to."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", " ", text)


TEXTS = {page: prose(page) for page in PAGES}


def uses(word: str, text: str) -> re.Match[str] | None:
    """Where a text has a word, in the plural too."""
    parted = r"[\s-]+".join(map(re.escape, re.split("[ -]", word)))
    return re.search(rf"\b{parted}s?\b", text, re.IGNORECASE)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_used_by_the_documents(term: str) -> None:
    forms = [term, *TERMS[term].get("forms", ())]
    assert any(uses(form, text) for form in forms for text in TEXTS.values())


@pytest.mark.parametrize("word", [word for entry in TERMS.values() for word in entry.get("not", ())])
def test_a_word_that_the_glossary_rules_out_is_not_used(word: str) -> None:
    found = [str(page.relative_to(ROOT)) for page, text in TEXTS.items() if uses(word, text)]
    assert not found, f"{word!r}: see docs/glossary.md for the word that stands for it"


def test_a_use_of_a_word_is_found_whatever_its_case_and_number() -> None:
    assert uses("end user", "What the End\nusers say")
    assert not uses("bot", "both robots")


def test_the_terms_are_in_order_and_none_is_ruled_out() -> None:
    assert list(TERMS) == sorted(TERMS)
    ruled_out = [word for entry in TERMS.values() for word in entry.get("not", ())]
    assert len(set(ruled_out)) == len(ruled_out)
    assert not set(ruled_out) & set(TERMS)
    assert all(entry.keys() <= {"meaning", "not", "forms"} for entry in TERMS.values())


# Words of everyday and of the trade that stand in the names of the door.  A name with another word fails the test
# below: either a plainer name is found, or the word comes into the glossary, or it is one that everybody knows.
PLAIN = frozenset(
    """
    about accepted access after all allowed answer answered append approve ask asked at attempt awaiting back bad beginning begun
    by called cancel cancelled check claimed clock closed code confirm confirmation confirmed connections context
    corrupt cost counts created crossed databases deny discard discarded distinct done drive due edit edited elsewhere end ended ending engine enqueued
    entry environment erase erased error exhausted expired expires failed failure fault fell file files fill finishing follow for
    full groups guard happened heads help hidden human id idle inbox input invalid invocation keeps kind known leased linked
    linker load look lost make masked message missing newer model most name not note notices now of offered on once only open
    opened other out output over payload pending place plus prices problems proposal propose proposed question read
    reason received recorded refusal rejected release released renew reply requested required reserved resources result retried retry reveal
    duration review root rows run running said save schema secret self send seq servers set settings settled severity since spec stands start
    started status strays take taken text timed transition unavailable unsealed until url updated usage usd used value verify
    version view when whole why woken work
    """.split()  # noqa: SIM905 (a paragraph is read, a hundred quoted words are not)
)


def parts(name: str) -> list[str]:
    """The words of a name, in camel case or with underscores."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+", name)]


def names_of(module: str) -> Iterator[str]:
    """What a room offers: its names, the fields and methods of its classes, and what they take."""
    room = importlib.import_module(module)
    for name in room.__all__:
        yield name
        found = getattr(room, name)
        members = [(n, m) for n, m in vars(found).items() if not n.startswith("_")] if inspect.isclass(found) else []
        yield from (n for n, _ in members)
        yield from (
            (n for n in inspect.get_annotations(found) if not n.startswith("_")) if inspect.isclass(found) else ()
        )
        for function in [found, *(m for _, m in members)]:
            if inspect.isfunction(function):
                yield from inspect.signature(function).parameters


def test_every_word_of_the_door_is_a_plain_one_or_stands_in_the_glossary() -> None:
    forms = [form for term, entry in TERMS.items() for form in [term, *entry.get("forms", ())]]
    known = PLAIN | {word for form in forms for word in re.split("[ -]", form)}
    strange = {
        f"{word} in {name}"
        for module in ("engine", "engine.aio")
        for name in names_of(module)
        for word in parts(name)
        if not {word, word.removesuffix("s"), f"{word}s"} & known
    }
    assert not strange


def test_no_plain_word_is_one_that_the_glossary_rules_out_alone() -> None:
    ruled_out = {word for entry in TERMS.values() for word in entry.get("not", ())}
    # a tool's own door takes what frameworks call a tool's invocation; elsewhere it is a call
    assert PLAIN & ruled_out == {"invocation"}
