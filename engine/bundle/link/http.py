"""The `http` adapter's settings: templates typed against the input, a host that is written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from engine.bundle.checks import e206_constraint
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import Scope, expression, template
from engine.bundle.link.linker import AdapterLinker
from engine.bundle.link.literal_texts import check_literals
from engine.bundle.link.secrets import check_references, refuse_references, texts, values
from engine.bundle.node import Node
from engine.language import types
from engine.language.template import Template, without_holes
from engine.spec.bundle import READ, ToolEffect

_STATUS = re.compile(r"[1-5](\d\d|xx)\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HOST = re.compile(r"[A-Za-z0-9.-]+\Z|\[[0-9A-Fa-f:.]+\]\Z")
SAFE = frozenset({"GET", "HEAD"})

# set by the client, or a way to smuggle a second request
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})


def link_http(linker: AdapterLinker) -> dict[str, Any]:
    """Compile the templates into the settings; what is wrong with them is said."""
    documents, adapter, settings = linker.documents, linker.node, linker.settings
    wide = {**linker.scope, "key": types.union((types.TEXT, types.NULL))}
    url = adapter.at("url")
    _check_url(documents, url)
    refuse_references(documents, url)
    check_references(
        documents, [*values(adapter.get("headers")), *values(adapter.get("query")), *texts(adapter.get("body"))]
    )
    _check_method(documents, adapter, linker.effect)
    _check_names(documents, adapter)
    response = types.record("field", "", status=types.NUMBER, headers=types.MapOf(types.TEXT), body=types.UNKNOWN)
    output = adapter.get("output")
    settings |= {
        "method": settings.get("method", "GET"),
        "url": template(documents, url, wide),
        "headers": {name: template(documents, value, wide) for name, _, value in _pairs(adapter.get("headers"))},
        "query": {name: template(documents, value, wide) for name, _, value in _pairs(adapter.get("query"))},
        "body": _body(documents, adapter.get("body"), wide),
        "output": _output(documents, output, {**wide, "response": response}),
        "hosts": frozenset([*map(_host_and_port, settings.get("hosts", [])), _server(str(url.value))]),
    }
    check_literals(documents, url, wide, url=True)
    for _, _, value in (*_pairs(adapter.get("headers")), *_pairs(adapter.get("query"))):
        check_literals(documents, value, wide, alone=True)
    _refuse_nested(documents, url, settings["url"])
    for name, _, value in _pairs(adapter.get("headers")):
        _refuse_nested(documents, value, settings["headers"][name])
    for name, _, value in _pairs(adapter.get("query")):
        _refuse_nested(documents, value, settings["query"][name], alone=True)
    return settings


def _output(documents: DocumentSet, node: Node | None, scope: Scope) -> Any:
    """The expressions of an output: one for each field, or one for the whole."""
    if node is None or node.plain is None:
        return None
    if node.entries is None:
        return expression(documents, node, scope)
    return {name: expression(documents, value, scope) for name, _, value in node.pairs()}


def _refuse_nested(documents: DocumentSet, node: Node, made: Template, *, alone: bool = False) -> None:
    """A list or a map has no form in the midst of a text; a list that is `alone` in a query is the parameter again."""
    parts = [part for part in made.parts if not isinstance(part, str) or part.strip()]
    for part in made.parts:
        if isinstance(part, str):
            continue
        kinds = (
            (types.MapOf, types.Record)
            if alone and len(parts) == 1
            else (types.MapOf, types.Record, types.ListOf, types.SetOf)
        )
        if any(isinstance(one, kinds) for one in types.options(part.type)):
            said = f"`{part.text.strip()}` is {types.name(part.type)}, a list or a map, and has no form here"
            documents.say(e206_constraint.on_entry(node, "value", said))


def _host_and_port(text: str) -> tuple[str, int | None]:
    """A host that redirects may lead to, with its port if it is not the usual one."""
    found = re.match(r"(.*?)(?::(\d+))?\Z", text, re.DOTALL)
    return (text.lower(), None) if found is None else (found[1].lower(), int(found[2]) if found[2] else None)


def _pairs(node: Node | None) -> Iterator[tuple[str, Node, Node]]:
    return node.pairs() if node is not None else iter(())


def _server(url: str) -> tuple[str, int | None]:
    """The host and the port that a URL names."""
    try:
        parts = urlsplit(without_holes(url, "x"))
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", None


def _check_url(documents: DocumentSet, node: Node) -> None:
    text = str(node.value)
    found = re.match(r"(https?)://([^/?#]*)", text)
    if found is None:
        documents.say(e206_constraint.at(node, "url", "must begin with `https://` or `http://` and a host"))
        return
    host, _, port = found[2].rpartition(":") if re.search(r":\d*\Z", found[2]) else (found[2], "", "")
    if "{{" in found[2] or "}}" in found[2] or "@" in found[2] or not _HOST.match(host):
        place = node.within(found.start(2), found.end(2))
        message = "must be written out, without a user or an expression: input must not choose who is asked"
        documents.say(e206_constraint.within(place, "host of the URL", message))
    elif port and not 0 < int(port) < 65536:
        documents.say(e206_constraint.within(node.within(found.start(2), found.end(2)), "port", "must be 1 to 65535"))
    if "#" in without_holes(text, ""):
        documents.say(e206_constraint.at(node, "url", "has no fragment: it is never sent"))


def _check_method(documents: DocumentSet, adapter: Node, effect: ToolEffect) -> None:
    method = adapter.get("method")
    value = method.value if method is not None else "GET"
    if value in SAFE and adapter.get("body") is not None and adapter.at("body").plain is not None:
        documents.say(e206_constraint.at(adapter.key("body") or adapter, "body", f"is not for `{value}`"))
    if value in SAFE and effect is not READ:
        documents.say(e206_constraint.at(method or adapter, "method", f"of a write can't be `{value}`"))


def _check_names(documents: DocumentSet, adapter: Node) -> None:
    for name, key, value in _pairs(adapter.get("headers")):
        if not _TOKEN.match(name) or name.lower() in _OURS:
            documents.say(e206_constraint.within(key.place, f"header {name}", "is none that a tool may set"))
        if isinstance(value.value, str) and any(ord(char) < 32 or ord(char) == 127 for char in value.value):
            documents.say(e206_constraint.at(value, f"header {name}", "must be one line"))
    header = adapter.get("idempotency_header")
    if header is not None and (not _TOKEN.match(str(header.value)) or str(header.value).lower() in _OURS):
        documents.say(e206_constraint.at(header, "idempotency_header", "is no header that a tool may set"))
    for status, key, _ in _pairs(adapter.get("outcomes")):
        if not _STATUS.match(status):
            documents.say(
                e206_constraint.within(key.place, f"outcome {status}", "must be a status such as `404` or `4xx`")
            )
    listed = adapter.get("hosts")
    for item in (listed.items or ()) if listed is not None else ():
        host, port = _host_and_port(str(item.value))
        if not _HOST.match(host) or (port is not None and not 0 < port < 65536):
            documents.say(
                e206_constraint.at(item, "host", "must be a name such as `api.example.com`, with a port or not")
            )


def _body(documents: DocumentSet, node: Node | None, scope: Scope) -> Any:
    """The body with its texts as templates; None where there is none."""
    if node is None:
        return None
    if node.entries is not None:
        return {name: _body(documents, value, scope) for name, _, value in node.pairs()}
    if node.items is not None:
        return [_body(documents, item, scope) for item in node.items]
    found: Template | Any = template(documents, node, scope) if isinstance(node.value, str) else node.value
    return found
