"""Inputs that documents build by expressions, against the input schema of the tool they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from engine.bundle.checks import e409_null, e509_input
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import Scope, expression
from engine.bundle.node import Node
from engine.bundle.yaml_help import is_cut
from engine.diagnostic import did_you_mean, nearest
from engine.language import types
from engine.language.expression import Expression
from engine.language.schema_types import of_schema
from engine.language.type_context import NOTHING, TypeContext


def tool_input(
    documents: DocumentSet,
    node: Node | None,
    owner: Node,
    tool: str,
    schema: Mapping[str, Any] | None,
    scope: Scope,
    around: TypeContext = NOTHING,
    *,
    nulls: bool = False,
    tell: Callable[[Set[str]], None] | None = None,
) -> dict[str, Expression]:
    """The expressions for a tool's input; `owner` is shown where a field is missing.

    With `nulls` one may be null that the tool needs: it is then asked for at run, and can't be.  `tell` says what is
    wrong with the names that are read.
    """
    built: dict[str, Expression] = {}
    said = len(documents.diagnostics)
    properties = schema.get("properties", {}) if schema else {}
    given = {name for name, _, _ in node.pairs()} if node is not None else set()
    unknown = sorted(given - set(properties))
    missing = [name for name in (schema or {}).get("required", []) if name not in given]
    # one name in the place of another is one mistake
    meant = missing[0] if len(unknown) == len(missing) == 1 else None
    wanted = of_schema(schema) if schema else types.UNKNOWN
    for name, key, value in node.pairs() if node is not None else ():
        compiled = expression(documents, value, scope, around=around, tell=tell)
        if compiled is not None:
            built[name] = compiled
        if schema is None:
            continue
        if name not in properties and is_cut(name) and len(documents.diagnostics) > said:
            continue  # it is the rest of what stands before it
        if name not in properties:
            if schema.get("additionalProperties") is False or properties:
                message = f"tool `{tool}` takes no `{name}`"
                help_ = f"did you mean `{meant}`?" if meant else did_you_mean(name, properties)
                documents.say(e509_input.at(key.place, message, help_))
        elif compiled is not None and isinstance(wanted, types.Record):
            field = wanted.fields[name].type
            if not types.can_equal(compiled.type, field):
                message = f"`{name}` of tool `{tool}` is {types.name(field)}, and this is {types.name(compiled.type)}"
                documents.say(e509_input.at(value.place, message))
            elif words := sorted(types.words_of(compiled.type) - enum if (enum := types.enum_of(field)) else ()):
                message = f"`{words[0]}` is never `{name}` of tool `{tool}`"
                documents.say(e509_input.on_entry(value.place, message, did_you_mean(words[0], enum)))
            elif nulls or not types.has_null(compiled.type) or types.has_null(field):
                continue
            elif name in schema.get("required", ()):
                message = f"`{compiled.text}` may be null here, and `{name}` of tool `{tool}` may not"
                documents.say(e409_null.at(value.place, message))
    for name in missing:
        if name != meant and not any(nearest(other, [name]) for other in unknown):
            documents.say(
                e509_input.at(owner.place, f"tool `{tool}` needs `{name}`", f"add `{name}: ...` to its input")
            )
    return built
