"""Types an expression against the schemas, before it ever runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from engine.language import types as t
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
class Checked:
    """The type of an expression, what is wrong with it, its reads of optional fields, and what it tells.

    `types` are those of all its nodes, by their identity.
    """

    type: t.Type
    problems: tuple[Problem, ...]
    optional: frozenset[tuple[int, int]]
    if_true: Mapping[str, t.Type]
    if_false: Mapping[str, t.Type]
    types: Mapping[int, t.Type]


def check(
    tree: ast.expr,
    scope: Mapping[str, t.Type],
    around: TypeContext = NOTHING,
) -> Checked:
    """Type an expression where it stands."""
    checker = _Checker(scope, around.known, around)
    checker.unquoted |= {} if around.in_text else alone(tree, scope)
    found = checker.type(tree)
    narrow = checker.narrow
    return Checked(
        found,
        tuple(checker.problems),
        frozenset(checker.optional),
        narrow.assume(tree, True, checker.known),
        narrow.assume(tree, False, checker.known),
        checker.types,
    )


class _Checker:
    def __init__(self, scope: Mapping[str, t.Type], known: Mapping[str, t.Type], around: TypeContext) -> None:
        self.scope = scope
        self.around = around
        self.known = known
        self.problems: list[Problem] = []
        self.optional: set[tuple[int, int]] = set()
        self.types: dict[int, t.Type] = {}
        self.unquoted: dict[int, UnquotedWord] = {}
        self.narrow = Narrowing(self.quietly, around.lets)
        self.enums = Enums(self.quietly, self.say)

    def type(self, node: ast.expr) -> t.Type:
        found = _RULES[type(node)](self, node)
        name = path(node)
        if name is not None:
            found = self.known.get(name, found)
        self.types[id(node)] = found
        return found

    def quietly(self, node: ast.expr, known: Mapping[str, t.Type]) -> t.Type:
        """The type of a node under refinements, without a word about what is wrong."""
        return _Checker(self.scope, known, self.around).type(node)

    @contextmanager
    def under(self, refined: Mapping[str, t.Type]) -> Iterator[None]:
        """Inside, more is known."""
        outer = self.known
        self.known = {**outer, **refined}
        try:
            yield
        finally:
            self.known = outer

    def not_null(self, node: ast.expr, found: t.Type) -> t.Type:
        """The type of what is used here; saying so where it may be null."""
        if not t.has_null(found):
            return found
        text = to_source(node)
        if found == t.NULL:
            return self.say(Kind.NULL, node, f"`{text}` is null here")
        help_ = f"test it first: `{text} != null and ...`"
        self.say(Kind.NULL, node, f"`{text}` may be null here", help_)
        return t.without_null(found)

    def say(
        self, kind: Kind, node: ast.AST | tuple[int, int], message: str, help_: str = "", *, on_entry: bool = False
    ) -> t.Type:
        start, end = node if isinstance(node, tuple) else span(node)
        self.problems.append(Problem(kind, start, end, message, help_, on_entry))
        return t.UNKNOWN

    def boolean(self, node: ast.expr, what: str, help_: str = "") -> None:
        found = self.type(node)
        if found == t.NULL or not t.only(found, t.Boolean):
            self.say(Kind.OPERAND, node, f"{what} must be a boolean, and this is {t.name(found)}", help_)
        else:
            self.not_null(node, found)

    # -- leaves

    def constant(self, node: ast.Constant) -> t.Type:
        return t.of_value(node.value)

    def name(self, node: ast.Name) -> t.Type:
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

    def attribute(self, node: ast.Attribute) -> t.Type:
        owner = self.not_null(node.value, self.type(node.value))
        end = span(node)[1]
        return self.field(owner, node.attr, (end - len(node.attr), end), node)

    def field(self, owner: t.Type, attr: str, at: tuple[int, int], node: ast.expr) -> t.Type:
        found: list[t.Type] = []
        missing: list[t.Record] = []
        for option in t.options(owner):
            if isinstance(option, t.Unknown | t.Never):
                found.append(t.UNKNOWN)
            elif isinstance(option, t.MapOf):
                found.append(option.value)
                if isinstance(node, ast.Attribute):
                    message = f"`{to_source(node.value)}` is a map, whose keys are data: it has no field `{attr}`"
                    self.say(
                        Kind.FIELD, at, message, f"read a key with `{to_source(node.value)}['{attr}']`", on_entry=True
                    )
            elif isinstance(option, t.Record) and attr in option.fields:
                found.append(self.declared(option.fields[attr], node))
            elif isinstance(option, t.Record) and option.rest is not None:
                found.append(self.declared(t.Field(option.rest, optional=True), node))
            elif isinstance(option, t.Record):
                missing.append(option)
        if found and missing:
            forms = f"{len(missing)} of the {len(t.options(owner))} forms of this have no `{attr}`"
            self.say(Kind.UNION, at, forms, "test the field that tells the forms apart first")
        if found:
            if not t.only(owner, t.MapOf, t.Record):
                message = f"`{attr}` is read from {t.name(owner)}, which may have no fields"
                self.say(Kind.OPERAND, at, message, on_entry=True)
            return t.union(found)
        if not missing:
            message = f"`{attr}` is read from {t.name(owner)}, which has no fields"
            parent = node.value if isinstance(node, ast.Attribute) else None
            return self.say(Kind.OPERAND, at, message, for_part(to_source(parent), attr) if parent is not None else "")
        return self.missing(missing, attr, at, node)

    def declared(self, declared: t.Field, node: ast.expr) -> t.Type:
        if declared.optional:
            self.optional.add(span(node))
        return declared.read

    def missing(self, records: list[t.Record], attr: str, at: tuple[int, int], node: ast.expr) -> t.Type:
        noun = records[0].noun
        known = {name for record in records for name in record.fields}
        kind = {"param": Kind.PARAM, "tool": Kind.TOOL}.get(noun, Kind.FIELD)
        owner = to_source(node.value) if isinstance(node, ast.Attribute | ast.Subscript) else "this"
        message = f"`{owner}` has no field `{attr}`" if noun == "field" else f"{noun} `{attr}` is not defined"
        return self.say(kind, at, message, for_field(owner, attr, known, self.scope))

    def subscript(self, node: ast.Subscript) -> t.Type:
        owner = self.not_null(node.value, self.type(node.value))
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str) and t.is_a(owner, t.Record):
            start, end = span(node.slice)
            return self.field(owner, node.slice.value, (start + 1, end - 1), node)
        index = self.not_null(node.slice, self.type(node.slice))
        self.enums.table(owner, index, node)
        found = [found for option in t.options(owner) if (found := element(option, index)) is not None]
        if any(f.optional for o in t.options(owner) if isinstance(o, t.Record) for f in o.fields.values()):
            self.optional.add(span(node))
        if found:
            if not all(element(o, i) for o in t.options(owner) for i in t.options(index)):
                message = f"this may be {t.name(owner)}, of which not all can be indexed by {t.name(index)}"
                self.say(Kind.OPERAND, node.value, message, on_entry=True)
            return t.union(found)
        if t.is_a(owner, t.ListOf):
            return self.say(Kind.OPERAND, node.slice, f"a list is indexed by a number, and this is {t.name(index)}")
        if t.is_a(owner, t.MapOf, t.Record):
            return self.say(Kind.OPERAND, node.slice, f"an object is indexed by text, and this is {t.name(index)}")
        return self.say(Kind.OPERAND, node.value, f"{t.name(owner)} can't be indexed")

    # -- logic

    def logic(self, node: ast.BoolOp) -> t.Type:
        both = isinstance(node.op, ast.And)
        outer = self.known
        for operand in node.values:
            if self.dead():
                self.unreached(operand)
                continue
            self.boolean(operand, f"each side of `{'and' if both else 'or'}`", of_row(node.values, alike=not both))
            self.known = {**self.known, **self.narrow.assume(operand, both, self.known)}
        self.known = outer
        return t.BOOLEAN

    def unary(self, node: ast.UnaryOp) -> t.Type:
        if isinstance(node.op, ast.Not):
            self.boolean(node.operand, "what follows `not`")
            return t.BOOLEAN
        found = self.not_null(node.operand, self.type(node.operand))
        if not t.is_a(found, t.Number, t.Duration):
            return self.say(Kind.OPERAND, node, f"{t.name(found)} has no negative")
        if not t.only(found, t.Number, t.Duration):
            self.say(Kind.OPERAND, node, f"this may be {t.name(found)}, which has no negative", on_entry=True)
        return t.union(t.Number(o.unit) if isinstance(o, t.Number) else o for o in t.options(found))

    def choice(self, node: ast.IfExp) -> t.Type:
        self.boolean(node.test, "what follows `if`")
        with self.under(self.narrow.assume(node.test, True, self.known)):
            body = self.unreached(node.body) if self.dead() else self.type(node.body)
        with self.under(self.narrow.assume(node.test, False, self.known)):
            other = self.unreached(node.orelse) if self.dead() else self.type(node.orelse)
        return t.union((body, other))

    def dead(self) -> bool:
        """Whether what is known here can't be: a branch for another tool, or another value."""
        return t.NEVER in self.known.values()

    def unreached(self, node: ast.expr) -> t.Type:
        """The type of what is never evaluated; nothing is said about it."""
        inner = _Checker(self.scope, self.known, self.around)
        inner.type(node)
        self.optional |= inner.optional
        return t.NEVER

    # -- comparing and counting

    def compare(self, node: ast.Compare) -> t.Type:
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
                if not t.can_equal(left, right):
                    message = f"{t.name(left)} can never equal {t.name(right)}"
                    self.say(Kind.COMPARISON, whole, message, fitting(left_node, left, right_node, right))
                elif not t.can_compare(left, right):
                    message = f"{t.name(left)} can't always be compared with {t.name(right)}"
                    help_ = f"write `{to_source(left_node)} in [{to_source(right_node)}]`"
                    self.say(Kind.COMPARISON, whole, message, help_, on_entry=True)
            elif t.can_order(left, right):
                self.not_null(left_node, left)
                self.not_null(right_node, right)
            else:
                message = f"{t.name(left)} has no order with {t.name(right)}"
                self.say(Kind.COMPARISON, whole, message, fitting(left_node, left, right_node, right))
            left_node, left = right_node, right
        return t.BOOLEAN

    def arithmetic(self, node: ast.BinOp) -> t.Type:
        left = self.not_null(node.left, self.type(node.left))
        right = self.not_null(node.right, self.type(node.right))
        pairs = [result(node.op, a, b) for a in t.options(left) for b in t.options(right)]
        found = [type_ for type_ in pairs if type_ is not None]
        if len(found) == len(pairs):
            if (
                isinstance(node.op, ast.Div | ast.Mod)
                and isinstance(node.right, ast.Constant)
                and node.right.value == 0
            ):
                self.say(Kind.OPERAND, node, "this divides by zero")
            return t.union(found)
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}[type(node.op)]
        message = f"`{sign}` does not work between {t.name(left)} and {t.name(right)}"
        return self.say(Kind.OPERAND, node, message, adding(node, left, right))

    # -- loops

    def loop(self, node: ast.ListComp | ast.GeneratorExp) -> t.Type:
        scope, known = self.scope, self.known
        for generator in node.generators:
            self.scope = {**self.scope, **self.loop_variables(generator)}
            for test in generator.ifs:
                self.boolean(test, "what follows `if`")
                self.known = {**self.known, **self.narrow.assume(test, True, self.known)}
        item = self.type(node.elt)
        self.scope, self.known = scope, known
        return t.ListOf(item)

    def loop_variables(self, generator: ast.comprehension) -> dict[str, t.Type]:
        item = self.item_of(self.type(generator.iter), generator.iter)
        names = [name for name in loop_names(generator) if isinstance(name, ast.Name)]
        for name in names:
            if name.id in self.scope or name.id in FUNCTIONS:
                self.say(Kind.OPERAND, name, f"`{name.id}` has a meaning already", "call the variable otherwise")
        if len(names) == 1:
            return {names[0].id: item}
        if not t.is_a(item, t.ListOf):
            self.say(Kind.OPERAND, generator.iter, f"two variables need pairs, and these are {t.name(item)}")
        elif not t.only(item, t.ListOf) or t.has_null(item):
            message = f"two variables need pairs, and these may be {t.name(item)}"
            self.say(Kind.OPERAND, generator.iter, message, on_entry=True)
        return {name.id: t.union(part(o, place) for o in t.options(item)) for place, name in enumerate(names)}

    def item_of(self, source: t.Type, node: ast.expr) -> t.Type:
        found = self.not_null(node, source)
        for option in t.options(found):
            if isinstance(option, t.ListOf) and not option.bounded:
                help_ = "its schema has to say `maxItems`, or the fact `at_most`"
                self.say(Kind.UNBOUNDED, node, f"nothing says how long `{ast.unparse(node)}` may be", help_)
        wanted = (t.ListOf, t.SetOf, t.MapOf, t.Record)
        if not t.is_a(found, *wanted):
            return self.say(Kind.OPERAND, node, f"a loop needs a list, and this is {t.name(source)}")
        if not t.only(found, *wanted):
            self.say(Kind.OPERAND, node, f"a loop needs a list, and this may be {t.name(source)}", on_entry=True)
        return t.element_of(found)

    # -- building and calling

    def listing(self, node: ast.List | ast.Tuple) -> t.Type:
        parts = tuple(self.type(item) for item in node.elts)
        return t.ListOf(t.union(parts) if parts else t.NEVER, parts=parts if isinstance(node, ast.Tuple) else ())

    def call(self, node: ast.Call) -> t.Type:
        for argument in node.args:
            self.unquoted |= alone(argument, self.scope)
        return type_of_call(self, node)


_RULES: Mapping[type[ast.expr], Callable[..., t.Type]] = {
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
