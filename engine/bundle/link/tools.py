"""Tool documents to tools."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e301_duplicate_name,
    e307_reviewers,
    e311_database,
    e313_function,
    e402_field,
    e403_comparison,
    e501_idempotency,
    e505_reserved_summary,
    e506_summary_field,
    e511_sql,
    e512_derived_write,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.command_and_mcp import link_command, link_mcp
from engine.bundle.link.expressions import expression, template
from engine.bundle.link.http import link_http
from engine.bundle.link.schemas import schema
from engine.bundle.link.sql_columns import PARAMETER, QUOTED, check_parameters
from engine.bundle.link.validators import input_validator, validator
from engine.bundle.node import Node
from engine.diagnostic import Place, did_you_mean
from engine.language import types as t
from engine.language import value as v
from engine.language.expression import Expression
from engine.language.schema_types import of_schema
from engine.session.state.events.call_events import reserved_names
from engine.spec.bundle import READ, WRITE, Adapter, Idempotency, Job, Retry, Tool

_OTHER_PARAMETER = re.compile(r"\?\d*|[@$][A-Za-z_]\w*")

_GIVES_ROW = re.compile(r"^\s*(select|with|values)\b|\breturning\b", re.IGNORECASE)

GIVEN_PARAMETERS = ("idempotency_key", "now")


# what every statement may name, and no field of an input can be called
OWN_PARAMETERS = frozenset({"now", "idempotency_key"})


def link_tool(corpus: DocumentSet, document: Document, attributes: t.Type) -> Tool:
    """The tool that a document describes; what is wrong with it is said."""
    node, plain = document.node, document.plain
    input_schema, _ = schema(corpus, node.get("input"))
    input_schema = _with_declared(corpus, node, input_schema)
    output_schema, output_sound = schema(corpus, node.get("output"), about_object=False)
    _check_summary(corpus, node, output_schema, output_sound)
    effect = plain["effect"]
    scope: dict[str, t.Type] = {
        "input": of_schema(input_schema) if input_schema else t.UNKNOWN,
        "session": attributes,
    }
    return Tool(
        name=document.name,
        description=plain["description"],
        effect=effect,
        sensitive=plain.get("sensitive", False),
        trust=plain.get("trust", "untrusted"),
        input_schema=input_schema or {},
        output_schema=output_schema,
        check_input=input_validator(input_schema),
        check_output=validator(output_schema),
        adapter=_adapter(corpus, node, plain, effect, scope, input_schema, output_schema),
        timeout=v.span(plain.get("timeout", "30s")),
        concurrency=plain.get("concurrency"),
        summary=tuple(plain.get("summary", ())),
        on_failure=plain.get("on_failure", "continue"),
        idempotency=_idempotency(corpus, node, effect, scope, input_schema),
        digest=v.digest([document.name, effect, plain["input"], plain.get("output"), plain.get("declares", {})]),
        declared=tuple(plain.get("declares", {})),
        retry=_retry(corpus, node, effect),
        job=_job(corpus, node),
    )


def _with_declared(corpus: DocumentSet, node: Node, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The input schema with the arguments that are asked for the policy's sake."""
    declares = node.get("declares")
    if declares is None or given is None:
        return given
    fields: dict[str, Any] = {}
    for name, key, value in declares.pairs():
        found, _ = schema(corpus, value, about_object=False)
        fields[name] = found if found is not None else {}
        if name in given.get("properties", {}):
            corpus.say(e301_duplicate_name.at(key, "argument", node.at("input", "properties", name).place))
    merged = {**given.get("properties", {}), **fields}
    # one that may be null may be left out
    asked = [name for name, found in fields.items() if not t.has_null(of_schema(found))]
    return {**given, "properties": merged, "required": [*given.get("required", []), *asked]}


def _check_summary(corpus: DocumentSet, node: Node, output: Mapping[str, Any] | None, sound: bool) -> None:
    summary = node.get("summary")
    for field in (summary.items or ()) if summary else ():
        if field.value in reserved_names():
            corpus.say(e505_reserved_summary.at(field))
        elif sound and field.value not in (output or {}).get("properties", {}):
            corpus.say(e506_summary_field.at(field, (output or {}).get("properties", {})))


def _job(corpus: DocumentSet, node: Node) -> Job | None:
    """How workers run it; None for a tool that runs in its step."""
    plain, delay = node.plain, node.get("delay")
    if plain.get("mode", "inline") == "job":
        if plain["adapter"]["kind"] == "handoff":
            message = "is for tools that act: a person is asked at once, and answers when they like"
            corpus.say(e206_constraint.at(node.at("mode"), "mode", message))
        return Job(v.span(plain.get("delay", "0s")))
    if delay is not None:
        corpus.say(e206_constraint.at(node.key("delay") or delay, "delay", "needs `mode: job` beside it"))
    return None


def _retry(corpus: DocumentSet, node: Node, effect: str) -> Retry | None:
    """Further attempts; a write that may have acted is run again only under a key that the tool honours."""
    declared = node.get("retry")
    if declared is None or declared.plain is None:
        return None
    plain, key = declared.plain, node.plain.get("idempotency")
    honoured = isinstance(key, Mapping) and key["honoured_by"] == "tool"
    on = declared.get("on")
    for item in (on.items or ()) if on is not None and effect == WRITE and not honoured else ():
        if item.value != "retryable":
            message = "needs `idempotency: {honoured_by: tool}`: a write that may have acted is not run again without"
            corpus.say(e206_constraint.at(item, str(item.value), message))
    return Retry(
        plain["attempts"],
        frozenset(plain.get("on", ("retryable",))),
        v.span(plain.get("delay", "200ms")),
        Decimal(plain.get("factor", 2)),
        v.span(plain.get("max_delay", "10s")),
        Decimal(plain.get("jitter", Decimal("0.5"))),
    )


def _idempotency(
    corpus: DocumentSet, node: Node, effect: str, scope: Mapping[str, t.Type], schema: Mapping[str, Any] | None
) -> Idempotency | None:
    declared = node.get("idempotency")
    if declared is None or declared.plain is None:
        if effect == WRITE:
            corpus.say(e501_idempotency.at(node.at("effect")))
        return None
    if effect == READ:
        corpus.say(e206_constraint.at(declared, "idempotency", "is for writes: a read can always run again"))
    if declared.entries is None:
        return None
    keys = [expression(corpus, item, scope) for item in declared.at("key").items or ()]
    listed, window = declared.get("compare"), declared.get("window")
    fields = (schema or {}).get("properties", {})
    for item in (listed.items or ()) if listed is not None and schema is not None else ():
        if item.value not in fields:
            message = f"the input has no field `{item.value}`"
            corpus.say(e402_field.at(item.place, message, did_you_mean(str(item.value), fields)))
    return Idempotency(
        tuple(key for key in keys if key is not None),
        str(declared.at("honoured_by").value),
        tuple(listed.plain) if listed is not None else (),
        v.span(str(window.value)) if window is not None and window.value is not None else None,
    )


def _adapter(
    corpus: DocumentSet,
    node: Node,
    plain: Mapping[str, Any],
    effect: str,
    scope: Mapping[str, t.Type],
    input_schema: Mapping[str, Any] | None,
    output_schema: Mapping[str, Any] | None,
) -> Adapter:
    settings = dict(plain["adapter"])
    kind = settings.pop("kind")
    adapter = node.at("adapter")
    if kind == "sql":
        _sql(corpus, node, settings, effect, scope, input_schema, output_schema)
    elif kind == "python":
        _python(corpus, adapter)
    elif kind == "http":
        link_http(corpus, adapter, settings, effect, scope)
    elif kind == "command":
        link_command(corpus, adapter, settings, scope)
    elif kind == "mcp":
        link_mcp(corpus, adapter, settings)
    else:
        if not corpus.has("Reviewers", settings["reviewers"]):
            place = adapter.at("reviewers").place
            corpus.say(e307_reviewers.at(place, settings["reviewers"], corpus.of("Reviewers")))
        settings["question"] = template(corpus, adapter.get("question"), scope)
        settings.setdefault("asks", "input")
    return Adapter(kind, settings)


def _python(corpus: DocumentSet, adapter: Node) -> None:
    file, function = adapter.at("file"), adapter.at("function")
    content = corpus.take_content(file)
    if content is None:
        return
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        # said once, where it stands, however many tools use the file
        place = Place(str(file.value), error.lineno or 1, error.offset or 1, error.lineno or 1, (error.offset or 1) + 1)
        corpus.say(e313_function.at(place, f"this is not Python: {(error.msg or '').lower()}"))
        return
    except (ValueError, RecursionError, MemoryError):
        corpus.say(e313_function.at(file.place, f"file `{file.value}` is not Python, or nested too deep"))
        return
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if function.value not in defined:
        message = f"file `{file.value}` defines no function `{function.value}`"
        corpus.say(e313_function.at(function.place, message, did_you_mean(str(function.value), defined)))


def _sql(
    corpus: DocumentSet,
    tool: Node,
    settings: dict[str, Any],
    effect: str,
    scope: Mapping[str, t.Type],
    input_schema: Mapping[str, Any] | None,
    output_schema: Mapping[str, Any] | None,
) -> None:
    adapter = tool.at("adapter")
    database = adapter.at("database")
    declared = corpus.of("Database").get(settings["database"])
    if declared is None and not corpus.has("Database", settings["database"]):
        corpus.say(e311_database.at(database.place, settings["database"], corpus.of("Database")))
    elif effect == WRITE and declared is not None and declared.sound and declared.plain.get("derived"):
        corpus.say(e512_derived_write.at(database))
    for own in sorted(OWN_PARAMETERS & set((input_schema or {}).get("properties", {}))):
        said = "is a parameter of the engine's own in SQL: call the field otherwise"
        corpus.say(e206_constraint.on_entry(tool.at("input", "properties").key(own) or tool.at("input"), own, said))
    wide = {**scope, "key": t.union((t.TEXT, t.NULL)), "now": t.DATETIME}
    given = adapter.get("parameters")
    parameters = {name: expression(corpus, value, wide) for name, _, value in (given.pairs() if given else ())}
    absent_node = adapter.get("absent")
    absent = {name: expression(corpus, value, wide) for name, _, value in (absent_node.pairs() if absent_node else ())}
    _check_absent(corpus, absent_node, absent, output_schema)
    settings["parameters"] = {name: compiled for name, compiled in parameters.items() if compiled is not None}
    settings["absent"] = {n: c for n, c in absent.items() if c is not None} if absent_node is not None else None
    known = {*(input_schema or {}).get("properties", {}), *parameters, *GIVEN_PARAMETERS}
    statements = list(_statements(adapter))
    if ("sql" in settings) == bool(settings.get("statements")):
        corpus.say(e511_sql.at(adapter.place, "a sql tool has either `sql` or `statements`"))
    for text in (text for text, _ in statements):
        # of an input that is not known nothing can be missed
        _check_sql(corpus, text, known if input_schema is not None else None)
    if input_schema is not None:
        check_parameters(corpus, tool, [text for text, _ in statements], known)
    for name in adapter.at("search").items or ():
        if name.value not in known and input_schema is not None:
            corpus.say(
                e511_sql.at(name.place, f"parameter `{name.value}` is not given", did_you_mean(str(name.value), known))
            )
    settings["statements"] = tuple((str(text.value), changes) for text, changes in statements)
    _check_gives_row(corpus, adapter, settings, effect, output_schema)


def _check_absent(
    corpus: DocumentSet, node: Node | None, given: Mapping[str, Expression | None], output: Mapping[str, Any] | None
) -> None:
    """What a tool gives where there is no row fits its output."""
    declared = of_schema(output) if output else t.UNKNOWN
    if node is None or not isinstance(declared, t.Record):
        return
    said = len(corpus.diagnostics)
    for name, key, value in node.pairs():
        compiled, field = given[name], declared.fields.get(name)
        if field is None and (output or {}).get("additionalProperties") is False:
            help_ = did_you_mean(name, declared.fields)
            corpus.say(e402_field.at(key.place, f"the output has no field `{name}`", help_, ""))
        elif field is not None and compiled is not None:
            empty = t.has_null(compiled.type) and not t.has_null(field.type)
            # moments and spans become text
            written = t.only(field.type, t.Text) and t.only(compiled.type, t.Text, t.Date, t.Datetime, t.Duration)
            enum = t.enum_of(field.type)
            if words := sorted(t.words_of(compiled.type) - enum if enum else ()):
                message = f"`{words[0]}` is never `{name}` of the output"
                corpus.say(e403_comparison.at(value.place, message, did_you_mean(words[0], enum)))
            elif empty or not (written or t.can_equal(compiled.type, field.type)):
                message = f"`{name}` of the output is {t.name(field.type)}, and this is {t.name(compiled.type)}"
                corpus.say(e403_comparison.at(value.place, message, ""))
    for name, field in declared.fields.items():
        if not field.optional and name not in given:
            message = f"`absent` has no `{name}`, which the output needs"
            corpus.say(e511_sql.at(node.place, message, f"add `{name}: ...`"))
    corpus.diagnostics[said:] = [replace(found, on_entry=True) for found in corpus.diagnostics[said:]]


def _check_gives_row(
    corpus: DocumentSet,
    adapter: Node,
    settings: Mapping[str, Any],
    effect: str,
    output_schema: Mapping[str, Any] | None,
) -> None:
    """A write whose output has fields must end with a row to take them from: afterwards it is too late."""
    needed = (output_schema or {}).get("required")
    statements = list(_statements(adapter))
    if effect != WRITE or not needed or not statements or settings["absent"] is not None:
        return
    last = statements[-1][0]
    if not _GIVES_ROW.search(QUOTED.sub(" ", str(last.value))):
        help_ = "end with `RETURNING ...` or with a SELECT, or say what the output is under `absent`"
        corpus.say(e511_sql.at(last.place, "this write gives no row for its output", help_))


def _statements(adapter: Node) -> Iterator[tuple[Node, int | None]]:
    sql = adapter.get("sql")
    if sql is not None:
        yield sql, None
    listed = adapter.get("statements")
    for item in (listed.items or ()) if listed else ():
        changes = item.get("changes")
        yield item.at("sql"), changes.value if changes else None


def _check_sql(corpus: DocumentSet, node: Node, known: set[str] | None) -> None:
    text = str(node.value)
    bare = QUOTED.sub(lambda m: " " * len(m[0]), text)
    for found in PARAMETER.finditer(bare):
        if known is not None and found[1] not in known:
            message = f"parameter `{found[1]}` is not given"
            corpus.say(e511_sql.at(node.within(*found.span()), message, did_you_mean(found[1], known)))
    for found in _OTHER_PARAMETER.finditer(bare):
        message = f"`{found[0]}` is not how a parameter is written"
        corpus.say(e511_sql.at(node.within(*found.span()), message, "write `:name`"))
    if ";" in bare.rstrip().rstrip(";"):
        at = bare.index(";")
        corpus.say(
            e511_sql.at(node.within(at, at + 1), "this is more than one statement", "list them under `statements`")
        )
