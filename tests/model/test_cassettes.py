"""Recorded answers of models: from the command line, and in fixtures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from engine.bundle.load import load_directory
from engine.fixtures.chaos import chaos
from engine.fixtures.scenario import run_fixture
from tests.cli.shell import command, environment
from tests.model import server as s

FIXTURE = """
kind: Fixture
name: recorded
agent: bot
message: Find it
cassette: fixtures/cassettes/found
expect:
  state: done
  message_contains: [Found it]
  calls: [{tool: look, status: ok}]
  ran: [{tool: look, times: 1}]
"""


def lay_out(at: Path, url: str) -> None:
    """A bundle with one read and a model at a URL."""
    files = {
        "specs/agents/bot.yaml": (
            "kind: Agent\nname: bot\ndescription: bot\nplanner: model\nplanners:\n  model: {kind: openai, model: m, "
            f"base_url: '{url}/v1', api_key: '${{secret:MODEL_KEY}}'}}\ntools: [look]\n"
            "stop: [{outcome: answered, message: '{{ decision.message }}'}]\n"
        ),
        "specs/tools/look.yaml": (
            "kind: Tool\nname: look\ndescription: look\neffect: read\ninput: {type: object, properties: {n: {}}}\n"
            "adapter: {kind: python, file: specs/tools/look.py, function: look}\n"
        ),
        "specs/tools/look.py": "def look(n=None):\n    return {'found': n}\n",
        "specs/prices/m.yaml": "kind: Prices\nname: m\nmodels: {m: {input_usd: 1, output_usd: 1}}\n",
    }
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)


async def shell(at: Path, *arguments: str, **more: str) -> tuple[int, str]:
    done = await trio.run_process(
        command(*arguments), cwd=at, env=environment(at / "store.db") | more, capture_stdout=True, capture_stderr=True,
        check=False,
    )  # fmt: skip
    return done.returncode or 0, (done.stdout + done.stderr).decode()


async def recorded(at: Path) -> None:
    """A recording of one session, in a folder of the bundle."""
    async with s.serving(s.decides("Looking", ("look", {"n": 1})), s.decides("Found it")) as server:
        await trio.to_thread.run_sync(lay_out, at, server.url)
        code, said = await shell(
            at, "run", "-m", "Find it", "--record", "fixtures/cassettes/found", MODEL_KEY="canary-key"
        )
    assert code == 0, said


async def test_what_was_recorded_is_replayed_offline_and_without_a_key(tmp_path: Path) -> None:
    await recorded(tmp_path)
    code, said = await shell(tmp_path, "run", "-m", "Find it", "--replay-model", "fixtures/cassettes/found")
    assert (code, "answered: Found it" in said) == (0, True), said
    code, said = await shell(tmp_path, "run", "-m", "Something else", "--replay-model", "fixtures/cassettes/found")
    assert (code, "not_recorded" in said) == (1, True), said


async def test_a_recording_that_is_not_there_and_two_ways_at_once_are_refused(tmp_path: Path) -> None:
    await recorded(tmp_path)
    (tmp_path / "empty").mkdir()
    code, said = await shell(tmp_path, "run", "-m", "x", "--replay-model", "empty")
    assert (code, "holds no recorded exchange" in said) == (2, True), said
    code, said = await shell(tmp_path, "run", "-m", "x", "--replay-model", "empty", "--record", "other")
    assert (code, "either --record or --replay-model" in said) == (2, True), said


async def test_a_fixture_runs_on_a_cassette_of_its_bundle(tmp_path: Path) -> None:
    await recorded(tmp_path)
    (tmp_path / "fixtures" / "recorded.yaml").write_text(FIXTURE)
    loaded = load_directory(tmp_path)
    assert loaded.bundle is not None, loaded.diagnostics
    fixture = loaded.documents.of("Fixture")["recorded"].plain
    report = await trio.to_thread.run_sync(run_fixture, loaded.bundle, fixture)
    assert report.passed, report.failures
    lives = await trio.to_thread.run_sync(chaos, loaded.bundle, fixture)
    assert len(lives) > 10
    assert [life for life in lives if not life.all_kept] == []


async def test_a_fixture_whose_cassette_is_not_there_is_said(tmp_path: Path) -> None:
    await recorded(tmp_path)
    (tmp_path / "fixtures" / "recorded.yaml").write_text(FIXTURE)
    await trio.to_thread.run_sync(shutil.rmtree, tmp_path / "fixtures" / "cassettes")
    assert [diagnostic.code for diagnostic in load_directory(tmp_path).diagnostics] == ["E108"]


async def test_what_a_server_can_not_do_is_found_before_any_session(tmp_path: Path) -> None:
    async with s.serving(
        s.decides("Hello"), s.status(400, '{"error": {"message": "no response_format here"}}')
    ) as server:
        await trio.to_thread.run_sync(lay_out, tmp_path, server.url)
        good = await shell(tmp_path, "planners", "check", MODEL_KEY="canary-key")
        bad = await shell(tmp_path, "planners", "check", "--format", "json", MODEL_KEY="canary-key")
        missing = await shell(tmp_path, "planners", "check")
    assert (good[0], "bot\tmodel\tm\tok" in good[1]) == (0, True), good
    assert (bad[0], '"status": "rejected"' in bad[1], "try another `answers`" in bad[1]) == (1, True, True), bad
    assert (missing[0], "MODEL_KEY" in missing[1]) == (1, True), missing
    assert server.asked[0].body["response_format"]["type"] == "json_schema"


async def test_a_bundle_without_models_has_nothing_to_ask(tmp_path: Path) -> None:
    code, said = await shell(tmp_path, "init", "plain")
    assert code == 0, said
    code, said = await shell(tmp_path, "planners", "check", "plain")
    assert (code, "no planner" in said) == (0, True), said


@pytest.mark.parametrize(
    "held",
    ["[]", "null", '{"request": 7}', '{"request": {}, "response": {}}', "{", pytest.param("[" * 9_000, id="deep")],
)
async def test_a_file_that_is_no_recording_is_told_in_plain_words(tmp_path: Path, held: str) -> None:
    await recorded(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "0001.json").write_text(held)
    code, said = await shell(tmp_path, "run", "-m", "x", "--replay-model", "empty")
    assert (code, "is no recorded exchange" in said, "record it anew" in said) == (2, True, True), said
    assert not any(word in said for word in ("TypeError", "subscript", "indices", "Traceback")), said
