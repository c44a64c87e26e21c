"""Expressions as formulas: from the same trees that the gate runs, each with whether it has a value at all.

What has no formula is known by its name: its text with all words spelt out, so that equal texts are one unknown.
What is proved with such unknowns holds whatever they are; a counterexample that rests on them is only possible.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language import types
from engine.language.expression import Expression
from engine.language.unparse import to_source
from engine.language.value import digest
from engine.policy.rule import Fact, PolicyRules
from engine.proof.inline_words import Spelling, established_name, session_reading
from engine.proof.operations import Read, counted, end_to_end, key_of, looked_up, moved, nth
from engine.proof.term import (
    BOOLEAN,
    DATE,
    DATETIME,
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
    Term,
    Unencodable,
    both,
    either,
    no,
)
from engine.proof.terms import SymbolTable, as_kind, choose, equal
from engine.spec.bundle import Agent, Bundle, Tool

LONGEST_NAME = 160

Nodes = Mapping[type[ast.expr], Callable[..., Read]]


class Encoder:
    """Encodes the expressions of one policy, as they are typed for one tool of one agent."""

    def __init__(
        self,
        nodes: Nodes,
        world: SymbolTable,
        bundle: Bundle,
        agent: Agent,
        tool: Tool,
        policy: PolicyRules,
        more: Mapping[str, Term] | None = None,
        input_name: str = "input",
    ) -> None:
        """`nodes` encode each kind of node, `more` are further names, `input_name` is what the input is known by."""
        self._nodes = nodes
        self.world = world
        self.input_name = input_name
        self.policy = policy
        self.bundle = bundle
        self.agent = agent
        self.tool = tool
        self.more = dict(more or {})
        self._lets: dict[str, Read] = {}
        self._names: dict[str, str] = {}
        self.bound: dict[str, Term] = {}
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
            read = self._nodes[type(node)](self, node)
            if not self._takes_anything(node):
                return read
            # what is of no one kind may not fit what is done with it, and then there is no value
            if self._mentions_bound(node):
                raise Unencodable("what is of no one kind")
            return Read(read.value, either(read.error, z3.Bool(f"{self.name_of(node)} has no value")))
        except Unencodable as why:
            if self._mentions_bound(node):
                raise
            return self._opaque(node, str(why))

    def _takes_anything(self, node: ast.expr) -> bool:
        """Whether an operator or a function is given what may be of several kinds, or of none that is known."""
        match node:
            case ast.Compare(left=left, comparators=others):
                given = [left, *others]
                if any(isinstance(part, ast.Constant) and part.value is None for part in given):
                    return False
            case ast.BinOp(left=left, right=right):
                given = [left, right]
            case ast.UnaryOp(operand=operand):
                given = [operand]
            case ast.BoolOp(values=values):
                given = list(values)
            case ast.IfExp(test=test):
                given = [test]
            case ast.Call(func=ast.Name(id=name), args=args) if name != "is_set":
                given = [part for part in args if not isinstance(part, ast.GeneratorExp | ast.ListComp)]
            case _:
                return False
        return any(_of_no_one_kind(self.type(part)) for part in given)

    @property
    def session_name(self) -> str:
        """What the session is known by, as the policy reads its attributes."""
        return self.world.read_as("session", session_reading(self.policy))

    @property
    def trust(self) -> str:
        """What is known of whom each tool speaks for."""
        return digest(sorted((tool.name, tool.trust) for tool in self.bundle.tools.values()))[:6]

    def type(self, node: ast.expr) -> types.Type:
        """The type of a node."""
        return (
            self._expression.node_types.get(id(node), types.UNKNOWN) if self._expression is not None else types.UNKNOWN
        )

    def boolean(self, node: ast.expr) -> tuple[Any, Any]:
        """When a node holds, and when it has no value."""
        return self.truth_of(self.node(node))

    def truth_of(self, read: Read) -> tuple[Any, Any]:
        """When what was read holds, and when it is no boolean."""
        value = as_kind(self.world, read.value, (BOOLEAN,))
        return value.term, either(read.error, value.null)

    # -- by name

    def _opaque(self, node: ast.expr, why: str) -> Read:
        zone = self.policy.time.zone
        name = self.name_of(node) + ("" if zone is UTC else f" in {zone}")
        self.world.opaque.setdefault(name, why)
        # what conditions around it have told of it does not hold of the same text elsewhere
        return Read(self.world.symbol(name, _told_apart(self.type(node))), z3.Bool(f"{name} has no value"))

    def name_of(self, node: ast.expr) -> str:
        """The text of a node with all words spelt out; a long one is cut, and told apart by its digest."""
        spelt = ast.unparse(Spelling(self).visit(copy.deepcopy(node)))
        return spelt if len(spelt) <= LONGEST_NAME else f"{spelt[:LONGEST_NAME]}... {digest(spelt)[:12]}"

    def spelt(self, name: str) -> ast.expr | None:
        """What stands for a word of the policy, wherever it is spelt out; None if it is no such word."""
        policy = self.policy
        if name in policy.lets:
            return Spelling(self).visit(copy.deepcopy(policy.lets[name].tree))  # type: ignore[no-any-return]
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
            each += [f"at most {fact.at_most}"] if fact.for_each else []
            self._names[fact.name] = f"{fact.tool}({', '.join([*asked, *each])})"
        return self._names[fact.name]

    def _mentions_bound(self, node: ast.expr) -> bool:
        return any(isinstance(n, ast.Name) and n.id in self.bound for n in ast.walk(node))

    # -- leaves

    def _constant(self, node: ast.Constant) -> Read:
        return Read(self.world.constant(node.value))

    def within(self, expression: Expression, variables: Mapping[str, Term]) -> Read:
        """An expression in which some variables have values."""
        outer, self._expression = self._expression, expression
        bound, self.bound = self.bound, dict(variables)
        try:
            return self.node(expression.tree)
        finally:
            self._expression, self.bound = outer, bound

    def let(self, name: str) -> Read:
        """What a let of the policy stands for."""
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
            # it may be no object, or have no such field
            error = either(error, z3.Bool(f"{value.name} has no {name}"))
            return Read(self.world.symbol(f"{value.name}.{name}", _told_apart(self.type(node))), error)
        raise Unencodable("a field of what is no object")

    def _subscript(self, node: ast.Subscript) -> Read:
        owner = self.node(node.value)
        index = self.index(node.slice)
        of_map = isinstance(types.without_null(self.type(node.value)), types.MapOf)
        if isinstance(index, str) and owner.value.kind != MAP and not of_map:
            return self._field(owner, index, node)
        if owner.value.kind in (MAP, RECORD) and owner.value.items is not None:
            return looked_up(self.world, owner, self.node(node.slice))
        if owner.value.kind == LIST and owner.value.items and isinstance(index, int) and index >= 0:
            return nth(owner, index)
        raise Unencodable("one element of a list")

    def index(self, node: ast.expr) -> Any:
        """The constant that an index is, or None."""
        if isinstance(node, ast.Constant):
            return node.value
        if to_source(node) == "call.name":
            return self.tool.name
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
        return Read(Term(BOOLEAN, term=value), error)

    def _unary(self, node: ast.UnaryOp) -> Read:
        if isinstance(node.op, ast.Not):
            value, error = self.boolean(node.operand)
            return Read(Term(BOOLEAN, term=no(value)), error)
        found = self.node(node.operand)
        value = as_kind(self.world, found.value, (NUMBER, DURATION))
        return Read(Term(value.kind, term=-value.term), either(found.error, value.null))

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
        return Read(Term(BOOLEAN, term=value), error)

    def compared(self, op: ast.cmpop, left: Read, right: Read) -> tuple[Any, Any]:
        """When two values compare so, and when they can't be compared."""
        if isinstance(op, ast.Eq | ast.NotEq):
            if GROUPS in (left.value.kind, right.value.kind):
                raise Unencodable("whether sets are equal")
            same = equal(self.world, left.value, right.value)
            return (same if isinstance(op, ast.Eq) else no(same)), NO
        if isinstance(op, ast.In | ast.NotIn):
            held = self.member(left.value, right.value)
            return (held if isinstance(op, ast.In) else no(held)), right.value.null
        kinds = (NUMBER, DATE, DATETIME, DURATION)
        known = left.value if right.value.kind == OPAQUE else right.value
        wanted = (known.kind,) if known.kind in kinds else kinds
        one, other = as_kind(self.world, left.value, wanted), as_kind(self.world, right.value, wanted)
        if one.kind != other.kind:
            raise Unencodable("an order between two kinds")
        a, b = one.term, other.term
        held = {ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b}[type(op)]
        return held, either(one.null, other.null)

    def member(self, value: Term, among: Term) -> Any:
        """Whether a value is in a list that is short enough, or a group among those that are asked."""
        if among.kind == GROUPS and among.fields is not None:
            known = {text: z3.IntVal(id_) for text, id_ in self.world.texts.items()}
            named = next((text for text, id_ in known.items() if value.term is not None and id_.eq(value.term)), None)
            if named is None:
                raise Unencodable("whether a group is asked that is not written out")
            return among.fields(named).term
        if among.kind == MAP and among.items is not None:
            return either(*(both(item.there, equal(self.world, value, key_of(item))) for item in among.items))
        if among.kind == LIST and among.items is not None:
            return either(*(both(item.there, equal(self.world, value, item.value)) for item in among.items))
        raise Unencodable("whether something is in a long list, a set or a map")

    def _arithmetic(self, node: ast.BinOp) -> Read:
        left, right = self.node(node.left), self.node(node.right)
        error = either(left.error, right.error, left.value.null, right.value.null)
        if left.value.kind == LIST and right.value.kind == LIST and isinstance(node.op, ast.Add):
            return Read(end_to_end(left.value, right.value), error)
        one, other = self._operands(left.value, right.value)
        kinds = one.kind, other.kind
        if kinds == (NUMBER, NUMBER):
            return Read(Term(NUMBER, term=counted(node.op, one.term, other.term)), error)
        if isinstance(node.op, ast.Add) and one.kind == DURATION and other.kind in (DATE, DATETIME):
            one, other = other, one
        return moved(node.op, one, other, error)

    def _operands(self, left: Term, right: Term) -> tuple[Term, Term]:
        kinds = (NUMBER, DURATION, DATE, DATETIME)
        known = left if right.kind == OPAQUE else right
        first = (known.kind if known.kind in kinds else NUMBER, *kinds)
        return as_kind(self.world, left, first), as_kind(self.world, right, first)


def _of_no_one_kind(type_: types.Type) -> bool:
    kinds = {type(option) for option in types.options(types.without_null(type_))}
    return len(kinds) > 1 or types.Unknown in kinds


def _told_apart(type_: types.Type) -> types.Type:
    """A type without the constants that it is narrowed to."""
    plain: Mapping[type, types.Type] = {
        types.Boolean: types.BOOLEAN,
        types.Number: types.NUMBER,
        types.Text: types.TEXT,
    }
    return types.union(plain.get(type(option), option) for option in types.options(type_))


# what stands in an expression beside names, lists, loops and calls, which `node_table` adds
OPERATIONS: Nodes = {
    ast.Constant: Encoder._constant,
    ast.Attribute: Encoder._attribute,
    ast.Subscript: Encoder._subscript,
    ast.BoolOp: Encoder._logic,
    ast.UnaryOp: Encoder._unary,
    ast.IfExp: Encoder._choice,
    ast.Compare: Encoder._compare,
    ast.BinOp: Encoder._arithmetic,
}
