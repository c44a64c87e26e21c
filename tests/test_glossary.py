"""The words of the glossary are the ones that the documents use, and the words that it rules out are not."""

from __future__ import annotations

import re
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
