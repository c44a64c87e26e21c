"""What the solver says of the values of a world, as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy.value import exact, jsonable, timestamp
from engine.proof.patterns import matching
from engine.proof.terms import DATE, DATETIME, EPOCH, LIST, MICRO, SCALARS, Beyond, Value, World


@dataclass(slots=True)
class Model:
    """What the solver says, as JSON values."""

    world: World
    model: Any
    texts: dict[int, str] = field(default_factory=dict)
    lengths: dict[int, tuple[int, int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.texts |= {id_: text for text, id_ in self.world.texts.items()}

    def holds(self, name: str) -> bool:
        """Whether a condition that is known by its name holds."""
        return bool(z3.is_true(self.model.eval(z3.Bool(name), model_completion=True)))

    def number(self, term: Any) -> int | Decimal:
        """The value of a number's term."""
        value = self.model.eval(term, model_completion=True)
        if z3.is_algebraic_value(value):
            value = value.approx(6)
        if z3.is_int_value(value):
            return int(value.as_long())
        found = Decimal(value.numerator_as_long()) / Decimal(value.denominator_as_long())
        made: int | Decimal = exact(found)
        return made

    def text(self, term: Any, pattern: Any = None) -> str:
        """The text of a term: one that is written out somewhere, or one that is invented, if need be to a pattern."""
        id_ = int(self.model.eval(term, model_completion=True).as_long())
        if id_ not in self.texts:
            invented = self._invented(id_)
            fits = not isinstance(pattern, str) or _matches(pattern, invented)
            self.texts[id_] = invented if fits else self._fitting(pattern) or invented
        return self.texts[id_]

    def _fitting(self, pattern: str) -> str | None:
        """A text of a pattern that is no other's."""
        taken = set(self.texts.values())
        found = (matching(pattern, number) for number in range(len(taken) + 2))
        return next((text for text in found if text is not None and text not in taken), None)

    def _invented(self, id_: int) -> str:
        """A text that functions say of what the model says of it, as far as that can be had."""
        term = z3.IntVal(id_)
        known = {
            name: self.model.eval(function(term), model_completion=True)
            for name, function in self.world.functions.items()
        }
        for name, value in known.items():
            function, _, zone = name.partition(" in ")
            moment = known.get(("date" if function == "is a date" else "datetime") + (f" in {zone}" if zone else ""))
            if function in ("is a date", "is a moment") and z3.is_true(value) and moment is not None:
                told = _spelt(function, moment.as_long())
                if told:
                    return told
        parts = {"starts_with": "", "contains": "", "glob": "", "ends_with": ""}
        for name, value in known.items():
            found = re.match(r"(\w+)\(_, '(.*)'\)\Z", name)
            if found and z3.is_true(value) and found[1] in parts:
                parts[found[1]] += found[2].replace("*", "").replace("?", "x")
        text = "".join(parts.values()) or f"text{len(self.texts)}"
        if "len" not in known:
            return self._unused(text, None)
        return self._unused(text, max(0, min(int(known["len"].as_long()), 2000)))

    def _unused(self, text: str, length: int | None) -> str:
        """The text, of that length if one is given, and no other's."""
        taken = set(self.texts.values())
        fitted = text if length is None else text[:length].ljust(length, "x")
        for number in range(len(taken) + 1):
            end = str(number)
            other = (
                fitted + end if length is None else fitted[: max(0, length - len(end))] + end[-length:] * (length > 0)
            )
            if fitted not in taken:
                return fitted
            if other not in taken:
                return other
        return fitted

    def true(self, formula: Any) -> bool:
        """Whether a formula holds."""
        return bool(z3.is_true(self.model.eval(formula, model_completion=True)))

    def concrete(self, value: Value) -> Any:
        """A scalar, or a list of them, as JSON; raises Beyond for what is known by name only."""
        if self.true(value.null):
            return None
        if value.kind == LIST and value.items is not None:
            return [self.concrete(item.value) for item in value.items if self.true(item.there)]
        if value.kind not in SCALARS:
            raise Beyond("an object")
        return written(self.of_kind(value.kind, value.term))

    def of_kind(self, kind: str, term: Any) -> Any:
        """The value of a scalar's term."""
        if kind == "boolean":
            return z3.is_true(self.model.eval(term, model_completion=True))
        if kind == "number":
            return self.number(term)
        if kind == "text":
            return self.text(term)
        amount = int(self.model.eval(term, model_completion=True).as_long())
        try:
            if kind == DATE:
                return EPOCH.date() + timedelta(days=amount)
            return EPOCH + amount * MICRO if kind == DATETIME else amount * MICRO
        except OverflowError:
            # no date or duration is that far away: what rests on it can't be confirmed
            return EPOCH.date() if kind == DATE else EPOCH if kind == DATETIME else timedelta(0)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _spelt(function: str, amount: int) -> str:
    """A day or a moment as text; "" beyond the years that a date can have."""
    try:
        if function == "is a date":
            return (EPOCH.date() + timedelta(days=amount)).isoformat()
        return timestamp(EPOCH + amount * MICRO)
    except (OverflowError, ValueError):
        return ""


def written(value: Any) -> Any:
    """A value as JSON holds it."""
    return jsonable(value) if isinstance(value, date | timedelta) else value
