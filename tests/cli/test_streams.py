"""What becomes of a command whose output has nowhere to go, and of one that stands nowhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import Shell, command, environment

HELLO = ("run", "mine", "-m", "hi", "--set", "customer=ada", "--set", "order_id=o-1")
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")


def redirected(shell: Shell, redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command under a shell that redirects its streams."""
    script = f'exec "$@" {redirection}'
    argv = ["bash", "-c", script, "bash", *command(*arguments)]
    env = environment(shell.at / "store.db")
    return subprocess.run(argv, cwd=shell.at, env=env, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture
def mine(empty: Shell) -> Shell:
    assert empty("init", "mine").code == 0
    return empty


@needs_full
@pytest.mark.parametrize("arguments", [("validate", "mine"), ("test", "mine"), ("schema", "policy"), ("--help",)])
def test_a_full_disk_is_told_in_one_line_and_the_command_has_failed(mine: Shell, arguments: tuple[str, ...]) -> None:
    done = redirected(mine, ">/dev/full", *arguments)
    assert (done.returncode, done.stderr) == (1, "engine: the output can't be written: no space left on device\n")


@needs_full
@pytest.mark.parametrize("output_format", ["text", "json", "jsonl"])
def test_a_session_goes_on_to_its_end_although_the_disk_is_full(mine: Shell, output_format: str) -> None:
    done = redirected(mine, ">/dev/full", *HELLO, "--format", output_format)
    assert (done.returncode, "is done (answered)" in done.stderr, done.stderr.count("can't be written")) == (0, True, 1)
    assert [row["state"] for row in mine("sessions", "list", "--format", "json").json] == ["done"]


@needs_full
def test_every_session_of_a_batch_goes_on_although_the_disk_is_full(mine: Shell) -> None:
    line = '{"message": "hi", "attributes": {"customer": "ada", "order_id": "o-1"}}\n'
    (mine.at / "batch.jsonl").write_text(line * 3)
    done = redirected(mine, ">/dev/full", "run", "mine", "--batch", "batch.jsonl", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert len(mine("sessions", "list", "--format", "json").json) == 3


@needs_full
def test_nothing_depends_on_a_channel_for_errors(mine: Shell) -> None:
    assert redirected(mine, "2>/dev/full", *HELLO).returncode == 0
    assert redirected(mine, "2>/dev/full", "validate", "nowhere").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_leads_nowhere(mine: Shell, closed: str) -> None:
    done = redirected(mine, closed, *HELLO)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert mine("sessions", "verify").code == 0, "nothing that was said went into the store"


@pytest.mark.parametrize("place", ["file/x", "/proc/x"])
def test_a_place_where_nothing_can_be_made_is_told_in_one_line(empty: Shell, place: str) -> None:
    (empty.at / "file").write_text("")
    done = empty("init", place)
    assert (done.code, done.err.count("\n"), done.err.startswith("engine: ")) == (1, 1, True), done.err


@pytest.mark.parametrize("arguments", [("validate",), ("init", "x"), ("test",)])
def test_a_directory_that_is_gone_is_told(empty: Shell, arguments: tuple[str, ...]) -> None:
    gone = empty.at / "gone"
    gone.mkdir()
    script = 'rmdir "$0" && exec "$@"'
    argv = ["bash", "-c", script, str(gone), *command(*arguments)]
    env = {**environment(empty.at / "store.db"), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(argv, cwd=gone, env=env, capture_output=True, text=True, timeout=600, check=False)
    told = "engine: the current directory is gone: change to one that is there\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("group", [(), ("sessions",), ("review",), ("jobs",), ("keys",), ("planners",), ("tools",)])
def test_a_group_alone_shows_its_help_as_it_is(empty: Shell, group: tuple[str, ...]) -> None:
    done = empty(*group)
    shown = done.err or done.out
    assert shown.startswith(f"Usage: {' '.join(('engine', *group))} [OPTIONS] COMMAND")
    assert shown.splitlines() == empty(*group, "--help").out.splitlines()


def test_a_list_ends_with_its_reader(empty: Shell) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        command("schema", "agent"), cwd=empty.at, stdout=writes, stderr=subprocess.PIPE, text=True, timeout=600, check=False
    )  # fmt: skip
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, "")
