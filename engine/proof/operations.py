"""What operators give, and what lists and maps hold: on values that have formulas."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.proof.term import DATE, DATETIME, DURATION, LIST, MAP, NO, ListItem, Term, Unencodable, both, either, no
from engine.proof.terms import DAY, FIRST, LAST, SymbolTable, choose, equal


@dataclass(frozen=True, slots=True)
class Read:
    """What an expression gives, and when it has no value."""

    value: Term
    error: Any = NO


def elements(source: Term) -> Iterator[ListItem]:
    """What a loop goes over: the elements of a short list, or the keys of a map; raises Beyond."""
    if source.kind == MAP and source.items is not None:
        yield from (ListItem(item.there, key_of(item)) for item in source.items)
        return
    if source.kind != LIST or source.items is None:
        raise Unencodable("a loop over a list whose length is not small")
    yield from source.items


def key_of(pair: ListItem) -> Term:
    """The key of a map's pair."""
    assert pair.value.items is not None, "a map's elements are pairs"
    return pair.value.items[0].value


def looked_up(world: SymbolTable, owner: Read, key: Read) -> Read:
    """What a map holds under a key; an error where it holds nothing."""
    found: Term | None = None
    there = []
    for item in owner.value.items or ():
        assert item.value.items is not None, "a map's elements are pairs"
        this = both(item.there, equal(world, key.value, key_of(item)))
        value = item.value.items[1].value
        found = value if found is None else choose(this, value, found)
        there.append(this)
    if found is None:
        raise Unencodable("an element of an empty map")
    return Read(found, either(owner.error, owner.value.null, key.error, no(either(*there))))


def nth(owner: Read, index: int) -> Read:
    """An element by its place; of a list with gaps only the first that is there."""
    items = owner.value.items or ()
    error = either(owner.error, owner.value.null, owner.value.length <= index)
    if not owner.value.loose:
        if index >= len(items):
            raise Unencodable("an element beyond a short list")
        return Read(items[index].value, error)
    if index:
        raise Unencodable("a later element of a list with gaps")
    found = items[-1].value
    for item in reversed(items[:-1]):
        found = choose(item.there, item.value, found)
    return Read(found, error)


def end_to_end(one: Term, other: Term) -> Term:
    """Two lists one behind the other; raises Beyond."""
    if one.items is None or other.items is None:
        raise Unencodable("lists end to end")
    loose = one.loose or other.loose or not all(z3.is_true(item.there) for item in one.items)
    return Term(LIST, items=(*one.items, *other.items), length=one.length + other.length, loose=loose)


def counted(op: ast.operator, one: Any, other: Any) -> Any:
    """What an operator gives between two numbers; raises Beyond for products of unknowns, and for what is rounded."""
    if isinstance(op, ast.Add):
        return one + other
    if isinstance(op, ast.Sub):
        return one - other
    if isinstance(op, ast.Mult):
        if z3.is_rational_value(z3.simplify(one)) or z3.is_rational_value(z3.simplify(other)):
            return one * other
        raise Unencodable("a product of two unknowns")
    raise Unencodable("a quotient, which is rounded" if isinstance(op, ast.Div) else "a remainder")


def moved(op: ast.operator, one: Term, other: Term, error: Any) -> Read:
    """A day, a moment or a duration and a duration, or two of one kind."""
    sign = 1 if isinstance(op, ast.Add) else -1
    if not isinstance(op, ast.Add | ast.Sub):
        raise Unencodable("a product of durations")
    if one.kind == other.kind and (one.kind == DURATION or sign < 0):
        scale = DAY if one.kind == DATE else 1
        return Read(Term(DURATION, term=(one.term + sign * other.term) * scale), error)
    if other.kind != DURATION:
        raise Unencodable("moments that are added")
    if one.kind == DATETIME:
        term = one.term + sign * other.term
        return Read(Term(DATETIME, term=term), either(error, beyond_the_years(DATETIME, term)))
    # a day moves by whole days
    term = one.term + sign * (other.term / DAY)
    wrong = either(error, other.term % DAY != 0, beyond_the_years(DATE, term))
    return Read(Term(DATE, term=term), wrong)


def beyond_the_years(kind: str, term: Any) -> Any:
    """Whether a day or a moment is none that a date can be."""
    return z3.Or(term < FIRST[kind], term > LAST[kind])
