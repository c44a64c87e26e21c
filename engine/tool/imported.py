"""Tools of a server of the Model Context Protocol as tool documents: a beginning, for their owner to finish."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from engine.session.bundle import Server
from engine.tool.mcp import Listed

MAX_NAME = 64
MAX_DESCRIPTION = 1_000


def tool_name(server: Server, listed: Listed) -> str:
    """The name of a tool in a bundle: the server's and its own, in small letters."""
    text = re.sub(r"[^a-z0-9]+", "_", f"{server.name}_{listed.name}".lower()).strip("_")
    return (text if text[:1].isalpha() else f"tool_{text}")[:MAX_NAME]


def document(server: Server, listed: Listed) -> str:
    """The YAML of a tool, pinned to how the server lists it now.

    What the server says of its effect is only a hint: it is a write until somebody who knows it says otherwise.
    """
    structured = listed.output_schema is not None and listed.output_schema.get("type") == "object"
    text_schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    hint = {True: "it only reads", False: "it writes", None: "nothing"}[listed.read_only]
    head = {"kind": "Tool", "name": tool_name(server, listed), "description": _short(listed.description)}
    rest: dict[str, Any] = {
        "trust": "untrusted",
        "input": _plain(listed.input_schema),
        "output": _plain(listed.output_schema) if structured else text_schema,
        "adapter": {
            "kind": "mcp", "server": server.name, "tool": listed.name, "pinned": listed.digest,
            "result": "structured" if structured else "text",
        },
    }  # fmt: skip
    return (
        f"{_yaml(head, flow=False)}"
        f"# the server hints: {hint}; whether it does is yours to say: a read has `effect: read` and no idempotency\n"
        "effect: write\n"
        "idempotency: none\n"
        f"{_yaml(rest)}"
    )


def _yaml(value: Mapping[str, Any], *, flow: bool | None = None) -> str:
    text: str = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=110, default_flow_style=flow)
    return text.rstrip("\n") + "\n"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_DESCRIPTION else flat[: MAX_DESCRIPTION - 3] + "..."


def _plain(value: Any) -> Any:
    """A schema without its dialect, which is the bundle's."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key != "$schema"}
    return [_plain(item) for item in value] if isinstance(value, list) else value
