"""What a python write is told and what it answers stands nowhere where somebody else finds it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from engine.spec.bundle import Bundle
from tests.tool.peers import failure, run, with_tool

CODE = """
import os, sys, tempfile

def looks(to):
    return {"left": os.listdir(to), "stdin": sys.stdin.read()}

def dies_in_the_midst(n=0):
    for descriptor in os.listdir("/proc/self/fd"):
        if int(descriptor) > 2 and os.path.isfile(f"/proc/self/fd/{descriptor}"):
            os.write(int(descriptor), b'{"output": {"n": 1')
    os._exit(3)

def chatters(n=0):
    print("x" * 100_000)
    sys.stderr.write("the end of it")
    os._exit(4)
"""


def made(function: str) -> Bundle:
    adapter = f"{{kind: python, file: specs/tools/own.py, function: {function}}}"
    return with_tool("act", adapter, "write", files=(("specs/tools/own.py", CODE),))


async def test_the_task_of_a_write_lies_in_no_file_that_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert await run(made("looks"), "act", to=str(tmp_path)) == {"left": [], "stdin": ""}


async def test_an_answer_that_was_broken_off_is_none() -> None:
    error = await failure(made("dies_in_the_midst"), "act")
    assert (error.reason, error.lost) == ("no_answer", True)
    assert "exit status 3" in str(error)


async def test_the_end_of_what_a_process_said_is_told() -> None:
    error = await failure(made("chatters"), "act")
    assert str(error).endswith("the end of it")
    assert len(str(error)) < 700
