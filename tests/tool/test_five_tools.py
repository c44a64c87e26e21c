"""The bundle of the guide `five-tools.md`, as it stands there, against a carrier and a server that are there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import trio

from tests.cli.shell import command, environment
from tests.model import server as s
from tests.tool.test_mcp import NPM

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "five-tools.md"
FILE = re.compile(r"^```\w+\n(?:#|--) ([\w/.-]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = "canary-carrier"


def lay_out(at: Path, port: int) -> Path:
    """The files that the guide shows, with the carrier at a port of this machine."""
    found = FILE.findall(GUIDE.read_text("utf-8"))
    assert len(found) == 13
    for name, text in found:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text.replace("127.0.0.1:8033", f"127.0.0.1:{port}"))
    (at / "rules").mkdir()
    (at / "rules" / "lost-parcels.md").write_text("A lost parcel is paid back in full.\n")
    return at


def carrier(state: str) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        assert exchange.asked.headers["authorization"] == f"Bearer {KEY}"
        await exchange.json({"parcel": {"id": exchange.asked.path.rsplit("/", 1)[-1], "state": state}})

    return act


async def run(at: Path, *arguments: str) -> tuple[int, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{NPM.parent / '.bin'}{os.pathsep}{os.environ['PATH']}"
    env = environment(at / "store.db") | {"CARRIER_KEY": KEY, "PATH": programs}
    done = await trio.run_process(
        command(*arguments), cwd=at, env=env, capture_stdout=True, capture_stderr=True, check=False
    )
    return done.returncode or 0, (done.stdout + done.stderr).decode()


def shown() -> list[str]:
    """The lines of the trace that the guide shows, its first aside."""
    text = GUIDE.read_text("utf-8")
    return text[text.index("user      Where") : text.rindex("```")].splitlines()


async def test_the_bundle_of_the_guide_is_valid_and_runs_as_the_guide_shows(tmp_path: Path) -> None:
    async with s.serving(s.status(503, retry_after="0.05"), carrier("lost")) as server:
        at = await trio.to_thread.run_sync(lay_out, tmp_path, server.port)
        assert (await run(at, "validate", "--strict"))[0] == 0
        assert (await run(at, "tools", "check")) == (0, "read_rules: is as it is pinned\n")
        code, said = await run(at, "run", "--agent", "desk", "-m", "Where is my order?", "--set", "order_id=o-17")
    assert code == 0, said
    lines = [line for line in said.splitlines() if "attempt 1 failed" not in line]
    # calls of one step end in any order
    assert sorted(line.rstrip() for line in lines if line.rstrip() in shown()) == sorted(shown())
    assert "attempt 1 failed" in said
    assert [asked.path for asked in server.asked] == ["/parcels/p-400", "/parcels/p-400"]
    assert KEY not in said


@pytest.mark.parametrize(("order", "state", "wanted", "code"), [
    ("o-18", "lost", "a reviewer of leads is asked", 3), ("o-17", "moving", "amount_usd", 0),
    ("o-99", "lost", "I can't find out what became of your order.", 0),
])  # fmt: skip
async def test_what_it_may_not_do_it_does_not_do(
    order: str, state: str, wanted: str, code: int, tmp_path: Path
) -> None:
    async with s.serving(carrier(state)) as server:
        at = await trio.to_thread.run_sync(lay_out, tmp_path, server.port)
        ended, said = await run(at, "run", "--agent", "desk", "-m", "Hi", "--set", f"order_id={order}")
    assert (ended, wanted in said) == (code, True), said


async def test_a_server_that_has_drifted_is_an_error_before_the_session_starts(tmp_path: Path) -> None:
    at = await trio.to_thread.run_sync(lay_out, tmp_path, 9)
    path = at / "specs" / "tools" / "read_rules.yaml"
    text = await trio.Path(path).read_text()
    await trio.Path(path).write_text(re.sub(r"sha256-\w+", "sha256-0123", text))
    code, said = await run(at, "run", "--agent", "desk", "-m", "Hi", "--set", "order_id=o-17")
    assert code == 1
    assert "lists read_text_file otherwise than it is pinned" in said
    assert (await run(at, "sessions", "list", "--format", "json"))[1].strip() == "[]"
    assert (await run(at, "tools", "check"))[0] == 1
