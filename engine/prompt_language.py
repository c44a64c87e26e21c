"""Jinja as prompts have it: data before methods, a short list of each, and a bound on what a rendering does.

A prompt is made of a customer's words and of tools' outputs, and a loop over them costs what they are long.  Turns
of loops, calls of macros and what filters go through are counted; no operator, filter or method makes a text that is
longer than a prompt may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from engine.language.value import exact, one_line

MAX_CHARACTERS = 2_000_000
MAX_TURNS = 100_000

# how many characters a filter goes through as one turn
CHARACTERS = 1_000

# what a text or a map can be asked; a field of the data that is called so comes first
METHODS = frozenset(
    {
        "items",
        "keys",
        "values",
        "get",
        "lower",
        "upper",
        "title",
        "capitalize",
        "strip",
        "lstrip",
        "rstrip",
        "startswith",
        "endswith",
        "split",
        "splitlines",
        "removeprefix",
        "removesuffix",
        "isdigit",
        "isalpha",
        "count",
        "find",
        "index",
    }
)

FILTERS = frozenset(
    {
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "dictsort",
        "e",
        "escape",
        "first",
        "float",
        "forceescape",
        "groupby",
        "int",
        "items",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "reverse",
        "safe",
        "select",
        "selectattr",
        "sort",
        "string",
        "striptags",
        "sum",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
        "wordcount",
    }
)


class PromptTooLarge(TemplateError):
    """A rendering goes beyond its bound."""


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox that prompts are written for; one rendering at a time."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "//", "/", "-"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        self._left = MAX_TURNS
        self.filters = {name: self._counted(run) for name, run in self.filters.items() if name in FILTERS}
        own = {"join": self._join_all, "replace": self._replace, "round": _round, "tojson": self._json}
        self.filters |= own
        self.globals = {"range": self._range, "dict": dict, "namespace": Namespace}

    def rendered(self, template: Template, given: Mapping[str, Any]) -> str:
        """The text of a template; raises TemplateError and what expressions raise."""
        self._left = MAX_TURNS
        parts: list[str] = []
        size = 0
        for part in template.generate(given):
            parts.append(part)
            size += len(part)
            if size > MAX_CHARACTERS:
                raise PromptTooLarge(f"it is longer than {MAX_CHARACTERS} characters")
        return "".join(parts)

    def checked(self, text: str) -> nodes.Template:
        """The tree of a template that can be compiled; raises TemplateSyntaxError."""
        try:
            tree = super()._parse(text, None, None)
            self.compile(text)
        except TemplateSyntaxError:
            raise
        except (RecursionError, MemoryError, SyntaxError, ValueError):
            raise TemplateSyntaxError("it is nested too deep", 1) from None
        return tree

    # -- data first

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field of the data; a method only where there is none."""
        return self._read(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same, or an element."""
        if isinstance(argument, str):
            return self._read(obj, argument)
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def _read(self, obj: Any, name: str) -> Any:
        if isinstance(obj, Mapping):
            if name in obj:
                return obj[name]
        elif isinstance(obj, _OWN):
            return super().getattr(obj, name)
        if name in METHODS and hasattr(obj, name):
            return super().getattr(obj, name)
        return self.undefined(obj=obj, name=name)

    # -- bounds

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The tree, with every loop, macro and joining of texts counted."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _call("_turns", [loop.iter], loop.lineno)
        macros: list[Any] = list(tree.find_all((nodes.Macro, nodes.CallBlock)))
        for macro in macros:
            macro.body.insert(0, nodes.ExprStmt(_call("_turn", [], macro.lineno), lineno=macro.lineno))
        found: nodes.Template = _CountedCalls().visit(tree)
        return found

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator on numbers, or on short texts and lists; raises TooMuch."""
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"`{operator}` is not part of prompts")
        if operator == "*" and not all(isinstance(one, int | float) and abs(one) < 10**18 for one in (left, right)):
            raise SecurityError("`*` multiplies small numbers")
        if operator == "+":
            self._spend(_length(left) + _length(right))
        return super().call_binop(context, operator, left, right)

    def _spend(self, characters: int) -> None:
        if characters > MAX_CHARACTERS:
            raise PromptTooLarge(f"it makes a text of more than {MAX_CHARACTERS} characters")
        self._left -= 1 + characters // CHARACTERS
        if self._left < 0:
            raise PromptTooLarge(f"it takes more than {MAX_TURNS} turns of loops")

    def _turn(self) -> str:
        self._spend(0)
        return ""

    def _turns(self, items: Iterable[Any]) -> Iterable[Any]:
        return _Turns(items, self._spend) if hasattr(items, "__len__") else self._each(items)

    def _each(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._spend(0)
            yield item

    def _range(self, *ends: int) -> range:
        found = range(*ends)
        if len(found) > MAX_TURNS:
            raise PromptTooLarge(f"a range has at most {MAX_TURNS} numbers")
        return found

    def _join(self, *parts: Any) -> str:
        texts = [str(part) for part in parts]
        self._spend(sum(map(len, texts)))
        return "".join(texts)

    def _join_all(self, items: Iterable[Any], between: str = "", attribute: str | int | None = None) -> str:
        """Jinja's own `join`, its text counted before it is made."""
        listed = [one if attribute is None else self.getitem(one, attribute) for one in self._turns(items)]
        texts = [str(one) for one in listed]
        self._spend(sum(map(len, texts)) + len(texts) * len(between))
        return str(between).join(texts)

    def _replace(self, text: Any, old: str, new: str, count: int = -1) -> str:
        """Jinja's own `replace`, its text counted before it is made."""
        told = str(text)
        self._spend(len(told) + (told.count(old) if old else len(told) + 1) * len(new))
        return told.replace(old, new, count)

    def _json(self, value: Any) -> str:
        found = str(one_line(exact(value)))
        self._spend(len(found))
        return found

    def _counted(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(run)
        def counted(*given: Any, **named: Any) -> Any:
            self._spend(sum(_length(one) for one in given))
            found = run(*given, **named)
            self._spend(_length(found))
            return found

        return counted


class _Turns:
    """What a loop goes over, each turn counted; as long as it, so that `loop.last` and its kin are known."""

    def __init__(self, items: Any, spend: Callable[[int], None]) -> None:
        self._items = items
        self._spend = spend

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._spend(0)
            yield item


class _CountedCalls(NodeTransformer):
    """Puts a counted call in the place of every `~`."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:
        self.generic_visit(node)
        return _call("_join", node.nodes, node.lineno)


# what Jinja itself hands to a template
_OWN = (LoopContext, Macro, Namespace)


def _call(name: str, given: list[Any], line: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(name, lineno=line), given, [], None, None, lineno=line)


def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    """Jinja's own, to a number of digits that numbers have."""
    if not -20 <= precision <= 20:
        raise SecurityError("a number is rounded to 20 digits at most")
    return do_round(value, precision, method)  # type: ignore[arg-type]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | Mapping) else 0
