"""No secret and no sensitive value is anywhere in what is written or said, whatever models and tools repeat."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trio

from engine.store.urls import open_url
from tests.cli.shell import command, environment
from tests.model import server as s

SECRETS = {
    "MODEL_KEY": "canary-model/1+1",
    "HTTP_KEY": "canary-http 2&2",
    "COMMAND_KEY": "canary-command-3",
    "SERVER_KEY": "canary-server-4",
    "SEAL_KEY": "canary-seal-5-which-is-as-long-as-a-key-has-to-be",
}
SENSITIVE = ["canary-iban-DE44", "canary-note-6", "77012345"]
PEER = Path(__file__).resolve().parents[1] / "tool" / "mcp_peer.py"

ECHO = """
import json, os, sys
given = json.load(sys.stdin)
if given.get("fail"):
    sys.stderr.write("I die with " + os.environ["TOKEN"])
    sys.exit(4)
print(json.dumps({"said": os.environ["TOKEN"], "account": 77012345, "note": "canary-note-6"}))
"""


def files(url: str) -> dict[str, str]:
    anything = "{type: object, properties: {fail: {type: boolean}, iban: {type: string, x-sensitive: true}}}"
    head = f"effect: read\ninput: {anything}\n"
    output = (
        "output: {type: object, properties: {said: {}, account: {type: integer, x-sensitive: true}, "
        "note: {type: string, x-sensitive: true}}}\n"
    )
    return {
        "specs/agents/bot.yaml": (
            "kind: Agent\nname: bot\ndescription: bot\nplanner: model\nsealed_with: ${secret:SEAL_KEY}\n"
            f"planners:\n  model: {{kind: openai, model: m, base_url: '{url}/v1', api_key: '${{secret:MODEL_KEY}}'}}\n"
            "tools: [web, run, peer, pay]\npolicies: [rules]\n"
            "attributes:\n  type: object\n  required: [iban]\n"
            "  properties: {iban: {type: string, x-sensitive: true}}\n"
            "stop: [{outcome: answered, message: '{{ decision.message }}'}]\n"
        ),
        "specs/tools/web.yaml": (
            f"kind: Tool\nname: web\ndescription: web\n{head}output: {{}}\nadapter:\n  kind: http\n  url: {url}/echo\n"
            "  headers: {Authorization: 'Bearer ${secret:HTTP_KEY}'}\n  query: {token: '${secret:HTTP_KEY}'}\n"
            "  allow_private: true\n"
        ),
        "specs/tools/run.yaml": (
            f"kind: Tool\nname: run\ndescription: run\n{head}{output}adapter:\n  kind: command\n"
            f"  argv: ['{sys.executable}', specs/tools/echo.py]\n  files: [specs/tools/*.py]\n"
            "  environment: {TOKEN: '${secret:COMMAND_KEY}'}\n"
        ),
        "specs/tools/echo.py": ECHO,
        "specs/tools/peer.yaml": (
            f"kind: Tool\nname: peer\ndescription: peer\n{head}output: {{}}\n"
            "adapter: {kind: mcp, server: peer, tool: environment}\n"
        ),
        "specs/tools/pay.yaml": (
            f"kind: Tool\nname: pay\ndescription: pay\neffect: write\ninput: {anything}\noutput: {{}}\n"
            "idempotency: {key: [input.iban], honoured_by: tool}\n"
            "adapter: {kind: command, argv: ['true']}\n"
        ),
        "specs/servers/peer.yaml": (
            f"kind: Server\nname: peer\ncommand: ['{sys.executable}', '{PEER}']\n"
            "environment: {TOKEN: '${secret:SERVER_KEY}'}\n"
        ),
        "specs/reviewers/leads.yaml": "kind: Reviewers\nname: leads\nmembers: [dana]\n",
        "policies/rules.yaml": (
            "kind: Policy\nname: rules\nrules:\n"
            "  - {id: own, tools: [pay], effect: allow, when: input.iban == session.iban}\n"
            "  - {id: ask, tools: [pay], effect: require_approval, approvers: [leads], "
            'when: "input.iban == session.iban", message: "Pay to {{ input.iban }}?"}\n'
        ),
    }


def answers(keys: Sequence[str]) -> s.Act:
    """Chat completions that repeat what they know, and a page that echoes its request."""
    turns = [
        {"message": f"my key is {keys[0]}", "done": False, "tool_calls": [
            {"name": "web", "input": {}}, {"name": "run", "input": {}}, {"name": "peer", "input": {}},
            {"name": "run", "input": {"fail": True}}]},
        {"message": "paying", "done": False, "tool_calls": [{"name": "pay", "input": {"iban": SENSITIVE[0]}}]},
        {"message": f"Done: {keys[0]}", "tool_calls": [], "done": True},
    ]  # fmt: skip
    asked = iter(turns)

    async def act(exchange: s.Exchange) -> None:
        if exchange.asked.path.startswith("/echo"):
            said = {"headers": exchange.asked.headers, "path": exchange.asked.path}
            await exchange.json(said, 400 if "fail" in exchange.asked.path else 200)
            return
        await s.says(json.dumps(next(asked)))(exchange)

    return act


async def shell(at: Path, *arguments: str) -> str:
    """All that a command says."""
    env = environment(at / "store.db") | SECRETS
    done = await trio.run_process(
        command(*arguments), cwd=at, env=env, capture_stdout=True, capture_stderr=True, check=False
    )
    return (done.stdout + done.stderr).decode()


def forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [secret, quote(secret, safe=""), base64.b64encode(raw).decode().rstrip("="), raw.hex()]


def found_in(text: str) -> list[str]:
    """What of all that is secret or sensitive stands in a text."""
    secrets = [form for secret in SECRETS.values() for form in forms(secret)]
    return [one for one in [*secrets, *SENSITIVE, "canary"] if one in text]


def written_in(folder: Path) -> list[tuple[str, str]]:
    """Every file that was written beside the bundle itself."""
    own = {folder / name for name in files("")}
    paths = [path for path in folder.rglob("*") if path.is_file() and path not in own]
    return [(str(path), path.read_bytes().decode("utf-8", "replace")) for path in paths]


async def stored(url: str) -> str:
    """All that the store holds, uncompressed."""
    parts: list[Any] = []
    async with open_url(url) as store:
        for row in await store.sessions():
            parts += [event.payload for event in await store.load(row.id)]
        parts += [request.payload for request in await store.requests(open_only=False)]
    return repr(parts)


async def test_nothing_secret_and_nothing_sensitive_is_written_or_said(tmp_path: Path) -> None:
    async with s.serving(answers(list(SECRETS.values()))) as server:
        for name, text in files(server.url).items():
            place = trio.Path(tmp_path / name)
            await place.parent.mkdir(parents=True, exist_ok=True)
            await place.write_text(text)
        said = await shell(tmp_path, "validate")
        said += await shell(tmp_path, "run", "-m", "Pay it", "--set", f"iban={SENSITIVE[0]}", "--record", "kept")
        assert "awaiting" in said, said
        session = re.findall(r"ses_[0-9a-f]{16}", said)[0]
        said += await shell(tmp_path, "review", "list")
        said += await shell(tmp_path, "review", "show", f"{session}.1")
        said += await shell(tmp_path, "review", "approve", f"{session}.1", "--as", "dana", "--format", "json")
    assert '"state": "done"' in said, said
    for arguments in (
        ("sessions", "show", session), ("sessions", "events", session), ("explain", session),
        ("sessions", "events", session, "--format", "json"), ("sessions", "verify"),
        ("review", "list", "--all", "--format", "json"),
    ):  # fmt: skip
        said += await shell(tmp_path, *arguments)
    assert "[sensitive]" in said
    assert "[secret]" in said
    assert found_in(said) == []
    # what a model was told holds them no less
    prompts = "".join(json.dumps(asked.body) for asked in server.asked if asked.body)
    assert found_in(prompts) == []
    assert found_in(await stored(f"sqlite:///{tmp_path}/store.db")) == []
    for path, text in written_in(tmp_path):
        assert found_in(text) == [], path
    assert len([path for path, _ in written_in(tmp_path) if "/kept/" in path]) == 2


async def test_without_the_key_a_session_can_be_looked_at_and_not_driven(tmp_path: Path) -> None:
    async with s.serving(answers(list(SECRETS.values()))) as server:
        for name, text in files(server.url).items():
            place = trio.Path(tmp_path / name)
            await place.parent.mkdir(parents=True, exist_ok=True)
            await place.write_text(text)
        said = await shell(tmp_path, "run", "-m", "Pay it", "--set", f"iban={SENSITIVE[0]}")
    session = re.findall(r"ses_[0-9a-f]{16}", said)[0]
    env = environment(tmp_path / "store.db")
    look = await trio.run_process(command("sessions", "show", session), cwd=tmp_path, env=env, capture_stdout=True)
    assert b"[sensitive]" in look.stdout
    drive = await trio.run_process(
        command("resume", session), cwd=tmp_path, env=env, capture_stdout=True, capture_stderr=True, check=False
    )
    assert drive.returncode == 2
    assert b"SEAL_KEY" in drive.stderr
