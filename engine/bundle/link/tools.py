"""Tool documents to tools."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e301_duplicate_name,
    e402_field,
    e501_idempotency,
    e505_reserved_summary,
    e506_summary_field,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.expressions import expression, template
from engine.bundle.link.linker import AdapterLinker, linked
from engine.bundle.link.schemas import schema
from engine.bundle.link.texts import check_says_something
from engine.bundle.link.validators import input_validator, validator
from engine.bundle.node import Node
from engine.diagnostic import did_you_mean
from engine.language import types
from engine.language.schema_types import of_schema
from engine.language.value import digest, span
from engine.ports.kinds import adapter_kind
from engine.session.state.events.call_events import reserved_names
from engine.spec.bundle import READ, WRITE, Adapter, Idempotency, Job, Tool, ToolEffect
from engine.spec.retry import FailureKind, Retry


def link_tool(documents: DocumentSet, document: Document, attributes: types.Type) -> Tool:
    """The tool that a document describes; what is wrong with it is said."""
    node, plain = document.node, document.plain
    input_schema, _ = schema(documents, node.get("input"))
    input_schema = _with_declared(documents, node, input_schema)
    output_schema, output_sound = schema(documents, node.get("output"), about_object=False)
    if node.get("says") is not None:
        check_says_something(documents, node.get("says"))
    _check_summary(documents, node, output_schema, output_sound)
    effect = ToolEffect(plain["effect"])
    scope: dict[str, types.Type] = {
        "input": of_schema(input_schema) if input_schema else types.UNKNOWN,
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
        adapter=_adapter(
            AdapterLinker(documents, node.at("adapter"), scope, node, effect, input_schema, output_schema)
        ),
        timeout=span(plain.get("timeout", "30s")),
        concurrency=plain.get("concurrency"),
        summary=tuple(plain.get("summary", ())),
        on_failure=plain.get("on_failure", "continue"),
        idempotency=_idempotency(documents, node, effect, scope, input_schema),
        digest=digest([document.name, effect, plain["input"], plain.get("output"), plain.get("declares", {})]),
        declared=tuple(plain.get("declares", {})),
        variables=_variables(documents, document),
        retry=_retry(documents, node, effect),
        job=_job(documents, node),
        says=template(documents, node.get("says"), {"input": scope["input"]}) if node.get("says") is not None else None,
    )


def _variables(documents: DocumentSet, document: Document) -> dict[str, str | None]:
    """What a tool reaches by the environment: of its own, and of its database or server."""
    own, adapter = documents.variables.of("Tool", document.name), document.node.at("adapter").plain
    kept = {"Database": adapter.get("database"), "Server": adapter.get("server")} if isinstance(adapter, dict) else {}
    return own | {k: v for kind, name in kept.items() for k, v in documents.variables.of(kind, str(name)).items()}


def _with_declared(documents: DocumentSet, node: Node, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The input schema with the arguments that are asked for the policy's sake."""
    declares = node.get("declares")
    if declares is None or given is None:
        return given
    fields: dict[str, Any] = {}
    for name, key, value in declares.pairs():
        found, _ = schema(documents, value, about_object=False)
        fields[name] = found if found is not None else {}
        if name in given.get("properties", {}):
            documents.say(e301_duplicate_name.at(key, "argument", node.at("input", "properties", name).place))
    merged = {**given.get("properties", {}), **fields}
    # one that may be null may be left out
    asked = [name for name, found in fields.items() if not types.has_null(of_schema(found))]
    return {**given, "properties": merged, "required": [*given.get("required", []), *asked]}


def _check_summary(documents: DocumentSet, node: Node, output: Mapping[str, Any] | None, sound: bool) -> None:
    summary = node.get("summary")
    for field in (summary.items or ()) if summary else ():
        if field.value in reserved_names():
            documents.say(e505_reserved_summary.at(field))
        elif sound and field.value not in (output or {}).get("properties", {}):
            documents.say(e506_summary_field.at(field, (output or {}).get("properties", {})))


def _job(documents: DocumentSet, node: Node) -> Job | None:
    """How workers run it; None for a tool that runs in its step."""
    plain, delay = node.plain, node.get("delay")
    if plain.get("mode", "inline") == "job":
        if plain["adapter"]["kind"] == "handoff":
            message = "is for tools that act: a person is asked at once, and answers when they like"
            documents.say(e206_constraint.at(node.at("mode"), "mode", message))
        return Job(span(plain.get("delay", "0s")))
    if delay is not None:
        documents.say(e206_constraint.at(node.key("delay") or delay, "delay", "needs `mode: job` beside it"))
    return None


def _retry(documents: DocumentSet, node: Node, effect: ToolEffect) -> Retry | None:
    """Further attempts; a write that may have acted is run again only under a key that the tool honours."""
    declared = node.get("retry")
    if declared is None or declared.plain is None:
        return None
    plain, key = declared.plain, node.plain.get("idempotency")
    honoured = isinstance(key, Mapping) and key["honoured_by"] == "tool"
    on = declared.get("on")
    for item in (on.items or ()) if on is not None and effect is WRITE and not honoured else ():
        if item.value != "retryable":
            message = "needs `idempotency: {honoured_by: tool}`: a write that may have acted is not run again without"
            documents.say(e206_constraint.at(item, str(item.value), message))
    return Retry(
        plain["attempts"],
        frozenset(map(FailureKind, plain.get("on", (FailureKind.RETRYABLE,)))),
        span(plain.get("delay", "200ms")),
        Decimal(plain.get("factor", 2)),
        span(plain.get("max_delay", "10s")),
        Decimal(plain.get("jitter", Decimal("0.5"))),
    )


def _idempotency(
    documents: DocumentSet,
    node: Node,
    effect: ToolEffect,
    scope: Mapping[str, types.Type],
    schema: Mapping[str, Any] | None,
) -> Idempotency | None:
    declared = node.get("idempotency")
    if declared is None or declared.plain is None:
        if effect is WRITE:
            documents.say(e501_idempotency.at(node.at("effect")))
        return None
    if effect is READ:
        documents.say(e206_constraint.at(declared, "idempotency", "is for writes: a read can always run again"))
    if declared.entries is None:
        return None
    keys = [expression(documents, item, scope) for item in declared.at("key").items or ()]
    listed, window = declared.get("compare"), declared.get("window")
    fields = (schema or {}).get("properties", {})
    for item in (listed.items or ()) if listed is not None and schema is not None else ():
        if item.value not in fields:
            message = f"the input has no field `{item.value}`"
            documents.say(e402_field.at(item.place, message, did_you_mean(str(item.value), fields)))
    return Idempotency(
        tuple(key for key in keys if key is not None),
        str(declared.at("honoured_by").value),
        tuple(listed.plain) if listed is not None else (),
        span(str(window.value)) if window is not None and window.value is not None else None,
    )


def _adapter(linker: AdapterLinker) -> Adapter:
    return Adapter(str(linker.node.plain["kind"]), linked(linker, adapter_kind)[0])
