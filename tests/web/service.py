"""`engine serve` as a process of its own, and clients with tokens."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.cli.shell import CHARGED, Shell
from tests.waiting import until


@dataclass
class Service:
    """A service that runs, and whoever has a token for it."""

    url: str
    shell: Shell
    process: subprocess.Popen[str]
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, name: str, role: str, *more: str) -> str:
        """A token of the name, made once."""
        if name not in self.tokens:
            made = self.shell("tokens", "create", "--name", name, "--role", role, *more)
            assert made.code == 0, made.err
            self.tokens[name] = made.out.strip()
        return self.tokens[name]

    def client(self, name: str | None = None, role: str = "", *more: str) -> httpx2.Client:
        headers = {"authorization": f"Bearer {self.token(name, role, *more)}"} if name is not None else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=600)

    def start(self, client: httpx2.Client, account: str, **more: Any) -> dict[str, Any]:
        """A session of the support agent, recorded."""
        done = client.post("/v1/sessions", json=opening(account) | more)
        assert done.status_code == 201, done.text
        found: dict[str, Any] = done.json()
        return found

    def waits(self, client: httpx2.Client, session_id: str, *states: str) -> dict[str, Any]:
        """How a session stands once it is in one of the states."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(client.get(f"/v1/sessions/{session_id}").json())
            return found["state"] in states

        until(there, f"{session_id} in {states}")
        return found


def opening(account: str, tenant: str | None = "acme") -> dict[str, Any]:
    attributes = {"account_id": account} | ({"tenant": tenant} if tenant is not None else {})
    return {"agent": "support-triage", "message": CHARGED, "attributes": attributes}


@contextmanager
def open_service(shell: Shell, *more: str) -> Iterator[Service]:
    """A service in a copy of the root bundle, on a port of its own."""
    process = shell.start("serve", ".", "--port", "0", *more)
    try:
        assert process.stderr is not None
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, "the service did not start"
            found = re.search(r"http://\S+", line)
            url = found[0] if found else ""
        yield Service(url, shell, process)
    finally:
        process.terminate()
        process.communicate(timeout=600)


def lines_of(response: httpx2.Response, most: int) -> list[dict[str, Any]]:
    """The events of a stream, until it ends or so many came."""
    found: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line == "":
            if "data" in event:
                found.append(event)
            event = {}
        elif name == "data":
            event["data"] = json.loads(value)
        elif name in ("id", "event"):
            event[name] = value
        if len(found) == most:
            return found
    return found
