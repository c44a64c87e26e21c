"""The `sql` adapter's settings: a declared database, statements whose parameters are given, an output with its row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e311_database,
    e402_field,
    e403_comparison,
    e511_sql,
    e512_derived_write,
)
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import expression
from engine.bundle.link.linker import AdapterLinker
from engine.bundle.link.sql_columns import PARAMETER, QUOTED, check_parameters
from engine.bundle.node import Node
from engine.diagnostic import did_you_mean
from engine.language import types
from engine.language.expression import Expression
from engine.language.schema_types import of_schema
from engine.spec.bundle import WRITE, ToolEffect

_OTHER_PARAMETER = re.compile(r"\?\d*|[@$][A-Za-z_]\w*")

_GIVES_ROW = re.compile(r"^\s*(select|with|values)\b|\breturning\b", re.IGNORECASE)

# what every statement may name, and no field of an input can be called
OWN_PARAMETERS = frozenset({"now", "idempotency_key"})


def link_sql(linker: AdapterLinker) -> dict[str, Any]:
    """Compile the parameters and what stands for no row; what is wrong with them or the statements is said."""
    documents, tool, adapter, settings = linker.documents, linker.tool, linker.node, linker.settings
    input_schema, output_schema = linker.input_schema, linker.output_schema
    _check_database(linker, settings)
    for own in sorted(OWN_PARAMETERS & set((input_schema or {}).get("properties", {}))):
        said = "is a parameter of the engine's own in SQL: call the field otherwise"
        documents.say(e206_constraint.on_entry(tool.at("input", "properties").key(own) or tool.at("input"), own, said))
    wide = {**linker.scope, "key": types.union((types.TEXT, types.NULL)), "now": types.DATETIME}
    given = adapter.get("parameters")
    parameters = {name: expression(documents, value, wide) for name, _, value in (given.pairs() if given else ())}
    absent_node = adapter.get("absent")
    absent = {
        name: expression(documents, value, wide) for name, _, value in (absent_node.pairs() if absent_node else ())
    }
    _check_absent(documents, absent_node, absent, output_schema)
    settings["parameters"] = {name: compiled for name, compiled in parameters.items() if compiled is not None}
    settings["absent"] = {n: c for n, c in absent.items() if c is not None} if absent_node is not None else None
    known = {*(input_schema or {}).get("properties", {}), *parameters, *OWN_PARAMETERS}
    statements = list(_statements(adapter))
    if ("sql" in settings) == bool(settings.get("statements")):
        documents.say(e511_sql.at(adapter.place, "a sql tool has either `sql` or `statements`"))
    for text in (text for text, _ in statements):
        # of an input that is not known nothing can be missed
        _check_sql(documents, text, known if input_schema is not None else None)
    if input_schema is not None:
        check_parameters(documents, tool, [text for text, _ in statements], known)
    for name in adapter.at("search").items or ():
        if name.value not in known and input_schema is not None:
            documents.say(
                e511_sql.at(name.place, f"parameter `{name.value}` is not given", did_you_mean(str(name.value), known))
            )
    settings["statements"] = tuple((str(text.value), changes) for text, changes in statements)
    _check_gives_row(documents, adapter, settings, linker.effect, output_schema)
    return settings


def _check_database(linker: AdapterLinker, settings: Mapping[str, Any]) -> None:
    documents, database = linker.documents, linker.node.at("database")
    declared = documents.of("Database").get(settings["database"])
    if declared is None and not documents.has("Database", settings["database"]):
        documents.say(e311_database.at(database.place, settings["database"], documents.of("Database")))
    elif linker.effect is WRITE and declared is not None and declared.well_formed and declared.plain.get("derived"):
        documents.say(e512_derived_write.at(database))


def _check_absent(
    documents: DocumentSet, node: Node | None, given: Mapping[str, Expression | None], output: Mapping[str, Any] | None
) -> None:
    """What a tool gives where there is no row fits its output."""
    declared = of_schema(output) if output else types.UNKNOWN
    if node is None or not isinstance(declared, types.Record):
        return
    said = len(documents.diagnostics)
    for name, key, value in node.pairs():
        compiled, field = given[name], declared.fields.get(name)
        if field is None and (output or {}).get("additionalProperties") is False:
            help_ = did_you_mean(name, declared.fields)
            documents.say(e402_field.at(key.place, f"the output has no field `{name}`", help_, ""))
        elif field is not None and compiled is not None:
            empty = types.has_null(compiled.type) and not types.has_null(field.type)
            # moments and spans become text
            written = types.only(field.type, types.Text) and types.only(
                compiled.type, types.Text, types.Date, types.Datetime, types.Duration
            )
            enum = types.enum_of(field.type)
            if words := sorted(types.words_of(compiled.type) - enum if enum else ()):
                message = f"`{words[0]}` is never `{name}` of the output"
                documents.say(e403_comparison.at(value.place, message, did_you_mean(words[0], enum)))
            elif empty or not (written or types.can_equal(compiled.type, field.type)):
                message = f"`{name}` of the output is {types.name(field.type)}, and this is {types.name(compiled.type)}"
                documents.say(e403_comparison.at(value.place, message, ""))
    for name, field in declared.fields.items():
        if not field.optional and name not in given:
            message = f"`absent` has no `{name}`, which the output needs"
            documents.say(e511_sql.at(node.place, message, f"add `{name}: ...`"))
    documents.diagnostics[said:] = [replace(found, on_entry=True) for found in documents.diagnostics[said:]]


def _check_gives_row(
    documents: DocumentSet,
    adapter: Node,
    settings: Mapping[str, Any],
    effect: ToolEffect,
    output_schema: Mapping[str, Any] | None,
) -> None:
    """A write whose output has fields must end with a row to take them from: afterwards it is too late."""
    needed = (output_schema or {}).get("required")
    statements = list(_statements(adapter))
    if effect is not WRITE or not needed or not statements or settings["absent"] is not None:
        return
    last = statements[-1][0]
    if not _GIVES_ROW.search(QUOTED.sub(" ", str(last.value))):
        help_ = "end with `RETURNING ...` or with a SELECT, or say what the output is under `absent`"
        documents.say(e511_sql.at(last.place, "this write gives no row for its output", help_))


def _statements(adapter: Node) -> Iterator[tuple[Node, int | None]]:
    sql = adapter.get("sql")
    if sql is not None:
        yield sql, None
    listed = adapter.get("statements")
    for item in (listed.items or ()) if listed else ():
        changes = item.get("changes")
        yield item.at("sql"), changes.value if changes else None


def _check_sql(documents: DocumentSet, node: Node, known: set[str] | None) -> None:
    text = str(node.value)
    bare = QUOTED.sub(lambda m: " " * len(m[0]), text)
    for found in PARAMETER.finditer(bare):
        if known is not None and found[1] not in known:
            message = f"parameter `{found[1]}` is not given"
            documents.say(e511_sql.at(node.within(*found.span()), message, did_you_mean(found[1], known)))
    for found in _OTHER_PARAMETER.finditer(bare):
        message = f"`{found[0]}` is not how a parameter is written"
        documents.say(e511_sql.at(node.within(*found.span()), message, "write `:name`"))
    if ";" in bare.rstrip().rstrip(";"):
        at = bare.index(";")
        documents.say(
            e511_sql.at(node.within(at, at + 1), "this is more than one statement", "list them under `statements`")
        )
