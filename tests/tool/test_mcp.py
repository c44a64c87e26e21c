"""The mcp adapter against real servers, and against one that fails in every way."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.cli.console.imported_tools import document, names_for
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.runtime.connections import ConnectionPool
from engine.runtime.host_secrets import HostSecrets
from engine.spec.bundle import Bundle, Server
from engine.tool.adapters import Adapters
from engine.tool.mcp import opened
from engine.tool.tool_list import ToolList
from engine.trio_clock import TrioClock
from tests.bundle_texts import agent, bundle, tool
from tests.tool.peers import SECRETS, failure, run, with_tool

PEER = Path(__file__).with_name("mcp_peer.py")
NPM = Path(__file__).resolve().parents[2] / ".venv" / "npm" / "node_modules" / "@modelcontextprotocol"


def node(name: str, *arguments: str) -> list[str]:
    """The command of a real server from npm."""
    return ["node", str(NPM / f"server-{name}" / "dist" / "index.js"), *arguments]


def server(command: list[str] | None = None, more: str = "") -> tuple[str, str]:
    argv = command or [sys.executable, str(PEER)]
    return "specs/servers/peer.yaml", f"kind: Server\nname: peer\ncommand: {argv}\n{more}\n"


def calling(remote: str, effect: str = "read", *, rest: str = "", command: list[str] | None = None,
            more: str = "") -> Bundle:  # fmt: skip
    adapter = f"{{kind: mcp, server: peer, tool: {remote}{', ' + rest if rest else ''}}}"
    return with_tool("act", adapter, effect, files=(server(command, more),))


# -- real servers


async def test_a_tool_of_a_real_server_gives_its_structured_content() -> None:
    made = calling("get-structured-content", command=node("everything"))
    output = await run(made, "act", location="New York")
    assert set(output) == {"temperature", "conditions", "humidity"}


async def test_a_tool_of_a_real_server_gives_its_text_or_its_blocks() -> None:
    made = calling("echo", command=node("everything"), rest="result: text")
    assert await run(made, "act", message="hello") == {"text": "Echo: hello"}
    made = calling("get-tiny-image", command=node("everything"), rest="result: content")
    kinds = [block["type"] for block in (await run(made, "act"))["content"]]
    assert "image" in kinds


async def test_a_real_server_keeps_to_its_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("inside")
    (tmp_path / "b.txt").write_text("outside")
    made = calling("read_text_file", command=node("filesystem", str(tmp_path / "in")))
    assert await run(made, "act", path=str(tmp_path / "in" / "a.txt")) == {"content": "inside"}
    error = await failure(made, "act", path=str(tmp_path / "b.txt"))
    assert (error.reason, error.acted) == ("tool_error", False)


async def test_one_connection_serves_many_calls() -> None:
    async with ConnectionPool() as connections:
        one = Open(several("environment"), connections)
        links = set()
        for _ in range(20):
            await one.call("environment")
            links |= {id(held) for held in connections._held.values()}
        assert len(links) == 1


async def test_a_server_over_http_is_no_different() -> None:
    async with over_http() as url:
        made = over(url, "allow_private: true\nheaders: {X-Key: '${secret:API_KEY}'}")
        assert await run(made, "act", a=2, b=3) == {"result": 5}
        refused = await failure(over(url, ""), "act", a=2, b=3)
        assert (refused.reason, refused.acted) == ("server_unavailable", False)
        assert "not public" in refused.message


def over(url: str, more: str) -> Bundle:
    text = f"kind: Server\nname: peer\nurl: {url}\n{more}\n"
    adapter = "{kind: mcp, server: peer, tool: add}"
    return with_tool("act", adapter, files=(("specs/servers/peer.yaml", text),))


@asynccontextmanager
async def over_http() -> AsyncIterator[str]:
    """A server of the official library, in a process of its own."""
    script = (
        "from mcp.server.mcpserver import MCPServer\n"
        "server = MCPServer('sums')\n"
        "@server.tool()\n"
        "def add(a: int, b: int) -> int:\n"
        "    return a + b\n"
        "import socket, sys\n"
        "free = socket.socket(); free.bind(('127.0.0.1', 0)); port = free.getsockname()[1]; free.close()\n"
        "print(port, flush=True)\n"
        "server.run('streamable-http', host='127.0.0.1', port=port)\n"
    )
    process = await trio.lowlevel.open_process([sys.executable, "-c", script], stdout=-1, stderr=-3)
    assert process.stdout is not None
    try:
        port = int(await process.stdout.receive_some())
        with trio.fail_after(600):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                    break
                except OSError:
                    await trio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        await process.wait()
        await process.stdout.aclose()


# -- a server that fails


@pytest.mark.parametrize(("remote", "reason", "flags"), [
    ("crash", "no_answer", (True, False, False)), ("garbage", "no_answer", (True, False, False)),
    ("flood", "no_answer", (True, False, False)), ("fails", "tool_error", (False, False, False)),
    ("odd", "invalid_output", (False, False, False)), ("nothing", "no_such_tool", (False, False, False)),
])  # fmt: skip
async def test_a_read_that_fails_can_be_tried_again(remote: str, reason: str, flags: tuple[bool, ...]) -> None:
    error = await failure(calling(remote), "act", n=1)
    assert (error.reason, (error.retryable, error.acted, error.lost)) == (reason, flags)


@pytest.mark.parametrize(("remote", "reason", "flags"), [
    ("crash", "no_answer", (False, True, True)), ("garbage", "no_answer", (False, True, True)),
    ("flood", "no_answer", (False, True, True)), ("fails", "tool_error", (False, True, False)),
    ("odd", "invalid_output", (False, True, True)), ("nothing", "no_such_tool", (False, False, False)),
])  # fmt: skip
async def test_a_write_that_fails_may_have_acted(remote: str, reason: str, flags: tuple[bool, ...]) -> None:
    error = await failure(calling(remote, "write"), "act", n=1)
    assert (error.reason, (error.retryable, error.acted, error.lost)) == (reason, flags)


async def test_what_a_dying_server_says_is_told() -> None:
    assert "it burns" in (await failure(calling("crash"), "act")).message


class Open:
    """An adapter whose connections stay open over several calls."""

    def __init__(self, made: Bundle, connections: ConnectionPool) -> None:
        self.made = made
        self._adapters = Adapters(AdapterResources(made, TrioClock(), HostSecrets(SECRETS), connections))

    async def call(self, name: str, **input_: Any) -> Any:
        one = self.made.tools[name]
        return await self._adapters(one).run(ToolInvocation(one, input_, {}, None, "s", "/"))


def several(*remotes: str, pinned: str = "") -> Bundle:
    anything = "{type: object, properties: {n: {}, m: {}}}"
    pin = f", pinned: {pinned}" if pinned else ""
    made = [
        tool(name, input=anything, output="{}", more=f"adapter: {{kind: mcp, server: peer, tool: {name}{pin}}}\n")
        for name in remotes
    ]
    return bundle(agent(f"[{', '.join(remotes)}]"), *made, server())


async def test_a_server_that_has_died_is_started_anew() -> None:
    async with ConnectionPool() as connections:
        one = Open(several("crash", "echo"), connections)
        assert await one.call("echo", n=1) == {"n": 1}
        with pytest.raises(ToolError):
            await one.call("crash")
        assert await one.call("echo", n=2) == {"n": 2}


async def test_a_call_that_hangs_is_cut_off_by_its_deadline_and_the_next_one_works() -> None:
    async with ConnectionPool() as connections:
        one = Open(several("hang", "echo"), connections)
        with trio.move_on_after(0.5) as limit:
            await one.call("hang")
        assert limit.cancelled_caught
        assert await one.call("echo", n=2) == {"n": 2}


async def test_a_server_that_reads_nothing_more_is_started_anew() -> None:
    async with ConnectionPool() as connections:
        one = Open(several("freeze", "echo"), connections)
        with trio.move_on_after(0.5) as limit:
            await one.call("freeze")
        assert limit.cancelled_caught
        with trio.fail_after(600):
            assert await one.call("echo", n=2) == {"n": 2}
            assert await one.call("echo", n=3) == {"n": 3}


async def test_a_server_that_never_starts_is_given_up() -> None:
    never = [sys.executable, str(PEER), "--never-starts"]
    error = await failure(calling("echo", command=never, more="start_timeout: 300ms"), "act")
    assert (error.reason, error.acted, error.retryable) == ("server_unavailable", False, True)


async def test_a_program_that_is_not_there_is_said() -> None:
    error = await failure(calling("echo", command=["no-such-server"]), "act")
    assert error.reason == "server_unavailable"
    assert "no-such-server" in error.message


def listed(remote: str, schema: Any = None) -> ToolList:
    return ToolList(remote, remote, schema or {"type": "object", "properties": {"n": {"type": "number"}}}, None)


async def test_a_tool_that_is_not_as_it_is_pinned_never_runs() -> None:
    pin = listed("echo").digest
    assert await run(calling("echo", rest=f"pinned: {pin}"), "act", n=1) == {"n": 1}
    error = await failure(calling("echo", "write", rest="pinned: sha256-0123"), "act", n=1)
    assert (error.reason, error.acted) == ("server_drifted", False)
    assert pin in error.message


async def test_a_list_of_tools_that_changes_while_it_runs_is_compared_anew() -> None:
    async with ConnectionPool() as connections:
        made = several("change", "echo")
        for name in ("change", "echo"):
            made.tools[name].adapter.settings["pinned"] = listed(name).digest  # type: ignore[index]
        one = Open(made, connections)
        assert await one.call("echo", n=1) == {"n": 1}
        await one.call("change", n=1)
        with pytest.raises(ToolError, match="lists echo otherwise than it is pinned"):
            await one.call("echo", n=1)


async def test_the_environment_of_a_server_is_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_BACK", "no")
    made = calling("environment", more="environment: {TOKEN: '${secret:API_KEY}'}")
    environment = await run(made, "act")
    assert environment["TOKEN"] == "canary-0815-secret"
    assert "KEPT_BACK" not in environment


# -- taking tools over


def of(command: list[str]) -> Server:
    return Server("peer", tuple(command), {}, None, {}, False, timedelta(seconds=20))


async def test_every_tool_of_a_real_server_becomes_a_document_that_is_valid() -> None:
    for command in (node("everything"), node("filesystem", "/tmp")):
        one = of(command)
        async with opened(one, HostSecrets({})) as link:
            found = list(link.tools.values())
        names = names_for(one, [each.name for each in found], {}, set())
        documents = [(f"specs/tools/{names[each.name]}.yaml", document(one, each, names[each.name])) for each in found]
        made = bundle(agent("[]"), server(command), *documents)
        assert len(made.tools) == len(found) > 5
        # what a server says of itself is no authority
        assert {each.effect for each in made.tools.values()} == {"write"}
        assert {each.trust for each in made.tools.values()} == {"untrusted"}


@pytest.mark.parametrize(("remote", "name"), [
    ("get-env", "peer_get_env"), ("Ünïcode!", "peer_n_code"), ("1", "peer_1"), ("x" * 100, "peer_" + "x" * 59),
])  # fmt: skip
def test_the_name_of_a_tool_is_one_that_a_bundle_takes(remote: str, name: str) -> None:
    assert names_for(of([]), [remote], {}, set()) == {remote: name}


async def test_a_number_that_can_not_be_sent_exactly_is_refused() -> None:
    error = await failure(calling("echo", "write"), "act", n=Decimal("12345678901234567.89"))
    assert (error.reason, error.acted) == ("bad_number", False)
