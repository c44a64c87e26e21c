"""Which calls a formula speaks of, in the words of a reader: for each input that it bounds, from where to where."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from time import monotonic
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language.value import exact, number_text
from engine.proof.bounds import LARGEST
from engine.proof.inline_words import for_people
from engine.proof.solve import NEVER, can_be
from engine.proof.term import BOOLEAN, NUMBER, TEXT, Term
from engine.proof.terms import SymbolTable

MOST = 16
FEW = 5
# no text of a rule: texts of documents hold no NUL
OTHER = "\0"


def region(world: SymbolTable, what: Any, seconds: float) -> dict[str, str]:
    """What holds of each number, text and truth in all of those calls, if anything does and is found in that time."""
    until = monotonic() + seconds
    mentioned = _symbols_in(what)
    found: dict[str, str] = {}
    for name, value in list(world.symbols.items()):
        if len(found) >= MOST or monotonic() > until or value.term is None or not mentioned & _symbols_in(value.term):
            continue
        told = _region_text(world, what, value, max(0.1, until - monotonic()))
        if told:
            found[for_people(name).removesuffix(f" as {BOOLEAN}")] = told
    return found


def _region_text(world: SymbolTable, what: Any, value: Term, seconds: float) -> str:
    if value.kind == NUMBER:
        return _range(world, what, value.term, seconds)
    if value.kind == BOOLEAN:
        return _truth(world, what, value.term, seconds)
    return _text(world, what, value.term, seconds) if value.kind == TEXT else ""


def _range(world: SymbolTable, what: Any, term: Any, seconds: float) -> str:
    parts = [_bound(world, what, term, least=True, seconds=seconds)]
    parts.append(_bound(world, what, term, least=False, seconds=seconds))
    if parts[0] and parts[0].removeprefix("from ") == parts[1].removeprefix("to "):
        return parts[0].removeprefix("from ")
    return " ".join(part for part in parts if part)


def _bound(world: SymbolTable, what: Any, term: Any, *, least: bool, seconds: float) -> str:
    optimize = z3.Optimize()
    optimize.set("timeout", round(seconds * 1000))
    optimize.add(*world.always, what)
    handle = optimize.minimize(term) if least else optimize.maximize(term)
    if optimize.check() != z3.sat:
        return ""
    # the value, and by how many infinitely small steps it is missed
    infinite, value, epsilon = optimize.lower_values(handle) if least else optimize.upper_values(handle)
    number = _fraction(value)
    if _fraction(infinite) != 0 or number is None:
        return ""
    if abs(number) >= LARGEST - 1:
        return ""
    text = _number(number)
    if _fraction(epsilon) == 0:
        return f"{'from' if least else 'to'} {text}"
    return f"{'above' if least else 'below'} {text}"


def _fraction(term: Any) -> Fraction | None:
    value = z3.simplify(term)
    if z3.is_int_value(value):
        return Fraction(value.as_long())
    return Fraction(value.as_fraction()) if z3.is_rational_value(value) else None


def _number(value: Fraction) -> str:
    return number_text(exact(Decimal(value.numerator) / Decimal(value.denominator)))


def _truth(world: SymbolTable, what: Any, term: Any, seconds: float) -> str:
    if can_be(world, what, z3.Not(term), seconds=seconds).status == NEVER:
        return "true"
    return "false" if can_be(world, what, term, seconds=seconds).status == NEVER else ""


def _text(world: SymbolTable, what: Any, term: Any, seconds: float) -> str:
    usual, meant = _among(world, z3.BoolVal(True), term, seconds), _among(world, what, term, seconds)
    if usual == meant:
        return ""
    if OTHER not in meant:
        return _either(meant)
    never = _either(usual - meant)
    return f"not {never}" if never else ""


def _either(texts: set[str]) -> str:
    return " or ".join(f"'{text}'" for text in sorted(texts)) if len(texts) <= FEW else ""


def _among(world: SymbolTable, what: Any, term: Any, seconds: float) -> set[str]:
    """Which of the texts that the rules name it may be; OTHER stands for any that they do not."""
    solver = z3.Solver()
    solver.set("timeout", round(seconds * 1000))
    solver.add(*world.always, what)

    def may_be(*conditions: Any) -> bool:
        solver.push()
        solver.add(*conditions)
        found = solver.check()
        solver.pop()
        return bool(found != z3.unsat)

    known = list(world.texts.items())
    found = {text for text, id_ in known if may_be(term == id_)}
    return found | {OTHER} if may_be(*(term != id_ for _, id_ in known)) else found


def _symbols_in(term: Any) -> set[str]:
    """The names of what a formula speaks of."""
    return {found.decl().name() for found in _leaves(term)}


def _leaves(term: Any) -> Iterator[Any]:
    seen: set[int] = set()
    waiting = [term]
    while waiting:
        one = waiting.pop()
        if one.get_id() in seen:
            continue
        seen.add(one.get_id())
        if one.num_args() == 0 and one.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            yield one
        waiting += one.children()
