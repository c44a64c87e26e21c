"""Bundles whose tools leave the process, and fixtures that call them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import trio

from engine.fixtures.scenario import ScenarioReport, run_fixture
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, tool

KEYED = "idempotency: {key: [input.n], honoured_by: tool}\n"
OPEN = "  - {id: open, tools: writes, effect: allow}\n"

KINDS = ["http-read", "http-write", "http-job", "command-read", "command-write", "mcp", "python-write", "python-async"]
"""Ways to leave the process."""


def made(kind: str, mark: Path, url: str = "") -> Bundle:
    """A bundle whose `act` asks a server, or else leaves a mark in a file."""
    http = f"url: '{url}/x', allow_private: true"
    effect, more = {
        "http-read": ("read", f"adapter: {{kind: http, {http}}}"),
        "http-write": ("write", f"adapter: {{kind: http, method: POST, {http}}}\n{KEYED}"),
        "http-job": ("write", f"mode: job\nadapter: {{kind: http, method: POST, {http}}}\n{KEYED}"),
        "command-read": ("read", f"adapter: {{kind: command, argv: {program(mark)}}}"),
        "command-write": ("write", f"adapter: {{kind: command, argv: {program(mark)}}}\n{KEYED}"),
        "mcp": ("read", "adapter: {kind: mcp, server: peer, tool: act}"),
        "python-write": ("write", KEYED),
        "python-async": ("write", KEYED),
    }[kind]
    define = "async def" if kind == "python-async" else "def"
    code = (
        f"import pathlib\n{define} act(**given):\n    pathlib.Path({str(mark)!r}).write_text('ran')\n    return {{}}\n"
    )
    judged = [agent("[act]", policies="[rules]"), policy(OPEN)] if effect == "write" else [agent("[act]")]
    return bundle(
        *judged, tool("act", effect, more=more),
        ("specs/servers/peer.yaml", f"kind: Server\nname: peer\ncommand: {program(mark)}\n"),
        ("specs/tools/code.py", code),
    )  # fmt: skip


def program(mark: Path) -> list[str]:
    """A command that leaves a mark."""
    return [sys.executable, "-c", f"open({str(mark)!r}, 'a').write('ran '); print('{{}}')"]


def fixture(*names: str, **more: Any) -> dict[str, Any]:
    """A pathway that calls some tools, and ends."""
    calls = [{"id": f"c{n}", "name": name, "input": {"n": 1}} for n, name in enumerate(names)]
    decisions = [{"message": "act", "tool_calls": calls, "done": not calls}, {"message": "bye", "done": True}]
    return {
        "kind": "Fixture", "name": "one", "agent": "bot", "message": "hello", "attributes": {"tenant": "acme"},
        "decisions": decisions, "expect": {"state": "done"}, **more,
    }  # fmt: skip


async def ran(bundle_: Bundle, fixture_: dict[str, Any], *, real: bool = True) -> ScenarioReport:
    """The report of a fixture, which has a Trio of its own."""
    return await trio.to_thread.run_sync(lambda: run_fixture(bundle_, fixture_, real=real))


def said(report: ScenarioReport) -> str:
    """All that failed, as it is shown."""
    return "\n".join(str(failure) for failure in report.failures)
