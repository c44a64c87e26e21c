"""A process that is killed: the log is whole, and another process goes on from it."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.shell import ROOT, Shell
from tests.cli.test_sessions import slow_script, wait_for
from tests.waiting import alive, until


@pytest.mark.parametrize("honoured_by", ["tool", "engine"])
def test_a_killed_process_is_resumed_and_no_write_runs_twice_that_must_not(shell: Shell, honoured_by: str) -> None:
    slow_script(shell)
    tool = shell.at / "specs/tools/linger.yaml"
    key = f"idempotency: {{key: [input.file], honoured_by: {honoured_by}}}"
    tool.write_text(tool.read_text().replace("idempotency: none", key))
    code = shell.at / "specs/tools/linger.py"
    code.write_text(
        code.read_text().replace("time.sleep(30)", "time.sleep(30 if len(open(file).readlines()) == 1 else 0)")
    )
    text = code.read_text().replace("import time\n", "import os, time\n")
    code.write_text(
        text.replace("    open(file", "    open(file[:-3] + 'pid', 'w').write(str(os.getpid()))\n    open(file")
    )
    process = shell.start(
        "run", ".", "--agent", "support-triage", "--planner", "slow", "-m", "hi", "--set", "tenant=acme", "--set",
        "account_id=acct_1001",
    )  # fmt: skip
    wait_for(shell.at / "ran")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=600)
    until(lambda: not alive(int((shell.at / "pid").read_text())), "the end of the tool's process with the engine")
    (row,) = shell("sessions", "list", "--format", "json").json
    assert row["state"] == "running"
    held = shell("resume", row["id"], "--no-wait")
    assert (held.code, "whose lease runs until" in held.err) == (1, True)
    done = shell("resume", row["id"], "--format", "json")
    runs = (shell.at / "ran").read_text()
    attempts = [e["attempt"] for e in done.json if e["kind"] == "call_started"]
    if honoured_by == "tool":
        assert runs == "run\nrun\n"
        assert attempts == [2]
    else:
        assert runs == "run\n"
        assert attempts == []
        assert done.code == 3
        (request,) = shell("review", "list", "--format", "json").json
        assert request["kind"] == "settle"
    assert shell("sessions", "verify").code == 0


def test_the_wheel_carries_the_schemas_and_the_starter(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "engine/schemas/policy.schema.json" in names
    assert "engine/cli/starter/policies/cancellations.yaml" in names
    assert "engine/cli/starter/gitignore" in names
    assert not [name for name in names if name.endswith((".db", ".pyc")) or name.startswith("tests")]
