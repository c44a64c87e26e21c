"""The types of the expression language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of which the schemas say nothing; it fits everywhere and is checked when it is used."""


@dataclass(frozen=True, slots=True)
class Null:
    """The type of `null` alone."""


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false; `only` is the one that a schema's constant allows, or None."""

    only: bool | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """The type of nothing: what a condition has ruled out."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact decimal, in a unit if its schema declares one; `among` are the numbers of an enum, or None."""

    unit: str | None = None
    among: frozenset[Any] | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `among` are the literals of an enum, or None; `words` those that an author has written here.

    Words make no type of their own: they are held against the enums that they meet.
    """

    among: frozenset[str] | None = None
    words: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Date:
    """A day."""


@dataclass(frozen=True, slots=True)
class Datetime:
    """A moment."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items have one type; unbounded if nothing says how long it may be.

    `parts` are the types by place where each item is known, as in the pairs of `zip`.
    """

    item: Type
    bounded: bool = field(default=True, compare=False)
    parts: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set, which only compares and tests membership."""

    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose keys are not known beforehand."""

    value: Type


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; an optional one that is absent reads as null."""

    type: Type
    optional: bool = False

    @property
    def read(self) -> Type:
        """The type of what reading it gives."""
        return union((self.type, NULL)) if self.optional else self.type


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known fields; `noun` is what a user calls one of them; `written` if an author wrote its keys.

    `rest` is the type of fields that are not named; an `open` one may have any others, of which nobody knows more.
    """

    fields: Mapping[str, Field] = field(hash=False)
    noun: str = "field"
    title: str = ""
    rest: Type | None = None
    written: bool = field(default=False, compare=False)
    open: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Union:
    """One of several types."""

    options: tuple[Type, ...]


Type = (
    Unknown
    | Never
    | Null
    | Boolean
    | Number
    | Text
    | Date
    | Datetime
    | Duration
    | ListOf
    | SetOf
    | MapOf
    | Record
    | Union
)

UNKNOWN, NULL, BOOLEAN, NUMBER, TEXT = Unknown(), Null(), Boolean(), Number(), Text()
DATE, DATETIME, DURATION = Date(), Datetime(), Duration()

NEVER = Never()


def record(noun: str = "field", title: str = "", /, **fields: Type) -> Record:
    """A record whose fields are all present."""
    return Record({name: Field(type_) for name, type_ in fields.items()}, noun, title)


def union(types: Iterable[Type]) -> Type:
    """The union of types, flat and without repeats; Unknown swallows all, and what can't be adds nothing."""
    found: list[Type] = []
    nothing: Type = UNKNOWN
    for type_ in types:
        for option in type_.options if isinstance(type_, Union) else (type_,):
            if isinstance(option, Unknown):
                return UNKNOWN
            if isinstance(option, Never):
                nothing = NEVER
                continue
            same = next((n for n, other in enumerate(found) if option == other), None)
            if same is None:
                found.append(option)
            elif isinstance(option, ListOf) and not option.bounded:
                found[same] = option
            elif isinstance(option, Text) and option.words:
                before = found[same]
                assert isinstance(before, Text)
                found[same] = Text(option.among, option.words | before.words)
    if any(isinstance(option, ListOf) and option.item != NEVER for option in found):
        # an empty list beside others is one of them
        found = [option for option in found if not (isinstance(option, ListOf) and option.item == NEVER)]
    return found[0] if len(found) == 1 else Union(tuple(found)) if found else nothing


def options(type_: Type) -> tuple[Type, ...]:
    """The alternatives of a type: itself, if it is no union."""
    return type_.options if isinstance(type_, Union) else (type_,)


def without_null(type_: Type) -> Type:
    """The type when it is known not to be null."""
    return union(t for t in options(type_) if not isinstance(t, Null)) if type_ != NULL else NULL


def any_field(record_: Record) -> Type:
    """The type of a field whose name is not known beforehand."""
    named = [declared.read for declared in record_.fields.values()]
    return union([*named, *([record_.rest] if record_.rest else []), *([UNKNOWN] if record_.open else [])])


def element_of(source: Type) -> Type:
    """What a loop over a value of this type goes over; Unknown where it can't."""
    found: list[Type] = []
    for option in options(source):
        if isinstance(option, ListOf | SetOf):
            found.append(option.item)
        elif isinstance(option, Record) and option.written:
            found.append(Text(None, frozenset(option.fields)))
        elif isinstance(option, MapOf | Record):
            found.append(TEXT)
        elif isinstance(option, Unknown):
            found.append(UNKNOWN)
    return union(found)


def has_null(type_: Type) -> bool:
    """Whether a value may be null, as far as the schemas say."""
    return any(isinstance(option, Null) for option in options(type_))


def parts(type_: Type, most: int) -> int:
    """How many types a type is made of, counted up to a bound: a record may hold one of them many times over."""
    inner: Iterable[Type] = ()
    match type_:
        case ListOf():
            inner = (type_.item, *type_.parts)
        case SetOf():
            inner = (type_.item,)
        case MapOf():
            inner = (type_.value,)
        case Record():
            inner = (*(f.type for f in type_.fields.values()), *(() if type_.rest is None else (type_.rest,)))
        case Union():
            inner = type_.options
    found = 1
    for one in inner:
        found += parts(one, most - found)
        if found > most:
            break
    return found


def name(type_: Type) -> str:
    """The type in the user's words."""
    match type_:
        case Unknown():
            return "anything"
        case Null():
            return "null"
        case Boolean():
            return "a boolean"
        case Never():
            return "nothing"
        case Number(unit=unit):
            return f"a number in {unit}" if unit else "a number"
        case Text():
            return "text"
        case Date():
            return "a date"
        case Datetime():
            return "a date and time"
        case Duration():
            return "a duration"
        case ListOf():
            return "a list"
        case SetOf():
            return "a set"
        case MapOf() | Record():
            return "an object"
    return " or ".join(dict.fromkeys(name(t) for t in type_.options))


def can_equal(a: Type, b: Type) -> bool:
    """Whether a value of one type can equal a value of the other; anything may be held against null."""
    one, other = _plain(a), _plain(b)
    return not one or not other or any(_same_kind(x, y) for x in one for y in other)


def words_of(type_: Type) -> frozenset[str]:
    """The words that an author has written, which a text of this type may be."""
    return frozenset().union(*(option.words for option in options(type_) if isinstance(option, Text)))


def enum_of(type_: Type) -> frozenset[str]:
    """The literals that a schema lists for a value of this type, null aside; empty where it may be anything else."""
    found: frozenset[str] = frozenset()
    for option in _plain(type_):
        if not isinstance(option, Text) or option.among is None:
            return frozenset()
        found |= option.among
    return found


def can_compare(a: Type, b: Type) -> bool:
    """Whether any value of one type can be held against any of the other: values of unlike kinds can't."""
    return all(_same_sort(x, y) for x in _plain(a) for y in _plain(b))


def _same_sort(x: Type, y: Type) -> bool:
    if isinstance(x, Unknown | Never) or isinstance(y, Unknown | Never):
        return True
    objects = (Record, MapOf)
    return type(x) is type(y) or (isinstance(x, objects) and isinstance(y, objects))


def _plain(type_: Type) -> list[Type]:
    return [option for option in options(type_) if not isinstance(option, Null)]


def can_order(a: Type, b: Type) -> bool:
    """Whether `<` makes sense between any two values of the types, null aside."""
    ordered = (Number, Text, Date, Datetime, Duration)
    one, other = _plain(a), _plain(b)
    return bool(one and other) and all(
        isinstance(x, Unknown | Never)
        or isinstance(y, Unknown | Never)
        or (isinstance(x, Number) and isinstance(y, Number) and same_unit(x, y))
        or (type(x) is type(y) and isinstance(x, ordered) and not isinstance(x, Number))
        for x in one
        for y in other
    )


def is_a(type_: Type, *kinds: type) -> bool:
    """Whether some value of the type is of one of the kinds."""
    return any(isinstance(t, (Unknown, *kinds)) for t in options(type_))


def only(type_: Type, *kinds: type) -> bool:
    """Whether every value of the type that is not null is of one of the kinds."""
    return all(isinstance(t, (Unknown, Never, *kinds)) for t in _plain(type_))


def of_value(value: Any) -> Type:
    """The type of a constant, such as a param."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case int() | Decimal():
            return NUMBER
        case str():
            return Text(None, frozenset((value,)))
        case datetime():
            return DATETIME
        case date():
            return DATE
        case timedelta():
            return DURATION
        case list() | tuple():
            return ListOf(union(of_value(item) for item in value) if value else NEVER)
        case Mapping():
            return Record({key: Field(of_value(item)) for key, item in value.items()}, written=True)
        case _:
            return UNKNOWN


def is_value(value: Any, type_: Type) -> bool:
    """Whether a value is of a plain type; null is of every type here."""
    if value is None or isinstance(type_, Unknown):
        return True
    found = of_value(value)
    return any(
        type(found) is type(option) and (not isinstance(option, Text) or option.among is None or value in option.among)
        for option in options(type_)
    )


def _same_kind(x: Type, y: Type) -> bool:
    if isinstance(x, Unknown | Never) or isinstance(y, Unknown | Never):
        return True
    if isinstance(x, Record | MapOf) and isinstance(y, Record | MapOf):
        return True
    if isinstance(x, ListOf) and isinstance(y, ListOf):
        return NEVER in (x.item, y.item) or can_equal(x.item, y.item)
    if isinstance(x, Number) and isinstance(y, Number):
        return same_unit(x, y)
    if isinstance(x, Text) and isinstance(y, Text) and x.among is not None and y.among is not None:
        return bool(x.among & y.among)
    return type(x) is type(y)


def same_unit(a: Number, b: Number) -> bool:
    """Whether two numbers may be added and compared; one without a unit fits all."""
    return a.unit is None or b.unit is None or a.unit == b.unit
