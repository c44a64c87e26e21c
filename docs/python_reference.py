"""The page of the Python reference, made of what `from engine import ...` gives and of its docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from textwrap import dedent
from typing import Any

import engine

HEAD = """# Python

What `from engine import ...` gives. Nothing else of the package is meant to be imported from outside: it may change in
any version. The [guide](../guides/embedding.md) shows how the names go together, and
[what is stable](../stable.md) says what a later version keeps.
"""
# the longest signature that stands on one line
_WIDTH = 100
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def page() -> str:
    """The page."""
    functions: list[str] = []
    classes: list[str] = []
    values: list[str] = []
    errors: list[str] = []
    for name in engine.__all__:
        thing = getattr(engine, name)
        if not isinstance(thing, type):
            if callable(thing):
                functions.append(_function(name, thing, "## "))
        elif issubclass(thing, BaseException):
            errors.append(_class(name, thing))
        else:
            (values if issubclass(thing, Enum) or is_dataclass(thing) else classes).append(_class(name, thing))
    parts = (
        ("Functions", functions),
        ("Classes and protocols", classes),
        ("Values", values),
        ("Errors", errors),
    )
    index = "\n".join(f"- {title}: {', '.join(map(_link, made))}" for title, made in parts)
    return "\n".join([HEAD, index, *(text for _, made in parts for text in made)])


def _link(text: str) -> str:
    name = text.split("`")[1]
    return f"[`{name}`](#{name.lower()})"


def _class(name: str, thing: type) -> str:
    parts = [f"\n## `{name}`\n", _kind(thing), _words(thing)]
    if issubclass(thing, Enum):
        parts.append("".join(f"- `{member.name}` = `{member.value!r}`\n" for member in thing))
    elif is_dataclass(thing):
        parts.append(_fields(thing))
    for of, member in _members(thing):
        parts.append(_member(name, of, member))
    return "\n".join(part for part in parts if part)


def _kind(thing: type) -> str:
    if issubclass(thing, BaseException):
        return f"An error, of the kind `{thing.__bases__[0].__name__}`.\n"
    if getattr(thing, "_is_protocol", False):
        return "A protocol: whatever has these methods is one.\n"
    return ""


def _fields(thing: Any) -> str:
    rows = []
    for field in fields(thing):
        if not field.name.startswith("_"):
            default = "" if field.default is MISSING else f"`{field.default!r}`"
            type_ = str(field.type).replace("|", "\\|")
            rows.append(f"| `{field.name}` | `{type_}` | {default} |")
    return "| field | type | default |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n" if rows else ""


def _members(thing: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that the class, or an own one that it stands on, defines itself."""
    own = [one for one in thing.__mro__ if one.__module__.startswith("engine.")]
    seen: set[str] = set()
    for one in own:
        for name, member in vars(one).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            if isinstance(member, property | staticmethod | classmethod) or inspect.isfunction(member):
                yield name, member


def _member(owner: str, name: str, member: Any) -> str:
    if isinstance(member, property):
        type_ = member.fget.__annotations__.get("return", "") if member.fget else ""
        return f"\n### `{owner}.{name}`\n\n```python\n{name}: {type_}\n```\n\n{_words(member)}"
    return _function(f"{owner}.{name}", getattr(member, "__func__", member), "### ")


def _function(name: str, thing: Any, level: str) -> str:
    return f"\n{level}`{name}`\n\n```python\n{_signature(name.rpartition('.')[2], thing)}\n```\n\n{_words(thing)}"


def _signature(name: str, thing: Any) -> str:
    real = inspect.unwrap(thing)
    made = inspect.signature(real)
    given = [_parameter(one) for one in made.parameters.values() if one.name != "self"]
    kinds = [one.kind for one in made.parameters.values() if one.name != "self"]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        given.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    returns = "" if made.return_annotation is inspect.Signature.empty else f" -> {made.return_annotation}"
    # what an asynccontextmanager wraps gives an iterator; its user gets what that yields
    if real is not thing and "AsyncIterator[" in returns:
        returns, start = returns.replace("AsyncIterator[", "AsyncContextManager["), "def"
    else:
        start = "async def" if inspect.iscoroutinefunction(real) else "def"
    line = f"{start} {name}({', '.join(given)}){returns}"
    if len(line) <= _WIDTH:
        return line
    lines = "".join(f"    {one},\n" for one in given)
    return f"{start} {name}(\n{lines}){returns}"


def _parameter(one: inspect.Parameter) -> str:
    star = _STARS.get(one.kind, "")
    text = f"{star}{one.name}" + ("" if one.annotation is one.empty else f": {one.annotation}")
    return text if one.default is one.empty else f"{text} = {one.default!r}"


def _words(thing: Any) -> str:
    """A docstring as Markdown: what is indented in it, or reads as a block of code, is an example."""
    parts = []
    for part in re.split(r"\n\n+", inspect.cleandoc(thing.__doc__ or "")):
        indented = all(line.startswith("    ") for line in part.splitlines())
        code = part and (indented or part.startswith(("async with ", "async for ", ">>> ")))
        parts.append(f"```python\n{dedent(part)}\n```" if code else part)
    text = "\n\n".join(parts).strip()
    return f"{text}\n" if text else ""
