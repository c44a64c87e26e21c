"""The language's functions as formulas."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language.arithmetic import EvaluationError
from engine.language.functions import CONTEXTUAL, functions_in
from engine.proof.encode import Encoder
from engine.proof.loops import unrolled
from engine.proof.operations import Read
from engine.proof.term import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    LIST,
    MAP,
    NO,
    NUMBER,
    OPAQUE,
    RECORD,
    TEXT,
    YES,
    ListItem,
    Term,
    Unencodable,
    both,
    either,
    no,
)
from engine.proof.terms import DAY, EPOCH, MICRO, as_kind, equal, literal
from engine.proof.turns import Turn

Formula = tuple[Term, Any]


def encode(of: Encoder, node: ast.Call) -> Formula:
    """What a call gives, and when it has no value."""
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    if name == "record":
        found = {k.arg: of.node(k.value) for k in node.keywords if k.arg}
        values = {key: read.value for key, read in found.items()}
        return Term(RECORD, fields=values.__getitem__), either(*(read.error for read in found.values()))
    if name in CONTEXTUAL:
        raise Unencodable("where a value comes from")
    if name in ("any", "all", "count", "sum") and isinstance(node.args[0], ast.GeneratorExp | ast.ListComp):
        return _over_loop(of, name, node.args[0])
    reads = [of.node(argument) for argument in node.args]
    error = either(*(read.error for read in reads))
    if name == "is_set":
        return Term(BOOLEAN, term=no(reads[0].value.null)), error
    if name not in _FUNCTIONS:
        raise Unencodable(f"what `{name}` gives")
    value, wrong = _FUNCTIONS[name](of, node, reads)
    return value, either(error, wrong)


def _over_loop(of: Encoder, name: str, loop: ast.GeneratorExp | ast.ListComp) -> Formula:
    parts = _in_parts(loop)
    if parts is not None:
        return _of_parts(of, name, parts)
    turns = unrolled(of, loop, lambda: of.node(loop.elt))
    if name == "sum":
        return _total([turn.map(lambda read: _number(of, read)) for turn in turns])
    truths = [turn.map(of.truth_of) for turn in turns]
    return _of_truths(name, truths, stops=isinstance(loop, ast.GeneratorExp))


def _in_parts(loop: ast.GeneratorExp | ast.ListComp) -> tuple[ast.expr, ast.expr] | None:
    """A loop over two lists end to end as a loop over each; None if it is none, or makes a list first."""
    first = loop.generators[0]
    if len(loop.generators) > 1 or not isinstance(loop, ast.GeneratorExp) or not isinstance(first.iter, ast.BinOp):
        return None
    if not isinstance(first.iter.op, ast.Add):
        return None
    sides = first.iter.left, first.iter.right
    one, other = (
        ast.copy_location(
            ast.GeneratorExp(loop.elt, [ast.comprehension(first.target, side, first.ifs, first.is_async)]), loop
        )
        for side in sides
    )
    return one, other


def _of_parts(of: Encoder, name: str, parts: tuple[ast.expr, ast.expr]) -> Formula:
    """What a loop over each of two lists comes to together; the second is not looked at once the first decides."""
    one, other = (of.node(ast.Call(ast.Name(name), [part], [])) for part in parts)
    # both lists are read before the loop begins
    lists = [of.node(part.generators[0].iter) for part in parts if isinstance(part, ast.GeneratorExp)]
    unread = either(*(either(read.error, read.value.null) for read in lists))
    if name in ("count", "sum"):
        a, b = (as_kind(of.world, read.value, (NUMBER,)) for read in (one, other))
        return Term(NUMBER, term=a.term + b.term), either(one.error, other.error, unread)
    first, wrong = of.truth_of(one)
    second, also = of.truth_of(other)
    if name == "any":
        return Term(BOOLEAN, term=either(first, second)), either(wrong, both(no(first), also), unread)
    return Term(BOOLEAN, term=both(first, second)), either(wrong, both(first, also), unread)


def _of_truths(name: str, turns: list[Turn], *, stops: bool) -> Formula:
    """`any`, `all` and `count`; the first two look no further once they know, unless the list is made before."""
    known, wrong, number = NO, NO, []
    for turn in turns:
        if name == "count" or not stops:
            wrong = either(wrong, both(turn.there, turn.error))
        else:
            wrong = either(wrong, both(turn.there, turn.error, no(known)))
        if turn.term is None:
            continue
        number.append(z3.If(both(turn.there, turn.term), 1, 0))
        decides = turn.term if name == "any" else no(turn.term)
        known = either(known, both(turn.there, decides, no(turn.error)))
    if name == "count":
        return Term(NUMBER, term=z3.ToReal(z3.Sum(number)) if number else z3.RealVal(0)), wrong
    return Term(BOOLEAN, term=known if name == "any" else no(known)), wrong


def _total(turns: list[Turn]) -> Formula:
    terms = [z3.If(turn.there, turn.term, 0) for turn in turns if turn.term is not None]
    wrong = either(*(both(turn.there, turn.error) for turn in turns))
    return Term(NUMBER, term=z3.Sum(terms) if terms else z3.RealVal(0)), wrong


def _number(of: Encoder, read: Read) -> tuple[Any, Any]:
    value = as_kind(of.world, read.value, (NUMBER,))
    return value.term, either(read.error, value.null)


def _truths_of_list(name: str) -> Callable[..., Formula]:
    def encoded(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
        value = reads[0].value
        if value.kind != LIST or value.items is None:
            raise Unencodable(f"`{name}` of a long list")
        truths = []
        for item in value.items:
            truth = as_kind(of.world, item.value, (BOOLEAN,))
            truths.append(Turn(item.there, truth.term, truth.null))
        found, wrong = _of_truths(name, truths, stops=True)
        return found, either(value.null, wrong)

    return encoded


def _sum(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    numbers = [(there, as_kind(of.world, value, (NUMBER,))) for there, value in _spread(reads)]
    found, wrong = _total([Turn(there, value.term, value.null) for there, value in numbers])
    return found, either(wrong, *(read.value.null for read in reads if read.value.kind == LIST))


def _extreme(pick: Callable[[Any, Any], Any]) -> Callable[..., Formula]:
    def encoded(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
        values = _spread(reads)
        if not values or not all(z3.is_true(there) for there, _ in values):
            raise Unencodable("the least or greatest of a list that may be empty")
        kinds = (NUMBER, DATE, DATETIME, DURATION)
        known = next((value.kind for _, value in values if value.kind in kinds), NUMBER)
        terms = [as_kind(of.world, value, (known,)) for _, value in values]
        found = terms[0].term
        for term in terms[1:]:
            found = z3.If(pick(found, term.term), found, term.term)
        return Term(known, term=found), either(*(term.null for term in terms))

    return encoded


def _spread(reads: list[Read]) -> list[tuple[Any, Term]]:
    """The arguments, or what the only one of them holds."""
    if len(reads) == 1 and reads[0].value.kind == LIST:
        if reads[0].value.items is None:
            raise Unencodable("all of a long list")
        return [(item.there, item.value) for item in reads[0].value.items]
    if len(reads) == 1 and reads[0].value.kind == OPAQUE:
        raise Unencodable("all of a long list")
    return [(YES, read.value) for read in reads]


def _len(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind in (LIST, MAP):
        return Term(NUMBER, term=z3.ToReal(value.length)), value.null
    if value.kind == TEXT:
        return Term(NUMBER, term=z3.ToReal(of.world.length_of_text(value.term))), value.null
    raise Unencodable("how many fields an object has")


def _first(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind != LIST or not value.items or value.loose:
        raise Unencodable("the first of a long list")
    return value.items[0].value, either(value.null, value.length <= 0)


def _values(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind != MAP or value.items is None:
        raise Unencodable("the values of a map")
    items = [ListItem(item.there, item.value.items[1].value) for item in value.items if item.value.items]
    return Term(LIST, items=tuple(items), length=value.length), value.null


def _distinct(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind != LIST or value.items is None:
        raise Unencodable("what is distinct in a long list")
    items: list[ListItem] = []
    for at, item in enumerate(value.items):
        before = [both(other.there, equal(of.world, other.value, item.value)) for other in value.items[:at]]
        items.append(ListItem(both(item.there, no(either(*before))), item.value))
    length = z3.Sum([z3.If(item.there, 1, 0) for item in items]) if items else z3.IntVal(0)
    return Term(LIST, items=tuple(items), length=length, loose=True), value.null


def _zip(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    lists = [read.value for read in reads]
    if any(one.kind != LIST or one.items is None or one.loose for one in lists):
        raise Unencodable("what `zip` gives")
    shortest = min(len(one.items or ()) for one in lists)
    rows = []
    for at in range(shortest):
        parts = [one.items[at] for one in lists if one.items is not None]
        rows.append(ListItem(parts[0].there, literal([part.value for part in parts])))
    unequal = [lists[0].length != one.length for one in lists[1:]]
    wrong = either(*unequal, *(one.null for one in lists))
    return Term(LIST, items=tuple(rows), length=lists[0].length), wrong


def _neighbours(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind != LIST or value.items is None or value.loose:
        raise Unencodable("what `neighbours` gives")
    pairs = zip(value.items, value.items[1:], strict=False)
    items = [ListItem(second.there, literal([first.value, second.value])) for first, second in pairs]
    length = z3.If(value.length > 0, value.length - 1, 0)
    return Term(LIST, items=tuple(items), length=length), value.null


def _lower(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = as_kind(of.world, reads[0].value, (TEXT,))
    lower = of.world.function("lower", str.lower, z3.IntSort())
    return Term(TEXT, term=lower(value.term)), value.null


def _predicate(name: str) -> Callable[..., Formula]:
    """What a text is asked with another that is written out."""

    def encoded(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
        pattern = node.args[1]
        if not isinstance(pattern, ast.Constant) or not isinstance(pattern.value, str):
            raise Unencodable(f"`{name}` with what is not written out")
        if reads[0].value.kind == LIST:
            return Term(BOOLEAN, term=of.member(reads[1].value, reads[0].value)), reads[0].value.null
        value = as_kind(of.world, reads[0].value, (TEXT,))
        run = functions_in(_zone(of))[name]
        asked = of.world.function(
            f"{name}(_, {pattern.value!r})", lambda text: z3.BoolVal(run(text, pattern.value)), z3.BoolSort()
        )
        return Term(BOOLEAN, term=asked(value.term)), value.null

    return encoded


def _zone(of: Encoder) -> Any:
    return of.policy.time.zone


def _offset(of: Encoder) -> int:
    offset = _zone(of).utcoffset(EPOCH)
    return int(offset // MICRO)


def _date(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind == DATETIME:
        return Term(DATE, term=(value.term + _offset(of)) / DAY), value.null
    if value.kind == DATE:
        return value, value.null
    text = as_kind(of.world, value, (TEXT,))
    days = of.world.function(_named(of, "date"), lambda s: _days(_parsed(of, "date", s)), z3.IntSort())
    is_one = of.world.function(
        _named(of, "is a date"), lambda s: z3.BoolVal(_parsed(of, "date", s) is not None), z3.BoolSort()
    )
    return Term(DATE, term=days(text.term)), either(text.null, no(is_one(text.term)))


def _datetime(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    return moment_of(of, reads[0].value)


def moment_of(of: Encoder, value: Term) -> Formula:
    """A value as a moment, and when it is none."""
    if value.kind == DATETIME:
        return value, value.null
    if value.kind == DATE:
        return Term(DATETIME, term=value.term * DAY - _offset(of)), value.null
    text = as_kind(of.world, value, (TEXT,))
    moment = of.world.function(_named(of, "datetime"), lambda s: _micros(_parsed(of, "datetime", s)), z3.IntSort())
    is_one = of.world.function(
        _named(of, "is a moment"), lambda s: z3.BoolVal(_parsed(of, "datetime", s) is not None), z3.BoolSort()
    )
    if _zone(of) is UTC and of.world.has_format(text.term, "date"):
        # a day that is read as a moment is its midnight
        of.world.always.append(moment(text.term) % DAY == 0)
    return Term(DATETIME, term=moment(text.term)), either(text.null, no(is_one(text.term)))


def _duration(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind == DURATION:
        return value, value.null
    argument = node.args[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        found = _parsed(of, "duration", argument.value)
        if found is not None:
            return of.world.constant(found), NO
    raise Unencodable("a duration that is not written out")


def _is_date(of: Encoder, node: ast.Call, reads: list[Read]) -> Formula:
    value = reads[0].value
    if value.kind in (DATE, DATETIME):
        return Term(BOOLEAN, term=no(value.null)), NO
    if value.kind != TEXT:
        raise Unencodable("whether something is a date")
    is_one = of.world.function(
        _named(of, "is a date"), lambda s: z3.BoolVal(_parsed(of, "date", s) is not None), z3.BoolSort()
    )
    return Term(BOOLEAN, term=both(no(value.null), is_one(value.term))), NO


def _named(of: Encoder, function: str) -> str:
    """A function whose values depend on the zone that days begin in."""
    zone = _zone(of)
    return function if zone is UTC else f"{function} in {zone}"


def _parsed(of: Encoder, name: str, text: str) -> Any:
    try:
        return functions_in(_zone(of))[name](text)
    except EvaluationError:
        return None


def _days(day: date | None) -> Any:
    return None if day is None else z3.IntVal((day - EPOCH.date()).days)


def _micros(moment: datetime | None) -> Any:
    return None if moment is None else z3.IntVal((moment - EPOCH) // MICRO)


_FUNCTIONS: Mapping[str, Callable[..., Formula]] = {
    "any": _truths_of_list("any"),
    "all": _truths_of_list("all"),
    "count": _truths_of_list("count"),
    "sum": _sum,
    "min": _extreme(lambda a, b: a <= b),
    "max": _extreme(lambda a, b: a >= b),
    "len": _len,
    "first": _first,
    "values": _values,
    "distinct": _distinct,
    "zip": _zip,
    "neighbours": _neighbours,
    "lower": _lower,
    "contains": _predicate("contains"),
    "starts_with": _predicate("starts_with"),
    "ends_with": _predicate("ends_with"),
    "glob": _predicate("glob"),
    "date": _date,
    "datetime": _datetime,
    "duration": _duration,
    "is_date": _is_date,
}
