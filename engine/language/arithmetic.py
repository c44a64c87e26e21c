"""What the operators do: exact decimals, dates and durations, and equality that never guesses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException
from typing import Any

from engine.language.value import NotJson, exact

_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
_DIVISION = Context(prec=28, rounding=ROUND_HALF_EVEN)


class EvaluationError(Exception):
    """An expression that has no value for these facts; a rule's `when` that raises it fails closed."""


def kind(value: Any) -> str:
    """What a value is, in the user's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | Decimal():
            return "a number"
        case str():
            return "text"
        case datetime():
            return "a date and time"
        case date():
            return "a date"
        case timedelta():
            return "a duration"
        case frozenset():
            return "a set"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal; null equals only null; raises EvaluationError on unlike kinds."""
    if a is None or b is None:
        return a is b
    if kind(a) != kind(b):
        raise EvaluationError(f"{kind(a)} can't be compared with {kind(b)}")
    return same(a, b)


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same, unlike kinds being different."""
    if kind(a) != kind(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(item, b[key]) for key, item in a.items())
    return bool(a == b)


def hashed(value: Any) -> Any:
    """A key that two values share if they are the same (see `same`), to find one among many at once."""
    if isinstance(value, list | tuple):
        return ("a list", *map(hashed, value))
    if isinstance(value, Mapping):
        return ("an object", frozenset((key, hashed(item)) for key, item in value.items()))
    return kind(value), value


def order(a: Any, b: Any) -> int:
    """-1, 0 or 1 as `a` is below, equal to or above `b`; raises EvaluationError where no order exists."""
    if kind(a) != kind(b):
        raise EvaluationError(f"{kind(a)} can't be compared with {kind(b)}")
    if a is None or isinstance(a, bool | list | tuple | Mapping | frozenset):
        raise EvaluationError(f"{kind(a)} has no order")
    return int(a > b) - int(a < b)


def member(item: Any, container: Any) -> bool:
    """Whether a list or set holds the item, or a map has it as a key."""
    if isinstance(container, frozenset):
        return hashed(item) in container
    if isinstance(container, list | tuple):
        return any(same(item, other) for other in container)
    if isinstance(container, Mapping):
        return isinstance(item, str) and item in container
    raise EvaluationError(f"`in` needs a list, a set or a map, and this is {kind(container)}")


def add(a: Any, b: Any) -> Any:
    """Numbers, durations, a date or moment and a duration, or lists end to end."""
    if _numbers(a, b):
        return _exactly(_EXACT.add, a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return [*a, *b]
    if isinstance(a, timedelta) and isinstance(b, date):
        a, b = b, a
    if isinstance(a, date | timedelta) and isinstance(b, timedelta):
        _need_whole_days(a, b)
        return _in_range(lambda: a + b)
    raise EvaluationError(f"{kind(a)} and {kind(b)} can't be added")


def subtract(a: Any, b: Any) -> Any:
    """Numbers, durations, two moments of one kind, or a moment less a duration."""
    if _numbers(a, b):
        return _exactly(_EXACT.subtract, a, b)
    if isinstance(a, date | timedelta) and isinstance(b, timedelta):
        _need_whole_days(a, b)
        return _in_range(lambda: a - b)
    if isinstance(a, date) and isinstance(b, date) and kind(a) == kind(b):
        return a - b
    raise EvaluationError(f"{kind(b)} can't be subtracted from {kind(a)}")


def total(numbers: Iterable[Any]) -> Any:
    """The exact sum of numbers; of none it is 0."""
    found: Any = 0
    for number in numbers:
        found = add(found, number)
    return found


def multiply(a: Any, b: Any) -> Any:
    """The exact product of two numbers."""
    _need_numbers(a, b, "multiplied")
    return _exactly(_EXACT.multiply, a, b)


def divide(a: Any, b: Any) -> Any:
    """The quotient to 28 digits, half even; dividing by zero is an error."""
    _need_numbers(a, b, "divided")
    if b == 0:
        raise EvaluationError("division by zero")
    return _exactly(_DIVISION.divide, a, b)


def modulo(a: Any, b: Any) -> Any:
    """The remainder, with the divisor's sign."""
    _need_numbers(a, b, "divided")
    if b == 0:
        raise EvaluationError("division by zero")
    rest = Decimal(_exactly(_EXACT.remainder, a, b))
    return exact(rest + Decimal(b) if rest and (rest < 0) != (b < 0) else rest)


def negative(a: Any) -> Any:
    """The number or duration with the other sign."""
    if isinstance(a, timedelta) or _numbers(a, a):
        return -a
    raise EvaluationError(f"{kind(a)} has no negative")


def is_number(value: Any) -> bool:
    """Whether a value is a number, booleans aside."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _numbers(a: Any, b: Any) -> bool:
    return is_number(a) and is_number(b)


def _need_numbers(a: Any, b: Any, verb: str) -> None:
    if not _numbers(a, b):
        raise EvaluationError(f"{kind(a)} and {kind(b)} can't be {verb}")


def _need_whole_days(a: Any, span: timedelta) -> None:
    if isinstance(a, date) and not isinstance(a, datetime) and span % timedelta(days=1):
        raise EvaluationError("a date moves by whole days; use `datetime(...)` for hours")


def _exactly(operation: Any, a: Any, b: Any) -> Any:
    try:
        return exact(operation(Decimal(a), Decimal(b)))
    except (NotJson, DecimalException) as error:
        raise EvaluationError(f"the result is out of range: {error}") from None


def _in_range(operation: Any) -> Any:
    try:
        return operation()
    except OverflowError:
        raise EvaluationError("the date is out of range") from None
