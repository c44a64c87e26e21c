"""A question to the solver, and a witness that the gate itself confirms, if there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.proof.solve import CAN, can_be
from engine.proof.terms import Beyond, World
from engine.proof.witness import Witness

# with lists of no more than so many elements a counterexample is looked for that rests on nothing unknown
SMALL = (1, 2)


@dataclass(frozen=True, slots=True)
class Found:
    """Whether something can be, and the witness, `certain` if it was confirmed; `world` is that of all calls."""

    status: str
    world: World
    witness: Witness | None = None
    certain: bool = False
    why: str = ""
    formula: Any = None


def search(
    question: Callable[[World], Any],
    witness_of: Callable[[World, Any], Witness],
    confirmed: Callable[[Witness], bool],
    seconds: float,
) -> Found:
    """Ask whether there is such a call at all, and look for one that is confirmed; raises Beyond."""
    world = World()
    formula = question(world)
    answer = can_be(world, formula, seconds=seconds)
    if answer.status != CAN:
        return Found(answer.status, world, why=answer.why)
    first = witness_of(world, answer.model)
    if confirmed(first):
        return Found(CAN, world, first, True, formula=formula)
    for longest in SMALL if world.opaque or _lists(world) else ():
        small = World(longest=longest)
        try:
            answer = can_be(small, question(small), seconds=seconds)
        except Beyond:
            continue
        if answer.status == CAN:
            found = witness_of(small, answer.model)
            if confirmed(found):
                return Found(CAN, world, found, True, formula=formula)
    return Found(CAN, world, first, False, formula=formula)


def _lists(world: World) -> bool:
    return any(symbol.length is not None for symbol in world.symbols.values())
