"""Types an expression against the schemas, before it ever runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from engine.language import types
from engine.language.enums import Enums
from engine.language.function_types import type_of_call
from engine.language.functions import FUNCTIONS
from engine.language.membership import check_membership, of_row
from engine.language.mismatch import adding, fitting
from engine.language.missing_quotes import alone, compared
from engine.language.narrow import Narrowing, path
from engine.language.operators import element, part, result
from engine.language.suggestions import UnquotedWord, for_field, for_name, for_part
from engine.language.syntax import Kind, Problem, loop_names, span
from engine.language.type_context import NOTHING, TypeContext
from engine.language.unparse import ELSEWHERE, to_source


@dataclass(frozen=True, slots=True)
class TypeReport:
    """The type of an expression, what is wrong with it, its reads of optional fields, and what it tells.

    `types` are those of all its nodes, by their identity.
    """

    type: types.Type
    problems: tuple[Problem, ...]
    optional: frozenset[tuple[int, int]]
    if_true: Mapping[str, types.Type]
    if_false: Mapping[str, types.Type]
    node_types: Mapping[int, types.Type]


def check(
    tree: ast.expr,
    scope: Mapping[str, types.Type],
    around: TypeContext = NOTHING,
) -> TypeReport:
    """Type an expression where it stands."""
    checker = _Checker(scope, around.refinements, around)
    checker.unquoted |= {} if around.in_text else alone(tree, scope)
    found = checker.type(tree)
    narrow = checker.narrow
    return TypeReport(
        found,
        tuple(checker.problems),
        frozenset(checker.optional),
        narrow.assume(tree, True, checker.known),
        narrow.assume(tree, False, checker.known),
        checker.node_types,
    )


class _Checker:
    def __init__(self, scope: Mapping[str, types.Type], known: Mapping[str, types.Type], around: TypeContext) -> None:
        self.scope = scope
        self.around = around
        self.known = known
        self.problems: list[Problem] = []
        self.optional: set[tuple[int, int]] = set()
        self.node_types: dict[int, types.Type] = {}
        self.unquoted: dict[int, UnquotedWord] = {}
        self.narrow = Narrowing(self.quietly, around.lets)
        self.enums = Enums(self.quietly, self.say)

    def type(self, node: ast.expr) -> types.Type:
        found = _RULES[type(node)](self, node)
        name = path(node)
        if name is not None:
            found = self.known.get(name, found)
        self.node_types[id(node)] = found
        return found

    def quietly(self, node: ast.expr, known: Mapping[str, types.Type]) -> types.Type:
        """The type of a node under refinements, without a word about what is wrong."""
        return _Checker(self.scope, known, self.around).type(node)

    @contextmanager
    def under(self, refined: Mapping[str, types.Type]) -> Iterator[None]:
        """Inside, more is known."""
        outer = self.known
        self.known = {**outer, **refined}
        try:
            yield
        finally:
            self.known = outer

    def not_null(self, node: ast.expr, found: types.Type) -> types.Type:
        """The type of what is used here; saying so where it may be null."""
        if not types.has_null(found):
            return found
        text = to_source(node)
        if found == types.NULL:
            return self.say(Kind.NULL, node, f"`{text}` is null here")
        help_ = f"test it first: `{text} != null and ...`"
        self.say(Kind.NULL, node, f"`{text}` may be null here", help_)
        return types.without_null(found)

    def say(
        self, kind: Kind, node: ast.AST | tuple[int, int], message: str, help_: str = "", *, on_entry: bool = False
    ) -> types.Type:
        start, end = node if isinstance(node, tuple) else span(node)
        self.problems.append(Problem(kind, start, end, message, help_, on_entry))
        return types.UNKNOWN

    def boolean(self, node: ast.expr, what: str, help_: str = "") -> None:
        found = self.type(node)
        if found == types.NULL or not types.only(found, types.Boolean):
            self.say(Kind.OPERAND, node, f"{what} must be a boolean, and this is {types.name(found)}", help_)
        else:
            self.not_null(node, found)

    # -- leaves

    def constant(self, node: ast.Constant) -> types.Type:
        return types.of_value(node.value)

    def name(self, node: ast.Name) -> types.Type:
        if node.id in self.scope:
            return self.scope[node.id]
        if node.id in ELSEWHERE:
            return self.say(Kind.OPERAND, node, f"`{node.id}` has a value in {ELSEWHERE[node.id]} only")
        if node.id in FUNCTIONS:
            return self.say(Kind.NAME, node, f"`{node.id}` is a function and has to be called")
        why = self.around.others.get(node.id)
        if why:
            return self.say(Kind.NAME, node, why)
        help_ = for_name(node.id, self.scope, self.around.others, self.unquoted.get(id(node)))
        return self.say(Kind.NAME, node, f"name `{node.id}` is not defined", help_)

    # -- reaching into values

    def attribute(self, node: ast.Attribute) -> types.Type:
        owner = self.not_null(node.value, self.type(node.value))
        end = span(node)[1]
        return self.field(owner, node.attr, (end - len(node.attr), end), node)

    def field(self, owner: types.Type, attr: str, at: tuple[int, int], node: ast.expr) -> types.Type:
        found: list[types.Type] = []
        missing: list[types.Record] = []
        for option in types.options(owner):
            if isinstance(option, types.Unknown | types.Never):
                found.append(types.UNKNOWN)
            elif isinstance(option, types.MapOf):
                found.append(option.value)
                if isinstance(node, ast.Attribute):
                    message = f"`{to_source(node.value)}` is a map, whose keys are data: it has no field `{attr}`"
                    self.say(
                        Kind.FIELD, at, message, f"read a key with `{to_source(node.value)}['{attr}']`", on_entry=True
                    )
            elif isinstance(option, types.Record) and attr in option.fields:
                found.append(self.declared(option.fields[attr], node))
            elif isinstance(option, types.Record) and option.rest is not None:
                found.append(self.declared(types.Field(option.rest, optional=True), node))
            elif isinstance(option, types.Record):
                missing.append(option)
        if found and missing:
            forms = f"{len(missing)} of the {len(types.options(owner))} forms of this have no `{attr}`"
            self.say(Kind.UNION, at, forms, "test the field that tells the forms apart first")
        if found:
            if not types.only(owner, types.MapOf, types.Record):
                message = f"`{attr}` is read from {types.name(owner)}, which may have no fields"
                self.say(Kind.OPERAND, at, message, on_entry=True)
            return types.union(found)
        if not missing:
            message = f"`{attr}` is read from {types.name(owner)}, which has no fields"
            parent = node.value if isinstance(node, ast.Attribute) else None
            return self.say(Kind.OPERAND, at, message, for_part(to_source(parent), attr) if parent is not None else "")
        return self.missing(missing, attr, at, node)

    def declared(self, declared: types.Field, node: ast.expr) -> types.Type:
        if declared.optional:
            self.optional.add(span(node))
        return declared.read

    def missing(self, records: list[types.Record], attr: str, at: tuple[int, int], node: ast.expr) -> types.Type:
        noun = records[0].noun
        known = {name for record in records for name in record.fields}
        kind = {"param": Kind.PARAM, "tool": Kind.TOOL}.get(noun, Kind.FIELD)
        owner = to_source(node.value) if isinstance(node, ast.Attribute | ast.Subscript) else "this"
        message = f"`{owner}` has no field `{attr}`" if noun == "field" else f"{noun} `{attr}` is not defined"
        return self.say(kind, at, message, for_field(owner, attr, known, self.scope))

    def subscript(self, node: ast.Subscript) -> types.Type:
        owner = self.not_null(node.value, self.type(node.value))
        if (
            isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
            and types.is_a(owner, types.Record)
        ):
            start, end = span(node.slice)
            return self.field(owner, node.slice.value, (start + 1, end - 1), node)
        index = self.not_null(node.slice, self.type(node.slice))
        self.enums.table(owner, index, node)
        found = [found for option in types.options(owner) if (found := element(option, index)) is not None]
        if any(f.optional for o in types.options(owner) if isinstance(o, types.Record) for f in o.fields.values()):
            self.optional.add(span(node))
        if found:
            if not all(element(o, i) for o in types.options(owner) for i in types.options(index)):
                message = f"this may be {types.name(owner)}, of which not all can be indexed by {types.name(index)}"
                self.say(Kind.OPERAND, node.value, message, on_entry=True)
            return types.union(found)
        if types.is_a(owner, types.ListOf):
            return self.say(Kind.OPERAND, node.slice, f"a list is indexed by a number, and this is {types.name(index)}")
        if types.is_a(owner, types.MapOf, types.Record):
            return self.say(Kind.OPERAND, node.slice, f"an object is indexed by text, and this is {types.name(index)}")
        return self.say(Kind.OPERAND, node.value, f"{types.name(owner)} can't be indexed")

    # -- logic

    def logic(self, node: ast.BoolOp) -> types.Type:
        both = isinstance(node.op, ast.And)
        outer = self.known
        for operand in node.values:
            if self.dead():
                self.unreached(operand)
                continue
            self.boolean(operand, f"each side of `{'and' if both else 'or'}`", of_row(node.values, alike=not both))
            self.known = {**self.known, **self.narrow.assume(operand, both, self.known)}
        self.known = outer
        return types.BOOLEAN

    def unary(self, node: ast.UnaryOp) -> types.Type:
        if isinstance(node.op, ast.Not):
            self.boolean(node.operand, "what follows `not`")
            return types.BOOLEAN
        found = self.not_null(node.operand, self.type(node.operand))
        if not types.is_a(found, types.Number, types.Duration):
            return self.say(Kind.OPERAND, node, f"{types.name(found)} has no negative")
        if not types.only(found, types.Number, types.Duration):
            self.say(Kind.OPERAND, node, f"this may be {types.name(found)}, which has no negative", on_entry=True)
        return types.union(types.Number(o.unit) if isinstance(o, types.Number) else o for o in types.options(found))

    def choice(self, node: ast.IfExp) -> types.Type:
        self.boolean(node.test, "what follows `if`")
        with self.under(self.narrow.assume(node.test, True, self.known)):
            body = self.unreached(node.body) if self.dead() else self.type(node.body)
        with self.under(self.narrow.assume(node.test, False, self.known)):
            other = self.unreached(node.orelse) if self.dead() else self.type(node.orelse)
        return types.union((body, other))

    def dead(self) -> bool:
        """Whether what is known here can't be: a branch for another tool, or another value."""
        return types.NEVER in self.known.values()

    def unreached(self, node: ast.expr) -> types.Type:
        """The type of what is never evaluated; nothing is said about it."""
        inner = _Checker(self.scope, self.known, self.around)
        inner.type(node)
        self.optional |= inner.optional
        return types.NEVER

    # -- comparing and counting

    def compare(self, node: ast.Compare) -> types.Type:
        for one, other in pairwise((node.left, *node.comparators)):
            self.unquoted |= compared(one, other, self.scope, lambda side: self.quietly(side, {}))
        left_node, left = node.left, self.type(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.type(right_node)
            whole = (span(left_node)[0], span(right_node)[1])
            said = len(self.problems)
            alike = isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn)
            self.enums.literals(left_node, right_node, isinstance(op, ast.In | ast.NotIn), numbers=alike)
            self.enums.literals(right_node, left_node, numbers=alike)
            if alike and len(self.problems) == said:
                inside = isinstance(op, ast.In | ast.NotIn)
                self.enums.words(whole, left, self.quietly(right_node, {}), inside=inside)
                self.enums.words(whole, right, self.quietly(left_node, {}), around=inside)
            if isinstance(op, ast.Eq) and len(self.problems) == said:
                self.enums.ruled_out(left_node, right_node, right)
                self.enums.ruled_out(right_node, left_node, left)
            if isinstance(op, ast.In | ast.NotIn):
                check_membership(self, (left_node, right_node), left, right, whole)
            elif isinstance(op, ast.Eq | ast.NotEq):
                if not types.can_equal(left, right):
                    message = f"{types.name(left)} can never equal {types.name(right)}"
                    self.say(Kind.COMPARISON, whole, message, fitting(left_node, left, right_node, right))
                elif not types.can_compare(left, right):
                    message = f"{types.name(left)} can't always be compared with {types.name(right)}"
                    help_ = f"write `{to_source(left_node)} in [{to_source(right_node)}]`"
                    self.say(Kind.COMPARISON, whole, message, help_, on_entry=True)
            elif types.can_order(left, right):
                self.not_null(left_node, left)
                self.not_null(right_node, right)
            else:
                message = f"{types.name(left)} has no order with {types.name(right)}"
                self.say(Kind.COMPARISON, whole, message, fitting(left_node, left, right_node, right))
            left_node, left = right_node, right
        return types.BOOLEAN

    def arithmetic(self, node: ast.BinOp) -> types.Type:
        left = self.not_null(node.left, self.type(node.left))
        right = self.not_null(node.right, self.type(node.right))
        pairs = [result(node.op, a, b) for a in types.options(left) for b in types.options(right)]
        found = [type_ for type_ in pairs if type_ is not None]
        if len(found) == len(pairs):
            if (
                isinstance(node.op, ast.Div | ast.Mod)
                and isinstance(node.right, ast.Constant)
                and node.right.value == 0
            ):
                self.say(Kind.OPERAND, node, "this divides by zero")
            return types.union(found)
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}[type(node.op)]
        message = f"`{sign}` does not work between {types.name(left)} and {types.name(right)}"
        return self.say(Kind.OPERAND, node, message, adding(node, left, right))

    # -- loops

    def loop(self, node: ast.ListComp | ast.GeneratorExp) -> types.Type:
        scope, known = self.scope, self.known
        for generator in node.generators:
            self.scope = {**self.scope, **self.loop_variables(generator)}
            for test in generator.ifs:
                self.boolean(test, "what follows `if`")
                self.known = {**self.known, **self.narrow.assume(test, True, self.known)}
        item = self.type(node.elt)
        self.scope, self.known = scope, known
        return types.ListOf(item)

    def loop_variables(self, generator: ast.comprehension) -> dict[str, types.Type]:
        item = self.item_of(self.type(generator.iter), generator.iter)
        names = [name for name in loop_names(generator) if isinstance(name, ast.Name)]
        for name in names:
            if name.id in self.scope or name.id in FUNCTIONS:
                self.say(Kind.OPERAND, name, f"`{name.id}` has a meaning already", "call the variable otherwise")
        if len(names) == 1:
            return {names[0].id: item}
        if not types.is_a(item, types.ListOf):
            self.say(Kind.OPERAND, generator.iter, f"two variables need pairs, and these are {types.name(item)}")
        elif not types.only(item, types.ListOf) or types.has_null(item):
            message = f"two variables need pairs, and these may be {types.name(item)}"
            self.say(Kind.OPERAND, generator.iter, message, on_entry=True)
        return {name.id: types.union(part(o, place) for o in types.options(item)) for place, name in enumerate(names)}

    def item_of(self, source: types.Type, node: ast.expr) -> types.Type:
        found = self.not_null(node, source)
        for option in types.options(found):
            if isinstance(option, types.ListOf) and not option.bounded:
                help_ = "its schema has to say `maxItems`, or the fact `at_most`"
                self.say(Kind.UNBOUNDED, node, f"nothing says how long `{ast.unparse(node)}` may be", help_)
        wanted = (types.ListOf, types.SetOf, types.MapOf, types.Record)
        if not types.is_a(found, *wanted):
            return self.say(Kind.OPERAND, node, f"a loop needs a list, and this is {types.name(source)}")
        if not types.only(found, *wanted):
            self.say(Kind.OPERAND, node, f"a loop needs a list, and this may be {types.name(source)}", on_entry=True)
        return types.element_of(found)

    # -- building and calling

    def listing(self, node: ast.List | ast.Tuple) -> types.Type:
        parts = tuple(self.type(item) for item in node.elts)
        return types.ListOf(
            types.union(parts) if parts else types.NEVER, parts=parts if isinstance(node, ast.Tuple) else ()
        )

    def call(self, node: ast.Call) -> types.Type:
        for argument in node.args:
            self.unquoted |= alone(argument, self.scope)
        return type_of_call(self, node)


_RULES: Mapping[type[ast.expr], Callable[..., types.Type]] = {
    ast.Constant: _Checker.constant,
    ast.Name: _Checker.name,
    ast.Attribute: _Checker.attribute,
    ast.Subscript: _Checker.subscript,
    ast.BoolOp: _Checker.logic,
    ast.UnaryOp: _Checker.unary,
    ast.IfExp: _Checker.choice,
    ast.Compare: _Checker.compare,
    ast.BinOp: _Checker.arithmetic,
    ast.List: _Checker.listing,
    ast.Tuple: _Checker.listing,
    ast.Call: _Checker.call,
    ast.ListComp: _Checker.loop,
    ast.GeneratorExp: _Checker.loop,
}
