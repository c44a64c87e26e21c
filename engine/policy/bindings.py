"""The words of a policy at work: params, facts, lets and established values, made when a rule first reads them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from engine.language import types
from engine.language.arithmetic import EvaluationError, subtract
from engine.language.evaluate import UnreadableFact, elements
from engine.language.expression import Expression
from engine.language.functions import functions_in
from engine.language.value import digest, jsonable
from engine.language.work import MAX_WORK, Together, extent
from engine.policy.rule import EstablishedValue, Fact, LearnedFrom, PolicyRules

# of the variables of a fact that is read for each of them
MAX_COMBINATIONS = 10_000


@dataclass(frozen=True, slots=True)
class FactOutput:
    """What a fact read brought: an output, or the problem that kept it from being read."""

    output: Any = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FactNeed:
    """A read that the gate waits for; equal needs of several rules are one."""

    key: str
    fact: str
    tool: str
    input: Mapping[str, Any]
    max_age: timedelta

    def payload(self) -> dict[str, Any]:
        """As JSON, for the log."""
        return {"key": self.key, "fact": self.fact, "tool": self.tool, "input": dict(self.input)}


# under which name a scope has what is asked of each meter that sessions share
SHARED_METERS = "shared meters"

# what stands for a tool where such a meter is read
METER = "meters."

Fresh = Callable[[FactNeed], FactOutput | None]


class FactsNotRead(Exception):
    """A rule reads a fact that has to be read first; carries what to read."""

    def __init__(self, needs: list[FactNeed]) -> None:
        super().__init__("a fact is not read yet")
        self.needs = needs


def value_of_let(name: str, evaluate: Callable[[], Any]) -> Any:
    """The value of a let, or what stands for it where it has none: whoever reads it fails with the reason."""
    try:
        value = evaluate()
        if extent(value) > MAX_WORK:
            raise EvaluationError("it spells out more data than a condition may go over")
    except EvaluationError as error:
        return UnreadableFact(f"`{name}` has no value: {error}")
    return value


class Bindings(dict[str, Any]):
    """All names that the rules of one policy may use for one call, each made when it is first read.

    A dict, since rules read hundreds of names at every verdict; what looks at more than one name sees all of them.
    """

    def __init__(
        self, policy: PolicyRules, names: Mapping[str, Any], fresh: Fresh, together: Together | None = None
    ) -> None:
        """`together` counts what all policies that judge the call take."""
        self.together = together
        self._policy = policy
        self._names = names
        self._fresh = fresh
        super().__init__(params=policy.params)

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._make(name)
        return value

    def __iter__(self) -> Iterator[str]:
        own = (self._policy.facts, self._policy.lets, self._policy.established)
        return iter(dict.fromkeys(["params", *self._names, *(name for words in own for name in words)]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    keys = Mapping.keys  # type: ignore[assignment]
    items = Mapping.items  # type: ignore[assignment]
    values = Mapping.values  # type: ignore[assignment]
    get = Mapping.get  # type: ignore[assignment]
    __contains__ = Mapping.__contains__

    def _make(self, name: str) -> Any:
        policy = self._policy
        if name in policy.facts:
            return self._fact(policy.facts[name])
        if name in policy.lets:
            return value_of_let(name, lambda: self._let(name, policy.lets[name]))
        if name in policy.established:
            return self._learnt(policy.established[name])
        if name == "session" and policy.session:
            return self._session()
        if name == "now" and policy.time.now is not None:
            return self._now(policy.time.now)
        if name == "meters" and policy.shared_meters:
            return self._meters()
        return self._names[name]

    def _meters(self) -> Any:
        """The session's own meters, with what all sessions have added to those that they share; raises NotReadYet."""
        found, missing = dict(self._names["meters"]), list[FactNeed]()
        for name in sorted(self._policy.shared_meters):
            given = self._names[SHARED_METERS].get(name)
            if given is None:
                return UnreadableFact(f"the meter `{name}` can't be asked for: it has no key for this call")
            need = FactNeed(digest([METER, given])[:32], f"{METER}{name}", f"{METER}{name}", given, timedelta(0))
            reading = self._fresh(need)
            if reading is None:
                missing.append(need)
            elif reading.problem is not None:
                return UnreadableFact(f"the meter `{name}` could not be read: {reading.problem}")
            else:
                used, limit = reading.output["used"], found[name]["limit"]
                shared = {"used": used, "limit": limit, "left": max(subtract(limit, used), 0)}
                found[name] = {**found[name], "shared": shared}
        if missing:
            raise FactsNotRead(missing)
        return found

    def _let(self, name: str, expression: Expression) -> Any:
        """The value of a let; raises EvaluationError."""
        return expression.value(self)

    def _session(self) -> Any:
        """The attributes, those that are written as text read as what the vocabulary says they are."""
        found = dict(self._names["session"])
        for name, word in self._policy.session.items():
            value = found.get(name)
            if isinstance(value, str):
                try:
                    found[name] = functions_in(self._policy.time.zone)[word](value)
                except EvaluationError as error:
                    return UnreadableFact(f"the session attribute `{name}` is no {word}: {error}")
        return found

    def _now(self, says: Expression) -> Any:
        """The time that the session was started with, if it was, in the place of the log's own."""
        try:
            told = says.value(self)
            return self._names["now"] if told is None else functions_in(self._policy.time.zone)["datetime"](told)
        except EvaluationError as error:
            return UnreadableFact(f"`now` has no value: {error}")

    # -- facts

    def _fact(self, fact: Fact) -> Any:
        """A fact's value, or what stands for an unreadable one; raises NotReadYet."""
        try:
            rows = list(self._rows(fact, self)) if fact.for_each else [({}, self._need(fact, self))]
        except EvaluationError as error:
            return UnreadableFact(f"fact `{fact.name}` can't be asked for: {error}")
        found = [(variables, need, self._fresh(need)) for variables, need in rows]
        missing = {need.key: need for _, need, reading in found if reading is None}
        if missing:
            raise FactsNotRead(list(missing.values()))
        for _, _, reading in found:
            if reading is not None and reading.problem is not None:
                return UnreadableFact(f"fact `{fact.name}` could not be read: {reading.problem}")
        if not fact.for_each:
            return found[0][2].output if found[0][2] is not None else None
        return [{**variables, fact.result: reading.output} for variables, _, reading in found if reading is not None]

    def _rows(self, fact: Fact, scope: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], FactNeed]]:
        """Each combination of the variables with the read it needs; raises EvaluationError beyond the bound."""
        rows: list[tuple[dict[str, Any], Mapping[str, Any]]] = [({}, scope)]
        for name, source in fact.for_each:
            further = (
                ({**variables, name: item}, ChainMap({name: item}, inner))  # type: ignore[arg-type]
                for variables, inner in rows
                for item in elements(source.value(inner))
            )
            rows = list(islice(further, MAX_COMBINATIONS + 1))
            if len(rows) > MAX_COMBINATIONS:
                raise EvaluationError(f"it goes over more than {MAX_COMBINATIONS} combinations")
        found = [(variables, self._need(fact, inner)) for variables, inner in rows]
        reads = len({need.key for _, need in found})
        if reads > fact.at_most:
            raise EvaluationError(f"it would take {reads} reads, more than {fact.at_most}")
        yield from found

    def _need(self, fact: Fact, scope: Mapping[str, Any]) -> FactNeed:
        given = {name: jsonable(expression.value(scope)) for name, expression in fact.input.items()}
        missing = sorted(name for name in fact.needed if name in given and given[name] is None)
        if missing:
            raise EvaluationError(f"its `{missing[0]}` is null")
        return FactNeed(digest([fact.tool, given])[:32], fact.name, fact.tool, given, fact.max_age)

    # -- what was learnt

    def _learnt(self, established: EstablishedValue) -> Any:
        """The first or the newest value that is not null; null if there is none."""
        found: list[tuple[Any, Any]] = []
        for source in established.sources:
            found += self._values(source)
        found = [(at, value) for at, value in found if types.is_value(value, established.type)]
        early = [value for at, value in found if at is None and value is not None]
        later = sorted(((at, value) for at, value in found if at is not None), key=lambda pair: pair[0])
        values = [*early, *(value for _, value in later if value is not None)]
        if not values:
            return None
        return values[0] if established.keep_first else values[-1]

    def _values(self, source: LearnedFrom) -> list[tuple[Any, Any]]:
        """A source's values with the times at which they were learnt; a path of the session was there before."""
        if source.call is None:
            return [(None, _value_or_null(source.value, self))]
        calls = self._names["calls"][source.call]
        # a call that has no such value takes nothing from what others taught
        return [(c["at"], _value_or_null(source.value, {**c, "session": self["session"]})) for c in calls]


def _value_or_null(expression: Expression, names: Mapping[str, Any]) -> Any:
    try:
        return expression.value(names)
    except EvaluationError:
        return None
