"""A server of the Model Context Protocol that does what its tools are called: a script of its own, no library."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

SCHEMA = {"type": "object", "properties": {"n": {"type": "number"}}}
changed = False


def say(message: Any) -> None:
    sys.stdout.write(message if isinstance(message, str) else json.dumps(message))
    sys.stdout.write("\n")
    sys.stdout.flush()


def tools() -> list[dict[str, Any]]:
    names = ["echo", "crash", "hang", "freeze", "flood", "garbage", "fails", "change", "odd", "environment", "text"]
    schema = {**SCHEMA, "properties": {"m": {"type": "string"}}} if changed else SCHEMA
    return [{"name": name, "description": name, "inputSchema": schema} for name in names]


def result(text: str, structured: Any = None, *, error: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": error}
    return told if structured is None else {**told, "structuredContent": structured}


def call(name: str, given: Any, id_: Any) -> None:
    global changed
    if name == "crash":
        sys.stderr.write("it burns\n")
        sys.stderr.flush()
        os._exit(1)
    if name == "hang":
        return
    if name == "freeze":
        # nothing that is asked from now on is read
        time.sleep(600)
    if name == "flood":
        sys.stdout.write("x" * 5_000_000)
        sys.stdout.flush()
        time.sleep(5)
    if name == "garbage":
        say("this is no JSON")
        return
    if name == "change":
        changed = True
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    told = {
        "fails": result("no such thing", error=True),
        "odd": result("no json"),
        "text": result("plain words"),
        "environment": result("", dict(os.environ)),
    }.get(name) or result(json.dumps(given), given)
    say({"jsonrpc": "2.0", "id": id_, "result": told})


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, id_ = message.get("method"), message.get("id")
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "peer", "version": "1"}
            told = {"protocolVersion": version, "capabilities": {"tools": {"listChanged": True}}, "serverInfo": info}
            say({"jsonrpc": "2.0", "id": id_, "result": told})
        elif method == "tools/list":
            say({"jsonrpc": "2.0", "id": id_, "result": {"tools": tools()}})
        elif method == "tools/call":
            call(message["params"]["name"], message["params"].get("arguments"), id_)
        elif id_ is not None:
            say({"jsonrpc": "2.0", "id": id_, "error": {"code": -32601, "message": "no such method"}})


if __name__ == "__main__":
    if "--never-starts" in sys.argv:
        time.sleep(60)
    main()
