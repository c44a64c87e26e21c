"""Tools of a server of the Model Context Protocol as tool documents: a beginning, for their owner to finish.

What the server says is taken over; what its owner has decided since is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.bundle.document_set import DocumentSet
from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.bundle.node import Node
from engine.bundle.yaml_writer import written
from engine.diagnostic import Diagnostic, Severity
from engine.language.schema_types import NAMED, VALUES
from engine.spec.bundle import Server
from engine.tool.tool_list import ToolList

MAX_NAME = 64
FOLDER = "specs/tools"

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@dataclass(frozen=True, slots=True)
class ExistingTool:
    """A tool document that is there: its file, its name, and what it says."""

    path: str
    name: str
    node: Node


def known_of(documents: DocumentSet, server: str) -> dict[str, ExistingTool]:
    """The documents of a server's tools, by how the server calls them."""
    found = {}
    for document in documents.well_formed("Tool"):
        adapter = document.plain["adapter"]
        if adapter.get("kind") == "mcp" and adapter.get("server") == server:
            found[adapter["tool"]] = ExistingTool(document.node.source.file, document.name, document.node)
    return found


def names_for(
    server: Server, tools: Iterable[str], known: Mapping[str, ExistingTool], taken: set[str]
) -> dict[str, str]:
    """The name of each tool in the bundle: the server's and its own, in small letters.

    Where two would be one, each gets a mark of how its server calls it, so that the order of a listing says nothing;
    a tool that has a document keeps its name, and `taken` names are somebody else's.
    """
    found = {tool: one.name for tool, one in known.items()}
    own = taken | set(found.values())
    plain = {tool: _plain_name(f"{server.name}_{tool}") for tool in tools if tool not in found}
    for tool, name in plain.items():
        alone = name not in own and list(plain.values()).count(name) == 1
        mark = sha256(tool.encode("utf-8", "replace")).hexdigest()[:6]
        found[tool] = name if alone else f"{name[: MAX_NAME - 7]}_{mark}"
    return found


def _plain_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return (name if name[:1].isalpha() else f"tool_{name}")[:MAX_NAME]


def document(server: Server, listed: ToolList, name: str) -> str:
    """The YAML of a tool, pinned to how the server lists it now; raises NotWritable.

    What the server says of its effect is only a hint: it is a write until somebody who knows it says otherwise.
    """
    structured = _is_structured(listed)
    hint = {True: "it only reads", False: "it writes", None: "nothing"}[listed.read_only]
    head = {"kind": "Tool", "name": name, "description": described(listed)}
    rest: dict[str, Any] = {
        "trust": "untrusted",
        "input": translated(listed.input_schema),
        "output": translated(listed.output_schema) if structured else TEXT,
        "adapter": {
            "kind": "mcp",
            "server": server.name,
            "tool": listed.name,
            "pinned": listed.digest,
            "result": "structured" if structured else "text",
        },
    }
    return (
        f"{written(head, flow=False)}"
        f"# the server hints: {hint}; whether it does is yours to say: a read has `effect: read` and no idempotency\n"
        "effect: write\n"
        "idempotency: none\n"
        f"{written(rest)}"
    )


def taken_over(known: ExistingTool, listed: ToolList) -> str:
    """A document that is there with what the server says now; all else in it stays; raises NotWritable."""
    text, node = known.node.source.text, known.node
    result = node.at("adapter").plain.get("result", "structured")
    new: dict[str, Any] = {"description": described(listed), "input": translated(listed.input_schema)}
    if result == "structured" and _is_structured(listed):
        new["output"] = translated(listed.output_schema)
    spans = [(node.key(key), node.get(key), written({key: value})) for key, value in new.items()]
    pinned = node.at("adapter").get("pinned")
    changes = [(k.start, _end(v), said.rstrip("\n")) for k, v, said in spans if k is not None and v is not None]
    if pinned is not None:
        changes.append((pinned.start, pinned.end, listed.digest))
    for start, end, said in sorted(changes, reverse=True):
        text = text[:start] + said + text[end:]
    return text


def _end(node: Node) -> int:
    """Where a value ends: a block's own end is where the next key begins, behind whatever its owner has noted."""
    text = node.source.text
    inner = node.entries[-1][1] if node.entries else node.items[-1] if node.items else None
    if inner is not None and text[node.start] not in "{[":
        return _end(inner)
    return node.start + len(text[node.start : node.end].rstrip())


def problems_of(path: str, text: str) -> list[Diagnostic]:
    """What would be wrong with a tool's document, the server and the rest of the bundle aside."""
    found = load(BundleFiles({path: text.encode("utf-8", "surrogatepass")}))
    about = [d for d in found.diagnostics if d.severity is Severity.ERROR and d.place.file == path]
    return [d for d in about if d.code not in ("E316", "E105")]


def _is_structured(listed: ToolList) -> bool:
    return listed.output_schema is not None and listed.output_schema.get("type") == "object"


def described(listed: ToolList) -> str:
    """What a tool is for, in its server's words."""
    return listed.description or listed.title or listed.name


# -- schemas of older dialects


def translated(schema: Any) -> Any:
    """A schema in today's dialect: what older ones said otherwise is said as it is now, the dialect's name left out."""
    if not isinstance(schema, Mapping):
        return [translated(one) for one in schema] if isinstance(schema, list) else schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("$schema", "id", "$id") and isinstance(value, str):
            continue
        if key in (*NAMED, "definitions") and isinstance(value, Mapping):
            found["$defs" if key == "definitions" else key] = {name: translated(one) for name, one in value.items()}
        elif key in VALUES or key.startswith("x-"):
            found[key] = value
        elif key == "$ref" and isinstance(value, str):
            found[key] = value.replace("#/definitions/", "#/$defs/")
        else:
            found[key] = translated(value)
    return _of_draft_07(found)


def _of_draft_07(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
        if "additionalItems" in schema:
            schema["items"] = schema.pop("additionalItems")
    schema.pop("additionalItems", None)
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool):
            is_open = schema.pop(exclusive)
            if is_open and bound in schema:
                schema[exclusive] = schema.pop(bound)
    dependencies = schema.pop("dependencies", None)
    if isinstance(dependencies, Mapping):
        lists = {key: value for key, value in dependencies.items() if isinstance(value, list)}
        schemas = {key: value for key, value in dependencies.items() if not isinstance(value, list)}
        if lists:
            schema["dependentRequired"] = {**schema.get("dependentRequired", {}), **lists}
        if schemas:
            schema["dependentSchemas"] = {**schema.get("dependentSchemas", {}), **schemas}
    if schema.pop("nullable", None) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    return schema
