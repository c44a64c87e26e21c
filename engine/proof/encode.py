"""Expressions as formulas: from the same trees that the gate runs, each with whether it has a value at all.

What has no formula is known by its name: its text with all words spelt out, so that equal texts are one unknown.
What is proved with such unknowns holds whatever they are; a counterexample that rests on them is only possible.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy import types as t
from engine.policy.expression import Expression
from engine.policy.naming import written
from engine.policy.rule import Fact, PolicyRules
from engine.policy.schema import of_schema
from engine.policy.syntax import loop_names
from engine.policy.value import digest
from engine.proof import calls
from engine.proof.calls import Turn
from engine.proof.forms import spelt_out
from engine.proof.terms import (
    BOOLEAN,
    DATE,
    DATETIME,
    DAY,
    DURATION,
    GROUPS,
    LIST,
    MAP,
    NO,
    NULL,
    NUMBER,
    OPAQUE,
    RECORD,
    YES,
    Beyond,
    Item,
    Value,
    World,
    as_kind,
    both,
    choose,
    either,
    equal,
    literal,
    no,
)
from engine.session.bundle import Agent, Bundle, Tool

LONGEST_NAME = 160
MOST_UNROLLED = 64


@dataclass(frozen=True, slots=True)
class Read:
    """What an expression gives, and when it has no value."""

    value: Value
    error: Any = NO


class Encoder:
    """Encodes the expressions of one policy, as they are typed for one tool of one agent."""

    def __init__(
        self,
        world: World,
        bundle: Bundle,
        agent: Agent,
        tool: Tool,
        policy: PolicyRules,
        more: Mapping[str, Value] | None = None,
        input_name: str = "input",
    ) -> None:
        """`more` are further names, `input_name` is what the call's input is known by."""
        self.world = world
        self.input_name = input_name
        self.policy = policy
        self._bundle = bundle
        self._agent = agent
        self._tool = tool
        self._more = dict(more or {})
        self._lets: dict[str, Read] = {}
        self._names: dict[str, str] = {}
        self._bound: dict[str, Value] = {}
        self._expression: Expression | None = None

    def read(self, expression: Expression) -> Read:
        """An expression as a formula."""
        return self.within(expression, {})

    def truth(self, expression: Expression) -> tuple[Any, Any]:
        """When a condition holds, and when it has no value."""
        found = self.read(expression)
        return self.truth_of(found)

    def node(self, node: ast.expr) -> Read:
        """One node; what has no formula is known by its name."""
        try:
            return _NODES[type(node)](self, node)
        except Beyond as why:
            if self._mentions_bound(node):
                raise
            return self._opaque(node, str(why))

    def type(self, node: ast.expr) -> t.Type:
        """The type of a node."""
        return self._expression.types.get(id(node), t.UNKNOWN) if self._expression is not None else t.UNKNOWN

    def boolean(self, node: ast.expr) -> tuple[Any, Any]:
        """When a node holds, and when it has no value."""
        return self.truth_of(self.node(node))

    def truth_of(self, read: Read) -> tuple[Any, Any]:
        """When what was read holds, and when it is no boolean."""
        value = as_kind(self.world, read.value, (BOOLEAN,))
        return value.term, either(read.error, value.null)

    # -- by name

    def _opaque(self, node: ast.expr, why: str) -> Read:
        name = self.name_of(node)
        self.world.opaque.setdefault(name, why)
        # what conditions around it have told of it does not hold of the same text elsewhere
        return Read(self.world.symbol(name, _told_apart(self.type(node))), z3.Bool(f"{name} has no value"))

    def name_of(self, node: ast.expr) -> str:
        """The text of a node with all words spelt out; a long one is cut, and told apart by its digest."""
        spelt = ast.unparse(_Spelling(self).visit(copy.deepcopy(node)))
        return spelt if len(spelt) <= LONGEST_NAME else f"{spelt[:LONGEST_NAME]}... {digest(spelt)[:12]}"

    def spelt(self, name: str) -> ast.expr | None:
        """What stands for a word of the policy, wherever it is spelt out; None if it is no such word."""
        policy = self.policy
        if name in policy.lets:
            return _Spelling(self).visit(copy.deepcopy(policy.lets[name].tree))  # type: ignore[no-any-return]
        if name in policy.facts:
            return ast.Name(self.fact_name(policy.facts[name]))
        if name in policy.established:
            return ast.Name(established_name(policy, name))
        return None

    def fact_name(self, fact: Fact) -> str:
        """What a fact is known by: the tool that is read and what it is asked."""
        if fact.name not in self._names:
            asked = [f"{name}={self.name_of(e.tree)}" for name, e in sorted(fact.input.items())]
            each = [f"for {name} in {self.name_of(source.tree)}" for name, source in fact.for_each]
            self._names[fact.name] = f"{fact.tool}({', '.join([*asked, *each])})"
        return self._names[fact.name]

    def _mentions_bound(self, node: ast.expr) -> bool:
        return any(isinstance(n, ast.Name) and n.id in self._bound for n in ast.walk(node))

    # -- leaves

    def _constant(self, node: ast.Constant) -> Read:
        return Read(self.world.constant(node.value))

    def _name(self, node: ast.Name) -> Read:
        name, policy, world = node.id, self.policy, self.world
        if name in self._bound:
            return Read(self._bound[name])
        if name in self._more:
            return Read(self._more[name])
        if name == "params":
            return Read(world.constant(policy.params))
        if name == "input":
            return Read(world.symbol(self.input_name, self.type(node), spelt_out(self._tool.input_schema)))
        if name == "session":
            return Read(world.symbol("session", self.type(node), spelt_out(self._agent.attributes)))
        if name == "call":
            return Read(Value(RECORD, fields=self._call))
        if name in policy.facts:
            return self._fact(policy.facts[name], self.type(node))
        if name in policy.lets:
            return self._let(name)
        if name in policy.established:
            return Read(world.symbol(established_name(policy, name), t.union((policy.established[name].type, t.NULL))))
        return Read(world.symbol(name, self.type(node)))

    def _call(self, name: str) -> Value:
        if name == "name":
            return self.world.constant(self._tool.name)
        return self.world.symbol(f"call.{name}", t.DATETIME if name == "proposed_at" else t.TEXT)

    def _fact(self, fact: Fact, type_: t.Type) -> Read:
        name = self.fact_name(fact)
        tool = self._bundle.tools.get(fact.tool)
        schema = tool.output_schema if tool is not None and not fact.for_each else None
        declared, schema = of_schema(schema) if schema is not None else type_, spelt_out(schema)
        if fact.for_each and self.world.longest is not None:
            return self._facts(fact, name, tool)
        if not fact.for_each and name not in self.world.symbols:
            # what it is asked with is part of what a witness tells
            for asked in fact.input.values():
                self.within(asked, {})
        return Read(self.world.symbol(name, declared, schema), z3.Bool(f"{name} can't be read"))

    def _facts(self, fact: Fact, name: str, tool: Tool | None) -> Read:
        """One read for each combination of the variables, each with its record."""
        schema = tool.output_schema if tool is not None else None
        type_ = of_schema(schema) if schema is not None else t.UNKNOWN
        items: list[Item] = []
        errors: list[Any] = [z3.Bool(f"{name} can't be read")]

        def go(left: list[tuple[str, Expression]], there: Any, variables: dict[str, Value]) -> None:
            if not left:
                result = f"{name}[{len(items)}].{fact.result}"
                output = self.world.symbol(result, type_, spelt_out(schema))
                known = {**variables, fact.result: output}
                items.append(Item(there, Value(RECORD, fields=known.__getitem__)))
                return
            variable, source = left[0]
            found = self.within(source, variables)
            errors.append(both(there, either(found.error, found.value.null)))
            for item in _elements(found.value):
                go(left[1:], both(there, item.there), {**variables, variable: item.value})

        go(list(fact.for_each), YES, {})
        length = z3.Sum([z3.If(item.there, 1, 0) for item in items]) if items else z3.IntVal(0)
        return Read(Value(LIST, items=tuple(items), length=length, loose=True), either(*errors))

    def within(self, expression: Expression, variables: Mapping[str, Value]) -> Read:
        """An expression in which some variables have values."""
        outer, self._expression = self._expression, expression
        bound, self._bound = self._bound, dict(variables)
        try:
            return self.node(expression.tree)
        finally:
            self._expression, self._bound = outer, bound

    def _let(self, name: str) -> Read:
        if name not in self._lets:
            self._lets[name] = self.read(self.policy.lets[name])
        return self._lets[name]

    # -- reaching into values

    def _attribute(self, node: ast.Attribute) -> Read:
        owner = self.node(node.value)
        return self._field(owner, node.attr, node)

    def _field(self, owner: Read, name: str, node: ast.expr) -> Read:
        value, error = owner.value, either(owner.error, owner.value.null)
        if value.kind == RECORD and value.fields is not None:
            return Read(value.fields(name), error)
        if value.kind == NULL:
            return Read(value, YES)
        if value.kind == OPAQUE and value.name:
            return Read(self.world.symbol(f"{value.name}.{name}", self.type(node)), error)
        raise Beyond("a field of what is no object")

    def _subscript(self, node: ast.Subscript) -> Read:
        owner = self.node(node.value)
        index = self._index(node.slice)
        if isinstance(index, str) and owner.value.kind != MAP:
            return self._field(owner, index, node)
        if owner.value.kind == MAP and owner.value.items is not None:
            return _looked_up(self.world, owner, self.node(node.slice))
        if owner.value.kind == LIST and owner.value.items and isinstance(index, int) and index >= 0:
            return _nth(owner, index)
        raise Beyond("one element of a list")

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if written(node) == "call.name":
            return self._tool.name
        return None

    # -- logic

    def _logic(self, node: ast.BoolOp) -> Read:
        conjunction = isinstance(node.op, ast.And)
        value, error = self.boolean(node.values[0])
        for operand in node.values[1:]:
            goes_on = both(no(error), value if conjunction else no(value))
            if z3.is_false(goes_on):
                break
            further, further_error = self.boolean(operand)
            error = either(error, both(goes_on, further_error))
            value = both(value, further) if conjunction else either(value, further)
        return Read(Value(BOOLEAN, term=value), error)

    def _unary(self, node: ast.UnaryOp) -> Read:
        if isinstance(node.op, ast.Not):
            value, error = self.boolean(node.operand)
            return Read(Value(BOOLEAN, term=no(value)), error)
        found = self.node(node.operand)
        value = as_kind(self.world, found.value, (NUMBER, DURATION))
        return Read(Value(value.kind, term=-value.term), either(found.error, value.null))

    def _choice(self, node: ast.IfExp) -> Read:
        test, error = self.boolean(node.test)
        if z3.is_true(test):
            found = self.node(node.body)
            return Read(found.value, either(error, found.error))
        if z3.is_false(test):
            found = self.node(node.orelse)
            return Read(found.value, either(error, found.error))
        one, other = self.node(node.body), self.node(node.orelse)
        value = choose(test, one.value, other.value)
        return Read(value, either(error, both(test, one.error), both(no(test), other.error)))

    # -- comparing and counting

    def _compare(self, node: ast.Compare) -> Read:
        left = self.node(node.left)
        value, error = YES, left.error
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.node(comparator)
            held, wrong = self.compared(op, left, right)
            error = either(error, both(value, either(right.error, wrong)))
            value = both(value, held)
            left = right
        return Read(Value(BOOLEAN, term=value), error)

    def compared(self, op: ast.cmpop, left: Read, right: Read) -> tuple[Any, Any]:
        """When two values compare so, and when they can't be compared."""
        if isinstance(op, ast.Eq | ast.NotEq):
            same = self._groups_equal(left.value, right.value)
            same = equal(self.world, left.value, right.value) if same is None else same
            return (same if isinstance(op, ast.Eq) else no(same)), NO
        if isinstance(op, ast.In | ast.NotIn):
            held = self.member(left.value, right.value)
            return (held if isinstance(op, ast.In) else no(held)), right.value.null
        kinds = (NUMBER, DATE, DATETIME, DURATION)
        known = left.value if right.value.kind == OPAQUE else right.value
        wanted = (known.kind,) if known.kind in kinds else kinds
        one, other = as_kind(self.world, left.value, wanted), as_kind(self.world, right.value, wanted)
        if one.kind != other.kind:
            raise Beyond("an order between two kinds")
        a, b = one.term, other.term
        held = {ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b}[type(op)]
        return held, either(one.null, other.null)

    def member(self, value: Value, among: Value) -> Any:
        """Whether a value is in a list that is short enough, or a group among those that are asked."""
        if among.kind == GROUPS and among.fields is not None:
            known = {text: z3.IntVal(id_) for text, id_ in self.world.texts.items()}
            named = next((text for text, id_ in known.items() if value.term is not None and id_.eq(value.term)), None)
            if named is None:
                raise Beyond("whether a group is asked that is not written out")
            return among.fields(named).term
        if among.kind == MAP and among.items is not None:
            return either(*(both(item.there, equal(self.world, value, _key(item))) for item in among.items))
        if among.kind == LIST and among.items is not None:
            return either(*(both(item.there, equal(self.world, value, item.value)) for item in among.items))
        raise Beyond("whether something is in a long list, a set or a map")

    def _groups_equal(self, one: Value, other: Value) -> Any:
        """Whether the groups that are asked are those of a set that is written out."""
        if GROUPS not in (one.kind, other.kind):
            return None
        raise Beyond("whether sets are equal")

    def _arithmetic(self, node: ast.BinOp) -> Read:
        left, right = self.node(node.left), self.node(node.right)
        error = either(left.error, right.error, left.value.null, right.value.null)
        if left.value.kind == LIST and right.value.kind == LIST and isinstance(node.op, ast.Add):
            return Read(_end_to_end(left.value, right.value), error)
        one, other = self._operands(left.value, right.value)
        kinds = one.kind, other.kind
        if kinds == (NUMBER, NUMBER):
            return Read(Value(NUMBER, term=_counted(node.op, one.term, other.term)), error)
        if isinstance(node.op, ast.Add) and one.kind == DURATION and other.kind in (DATE, DATETIME):
            one, other = other, one
        return _moved(node.op, one, other, error)

    def _operands(self, left: Value, right: Value) -> tuple[Value, Value]:
        kinds = (NUMBER, DURATION, DATE, DATETIME)
        known = left if right.kind == OPAQUE else right
        first = (known.kind if known.kind in kinds else NUMBER, *kinds)
        return as_kind(self.world, left, first), as_kind(self.world, right, first)

    # -- lists

    def _listing(self, node: ast.List | ast.Tuple) -> Read:
        found = [self.node(item) for item in node.elts]
        return Read(literal([one.value for one in found]), either(*(one.error for one in found)))

    def _loop(self, node: ast.ListComp | ast.GeneratorExp) -> Read:
        turns = self.unrolled(node, lambda: self.node(node.elt))
        made = [turn for turn in turns if turn.term is not NO]
        wrong = [both(turn.there, turn.term.error) for turn in made]
        error = either(*(both(turn.there, turn.error) for turn in turns), *wrong)
        items = tuple(Item(turn.there, turn.term.value) for turn in made)
        length = z3.Sum([z3.If(item.there, 1, 0) for item in items]) if items else z3.IntVal(0)
        loose = not all(z3.is_true(item.there) for item in items)
        return Read(Value(LIST, items=items, length=length, loose=loose), error)

    def unrolled(self, node: ast.ListComp | ast.GeneratorExp, inner: Callable[[], Read]) -> list[Turn]:
        """The turns of a loop with what is read in each, and between them what goes wrong on the way."""
        found: list[Turn] = []

        def wrong(there: Any, error: Any) -> None:
            if not z3.is_false(error):
                found.append(Turn(there, NO, error))

        def go(depth: int, there: Any) -> None:
            if len(found) > MOST_UNROLLED:
                raise Beyond("a loop with too many turns")
            if depth == len(node.generators):
                found.append(Turn(there, inner(), NO))
                return
            generator = node.generators[depth]
            source = self.node(generator.iter)
            wrong(there, either(source.error, source.value.null))
            for item in _elements(source.value):
                with self._binding(generator, item.value):
                    here = both(there, item.there)
                    for test in generator.ifs:
                        holds, error = self.boolean(test)
                        wrong(here, error)
                        here = both(here, no(error), holds)
                    go(depth + 1, here)

        go(0, YES)
        return found

    def _binding(self, generator: ast.comprehension, value: Value) -> _Bound:
        names = [name.id for name in loop_names(generator) if isinstance(name, ast.Name)]
        if len(names) == 1:
            return _Bound(self._bound, {names[0]: value})
        if value.kind != LIST or value.items is None or len(value.items) != 2:
            raise Beyond("a loop over pairs")
        return _Bound(self._bound, {name: item.value for name, item in zip(names, value.items, strict=True)})

    def _calling(self, node: ast.Call) -> Read:
        value, error = calls.encode(self, node)
        return Read(value, error)


def established_name(policy: PolicyRules, name: str) -> str:
    """What a value that is learnt is known by."""
    known = policy.established[name]
    told = [(source.call, source.value.text) for source in known.sources]
    return f"{name}@{digest([known.keep_first, told])[:6]}"


class _Bound:
    """Variables of a loop, for the time of one turn."""

    def __init__(self, into: dict[str, Value], values: Mapping[str, Value]) -> None:
        self._into, self._values, self._before = into, values, {}  # type: ignore[var-annotated]

    def __enter__(self) -> None:
        self._before = {name: self._into[name] for name in self._values if name in self._into}
        self._into.update(self._values)

    def __exit__(self, *exc: object) -> None:
        for name in self._values:
            del self._into[name]
        self._into.update(self._before)


class _Spelling(ast.NodeTransformer):
    """Puts what they stand for in the place of words, and the values of params."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A param is its value; everything else as it is."""
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            return ast.Name(f"{self._encoder.policy.params.get(node.attr)!r}")
        if written(node) == "call.name":
            return ast.Constant(self._encoder._tool.name)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """A field that is named in brackets is read as one that is named behind a dot."""
        field = self._encoder._index(node.slice)
        found = self.generic_visit(node)
        if isinstance(field, str) and field.isidentifier() and isinstance(found, ast.Subscript):
            return ast.Attribute(found.value, field)
        return found

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A word of the policy is what it stands for."""
        if node.id == "input":
            return ast.Name(self._encoder.input_name)
        return self._encoder.spelt(node.id) or node


def _told_apart(type_: t.Type) -> t.Type:
    """A type without the constants that it is narrowed to."""
    plain: Mapping[type, t.Type] = {t.Boolean: t.BOOLEAN, t.Number: t.NUMBER, t.Text: t.TEXT}
    return t.union(plain.get(type(option), option) for option in t.options(type_))


def _elements(source: Value) -> Iterator[Item]:
    if source.kind == MAP and source.items is not None:
        yield from (Item(item.there, _key(item)) for item in source.items)
        return
    if source.kind != LIST or source.items is None:
        raise Beyond("a loop over a list whose length is not small")
    yield from source.items


def _key(pair: Item) -> Value:
    assert pair.value.items is not None, "a map's elements are pairs"
    return pair.value.items[0].value


def _looked_up(world: World, owner: Read, key: Read) -> Read:
    """What a map holds under a key; an error where it holds nothing."""
    found: Value | None = None
    there = []
    for item in owner.value.items or ():
        assert item.value.items is not None, "a map's elements are pairs"
        this = both(item.there, equal(world, key.value, _key(item)))
        value = item.value.items[1].value
        found = value if found is None else choose(this, value, found)
        there.append(this)
    if found is None:
        raise Beyond("an element of an empty map")
    return Read(found, either(owner.error, owner.value.null, key.error, no(either(*there))))


def _nth(owner: Read, index: int) -> Read:
    """An element by its place; of a list with gaps only the first that is there."""
    items = owner.value.items or ()
    error = either(owner.error, owner.value.null, owner.value.length <= index)
    if not owner.value.loose:
        if index >= len(items):
            raise Beyond("an element beyond a short list")
        return Read(items[index].value, error)
    if index:
        raise Beyond("a later element of a list with gaps")
    found = items[-1].value
    for item in reversed(items[:-1]):
        found = choose(item.there, item.value, found)
    return Read(found, error)


def _end_to_end(one: Value, other: Value) -> Value:
    if one.items is None or other.items is None:
        raise Beyond("lists end to end")
    loose = one.loose or other.loose or not all(z3.is_true(item.there) for item in one.items)
    return Value(LIST, items=(*one.items, *other.items), length=one.length + other.length, loose=loose)


def _counted(op: ast.operator, one: Any, other: Any) -> Any:
    if isinstance(op, ast.Add):
        return one + other
    if isinstance(op, ast.Sub):
        return one - other
    if isinstance(op, ast.Mult):
        if z3.is_rational_value(z3.simplify(one)) or z3.is_rational_value(z3.simplify(other)):
            return one * other
        raise Beyond("a product of two unknowns")
    raise Beyond("a quotient, which is rounded" if isinstance(op, ast.Div) else "a remainder")


def _moved(op: ast.operator, one: Value, other: Value, error: Any) -> Read:
    """A day, a moment or a duration and a duration, or two of one kind."""
    sign = 1 if isinstance(op, ast.Add) else -1
    if not isinstance(op, ast.Add | ast.Sub):
        raise Beyond("a product of durations")
    if one.kind == other.kind and (one.kind == DURATION or sign < 0):
        scale = DAY if one.kind == DATE else 1
        return Read(Value(DURATION, term=(one.term + sign * other.term) * scale), error)
    if other.kind != DURATION:
        raise Beyond("moments that are added")
    if one.kind == DATETIME:
        return Read(Value(DATETIME, term=one.term + sign * other.term), error)
    # a day moves by whole days
    return Read(Value(DATE, term=one.term + sign * (other.term / DAY)), either(error, other.term % DAY != 0))


_NODES: Mapping[type[ast.expr], Callable[..., Read]] = {
    ast.Constant: Encoder._constant,
    ast.Name: Encoder._name,
    ast.Attribute: Encoder._attribute,
    ast.Subscript: Encoder._subscript,
    ast.BoolOp: Encoder._logic,
    ast.UnaryOp: Encoder._unary,
    ast.IfExp: Encoder._choice,
    ast.Compare: Encoder._compare,
    ast.BinOp: Encoder._arithmetic,
    ast.List: Encoder._listing,
    ast.Tuple: Encoder._listing,
    ast.ListComp: Encoder._loop,
    ast.GeneratorExp: Encoder._loop,
    ast.Call: Encoder._calling,
}
