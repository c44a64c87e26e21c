"""What the solver says of the values of a world, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language.value import exact, jsonable, timestamp
from engine.proof.term import DATE, DATETIME, LIST, SCALARS, Term, Unencodable
from engine.proof.terms import EPOCH, MICRO, SymbolTable
from engine.proof.texts import around, fits, texts


@dataclass(slots=True)
class SolverModel:
    """What the solver says, as JSON values."""

    world: SymbolTable
    model: Any
    texts: dict[int, str] = field(default_factory=dict)
    questions: dict[int, list[Any]] | None = None

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

    def text(self, term: Any, schema: Any = None) -> str:
        """The text of a term: one that is written out somewhere, or one that is invented, if need be to a schema."""
        id_ = int(self.model.eval(term, model_completion=True).as_long())
        if id_ not in self.texts:
            wanted = [*self._schemas().get(id_, ()), *([schema] if schema else [])]
            self.texts[id_] = self._fitting_text(id_, wanted)
        return self.texts[id_]

    def _schemas(self) -> Mapping[int, list[Any]]:
        """What the schemas ask of each text, by its number: equal texts may stand in several places."""
        if self.questions is None:
            self.questions = {}
            for term, schema in self.world.fitting:
                id_ = int(self.model.eval(term, model_completion=True).as_long())
                self.questions.setdefault(id_, []).append(schema)
        return self.questions

    def _fitting_text(self, id_: int, wanted: Sequence[Any]) -> str:
        """The text that fits, and of which functions say what the model says of it, as far as that can be had."""
        known = self._answers(id_)
        invented = self._invented(known)
        checks = [check for schema in wanted if (check := fits(schema)) is not None]
        if all(check(invented) for check in checks):
            return invented
        taken = set(self.texts.values())
        length = int(known["len"].as_long()) if "len" in known else None
        found = list(_spelt(known))
        for number in range(len(taken) + 2):
            found += (text for schema in wanted for text in texts(schema, _word(known), number, length))
        found += around(invented)
        fitting = [text for text in dict.fromkeys(found) if text not in taken and all(check(text) for check in checks)]
        return max(fitting, key=lambda text: self._agreement(known, text), default=invented)

    def _agreement(self, known: Mapping[str, Any], text: str) -> int:
        """Of how many functions a text has the value that the model says."""
        return sum(self._agrees(self.world.predicates[name](text), value) for name, value in known.items())

    def _agrees(self, gives: Any, value: Any) -> bool:
        if isinstance(gives, str):
            return self.texts.get(int(value.as_long())) == gives
        return gives is not None and bool((z3.IntVal(gives) if isinstance(gives, int) else gives).eq(value))

    def _answers(self, id_: int) -> dict[str, Any]:
        """What the model says of a text, by function."""
        term = z3.IntVal(id_)
        functions = self.world.functions
        return {name: self.model.eval(of(term), model_completion=True) for name, of in functions.items()}

    def _invented(self, known: Mapping[str, Any]) -> str:
        """A text that functions say of what the model says of it, as far as that can be had."""
        told = next(iter(_spelt(known)), "")
        if told:
            return told
        text = _word(known) or f"text{len(self.texts)}"
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

    def concrete(self, value: Term) -> Any:
        """A scalar, or a list of them, as JSON; raises Beyond for what is known by name only."""
        if self.true(value.null):
            return None
        if value.kind == LIST and value.items is not None:
            return [self.concrete(item.value) for item in value.items if self.true(item.there)]
        if value.kind not in SCALARS:
            raise Unencodable("an object")
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


def _word(known: Mapping[str, Any]) -> str:
    """What a text begins with, holds and ends with, by what is known of it."""
    parts = {"starts_with": "", "contains": "", "glob": "", "ends_with": ""}
    for name, value in known.items():
        found = re.match(r"(\w+)\(_, '(.*)'\)\Z", name)
        if found and z3.is_true(value) and found[1] in parts:
            parts[found[1]] += found[2].replace("*", "").replace("?", "x")
    return "".join(parts.values())


def _spelt(known: Mapping[str, Any]) -> Iterator[str]:
    """The day or the moment that a text is, in the ways in which it may be written."""
    for name, value in known.items():
        function, _, zone = name.partition(" in ")
        moment = known.get(("date" if function == "is a date" else "datetime") + (f" in {zone}" if zone else ""))
        if function in ("is a date", "is a moment") and z3.is_true(value) and moment is not None:
            yield from _ways(function, moment.as_long())


def _ways(function: str, amount: int) -> Iterator[str]:
    """Nothing beyond the years that a date can have."""
    try:
        if function == "is a date":
            day = EPOCH.date() + timedelta(days=amount)
            yield day.isoformat()
            yield f"{day.isoformat()}T00:00:00Z"
            return
        moment = EPOCH + amount * MICRO
        yield timestamp(moment)
        yield moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        yield from ((moment + timedelta(days=days)).date().isoformat() for days in (0, 1))
    except (OverflowError, ValueError):
        return


def written(value: Any) -> Any:
    """A value as JSON holds it."""
    return jsonable(value) if isinstance(value, date | timedelta) else value
