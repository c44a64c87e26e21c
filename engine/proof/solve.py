"""Questions to the solver, each with a bound on its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.proof.terms import World

SECONDS = 10

NEVER, CAN, GAVE_UP = "never", "can", "gave up"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something can be: `never`, `can` with a model, or `gave up` with why."""

    status: str
    model: Any = None
    why: str = ""


NOTHING_FITS = "some schema has bounds that no value fits, and of what can't be everything holds"


def _something_fits(world: World, seconds: float) -> bool:
    """Whether what always holds can hold at all."""
    solver = z3.Solver()
    solver.set("timeout", round(seconds * 1000))
    solver.add(*world.always)
    return bool(solver.check() != z3.unsat)


def can_be(world: World, what: Any, *more: Any, seconds: float = SECONDS) -> Answer:
    """Whether there is a call of which all that holds."""
    if z3.is_false(what) or any(z3.is_false(part) for part in more):
        return Answer(NEVER)
    solver = z3.Solver()
    solver.set("timeout", round(seconds * 1000))
    solver.add(*world.always, what, *more)
    found = solver.check()
    if found == z3.unsat:
        return Answer(NEVER) if _something_fits(world, seconds) else Answer(GAVE_UP, why=NOTHING_FITS)
    if found == z3.sat:
        return Answer(CAN, solver.model())
    return Answer(GAVE_UP, why=f"the solver gave up after {seconds:g} s: {solver.reason_unknown()}")
