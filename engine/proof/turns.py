"""One turn of a loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.proof.term import either


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a loop, or an error on the way to the next: when it is there, what it gives, when it has no value.

    An error on the way gives None.

    The turns stand in the order in which the loop comes by them.
    """

    there: Any
    term: Any
    error: Any

    def map(self, of: Callable[[Any], tuple[Any, Any]]) -> Turn:
        """The turn with the term and the error of what was read in it; an error on the way stays one."""
        if self.term is None:
            return self
        term, error = of(self.term)
        return Turn(self.there, term, either(self.error, error))
