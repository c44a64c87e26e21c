"""`engine test` and `engine chaos` act on nothing that is real, whatever they try."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from engine.fixtures.scenario import START
from tests.bundle_texts import CODE, agent, policy, tool
from tests.cli.shell import ROOT, Done, Shell
from tests.model import server as s
from tests.testing.live import KEYED, OPEN

NEVER = "  - {id: never, tools: [act], effect: deny, when: input.n == 1, reason: never}\n"
NEVER_RAN = "{state: done, never_ran: [act]}"


async def ok(exchange: s.Exchange) -> None:
    await exchange.json({})


def lay(at: Path, url: str, more: str = "", rules: str = OPEN + NEVER, expect: str = NEVER_RAN) -> Shell:
    """A bundle whose write asks a server, and a fixture that proposes it."""
    asks = f"adapter: {{kind: http, method: POST, url: '{url}/x', allow_private: true}}\n{KEYED}"
    pathway = (
        "kind: Fixture\nname: one\nagent: bot\nmessage: hello\nattributes: {tenant: acme}\n"
        "decisions: [{message: '', tool_calls: [{id: a, name: act, input: {n: 1}}]}, {message: bye, done: true}]\n"
        f"expect: {expect}\n{more}"
    )
    for path, text in (
        agent("[act]", policies="[rules]"), policy(rules), tool("act", "write", more=asks),
        ("specs/tools/code.py", CODE), ("fixtures/one.yaml", pathway),
    ):  # fmt: skip
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_text(text)
    return Shell(at)


async def done_by(shell: Shell, *arguments: str) -> Done:
    return await trio.to_thread.run_sync(lambda: shell(*arguments))


async def test_the_failure_names_the_fixtures_place_and_what_to_write(tmp_path: Path) -> None:
    async with s.serving(ok) as server:
        shell = lay(tmp_path, server.url, "", OPEN, "{state: done}")
        done, as_json = await done_by(shell, "test"), await done_by(shell, "test", "--format", "json")
        chaos = await done_by(shell, "chaos", "one")
    assert server.asked == []
    assert (done.code, chaos.code) == (1, 1)
    assert "FAILED one (fixtures/one.yaml:2:7)" in done.out
    assert "`live: [act]`" in done.out
    assert as_json.json[0]["place"] == "fixtures/one.yaml:2:7"
    assert "fixtures/one.yaml:2:7: undisturbed: tool `act`" in chaos.out


@pytest.mark.parametrize("how", [["--mutate"], ["--mutate", "--write-missing"], ["--mutate", "--workers", "2"]])
async def test_a_mistake_that_is_tried_in_a_policy_reaches_nobody(how: list[str], tmp_path: Path) -> None:
    async with s.serving(*[ok] * 50) as server:
        done = await done_by(lay(tmp_path, server.url), "test", *how)
    assert server.asked == [], done.out + done.err
    assert "1 passed" in done.out
    assert "mutation score" in done.out


async def test_a_mistake_is_tried_for_real_on_no_tool_that_is_live_either(tmp_path: Path) -> None:
    """`live` is said of the policies as they stand."""
    async with s.serving(*[ok] * 50) as server:
        done = await done_by(lay(tmp_path, server.url, "live: [act]\n"), "test", "--mutate", "--format", "json")
    assert server.asked == [], done.out + done.err
    assert "behind what is `live` these fixtures notice nothing: one" in done.err
    assert done.json["mutation"]["killed"] == 0, "nobody knows what would have come of it"


async def test_what_is_written_for_a_mistake_stubs_what_would_act(tmp_path: Path) -> None:
    async with s.serving(*[ok] * 50) as server:
        shell = lay(tmp_path, server.url)
        (tmp_path / "fixtures/one.yaml").unlink()
        await done_by(shell, "test", "--write-missing")
        again = await done_by(shell, "test", "--mutate", "--format", "json")
    assert server.asked == []
    assert again.code == 0, again.out
    assert again.json["mutation"]["score"] == 100


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    shell = lay(tmp_path, "http://127.0.0.1:9")
    one = (tmp_path / "fixtures/one.yaml").read_text()
    (tmp_path / "fixtures/one.yaml").unlink()
    first = shell("test", "--write-missing", "--format", "json").json["mutation"]["written"]
    assert len(first) > 1
    for path in first:
        (tmp_path / path).unlink()
        (tmp_path / path).symlink_to(tmp_path / "somewhere-else.yaml")
    again = shell("test", "--write-missing")
    assert (again.code, "E108" in again.out + again.err) == (1, True)
    assert not (tmp_path / "somewhere-else.yaml").exists()
    for path in first:
        (tmp_path / path).unlink()
    (tmp_path / first[0]).write_text(
        one.replace("name: one", "name: other").replace("expect: ", "live: [act]\nexpect: ")
    )
    assert first[0] not in shell("test", "--write-missing", "--format", "json").json["mutation"].get("written", [])
    assert "name: other" in (tmp_path / first[0]).read_text()
    assert shell("test").code == 0


def test_a_mistake_about_the_time_has_a_fixture_with_its_moment(tmp_path: Path) -> None:
    rule = "  - {id: late, tools: [act], effect: allow, when: \"now >= datetime('2031-05-06T07:08:09Z')\"}\n"
    shell = lay(tmp_path, "http://127.0.0.1:9", rules=rule)
    shell("test", "--write-missing")
    written = [path.read_text() for path in (tmp_path / "fixtures").glob("missing-*.yaml")]
    assert any("\nnow: 2031-05-06T07:08:0" in text for text in written), written
    assert shell("test").code == 0


def test_the_moment_that_fixtures_begin_at_is_documented() -> None:
    moment = START.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert moment in (ROOT / "docs/guides/testing.md").read_text()
    assert moment in (ROOT / "docs/reference/documents.md").read_text()
