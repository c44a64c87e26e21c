"""Tools of servers: what is taken over, what is kept, what is told, and what a call comes to."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h11
import pytest
import yaml

from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from tests.bundle_texts import agent, bundle, tool
from tests.model import server as s
from tests.tool.peers import failure, run, with_tool
from tests.tool.stubbing import Importing, command, errors, listed, loaded

TEXT = {"type": "text", "text": "downloaded"}
RESOURCE = {"type": "resource", "resource": {"uri": "repo://a", "mimeType": "text/plain", "text": "THE BODY"}}
LINK = {"type": "resource_link", "uri": "repo://a", "name": "a"}
IMAGE = {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}
OUTPUT = {"type": "object", "properties": {"v": {"type": "number"}}, "required": ["v"]}


# -- one tool never costs another


BAD: list[tuple[str, Any]] = [
    ("no type", {"name": "bad", "inputSchema": {"properties": {"a": {"type": "string"}}}}),
    ("no schema", {"name": "bad"}),
    ("schema is a list", {"name": "bad", "inputSchema": []}),
    ("no name", {"inputSchema": {"type": "object"}}),
    ("huge number", listed("bad", {"type": "object", "properties": {"n": {"maximum": 1.7976931348623157e308}}})),
    ("no number", listed("bad", {"type": "object", "properties": {"n": {"maximum": "9"}}})),
    ("bad pattern", listed("bad", {"type": "object", "properties": {"n": {"pattern": "("}}})),
    ("reference to elsewhere", listed("bad", {"type": "object", "properties": {"n": {"$ref": "https://x.example/"}}})),
    ("deep", listed("bad", {"type": "object", "properties": {"n": json.loads('{"items":' * 70 + "{}" + "}" * 70)}})),
    ("no object", listed("bad", {"type": "array"})),
    ("output is a list", {**listed("bad"), "outputSchema": [1]}),
    ("annotations are text", {**listed("bad"), "annotations": "read"}),
    ("description is a number", {**listed("bad"), "description": 7}),
    ("lone surrogate", listed("bad", {"type": "object", "properties": {"\ud800": {"type": "string"}}})),
]  # fmt: skip


@pytest.mark.parametrize("bad", [one for _, one in BAD], ids=[name for name, _ in BAD])
def test_a_tool_that_can_not_be_imported_costs_no_other(tmp_path: Path, bad: Any) -> None:
    one = Importing(tmp_path, listed("a_good"), bad, listed("z_good"))
    done = one.imported()
    assert {"s_a_good", "s_z_good"} <= set(one.documents), done.err
    assert "pydantic" not in done.err + done.out
    assert "Traceback" not in done.err + done.out
    if "s_bad" not in one.documents:
        assert done.code == 1
        assert "bad" in done.err or "name" in done.err
    # what was written is a bundle
    assert len(one.loaded.tools) == len(one.documents)


def test_the_place_of_a_number_that_is_too_large_is_told(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number", "maximum": 1e300}}}
    done = Importing(tmp_path, listed("a_good"), listed("m_bad", schema)).imported()
    assert "m_bad" in done.err
    assert "maximum" in done.err


async def test_a_call_of_a_good_tool_works_beside_one_that_can_not_be_listed(tmp_path: Path) -> None:
    for _, bad in BAD:
        argv = command(tmp_path, [bad, listed("good")], {"good": {"content": [TEXT]}})
        made = calling("good", argv, rest="result: text")
        assert await run(made, "act") == {"text": "downloaded"}, bad


@pytest.mark.parametrize("names", [
    ["get-user", "get_user"], ["get_user", "getUser", "get user"], ["a.b", "a/b", "a-b"], ["x" * 80 + "1", "x" * 80 + "2"],
    ["GET", "get"], ["ü", "ö"],
])  # fmt: skip
def test_two_names_that_become_one_are_imported_apart_or_told(tmp_path: Path, names: list[str]) -> None:
    one = Importing(tmp_path, *[listed(name) for name in names])
    for more in ((), ("--overwrite",)):
        done = one.imported(*more)
        remote = sorted(made.adapter.settings["tool"] for made in one.loaded.tools.values())
        if remote != sorted(names):
            assert done.code == 1
            assert all(name in done.err for name in names), done.err
        assert "is there already" not in done.err or not more


def test_names_stay_as_they_are_when_tools_come_in_another_order(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("get-user"), listed("get_user"))
    one.imported()
    before = {name: made.adapter.settings["tool"] for name, made in one.loaded.tools.items()}
    one.tools(listed("get_user"), listed("get-user"), listed("get.user"))
    one.imported("--overwrite")
    after = {name: made.adapter.settings["tool"] for name, made in one.loaded.tools.items()}
    assert before.items() <= after.items()


# -- what the owner has decided


def test_what_its_owner_has_decided_is_kept_when_a_tool_is_taken_over_anew(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("pay", description="Pays."), listed("look"))
    one.imported()
    path = tmp_path / "specs/tools/s_look.yaml"
    text = path.read_text().replace("effect: write\nidempotency: none\n", "effect: read\ntimeout: 7s\n# mine\n")
    path.write_text(text.replace("trust: untrusted", "trust: trusted"))
    path = tmp_path / "specs/tools/s_pay.yaml"
    key = "idempotency: {key: [input.id], honoured_by: engine, window: 24h}\nretry: {attempts: 3}\nconcurrency: 2\n"
    schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    text = re.sub(r"^input:.*(\n .*)*\n", "input: {type: object, properties: {id: {type: string}}}\n", path.read_text(),
                  flags=re.MULTILINE)  # fmt: skip
    path.write_text(text.replace("idempotency: none\n", key))
    one.tools(listed("pay", schema, description="Pays now."), listed("look", schema))
    done = one.imported("--overwrite")
    assert done.code == 0, done.err
    look, pay = one.loaded.tools["s_look"], one.loaded.tools["s_pay"]
    assert (look.effect, look.trust, look.timeout.total_seconds(), look.idempotency) == ("read", "trusted", 7, None)
    assert pay.effect == "write"
    assert pay.idempotency is not None
    assert (pay.idempotency.honoured_by, pay.concurrency) == ("engine", 2)
    assert pay.retry is not None
    # what the server says is as it says it now
    assert look.input_schema == pay.input_schema == schema
    assert pay.description == "Pays now."
    assert one.shell("tools", "check", ".").code == 0


def test_a_result_that_its_owner_has_chosen_is_kept(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("look"))
    one.imported()
    path = tmp_path / "specs/tools/s_look.yaml"
    found = yaml.safe_load(path.read_text())
    found["adapter"]["result"], found["output"] = "content", {"type": "object"}
    path.write_text(yaml.safe_dump(found, sort_keys=False))
    one.tools(listed("look", {"type": "object", "properties": {"a": {"type": "string"}}}))
    one.imported("--overwrite")
    made = one.loaded.tools["s_look"]
    assert made.adapter.settings["result"] == "content"
    assert made.check_output({"content": []}) == []


def test_a_document_of_the_owner_that_is_broken_is_not_overwritten_without_a_word(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("look"), listed("pay"))
    one.imported()
    path = tmp_path / "specs/tools/s_look.yaml"
    path.write_text("kind: Tool\nname: s_look\neffect: [read\n")
    done = one.imported("--overwrite")
    assert "Traceback" not in done.err
    assert "s_look" in done.err + done.out
    assert "s_pay" in done.err + done.out


def test_a_tool_gets_no_second_document_while_one_can_not_be_read(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("look"))
    one.imported()
    (tmp_path / "specs/tools/s_look.yaml").rename(tmp_path / "specs/tools/mine.yaml")
    for text in ("kind: Tool\nname: s_look\neffect: [read\n", "kind: Tool\nname: mine\neffct: read\n"):
        (tmp_path / "specs/tools/mine.yaml").write_text(text)
        done = one.imported("--overwrite")
        assert (done.code, list(one.documents)) == (1, ["mine"])
        assert "not written  look: it may have a document already, in specs/tools/mine.yaml" in done.err


def test_a_server_whose_document_is_wrong_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("look"))
    path = next(file for file in (tmp_path / "specs").rglob("*.yaml") if "kind: Server" in file.read_text())
    path.write_text(path.read_text() + "comand: []\n")
    done = one.imported()
    assert done.code == 1
    assert "comand" in done.err
    assert f"nothing is written: server s is known when {path.relative_to(tmp_path)} can be read" in done.err


@pytest.mark.parametrize("description", [
    "x" * 5000, "line one\n\n  indented: [a]\n- list\n", "{{ x }} # no comment", "trailing  \n", "a\u2028b", "08",
])  # fmt: skip
def test_a_description_is_kept_whole(tmp_path: Path, description: str) -> None:
    one = Importing(tmp_path, listed("look", description=description))
    assert one.imported().code == 0
    assert one.loaded.tools["s_look"].description.strip() == description.strip()


# -- drift


CHANGES = [
    ("description", {"description": "Now it deletes."}, ["description"]),
    ("title", {"title": "Another"}, ["title"]),
    ("annotations", {"annotations": {"readOnlyHint": False, "destructiveHint": True}}, ["readOnlyHint"]),
    ("input", {"inputSchema": {"type": "object", "properties": {"a": {"type": "number"}}}}, ["a", "string", "number"]),
    ("additional", {"inputSchema": {"type": "object", "properties": {"a": {"type": "string"}},
                                    "additionalProperties": False}}, ["additionalProperties"]),
    ("output", {"outputSchema": OUTPUT}, ["output"]),
]  # fmt: skip
BEFORE = {
    "name": "look", "title": "One", "description": "Looks.", "annotations": {"readOnlyHint": True},
    "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_what_has_changed_is_told_field_by_field(tmp_path: Path, change: Any, words: list[str]) -> None:
    one = Importing(tmp_path, BEFORE)
    one.imported()
    assert one.shell("tools", "check", ".").code == 0
    one.tools({**BEFORE, **change})
    done = one.shell("tools", "check", ".")
    assert done.code == 1, done.out
    assert all(word in done.out for word in words), done.out


@pytest.mark.parametrize("change", [one[1] for one in CHANGES], ids=[one[0] for one in CHANGES])
async def test_a_tool_that_its_server_describes_otherwise_than_it_is_pinned_never_runs(
    tmp_path: Path, change: Any
) -> None:
    one = Importing(tmp_path, BEFORE)
    one.imported()
    pin = one.loaded.tools["s_look"].adapter.settings["pinned"]
    answer = {"look": {"content": [TEXT], "structuredContent": {"v": 1}}}
    argv = command(tmp_path, [BEFORE], answer)
    assert await run(calling("look", argv, rest=f"pinned: {pin}, result: text"), "act") == {"text": "downloaded"}
    argv = command(tmp_path, [{**BEFORE, **change}], answer)
    error = await failure(calling("look", argv, "write", rest=f"pinned: {pin}, result: text"), "act")
    assert (error.reason, error.acted) == ("server_drifted", False)


# -- results that are no text


@pytest.mark.parametrize("block", [RESOURCE, LINK, IMAGE], ids=["resource", "link", "image"])
async def test_what_is_no_text_in_a_result_is_never_lost_without_a_word(tmp_path: Path, block: Any) -> None:
    one = Importing(tmp_path, listed("file"))
    one.imported()
    command(tmp_path, [listed("file")], {"file": {"content": [TEXT, block]}})
    text = one.documents["s_file"].replace("effect: write\nidempotency: none\n", "effect: read\n")
    servers = (tmp_path / "specs/servers/s.yaml").read_text()
    made = bundle(agent("[s_file]"), ("specs/tools/s_file.yaml", text), ("specs/servers/s.yaml", servers))
    try:
        output = await run(made, "s_file")
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert "content" in str(error)
        return
    said = json.dumps(output)
    assert "THE BODY" in said or block["type"] in said
    assert made.tools["s_file"].check_output(output) == []


@pytest.mark.parametrize("block", [RESOURCE, LINK, IMAGE], ids=["resource", "link", "image"])
async def test_a_tool_that_takes_text_alone_says_what_else_came(tmp_path: Path, block: Any) -> None:
    argv = command(tmp_path, [listed("file")], {"file": {"content": [TEXT, block]}})
    made = calling("file", argv, rest="result: text")
    try:
        said = json.dumps(await run(made, "act"))
    except BaseExceptionGroup:
        said = (await failure(made, "act")).message
    assert "THE BODY" in said or block["type"].split("_")[0] in said or "content" in said


async def test_an_error_that_is_no_text_is_told(tmp_path: Path) -> None:
    argv = command(tmp_path, [listed("file")], {"file": {"content": [RESOURCE], "isError": True}})
    error = await failure(calling("file", argv), "act")
    assert error.reason == "tool_error"
    assert "THE BODY" in error.message or "resource" in error.message


# -- calls


def calling(remote: str, argv: list[str], effect: str = "read", *, rest: str = "") -> Bundle:
    adapter = f"{{kind: mcp, server: s, tool: {json.dumps(remote)}{', ' + rest if rest else ''}}}"
    server = ("specs/servers/s.yaml", f"kind: Server\nname: s\ncommand: {json.dumps(argv)}\n")
    return with_tool("act", adapter, effect, files=(server,))


MISFITS = {
    "missing": {"content": [{"type": "text", "text": "{}"}]},
    "wrong": {"content": [TEXT], "structuredContent": {"v": "x"}},
    "no object": {"content": [TEXT], "structuredContent": [1]},
    "unknown block": {"content": [{"type": "hologram", "x": 1}]},
    "no content": {},
    "content is text": {"content": "what"},
}


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize("answer", MISFITS.values(), ids=MISFITS.keys())
async def test_an_answer_that_does_not_fit_is_an_invalid_output_of_a_call_that_was_answered(
    tmp_path: Path, effect: str, answer: Any
) -> None:
    tools = [listed("get", outputSchema=OUTPUT)]
    error = await failure(calling("get", command(tmp_path, tools, {"get": answer}), effect), "act")
    assert error.reason == "invalid_output"
    assert not error.retryable
    assert error.acted == (effect == "write")
    # no value of the server's, and no words of a library
    assert "pydantic" not in error.message


async def test_a_schema_of_the_server_that_is_broken_costs_no_call(tmp_path: Path) -> None:
    """The bundle's own schemas are the ones that count."""
    broken = {"type": "object", "properties": {"v": {"type": "string", "pattern": "("}}}
    answer = {"content": [TEXT], "structuredContent": {"v": "x"}}
    argv = command(tmp_path, [listed("get", outputSchema=broken)], {"get": answer})
    assert await run(calling("get", argv, "write"), "act") == {"v": "x"}


async def test_a_connection_stays_after_an_answer_that_does_not_fit(tmp_path: Path) -> None:
    from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
    from engine.runtime.connections import ConnectionPool
    from engine.tool.adapters import Adapters

    tools = [listed("get", outputSchema=OUTPUT), listed("good")]
    starts = tmp_path / "starts"
    argv = command(tmp_path, tools, {"get": {"content": [TEXT], "structuredContent": {}}, "good": {"content": [TEXT]}})
    counting = ["/bin/sh", "-c", f"echo started >> {starts}; exec " + " ".join(argv)]
    server = ("specs/servers/s.yaml", f"kind: Server\nname: s\ncommand: {json.dumps(counting)}\n")
    made = bundle(
        agent("[get, good]"), server,
        *[tool(name, output="{}", more=f"adapter: {{kind: mcp, server: s, tool: {name}, result: {result}}}\n")
          for name, result in (("get", "structured"), ("good", "text"))],
    )  # fmt: skip
    async with ConnectionPool() as connections:
        adapters = Adapters(AdapterResources(made, TrioClock(), HostSecrets({}), connections))
        with pytest.raises(ToolError) as error:
            await adapters(made.tools["get"]).run(ToolInvocation(made.tools["get"], {}, {}, None, "s", "/"))
        assert error.value.reason == "invalid_output"
        assert await adapters(made.tools["good"]).run(ToolInvocation(made.tools["good"], {}, {}, None, "s", "/"))
    assert starts.read_text().splitlines() == ["started"]


UNREADABLE = {
    "no JSON": "this is no JSON",
    "half": '{"jsonrpc": "2.0", "id": 2, "result": {',
    "surrogate": r'{"jsonrpc": "2.0", "id": %d, "result": {"content": [{"type": "text", "text": "a\ud800b"}]}}',
    "no message": '{"jsonrpc": "2.0", "what": 1}',
    "NaN": '{"jsonrpc": "2.0", "id": 2, "result": {"content": [], "structuredContent": {"v": NaN}}}',
    "list": "[1, 2]",
    "not UTF-8": "\udcff\udcfe",
}


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_message_that_can_not_be_read_is_told_at_once(tmp_path: Path, effect: str, line: str) -> None:
    # the id of the call is the one after those of the handshake and the list, whatever they are
    script = tmp_path / "server.py"
    script.write_text(ANSWERING.replace("LINE", repr(line)))
    error = await failure(calling("page", [sys.executable, str(script)], effect), "act", timeout=600)
    assert error.reason in ("no_answer", "invalid_output", "unreadable_answer")
    assert error.acted == (effect == "write")
    assert "read" in error.message or "JSON" in error.message


ANSWERING = """
import json, sys
sys.stdout.reconfigure(errors="surrogateescape")
line = LINE
for asked in sys.stdin:
    m = json.loads(asked)
    if "id" not in m:
        continue
    if m["method"] == "initialize":
        told = {"protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "x", "version": "1"}}
    elif m["method"] == "tools/list":
        told = {"tools": [{"name": "page", "inputSchema": {"type": "object"}}]}
    elif m["method"] == "tools/call":
        print(line.replace("%d", json.dumps(m["id"])), flush=True)
        continue
    else:
        told = {}
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": told}), flush=True)
"""


@asynccontextmanager
async def over_http(answer: bytes, content_type: str, coding: str = "identity") -> AsyncIterator[str]:
    async def act(exchange: s.Exchange) -> None:
        asked = exchange.asked.body or {}
        method = asked.get("method")
        if method is None or "id" not in asked:
            await exchange.text("", 405 if method is None else 202)
            return
        told: Any = {"tools": [{"name": "page", "inputSchema": {"type": "object"}}]}
        if method == "initialize":
            told = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                    "serverInfo": {"name": "x", "version": "1"}}  # fmt: skip
        if method == "tools/call":
            assert exchange.asked.headers["accept-encoding"] == "identity"
            length = str(len(answer))
            await exchange.head(content_type=content_type, content_length=length, content_encoding=coding)
            await exchange.send(h11.Data(data=answer))
            await exchange.send(h11.EndOfMessage())
            return
        await exchange.json({"jsonrpc": "2.0", "id": asked["id"], "result": told})

    async with s.serving(act) as server:
        yield server.url + "/mcp"


BOMB = gzip.compress(b'{"jsonrpc": "' + b" " * 30_000_000)


@pytest.mark.parametrize(("answer", "kind", "coding"), [
    (b"this is no JSON", "application/json", "identity"), (b"", "application/json", "identity"),
    (b"<html>", "text/html", "identity"), (b'{"jsonrpc": "2.0"', "application/json", "identity"),
    (BOMB, "application/json", "gzip"), (gzip.compress(BOMB), "application/json", "gzip, gzip"),
    (BOMB, "text/event-stream", "gzip"), (b"what", "application/json", "br"),
])  # fmt: skip
async def test_a_message_over_http_that_can_not_be_read_is_told_at_once(answer: bytes, kind: str, coding: str) -> None:
    async with over_http(answer, kind, coding) as url:
        server = ("specs/servers/s.yaml", f"kind: Server\nname: s\nurl: {url}\nallow_private: true\n")
        made = with_tool("act", "{kind: mcp, server: s, tool: page}", "write", files=(server,))
        error = await failure(made, "act", timeout=600)
    assert error.reason in ("no_answer", "invalid_output", "unreadable_answer")
    assert error.acted


# -- a server that does not start


DYING = "import sys; sys.stderr.write('the key API_TOKEN is not set\\n'); sys.exit(3)"


@pytest.mark.parametrize("code", [DYING, f"input(); {DYING}", f"print('hello', flush=True); {DYING}"])
def test_why_a_server_did_not_start_is_told_at_import(tmp_path: Path, code: str) -> None:
    server = f"kind: Server\nname: s\ncommand: {json.dumps([sys.executable, '-c', code])}\n"
    done = Importing(tmp_path, server=server).imported()
    assert done.code == 1
    assert "the key API_TOKEN is not set" in done.err
    assert "3" in done.err.replace("API_TOKEN", "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("code", [DYING, f"input(); {DYING}"])
async def test_why_a_server_did_not_start_is_told_to_a_call(code: str) -> None:
    error = await failure(calling("page", [sys.executable, "-c", code]), "act")
    assert (error.reason, error.acted, error.retryable) == ("server_unavailable", False, True)
    assert "the key API_TOKEN is not set" in error.message
    assert "3" in error.message.replace("API_TOKEN", "")


async def test_a_server_that_dies_by_a_signal_is_said_to(tmp_path: Path) -> None:
    code = "import os, signal, sys; sys.stderr.write('out of memory\\n'); sys.stderr.flush(); os.kill(os.getpid(), 9)"
    error = await failure(calling("page", [sys.executable, "-c", code]), "act")
    assert "out of memory" in error.message
    assert "9" in error.message or "KILL" in error.message


async def test_a_secret_that_a_dying_server_says_is_masked() -> None:
    code = "import os, sys; sys.stderr.write('bad key ' + os.environ['TOKEN']); sys.exit(1)"
    server = f"kind: Server\nname: s\ncommand: {json.dumps([sys.executable, '-c', code])}\n"
    server += "environment: {TOKEN: '${secret:API_KEY}'}\n"
    made = with_tool("act", "{kind: mcp, server: s, tool: page}", files=(("specs/servers/s.yaml", server),))
    error = await failure(made, "act")
    assert "bad key" in error.message
    assert "canary" not in error.message


# -- servers that need not be there


def test_a_server_can_be_declared_optional() -> None:
    server = ("specs/servers/s.yaml", "kind: Server\nname: s\ncommand: [no-such-server]\noptional: true\n")
    made, found = loaded(agent("[act]"), server, tool("act", more="adapter: {kind: mcp, server: s, tool: page}\n"))
    assert errors(found) == []
    assert made is not None
    wrong = (server[0], server[1].replace("optional: true", "optional: maybe"))
    assert errors(loaded(agent("[]"), wrong)[1])


async def test_the_tools_of_an_optional_server_are_unavailable_instead_of_the_session() -> None:
    server = "kind: Server\nname: s\ncommand: [no-such-server]\noptional: true\n"
    made = with_tool("act", "{kind: mcp, server: s, tool: page}", files=(("specs/servers/s.yaml", server),))
    error = await failure(made, "act")
    assert (error.reason, error.acted) == ("server_unavailable", False)
    assert not error.lost


async def test_a_name_that_a_server_lists_twice_is_told_and_hides_no_tool(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("look", description="one"), listed("look", description="two"), listed("z"))
    done = one.imported()
    assert "look" in done.err
    assert "s_z" in one.documents


def test_every_page_of_tools_is_asked_for_or_it_is_told_that_there_are_more(tmp_path: Path) -> None:
    """A server that never stops to list is told of, and what it listed is not taken for all."""
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    server = f"kind: Server\nname: s\ncommand: {json.dumps([sys.executable, str(script)])}\n"
    done = Importing(tmp_path, server=server).imported()
    assert done.code == 1 or "more" in done.err
    assert "Traceback" not in done.err


ENDLESS = """
import json, sys
n = 0
for asked in sys.stdin:
    m = json.loads(asked)
    if "id" not in m:
        continue
    told = {}
    if m["method"] == "initialize":
        told = {"protocolVersion": m["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "x", "version": "1"}}
    if m["method"] == "tools/list":
        n += 1
        told = {"tools": [{"name": f"t{n % 3}", "inputSchema": {"type": "object"}}], "nextCursor": str(n)}
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": told}), flush=True)
"""


OPTIONAL = "kind: Server\nname: s\ncommand: [no-such-server]\noptional: true\n"
CALLS = "[{message: a, tool_calls: [{id: a, name: far, input: {}}, {id: b, name: near, input: {}}]}, {message: bye, done: true}]"


async def test_a_session_runs_without_a_server_that_is_optional() -> None:
    path, text = agent("[far, near]")
    made, found = loaded(
        (path, text.replace("[{message: hi, done: true}]", CALLS)), ("specs/servers/s.yaml", OPTIONAL), tool("near"),
        tool("far", output="{}", more="adapter: {kind: mcp, server: s, tool: page}\n"),
    )  # fmt: skip
    assert made is not None, errors(found)
    engine = Runner(MemoryStore(), secrets=HostSecrets({}))
    async with engine:
        await engine.prepare(made, "bot")
        state = await engine.run(made, Opening("bot", "Go", {"tenant": "acme"}), Path("."))
    assert state.status.value == "done"
    ends = {name: call.result.status for name, call in state.calls.items() if call.result is not None}
    assert ends["b"] == "ok"
    assert ends["a"] != "ok"


async def test_the_text_of_an_embedded_resource_is_text(tmp_path: Path) -> None:
    argv = command(tmp_path, [listed("file")], {"file": {"content": [TEXT, RESOURCE]}})
    assert await run(calling("file", argv, rest="result: text"), "act") == {"text": f"{TEXT['text']}\nTHE BODY"}
