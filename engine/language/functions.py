"""The functions of the language: one table of names, with what each takes, gives and does."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from engine.language import types
from engine.language.arithmetic import EvaluationError, add, hashed, is_number, kind, same
from engine.language.provenance.origins import ORIGINS
from engine.language.value import duration
from engine.language.work import CHARACTERS, extent

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
_TEMPORAL = (types.Text, types.Date, types.Datetime)

# what has a least and a greatest
ORDERED = (types.Number, types.Date, types.Datetime, types.Duration)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments, which kinds each may have, its result type, its work, and the units it takes."""

    least: int
    most: int
    takes: tuple[tuple[type, ...], ...]
    gives: Callable[[list[types.Type]], types.Type]
    run: Callable[..., Any]
    cost: Callable[..., int] | None = None

    def kinds(self, index: int) -> tuple[type, ...]:
        """The kinds of type that argument number `index` may have; none listed means any."""
        return self.takes[min(index, len(self.takes) - 1)] if self.takes else ()


def _item(argument_types: list[types.Type]) -> types.Type:
    return types.union(
        o.item if isinstance(o, types.ListOf) else types.UNKNOWN
        for o in types.options(argument_types[0])
        if o != types.NULL
    )


def _number(argument_types: list[types.Type]) -> types.Type:
    """What numbers, or lists of them, come to: in the unit that all of them have."""
    units = units_of(argument_types)
    return types.Number(units.pop()) if len(units) == 1 else types.NUMBER


def units_of(argument_types: list[types.Type]) -> set[str | None]:
    """The units of numbers, or of those in lists; None stands for none."""
    plain = [o.item if isinstance(o, types.ListOf) else o for type_ in argument_types for o in types.options(type_)]
    return {o.unit for type_ in plain for o in types.options(type_) if isinstance(o, types.Number)}


def _values_of(argument_types: list[types.Type]) -> types.Type:
    found: list[types.Type] = []
    for option in types.options(argument_types[0]):
        if isinstance(option, types.MapOf):
            found.append(option.value)
        elif isinstance(option, types.Record) and option.rest is None and not option.open:
            # a field that is absent is no value
            found += [f.type for f in option.fields.values()]
        else:
            found.append(types.UNKNOWN)
    return types.ListOf(types.union(found))


def _pairs(parts: list[types.Type], bounded: bool) -> types.Type:
    return types.ListOf(types.ListOf(types.union(parts), parts=tuple(parts)), bounded)


def _bounded(type_: types.Type) -> bool:
    return not any(isinstance(option, types.ListOf) and not option.bounded for option in types.options(type_))


def _numbers_of(args: tuple[Any, ...], name: str) -> list[Any]:
    found = _spread(args)
    for item in found:
        if not is_number(item):
            raise EvaluationError(f"`{name}` needs numbers, and this is {kind(item)}")
    return found


def _truths(items: Any, name: str) -> Iterator[bool]:
    """The booleans of a list, or of a loop that is still running."""
    if not isinstance(items, list | tuple | Iterator):
        raise EvaluationError(f"`{name}` needs a list, and this is {kind(items)}")
    for item in items:
        if not isinstance(item, bool):
            raise EvaluationError(f"`{name}` needs booleans, and this is {kind(item)}")
        yield item


def _sum(*args: Any) -> Any:
    total: Any = 0
    for item in _numbers_of(args, "sum"):
        total = add(total, item)
    return total


def _extreme(name: str, pick: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        found = _spread(args)
        if not found:
            raise EvaluationError(f"`{name}` of nothing")
        for item in found:
            if kind(item) != kind(found[0]) or not (is_number(item) or isinstance(item, date | timedelta)):
                raise EvaluationError(
                    f"`{name}` needs numbers, dates or durations of one kind, and this is {kind(item)}"
                )
        return pick(found)

    return run


def _spread(args: tuple[Any, ...]) -> list[Any]:
    """The arguments, or what the only one of them holds."""
    return list(args[0]) if len(args) == 1 and isinstance(args[0], list | tuple) else list(args)


def _extreme_of(argument_types: list[types.Type]) -> types.Type:
    """One of several: a number in the unit that all of them have, or what else they are."""
    plain = [o.item if isinstance(o, types.ListOf) else o for type_ in argument_types for o in types.options(type_)]
    found = types.union(plain)
    return _number(argument_types) if types.only(found, types.Number) else found


def _len(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise EvaluationError(f"{kind(value)} has no length")


def _list(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, tuple):
        return list(value)
    raise EvaluationError(f"`{name}` needs a list, and this is {kind(value)}")


def _first(value: Any) -> Any:
    items = _list(value, "first")
    if not items:
        raise EvaluationError("`first` of an empty list")
    return items[0]


def _distinct(value: Any) -> list[Any]:
    found: dict[Any, Any] = {}
    for item in _list(value, "distinct"):
        found.setdefault(hashed(item), item)
    return list(found.values())


def _set(value: Any) -> frozenset[Any]:
    items = _list(value, "set")
    if any(isinstance(item, list | tuple | Mapping) for item in items):
        raise EvaluationError("a set holds only simple values")
    return frozenset((kind(item), item) for item in items)


def _values(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    raise EvaluationError(f"`values` needs a map, and this is {kind(value)}")


def _zip(*args: Any) -> list[Any]:
    lists = [_list(arg, "zip") for arg in args]
    if len({len(items) for items in lists}) > 1:
        raise EvaluationError("`zip` of lists of unequal length")
    return [list(items) for items in zip(*lists, strict=True)]


def _neighbours(value: Any) -> list[Any]:
    items = _list(value, "neighbours")
    return [[a, b] for a, b in pairwise(items)]


def _datetime(value: Any, zone: tzinfo = UTC) -> datetime:
    """A moment; text without an offset, and the midnight that a day begins with, are those of the zone."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=zone).astimezone(UTC)
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            found = datetime.fromisoformat(value)
            return (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        raise EvaluationError(f"{_shown(value)} is not a date and time") from None
    raise EvaluationError(f"{_shown(value)} is not a date and time")


def _date(value: Any, zone: tzinfo = UTC) -> date:
    """A day; that of a moment is the day that it is in the zone."""
    if isinstance(value, datetime):
        try:
            return value.astimezone(zone).date()
        except OverflowError:
            raise EvaluationError("the date is out of range") from None
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise EvaluationError(f"{_shown(value)} is not a date") from None
    raise EvaluationError(f"{_shown(value)} is not a date")


def _is_date(value: Any) -> bool:
    try:
        _date(value)
    except EvaluationError:
        return False
    return True


def _duration(value: Any) -> timedelta:
    found = value if isinstance(value, timedelta) else duration(value) if isinstance(value, str) else None
    if found is None:
        raise EvaluationError(f"{_shown(value)} is not a duration such as `24h`")
    return found


def _shown(value: Any) -> str:
    """What a value is: an error is told to many, and holds no value."""
    return "this text" if isinstance(value, str) else kind(value)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise EvaluationError(f"`{name}` needs text, and this is {kind(value)}")


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return _text(item, "contains") in container
    return any(same(item, other) for other in _list(container, "contains"))


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob.replace("[", "[[]")))


def _glob(text: Any, pattern: Any) -> bool:
    return _pattern(_text(pattern, "glob")).match(_text(text, "glob")) is not None


def _through(*values: Any) -> int:
    """The units of what is gone over as deep as it is."""
    return sum(map(extent, values))


def _along(*values: Any) -> int:
    """The units of what is gone along, whatever its elements are; a loop that is still running counts for itself."""
    return sum(len(value) for value in values if isinstance(value, list | tuple | Mapping))


def _of_glob(text: Any, pattern: Any) -> int:
    if not isinstance(text, str) or not isinstance(pattern, str):
        return 1
    return (1 + len(text) // 10) * (1 + pattern.count("*") + len(pattern) // CHARACTERS) + 5 * len(pattern)


def _of_names(value: Any) -> Any:
    raise EvaluationError("where a value comes from is known in rules only")


def _gives(type_: types.Type) -> Callable[[list[types.Type]], types.Type]:
    return lambda _: type_


_LIST = ((types.ListOf,),)
_WORD = ((types.Text,),)

FUNCTIONS: Mapping[str, Function] = {
    "any": Function(1, 1, _LIST, _gives(types.BOOLEAN), lambda a: any(_truths(a, "any")), _along),
    "all": Function(1, 1, _LIST, _gives(types.BOOLEAN), lambda a: all(_truths(a, "all")), _along),
    "count": Function(1, 1, _LIST, _gives(types.NUMBER), lambda a: sum(_truths(a, "count")), _along),
    "sum": Function(1, 99, ((types.Number, types.ListOf),), _number, _sum, _along),
    "min": Function(1, 99, ((*ORDERED, types.ListOf),), _extreme_of, _extreme("min", min), _along),
    "max": Function(1, 99, ((*ORDERED, types.ListOf),), _extreme_of, _extreme("max", max), _along),
    "len": Function(1, 1, ((types.Text, types.ListOf, types.MapOf, types.Record),), _gives(types.NUMBER), _len),
    "first": Function(1, 1, _LIST, _item, _first),
    "distinct": Function(1, 1, _LIST, lambda a: types.ListOf(_item(a), _bounded(a[0])), _distinct, _through),
    "set": Function(1, 1, _LIST, lambda a: types.SetOf(_item(a)), _set, _through),
    "values": Function(1, 1, ((types.MapOf, types.Record),), _values_of, _values, _along),
    "zip": Function(2, 9, _LIST, lambda a: _pairs([_item([x]) for x in a], any(map(_bounded, a))), _zip, _along),
    "neighbours": Function(1, 1, _LIST, lambda a: _pairs([_item(a), _item(a)], _bounded(a[0])), _neighbours, _along),
    "date": Function(1, 1, (_TEMPORAL,), _gives(types.DATE), _date),
    "datetime": Function(1, 1, (_TEMPORAL,), _gives(types.DATETIME), _datetime),
    "duration": Function(1, 1, ((types.Text, types.Duration),), _gives(types.DURATION), _duration),
    "is_date": Function(1, 1, (), _gives(types.BOOLEAN), _is_date),
    "lower": Function(1, 1, _WORD, _gives(types.TEXT), lambda a: _text(a, "lower").lower(), _through),
    "starts_with": Function(
        2,
        2,
        _WORD,
        _gives(types.BOOLEAN),
        lambda a, b: _text(a, "starts_with").startswith(_text(b, "starts_with")),
        _through,
    ),
    "ends_with": Function(
        2, 2, _WORD, _gives(types.BOOLEAN), lambda a, b: _text(a, "ends_with").endswith(_text(b, "ends_with")), _through
    ),
    "contains": Function(2, 2, ((types.Text, types.ListOf), ()), _gives(types.BOOLEAN), _contains, _through),
    "glob": Function(2, 2, _WORD, _gives(types.BOOLEAN), _glob, _of_glob),
    "is_set": Function(1, 1, (), _gives(types.BOOLEAN), lambda a: a is not None),
    "origin": Function(1, 1, (), _gives(types.Text(frozenset(ORIGINS))), _of_names),
    "said_by_customer": Function(1, 1, (), _gives(types.BOOLEAN), _of_names),
}

# functions that ask where a value comes from: methods of what the names hold under this key
PROVENANCE = "origin()"
CONTEXTUAL = frozenset({"origin", "said_by_customer"})


@lru_cache(maxsize=64)
def functions_in(zone: tzinfo) -> Mapping[str, Callable[..., Any]]:
    """What each function does where days begin in a zone, and moments without an offset are meant in it."""
    placed: Mapping[str, Callable[..., Any]] = {
        "date": partial(_date, zone=zone),
        "datetime": partial(_datetime, zone=zone),
    }
    return {name: placed.get(name, function.run) for name, function in FUNCTIONS.items()}


# functions that stop a loop as soon as they know
LAZY = frozenset({"any", "all"})
