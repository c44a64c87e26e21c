"""A server of the Model Context Protocol over pipes that lists and answers what a JSON file says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        method, params = message["method"], message.get("params") or {}
        told: Any = {}
        if method == "initialize":
            info = {"name": "stub", "version": "1"}
            told = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            told = {"tools": spec["tools"]}
        elif method == "tools/call":
            told = spec["results"][params["name"]]
            if isinstance(told, str):
                # an answer as it stands on the wire
                say(told)
                continue
        elif method != "ping":
            say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}))
            continue
        say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": told}))


main()
