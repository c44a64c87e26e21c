"""Reading what was told takes time that grows with its length alone, whatever it is made of."""

from __future__ import annotations

import unicodedata

import pytest

from engine.language.provenance.numerals import numerals
from engine.language.provenance.origins import CUSTOMER, TRUSTED, Evidence, Origins
from engine.language.provenance.spelling import composed, kindly, loosely, normal, words
from tests.long_form import either

LONG = either(200_000, 60_000)

MARKS = [
    *"_*`~\\%&#;., '’:/-()+@$€01aA|<>=?!\"\n\t\0",
    "\u2212", "\u2013", "\u200b", "\u00ad", "\u0300", "\u0327", "\u0300\u0327", "²", "½", "٠", "田", "カ", "ß", "\u0130",
    "\\n", "\\u0041", "%41", "&#5", "&amp;", "1.", "1,", "1 ", "1-", "(1)", "a1", "$1", "- 1", "1k", "de89 ", "1 250 ", "a*", "*a", "_a_ ", "1 EUR ",
    "<!--", "-->", "<!-- -->", "<b>", "<b a='", '<b a="x', "<td ", "<b x", "<img alt=", "480<b>", "<x>480</x>.", "1,*", "](x)", "=40", "\\x40", "xn--a", "O’B", "a–",
]  # fmt: skip


@pytest.mark.untraced
@pytest.mark.parametrize("mark", MARKS)
def test_a_long_run_of_anything_is_gone_through_once(mark: str) -> None:
    """What takes the square of this length would not end."""
    text = (mark * LONG)[:LONG]
    assert len(kindly(text)) <= 2 * LONG
    assert sum(one.end - one.start for one in numerals(kindly(text[: LONG // 2]))) <= 3 * LONG
    assert len("".join(words(loosely(text)))) <= len(loosely(text))
    # a run may be far more than what can be gone through in it, and is nobody's then
    origins = Origins(
        [Evidence(CUSTOMER, f"bob {text[:20_000]}"), Evidence(TRUSTED, {"x": text[:9_000]}, {"y": text[:9_000]})]
    )
    assert origins.origin("bob") in (CUSTOMER, "model", "untrusted")
    assert origins.said_by_customer("mallory") is False


@pytest.mark.parametrize(("told", "read"), [
    ("**bob** _x_ `y` ~~z~~", "bob x y z"), ("bob_ and _id", "bob_ and _id"), ("a_b*c", "a_b*c"), ("**a", "**a"), ("*a_", "*a_"),
    ("&amp; &#65; &#" + "1" * 5000 + ";", "& a &#" + "1" * 5000 + ";"), ("10² 2½ ①", "10² 2½ ①"), ("ﬁ ｂ", "fi b"), ("٤٨٠", "480"),
    ("5%30 and %41", "5%30 and a"), ("4\u200b8 a\u200bb", "4\u200b8 ab"), ("a\u2028b\tc  d", "a b c d"), ("İ", "i\u0307"), ("\\ta\\nb", "a b"),
])  # fmt: skip
def test_what_was_told_is_read_kindly(told: str, read: str) -> None:
    assert normal(told) == read


def test_blanks_are_lines_gaps_and_spaces() -> None:
    assert kindly(" a\r\n b\t\tc  d e\\tf ") == "a\nb\tc\td e\tf"


def test_accents_are_composed_whatever_their_order() -> None:
    one, other = "e\u0327\u0301", "e\u0301\u0327"
    assert composed(one) == composed(other) == unicodedata.normalize("NFC", one)
