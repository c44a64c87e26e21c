"""The command adapter: a list of arguments and no shell, bounds, and nothing left running."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.spec.bundle import Bundle
from tests.tool.peers import cancelled_after, failure, run, with_tool
from tests.waiting import alive

ECHO = """
import json, os, sys
given = json.load(sys.stdin)
print(json.dumps({"given": given, "argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}))
"""


def command(argv: str, rest: str = "", effect: str = "read", *, script: str = ECHO, more: str = "") -> Bundle:
    adapter = f"{{kind: command, argv: {argv}, files: [specs/tools/*.py]{', ' + rest if rest else ''}}}"
    return with_tool("act", adapter, effect, more=more, files=(("specs/tools/act.py", script),))


RUN = f"[{sys.executable}, specs/tools/act.py]"


async def test_arguments_stay_arguments_and_the_input_comes_as_json() -> None:
    hostile = "a b; rm -rf / $(id) `id` 'q' \"d\" {{ x }} ${secret:API_KEY}\n-x"
    made = command(RUN[:-1] + ", '--id={{ input.id }}', '{{ input.q }}', '{{ session.tenant }}']")
    output = await run(made, "act", id=7, q=hostile, n=None)
    assert output["argv"] == ["--id=7", hostile, "acme"]
    assert output["given"] == {"id": 7, "q": hostile, "n": None}


async def test_the_environment_is_what_is_declared_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSED_ON", "yes")
    monkeypatch.setenv("KEPT_BACK", "no")
    made = command(RUN, "environment: {PASSED_ON: null, TOKEN: '${secret:API_KEY}', PLAIN: x}", "write",
                   more="idempotency: {key: [input.id], honoured_by: tool}")  # fmt: skip
    output = await run(made, "act", key="k1", id=1)
    known = {"PATH", "PASSED_ON", "TOKEN", "PLAIN", "IDEMPOTENCY_KEY", "LC_CTYPE", "PWD", "SHLVL", "OLDPWD", "_"}
    assert set(output["env"]) <= known
    assert output["env"]["TOKEN"] == "canary-0815-secret"
    assert (output["env"]["PASSED_ON"], output["env"]["IDEMPOTENCY_KEY"]) == ("yes", "k1")


async def test_it_runs_in_a_fresh_folder_or_where_the_bundle_says(tmp_path: Path) -> None:
    output = await run(command(RUN), "act")
    assert "engine-tool-" in output["cwd"]
    assert not await trio.Path(output["cwd"]).exists()
    (tmp_path / "work").mkdir()
    made = with_tool("act", "{kind: command, argv: [pwd], directory: work, stdout: text, stdin: nothing}")
    assert await run(made, "act", root=tmp_path) == {"text": f"{tmp_path}/work\n"}


@pytest.mark.parametrize(("script", "effect", "reason", "flags"), [
    ("import sys; sys.exit(3)", "read", "exit_3", (False, False, False)),
    ("import sys; sys.exit(3)", "write", "exit_3", (False, True, False)),
    ("import sys; sys.exit(75)", "write", "exit_75", (True, False, False)),
    ("print('{')", "read", "invalid_output", (False, False, False)),
    ("print('[NaN]')", "write", "invalid_output", (False, True, True)),
    ("print('x' * 5000)", "write", "output_too_large", (False, True, True)),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "write", "killed", (False, True, True)),
])  # fmt: skip
async def test_how_it_ends_is_told(script: str, effect: str, reason: str, flags: tuple[Any, ...]) -> None:
    error = await failure(command(RUN, "max_output: 2000, retryable_codes: [75]", effect, script=script), "act")
    assert error.reason == reason
    assert (error.retryable, error.acted, error.lost) == flags


async def test_what_it_says_beside_its_output_is_in_the_error() -> None:
    script = "import sys; sys.stderr.write('no such customer'); sys.exit(2)"
    assert "no such customer" in (await failure(command(RUN, script=script), "act")).message


async def test_a_program_that_is_not_there_has_done_nothing() -> None:
    error = await failure(with_tool("act", "{kind: command, argv: [no-such-program]}", "write"), "act")
    assert (error.reason, error.acted) == ("cannot_start", False)


async def test_a_program_that_reads_nothing_and_says_nothing_is_fine() -> None:
    made = with_tool("act", "{kind: command, argv: ['true']}")
    assert await run(made, "act", q="x" * 500_000) == {}


async def test_a_cancelled_program_is_gone_with_its_children(tmp_path: Path) -> None:
    script = f"""
import os, subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}\\n")
time.sleep(600)
"""
    await cancelled_after(tmp_path / "pids", command(RUN, script=script))
    pids = [int(pid) for pid in (await trio.Path(tmp_path / "pids").read_text()).split()]
    assert len(pids) == 2
    with trio.fail_after(600):
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_a_child_that_is_left_behind_does_not_keep_the_call_open() -> None:
    script = "import subprocess; subprocess.Popen(['sleep', '60']); print('{\"left\": true}')"
    assert await run(command(RUN, script=script), "act", timeout=600) == {"left": True}


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_what_no_argument_can_hold_is_refused(value: str) -> None:
    made = with_tool("act", "{kind: command, argv: ['true', '{{ input.q }}']}", "write",
                     more="idempotency: {key: [input.q], honoured_by: tool}")  # fmt: skip
    assert (await failure(made, "act", q=value)).reason == "bad_argument"
    assert (await failure(made, "act", key=value, q="x")).reason == "bad_argument"


async def test_a_child_that_still_writes_into_the_folder_does_not_take_the_result_away() -> None:
    loop = "i=0; while [ $i -lt 400 ]; do echo x > f$i; i=$((i+1)); sleep 0.005; done"
    script = (
        f"import subprocess; subprocess.Popen(['setsid', 'sh', '-c', {loop!r}], stdout=-3, stderr=-3); print('{{}}')"
    )
    assert await run(command(RUN, script=script), "act", timeout=600) == {}


async def test_a_secret_is_masked_before_an_error_is_cut() -> None:
    script = "import os, sys; sys.stderr.write('x' * 300 + os.environ['TOKEN'] + 'y' * 490); sys.exit(2)"
    error = await failure(command(RUN, "environment: {TOKEN: '${secret:API_KEY}'}", script=script), "act")
    assert "secret]" in error.message or "y" * 400 in error.message
    assert "0815" not in error.message
