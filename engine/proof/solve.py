"""Questions to the solver, each with a bound on its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.proof.terms import SymbolTable

SECONDS = 10

NEVER, CAN, GAVE_UP = "never", "can", "gave up"


@dataclass(frozen=True, slots=True)
class SolverAnswer:
    """Whether something can be: `never`, `can` with a model, or `gave up` with why."""

    status: str
    model: Any = None
    why: str = ""


NOTHING_FITS = "some schema has bounds that no value fits, and of what can't be everything holds"


def _something_fits(world: SymbolTable, seconds: float) -> bool:
    """Whether what always holds can hold at all."""
    solver = z3.Solver()
    solver.set("timeout", round(seconds * 1000))
    solver.add(*world.always)
    return bool(solver.check() != z3.unsat)


def can_be(world: SymbolTable, what: Any, *more: Any, seconds: float = SECONDS) -> SolverAnswer:
    """Whether there is a call of which all that holds."""
    if z3.is_false(what) or any(z3.is_false(part) for part in more):
        return SolverAnswer(NEVER)
    solver = z3.Solver()
    solver.set("timeout", round(seconds * 1000))
    solver.add(*world.always, what, *more)
    found = solver.check()
    if found == z3.unsat:
        return SolverAnswer(NEVER) if _something_fits(world, seconds) else SolverAnswer(GAVE_UP, why=NOTHING_FITS)
    if found == z3.sat:
        return SolverAnswer(CAN, solver.model())
    return SolverAnswer(GAVE_UP, why=f"the solver gave up after {seconds:g} s: {solver.reason_unknown()}")
