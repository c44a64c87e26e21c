"""Numbers as people write them: what each may mean, what it counts, and how far what belongs to it reaches.

A number is read only where everything around it is known: what stands beside it in another way (`BA480`, `480.com`,
`.480`) makes it a part of something else, which says no number.  A sign that may be one or not (`balance - 480`) leaves
no reading either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import takewhile

from engine.language.provenance.adjacent_currencies import begins_anew
from engine.language.provenance.adjacent_numbers import Side, left_of, right_of
from engine.language.provenance.currencies import both, currency_word

MAX_DIGITS = 40
MIN_LONG, MAX_LONG = 7, 64

# an account with its country, in groups of four; a phone number with its area in brackets; digits that anything joins
_ACCOUNT = (
    r"(?<![0-9A-Za-z_])[A-Za-z]{2}[0-9]{2}(?>(?:[ -]?[A-Za-z]{4}(?=[ -]?[0-9]))?"
    r"(?:[ -]?(?=[A-Za-z]{0,3}[0-9])[A-Za-z0-9]{4}){2,7}(?:[ -]?(?=[A-Za-z]{0,3}[0-9])[A-Za-z0-9]{1,3})?)"
    r"(?![0-9A-Za-z_])"
)
_PHONE = r"(?:[0-9]{1,3}[ .-]?)?\([0-9]{1,5}\)[ .-]?[0-9]++(?>(?:[ ./-][0-9]+)*)"
_RUN = r"[0-9]++(?>(?:[ .,'’:/\u2044\u066b\u066c\u00b7_\u2010-\u2015\u2212-][0-9]+)*)"
_WRITTEN = re.compile(f"(?P<account>{_ACCOUNT})|(?P<phone>{_PHONE})|{_RUN}")

_PLAIN = re.compile(r"0|[1-9][0-9]*")
_GROUPED = re.compile(
    r"([1-9][0-9]{0,2})(?P<by>[ .,'’])[0-9]{3}(?:(?P=by)[0-9]{3})*(?:(?P<point>[.,])(?P<cents>[0-9]+))?"
)
_INDIAN = re.compile(r"[1-9][0-9]?(?P<by>,)[0-9]{2}(?:,[0-9]{2})*,[0-9]{3}(?:(?P<point>\.)(?P<cents>[0-9]+))?")
_DECIMAL = re.compile(r"(0|[1-9][0-9]*)[.,]([0-9]+)")
_RANGE = re.compile(r"([0-9.,]+)[\u2010-\u2015\u2212-]([0-9.,]+)")
_LIST = re.compile(r"[0-9]+(?:,[0-9]+){2,}")
_DAY = re.compile(
    r"[0-9]{4}([./-])[0-9]{2}\1[0-9]{2}|[0-9]{1,2}([./-])[0-9]{1,2}\2(?:[0-9]{4}|[0-9]{2})|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
)
_DIGIT_BEHIND = re.compile(r" ?[0-9]")
_DIGIT_BEFORE = re.compile(r"[0-9] ?\Z")
_NO_DIGITS = re.compile(r"[^0-9]")
_DIGITS = re.compile(r"[0-9]+")
_OTHERS = re.compile(r"[^0-9 ./()-]")
_THREES = re.compile(r"(?<![0-9])[0-9]{3}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in a text, from `start` to `end` with its sign and currency; `whole` are stretches that can't be cut.

    The `readings` are what it may mean, none if it is no number; `counts` is its currency, if any;
    `alone` is one that nothing is joined to, such as a unit; `long` are the digits of an account or a phone number.
    `words` are the places of a currency or a unit beside it, which are told as texts of their own.
    """

    start: int
    end: int
    whole: tuple[tuple[int, int], ...]
    readings: tuple[Decimal, ...] = ()
    counts: str = ""
    alone: bool = False
    long: str = ""
    words: tuple[tuple[int, int], ...] = ()


def numerals(text: str) -> Iterator[Numeral]:
    """The numbers in a text, from its beginning to its end."""
    for found in _WRITTEN.finditer(text):
        if found["account"]:
            digits = re.sub("[ -]", "", found[0]).lower()
            yield Numeral(*found.span(), (found.span(),), long=digits)
        else:
            yield from _of_run(text, found.start(), found.end(), phone=found["phone"] is not None)


def covering(text: str) -> list[Numeral]:
    """The number that a whole text is, if it is one: as an amount, and as a long number."""
    beginning = takewhile(lambda one: one.start == 0, numerals(text))
    return [one for one in beginning if one.end == len(text)]


def readings(written: str) -> tuple[Decimal, ...]:
    """What digits may mean: 1.250 is a decimal, or parted in thousands as 5,250 is; 007 is no number."""
    if len(written) > MAX_DIGITS:
        return ()
    grouped = _GROUPED.fullmatch(written) or _INDIAN.fullmatch(written)
    if grouped is not None and grouped["point"] != grouped["by"]:
        decimal = grouped["by"] == "." and written.count(".") == 1 and not written.endswith("000")
        return (*([Decimal(written)] if decimal and "," not in written else ()), _thousands(written, grouped))
    if _PLAIN.fullmatch(written) or _DECIMAL.fullmatch(written):
        return (Decimal(written.replace(",", ".")),)
    return ()


def plainly(written: str) -> str:
    """A number as the language writes it: `1000` for 1,000, `12.5` for 12,5; empty where it may be another one."""
    bare = written.replace("_", "")
    found, decimal = readings(bare), re.fullmatch(r"[0-9]+\.[0-9]+", bare)
    return str(found[0]) if len(found) == 1 and (decimal is None or found[0] == Decimal(bare)) else ""


def _thousands(written: str, found: re.Match[str]) -> Decimal:
    whole = written[: found.start("point")] if found["point"] else written
    return Decimal(_NO_DIGITS.sub("", whole) + (f".{found['cents']}" if found["point"] else ""))


def _of_run(text: str, start: int, end: int, *, phone: bool) -> Iterator[Numeral]:
    """The numbers of digits that are joined in some way: one, two in a row, a range, a list, or none."""
    run = text[start:end]
    left, right = _own(text, left_of(text, start), right_of(text, end))
    single = () if phone else readings(run)
    long = _long(run, left, right)
    if single:
        yield _number(left, start, end, right, single, long)
        return
    parts = () if phone or not (left.clear and right.clear) else tuple(_parts(run, start))
    if not parts:
        yield Numeral(left.at, right.at, ((left.at, right.at),), long=long, words=_words(left, right))
        return
    if long:
        yield Numeral(left.at, right.at, (), long=long)
    apart, joined = " " in run, _RANGE.fullmatch(run) is not None
    for first, last in parts:
        # a range or a list is of one currency
        ahead = left if first == start else Side(first, counts="" if apart else left.counts)
        behind = right if last == end else Side(last, counts="" if apart else right.counts)
        yield _number(replace(ahead, joined=ahead.joined or joined), first, last, behind, readings(text[first:last]))


def _own(text: str, left: Side, right: Side) -> tuple[Side, Side]:
    """What stands on both sides, without a currency that another number is nearer to: `USD 480 EUR 500`."""
    if left.counts and right.counts:
        if left.counts == "$" and right.word is not None and begins_anew(text, *right.word):
            return left, replace(right, counts="", word=None)
        if _DIGIT_BEHIND.match(text, right.at):
            return left, replace(right, counts="")
        if _DIGIT_BEFORE.search(text, max(left.at - 2, 0), left.at):
            return replace(left, counts=""), right
    return left, right


def _parts(run: str, at: int) -> list[tuple[int, int]]:
    """Where the numbers stand that a run is made of: two in a row, the ends of a range, or a list; none if no such."""
    found, two = _RANGE.fullmatch(run), run.split(" ")
    if found is not None:
        places = [found.span(1), found.span(2)]
    elif len(two) == 2:
        places = [(0, len(two[0])), (len(two[0]) + 1, len(run))]
    elif _LIST.fullmatch(run) and not _THREES.search(run):
        places = [one.span() for one in _DIGITS.finditer(run)]
    else:
        return []
    read = [place for place in places if readings(run[slice(*place)])]
    days = [place for place in places if " " in run and _DAY.fullmatch(run[slice(*place)])]
    return [(at + first, at + last) for first, last in read] if len(read) + len(days) == len(places) else []


def _number(left: Side, start: int, end: int, right: Side, values: tuple[Decimal, ...], long: str = "") -> Numeral:
    """One number with what stands beside it."""
    bracketed = left.bracket and right.bracket
    minus = left.minus or right.minus or bracketed
    clear = left.clear and right.clear and not (left.minus and right.minus)
    # what blanks or markup part from its brackets may be negative or not
    clear = clear and (bracketed or not ("(" in left.near.marks and ")" in right.near.marks))
    factor = -right.factor if minus else right.factor
    clear = clear and not any(abs(factor * one) < left.near.scale for one in values)
    alone = clear and not (left.joined or right.joined or left.plus)
    first, last = (left.at - 1, right.at + 1) if bracketed else (left.at, right.at)
    cut = ((left.at, start), (start, end), (end, right.at)) if alone and not minus else ((first, last),)
    counts = _counts(left, right)
    if counts and right.factor == 1:
        # nobody writes tenths of a cent: $5.250 is not $5.25
        values = values[-1:]
    read = tuple(factor * one for one in values) if clear else ()
    return Numeral(first, last, cut, read, counts, alone, long, _words(left, right))


def _counts(left: Side, right: Side) -> str:
    """The currency of a number: right beside it, and near it, though not on another line where it has one already."""
    neighbours = counts = both(left.counts, right.counts)
    for near in (left.near, right.near):
        if not (neighbours and near.line):
            counts = both(counts, near.counts)
    return currency_word(right.near.country if counts == "$" and right.near.country else counts)


def _words(left: Side, right: Side) -> tuple[tuple[int, int], ...]:
    return tuple(side.word for side in (left, right) if side.word is not None)


def _long(run: str, left: Side, right: Side) -> str:
    """The digits of an account or a phone number, however they are parted; empty if a run is no such number."""
    neighbours = left.minus or left.joined or left.counts or left.bracket or right.joined or right.counts or right.minus
    if neighbours or right.factor != 1 or not (left.clear and right.clear) or _OTHERS.search(run):
        return ""
    digits = _NO_DIGITS.sub("", run)
    # one point or stroke is of an amount or a part, one dash of a range, and days are no numbers
    tokens = run.split(" ")
    odd = any(token.count(".") == 1 or token.count("/") == 1 or _DAY.fullmatch(token) for token in tokens)
    a_range = run.count("-") == 1 and len(_DIGITS.findall(run)) == 2 and not (run[0] == "0" or left.plus)
    if odd or a_range or not MIN_LONG <= len(digits) <= MAX_LONG:
        return ""
    return f"+{digits}" if left.plus else digits
