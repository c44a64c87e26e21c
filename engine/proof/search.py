"""A question to the solver, and a witness that the gate itself confirms, if there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.proof.solve import CAN, can_be
from engine.proof.term import Unencodable
from engine.proof.terms import SymbolTable
from engine.proof.witness import START, Witness


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Whether something can be, and the witness, `certain` if it was confirmed; `world` is that of all calls."""

    status: str
    world: SymbolTable
    witness: Witness | None = None
    certain: bool = False
    why: str = ""
    formula: Any = None


def search(
    question: Callable[[SymbolTable], Any],
    witness_of: Callable[[SymbolTable, Any], Witness],
    confirmed: Callable[[Witness], bool],
    seconds: float,
    likely: Callable[[SymbolTable], Any],
    differing: frozenset[str] = frozenset(),
) -> SearchResult:
    """Ask whether there is such a call at all, and look for one that is confirmed, with a `likely` past.

    Where lists or the time matter it is looked for with lists of hardly any elements, and rests on nothing unknown.
    Raises Beyond.
    """
    world = SymbolTable(differing=differing)
    formula = question(world)
    answer = can_be(world, formula, seconds=seconds)
    if answer.status != CAN:
        return SearchResult(answer.status, world, why=answer.why)
    first = witness_of(world, answer.model)
    if "now" not in world.symbols and not _lists(world) and confirmed(first):
        return SearchResult(CAN, world, first, True, formula=formula)
    # at the time that fixtures begin at, so that it can be one
    for longest, past in ((1, True), (2, True), (1, False)):
        small = SymbolTable(longest=longest, now=START, differing=differing)
        try:
            asked = question(small)
            answer = can_be(small, asked, *([likely(small)] if past else ()), seconds=seconds)
        except Unencodable:
            continue
        if answer.status == CAN:
            found = witness_of(small, answer.model)
            if confirmed(found):
                return SearchResult(CAN, world, found, True, formula=formula)
    return SearchResult(CAN, world, first, confirmed(first), formula=formula)


def _lists(world: SymbolTable) -> bool:
    return any(symbol.length is not None for symbol in world.symbols.values())
