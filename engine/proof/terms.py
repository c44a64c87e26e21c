"""Values as formulas: each with whether it is null, and a term of the solver for what it is otherwise.

Texts are numbers of the solver, told apart and no more; what functions say of them is a function of that number.
Days are whole numbers since 1970, moments and durations whole microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language import types
from engine.language.arithmetic import is_number
from engine.language.value import canonical
from engine.proof.bounds import exactly, listed, number
from engine.proof.forms import only_form
from engine.proof.term import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    LIST,
    MAP,
    NO,
    NULL,
    NUMBER,
    OPAQUE,
    RECORD,
    SCALARS,
    TEXT,
    YES,
    ListItem,
    Term,
    Unencodable,
    both,
    either,
    no,
)
from engine.proof.texts import fits

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
DAY = timedelta(days=1) // MICRO

# a list that can be no longer is taken apart; a longer one is known by its length, and what is said of it by name
SHORT_LIST = 4

# what a schema may say of a value that says nothing of what it is
_PLAIN = frozenset({"type", "title", "description"})


@dataclass(slots=True)
class SymbolTable:
    """All that is not known of one judgement: its symbols by name, and what always holds of them.

    `opaque` are the expressions that are only known by name.  With `longest` every list and map has at most so many
    elements, so that hardly anything is opaque: what can be then can be, and what can't be may be all the same.
    With `now` it is that time.  `fitting` are the terms of texts, each with the schema that it fits; `schemas` are
    those of values that nothing else is known of.  `differing` are the tools, and `session`, of which the bundles that
    are compared have other schemas.
    """

    longest: int | None = None
    now: datetime | None = None
    differing: frozenset[str] = frozenset()
    symbols: dict[str, Term] = field(default_factory=dict)
    always: list[Any] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    opaque: dict[str, str] = field(default_factory=dict)
    predicates: dict[str, Callable[[str], Any]] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)
    fitting: list[tuple[Any, Mapping[str, Any]]] = field(default_factory=list)
    schemas: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def read_as(self, name: str, reading: str) -> str:
        """What a name is known by that policies may read in several ways: the first reading has it for itself."""
        return name if self.readings.setdefault(name, reading) == reading else f"{name}@{reading}"

    # -- constants

    def text(self, value: str) -> Any:
        """The term of a text that is written out."""
        if value not in self.texts:
            self.texts[value] = len(self.texts)
            for name, of in self.predicates.items():
                self._say(name, of, value)
        return z3.IntVal(self.texts[value])

    def constant(self, value: Any) -> Term:
        """The value of a constant, a param or a table."""
        match value:
            case None:
                return Term(NULL, YES)
            case bool():
                return Term(BOOLEAN, term=z3.BoolVal(value))
            case str():
                return Term(TEXT, term=self.text(value))
            case datetime():
                return Term(DATETIME, term=z3.IntVal((value.astimezone(UTC) - EPOCH) // MICRO))
            case date():
                return Term(DATE, term=z3.IntVal((value - EPOCH.date()).days))
            case timedelta():
                return Term(DURATION, term=z3.IntVal(value // MICRO))
            case list() | tuple():
                return literal([self.constant(item) for item in value])
            case Mapping():
                # a table is looked up by its keys as well
                rows = [literal([self.constant(key), self.constant(inner)]) for key, inner in value.items()]
                items = tuple(ListItem(YES, row) for row in rows)
                return Term(RECORD, fields=lambda name: self.constant(value.get(name)), items=items)
        if is_number(value):
            return Term(NUMBER, term=exactly(value))
        raise Unencodable(f"a constant such as {value!r}")

    # -- functions of texts

    def function(self, name: str, of: Callable[[str], Any], result: Any) -> Any:
        """A function of texts, whose values for the texts that are written out are known."""
        if name not in self.functions:
            self.functions[name] = z3.Function(name, z3.IntSort(), result)
            self.predicates[name] = of
            for value in list(self.texts):
                self._say(name, of, value)
        return self.functions[name]

    def _say(self, name: str, of: Callable[[str], Any], value: str) -> None:
        result, term = of(value), z3.IntVal(self.texts[value])
        if result is None:
            return
        known = self.text(result) if isinstance(result, str) else result
        self.always.append(self.functions[name](term) == known)

    # -- symbols

    def symbol(self, name: str, type_: types.Type, schema: Any = None) -> Term:
        """What a type, and a schema if there is one, say of a value that is known by its name."""
        if type_ == types.NULL:
            return Term(NULL, YES, name=name)
        if name not in self.symbols:
            plain = types.without_null(type_)
            self.symbols[name] = self._symbol(name, plain, schema if isinstance(schema, Mapping) else {})
        # where conditions around it have ruled null out it is not null, elsewhere it may be
        may_be_null = types.has_null(type_) or isinstance(type_, types.Unknown)
        return self.symbols[name].or_null(z3.Bool(f"{name} is null") if may_be_null else NO)

    def _symbol(self, name: str, plain: types.Type, schema: Mapping[str, Any]) -> Term:
        # what a type is narrowed to where it is read first does not hold of it elsewhere: only its schema does
        form = only_form(schema)
        among = listed(form)
        match plain:
            case types.Boolean():
                term = z3.Bool(name)
                check = _check(schema)
                possible = [value for value in (True, False) if check is None or check(value)]
                self.always += [term == z3.BoolVal(possible[0])] if len(possible) == 1 else []
                return Term(BOOLEAN, term=term, name=name)
            case types.Number():
                term, holds = number(name, form or schema)
                self.always += holds
                return Term(NUMBER, term=term, name=name)
            case types.Text():
                return Term(TEXT, term=self._text(name, among, schema), name=name)
            case types.Date() | types.Datetime() | types.Duration():
                kind = DATE if plain == types.DATE else DATETIME if plain == types.DATETIME else DURATION
                term = z3.Int(name)
                # the years that a date can have
                self.always += [] if kind == DURATION else [term >= FIRST[kind], term <= LAST[kind]]
                if name == "now" and self.now is not None:
                    self.always.append(term == (self.now - EPOCH) // MICRO)
                return Term(kind, term=term, name=name)
            case types.Record():
                return Term(RECORD, fields=self._fields(name, plain, form), name=name)
            case types.ListOf():
                return self._list(name, plain, form)
            case types.MapOf(value=of) if self.longest is not None:
                return self._map(name, of, form)
        self.schemas[name] = schema
        return Term(OPAQUE, name=name)

    def _text(self, name: str, among: Any, schema: Mapping[str, Any]) -> Any:
        term, form = z3.Int(name), only_form(schema)
        if among is not None:
            self.always.append(either(*(term == self.text(value) for value in among if isinstance(value, str))))
        check = _check(schema)
        if check is not None:
            # of texts that are written out it is known whether they fit
            asked = self.function(f"fits {canonical(schema)}", lambda text: z3.BoolVal(check(text)), z3.BoolSort())
            self.always.append(asked(term))
            self.fitting.append((term, schema))
        least, most = form.get("minLength"), form.get("maxLength")
        if least is not None or most is not None:
            length = self.length_of_text(term)
            self.always += [length >= least] if least is not None else []
            self.always += [length <= most] if most is not None else []
        return term

    def has_format(self, term: Any, name: str) -> bool:
        """Whether a schema asks of a text that it has a form."""
        return any(only_form(schema).get("format") == name for known, schema in self.fitting if known.eq(term))

    def length_of_text(self, term: Any) -> Any:
        """How long a text is."""
        length = self.function("len", len, z3.IntSort())(term)
        self.always.append(length >= 0)
        return length

    def _fields(self, name: str, type_: types.Record, schema: Mapping[str, Any]) -> Callable[[str], Term]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}

        def read(field_name: str) -> Term:
            declared = type_.fields.get(field_name)
            if declared is None:
                return self.symbol(f"{name}.{field_name}", types.UNKNOWN)
            return self.symbol(f"{name}.{field_name}", declared.read, properties.get(field_name))

        return read

    def _list(self, name: str, type_: types.ListOf, schema: Mapping[str, Any]) -> Term:
        length = z3.Int(f"len({name})")
        most, least = schema.get("maxItems"), schema.get("minItems", 0)
        self.always.append(length >= least)
        if self.longest is not None:
            most = max(least, self.longest if most is None else min(most, self.longest))
        if most is not None:
            self.always.append(length <= most)
        if most is None or (most > SHORT_LIST and self.longest is None):
            return Term(LIST, length=length, name=name)
        inner = schema.get("items")
        items = [ListItem(length > at, self.symbol(f"{name}[{at}]", type_.item, inner)) for at in range(most)]
        if schema.get("uniqueItems") is True and all(item.value.kind in SCALARS for item in items):
            pairs = [(a, b) for at, b in enumerate(items) for a in items[:at]]
            self.always += [either(no(b.there), no(equal(self, a.value, b.value))) for a, b in pairs]
        return Term(LIST, items=tuple(items), length=length, name=name)

    def _map(self, name: str, of: types.Type, schema: Mapping[str, Any]) -> Term:
        length = z3.Int(f"len({name})")
        assert self.longest is not None, "asked of small maps only"
        self.always += [length >= 0, length <= self.longest]
        inner = schema.get("additionalProperties")
        keys = [self.symbol(f"{name}.key{at}", types.TEXT, schema.get("propertyNames")) for at in range(self.longest)]
        pairs = [literal([key, self.symbol(f"{name}.value{at}", of, inner)]) for at, key in enumerate(keys)]
        self.always += [a.term != b.term for at, a in enumerate(keys) for b in keys[:at]]
        items = tuple(ListItem(length > at, pair) for at, pair in enumerate(pairs))
        return Term(MAP, items=items, length=length, name=name)


def _check(schema: Mapping[str, Any]) -> Callable[[Any], bool] | None:
    """What tells whether a value fits a schema; None for one that says nothing beside the type."""
    return None if all(key in _PLAIN or key.startswith("x-") for key in schema) else fits(schema)


FIRST = {DATE: (date.min - EPOCH.date()).days, DATETIME: (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICRO}
LAST = {DATE: (date.max - EPOCH.date()).days, DATETIME: (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICRO}


# -- two values


_OF_KIND: Mapping[str, types.Type] = {
    BOOLEAN: types.BOOLEAN,
    NUMBER: types.NUMBER,
    TEXT: types.TEXT,
    DATE: types.DATE,
    DATETIME: types.DATETIME,
    DURATION: types.DURATION,
    OPAQUE: types.TEXT,
}


def literal(values: Sequence[Term]) -> Term:
    """A list that is written out."""
    items = tuple(ListItem(YES, value) for value in values)
    return Term(LIST, items=items, length=z3.IntVal(len(values)))


def choose(condition: Any, one: Term, other: Term) -> Term:
    """One value if a condition holds, else the other."""
    if z3.is_true(condition):
        return one
    if z3.is_false(condition):
        return other
    if NULL in (one.kind, other.kind):
        kept, null = (other, condition) if one.kind == NULL else (one, no(condition))
        # where it is null it does not matter what else it would be
        return replace(kept, null=z3.If(condition, one.null, other.null)) if kept.kind != NULL else kept.or_null(null)
    null = one.null if one.null is other.null else z3.If(condition, one.null, other.null)
    if one.kind != other.kind:
        raise Unencodable("a choice between values of two kinds")
    if one.kind in SCALARS:
        return Term(one.kind, null, z3.If(condition, one.term, other.term))
    if one.kind == RECORD and one.fields is not None and other.fields is not None:
        first, second = one.fields, other.fields
        return Term(RECORD, null, fields=lambda name: choose(condition, first(name), second(name)))
    if one.name and one.name == other.name:
        return replace(one, null=null)
    if one.kind == LIST and one.items is not None and other.items is not None:
        return _one_of_lists(condition, one, other, null)
    raise Unencodable("a choice between values that are only known by name")


def _one_of_lists(condition: Any, one: Term, other: Term, null: Any) -> Term:
    """The elements of both, each there if its list is the one."""
    items = [
        *(ListItem(both(condition, item.there), item.value) for item in one.items or ()),
        *(ListItem(both(no(condition), item.there), item.value) for item in other.items or ()),
    ]
    dense = not (one.items and other.items) and not (one.loose or other.loose)
    return Term(LIST, null, items=tuple(items), length=z3.If(condition, one.length, other.length), loose=not dense)


def equal(world: SymbolTable, one: Term, other: Term) -> Any:
    """Whether two values are equal; null equals only null."""
    if one.kind == NULL or other.kind == NULL:
        return both(one.null, other.null)
    here = both(no(one.null), no(other.null))
    return either(both(one.null, other.null), both(here, _same(world, one, other)))


def _same(world: SymbolTable, one: Term, other: Term) -> Any:
    if one.kind == OPAQUE or other.kind == OPAQUE:
        kind = other.kind if one.kind == OPAQUE else one.kind
        return _as(world, one, kind).term == _as(world, other, kind).term
    if one.kind != other.kind:
        raise Unencodable("values of two kinds")
    if one.kind in SCALARS:
        return one.term == other.term
    if one.kind == LIST and one.items is not None and other.items is not None and not (one.loose or other.loose):
        pairs = zip(one.items, other.items, strict=False)
        return both(
            one.length == other.length, *(either(no(a.there), equal(world, a.value, b.value)) for a, b in pairs)
        )
    raise Unencodable("whether objects or long lists are equal")


def _as(world: SymbolTable, value: Term, kind: str) -> Term:
    """A value that is only known by name, read as one of a kind."""
    if value.kind != OPAQUE:
        return value
    if kind not in _OF_KIND:
        raise Unencodable("a value that nothing is known of")
    schema = world.schemas.get(value.name, {})
    return world.symbol(f"{value.name} as {kind}", _OF_KIND[kind], schema if _is_of(kind, schema) else None)


def _is_of(kind: str, schema: Mapping[str, Any]) -> bool:
    """Whether a schema says by itself that a value is of a kind, or null."""
    kinds = schema.get("type")
    plain = {kinds} if isinstance(kinds, str) else set(kinds or ()) - {"null"}
    return plain in ({TEXT: [{"string"}], NUMBER: [{"number"}, {"integer"}]}.get(kind, []))


def as_kind(world: SymbolTable, value: Term, kinds: Sequence[str]) -> Term:
    """A value that has to be of one of some kinds; one that is only known by name is read as the first."""
    if value.kind == OPAQUE:
        return replace(_as(world, value, kinds[0]), null=value.null)
    if value.kind not in kinds:
        raise Unencodable(f"{value.kind} in the place of {kinds[0]}")
    return value
