"""Calls of the language's functions: how many arguments of which types, and what comes out."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Protocol

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.enums import Enums
from engine.language.functions import CONTEXTUAL, FUNCTIONS, ORDERED, PROVENANCE, Function, units_of
from engine.language.suggestions import for_function
from engine.language.syntax import Kind

CONSTANTS = frozenset({"date", "datetime", "duration"})
ONE_KIND = "numbers, dates or durations of one kind"


class FunctionTypes(Protocol):
    """Types nodes, and says what is wrong; `scope` are the names that have a value."""

    scope: Mapping[str, types.Type]
    enums: Enums

    def type(self, node: ast.expr) -> types.Type:
        """The type of a node."""

    def not_null(self, node: ast.expr, found: types.Type) -> types.Type:
        """The type of what is used; saying so where it may be null."""

    def say(
        self, kind: Kind, node: ast.AST | tuple[int, int], message: str, help_: str = "", *, on_entry: bool = False
    ) -> types.Type:
        """Say what is wrong with a node, whose type is unknown then."""


def type_of_call(checker: FunctionTypes, node: ast.Call) -> types.Type:
    """What a call gives; what is wrong with it is said."""
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    arguments = [checker.type(argument) for argument in node.args]
    if name == "record":
        return _record(checker, node)
    function = FUNCTIONS.get(name)
    if function is None:
        return checker.say(
            Kind.FUNCTION,
            node.func,
            f"function `{name}` is not defined",
            for_function(name),
        )
    if name in CONTEXTUAL and PROVENANCE not in checker.scope:
        return checker.say(Kind.OPERAND, node, f"`{name}` has a value in the rules and lets of policies only")
    if not function.least <= len(arguments) <= function.most:
        more = "" if function.least == function.most else " or more"
        wanted, here = f"{function.least}{more} {_arguments(function.least)}", len(arguments)
        return checker.say(
            Kind.FUNCTION, node, f"`{name}` takes {wanted}, and here {'is' if here == 1 else 'are'} {here}"
        )
    for index, (argument, found) in enumerate(zip(node.args, arguments, strict=True)):
        kinds = function.kinds(index)
        if kinds and (found == types.NULL or not types.only(found, *kinds)):
            checker.say(Kind.OPERAND, argument, f"`{name}` can't take {types.name(found)}")
        elif kinds:
            checker.not_null(argument, found)
    if name == "contains":
        _contained(checker, node.args, arguments)
    if name == "set":
        _simple(checker, node.args[0], arguments[0])
    if name in CONSTANTS and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        _written_out(checker, node.args[0], function)
    if name in ("any", "all", "count"):
        _items(checker, name, node.args, arguments, (types.Boolean,), "booleans")
    if name in ("sum", "min", "max"):
        ordered: tuple[type, ...] = (types.Number,) if name == "sum" else ORDERED
        _items(checker, name, node.args, arguments, ordered, "numbers" if name == "sum" else ONE_KIND)
        if len(arguments) > 1 and not _one_kind(checker, name, node, arguments, ordered):
            return types.UNKNOWN
        _units(checker, name, node, arguments)
    return function.gives(arguments)


def _arguments(number: int) -> str:
    return "argument" if number == 1 else "arguments"


def _items(
    checker: FunctionTypes,
    name: str,
    nodes: list[ast.expr],
    arguments: list[types.Type],
    wanted: tuple[type, ...],
    kinds: str,
) -> None:
    """What stands in the lists that a function goes over."""
    for node, found in zip(nodes, arguments, strict=True):
        at = node.elt if isinstance(node, ast.GeneratorExp | ast.ListComp) else node
        for option in types.options(found):
            if not isinstance(option, types.ListOf):
                continue
            if option.item == types.NULL or not any(types.only(option.item, kind) for kind in wanted):
                help_ = "how many there are tells `len`" if name == "count" else ""
                checker.say(Kind.OPERAND, at, f"`{name}` needs {kinds}, and this is {types.name(option.item)}", help_)
            else:
                checker.not_null(at, option.item)


def _contained(checker: FunctionTypes, nodes: list[ast.expr], arguments: list[types.Type]) -> None:
    """What a text or a list is asked for."""
    container, wanted = arguments
    if types.is_a(container, types.Never):
        return  # nobody knows what it is
    if types.only(container, types.Text):
        if wanted == types.NULL or not types.only(wanted, types.Text):
            checker.say(Kind.OPERAND, nodes[1], f"text contains text, and this is {types.name(wanted)}")
        else:
            checker.not_null(nodes[1], wanted)
    elif not types.only(container, types.ListOf):
        message = f"`contains` needs text or a list, and this may be either: {types.name(container)}"
        checker.say(Kind.OPERAND, nodes[0], message, on_entry=True)
    else:
        items = types.element_of(container)
        if not types.can_equal(items, wanted):
            checker.say(Kind.COMPARISON, nodes[1], f"{types.name(wanted)} is never in a list of {types.name(items)}")
        checker.enums.among(nodes[1], items)
        checker.enums.words(nodes[0], items, wanted)


def _simple(checker: FunctionTypes, node: ast.expr, found: types.Type) -> None:
    """What a set holds: numbers, texts, booleans, dates, durations, and null."""
    for item in types.options(types.element_of(found)):
        if isinstance(item, types.ListOf | types.SetOf | types.MapOf | types.Record):
            message = f"a set holds only simple values, and this is {types.name(item)}"
            checker.say(Kind.OPERAND, node, message, "for lists and objects write `distinct(...)`", on_entry=True)
            return


def _written_out(checker: FunctionTypes, node: ast.Constant, function: Function) -> None:
    """A date or a duration that is written out is one."""
    try:
        function.run(node.value)
    except EvaluationError as error:
        checker.say(Kind.OPERAND, node, str(error))


def _one_kind(
    checker: FunctionTypes, name: str, node: ast.Call, arguments: list[types.Type], wanted: tuple[type, ...]
) -> bool:
    """Several arguments stand for the elements of a list, and are of one kind."""
    if any(types.only(types.union(arguments), kind) for kind in wanted):
        return True
    checker.say(Kind.OPERAND, node, f"`{name}` needs {ONE_KIND}")
    return False


def _units(checker: FunctionTypes, name: str, node: ast.Call, arguments: list[types.Type]) -> None:
    units = sorted(unit for unit in units_of(arguments) if unit is not None)
    if len(units) > 1:
        checker.say(Kind.COMPARISON, node, f"`{name}` of numbers in {' and in '.join(units)}")


def _record(checker: FunctionTypes, node: ast.Call) -> types.Type:
    if node.args:
        return checker.say(Kind.FUNCTION, node, "`record` takes only named fields")
    return types.Record({k.arg: types.Field(checker.type(k.value)) for k in node.keywords if k.arg})
