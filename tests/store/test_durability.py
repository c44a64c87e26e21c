"""What an append promises is on the disk before it returns: seen from outside, in the system calls of the process."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import ROOT

CHILD = """
import os, sys, trio
from pathlib import Path
from engine.store.sqlite import open_store
from engine.testing.log_events import started, woken

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        await store.append("s", 0, [started("s")])
        for seq in range(2, 12):
            os.write(2, f"BEGIN {seq}\\n".encode())
            await store.append("s", seq - 1, [woken("s", seq)])
            os.write(2, f"APPENDED {seq}\\n".encode())

trio.run(main)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows the system calls; it is not on this machine")
def test_every_append_is_synced_before_it_returns(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", str(trace), sys.executable, "-c", CHILD]
    subprocess.run([*command, str(tmp_path / "e.db")], cwd=ROOT, check=True, capture_output=True)
    synced: dict[int, int] = {}
    at = 0
    for line in trace.read_text("utf-8", "replace").splitlines():
        mark = re.search(r'"(BEGIN|APPENDED) (\d+)', line)
        if mark:
            at = int(mark[2]) if mark[1] == "BEGIN" else 0
        elif at and re.search(r"(fsync|fdatasync)\(\d+<[^>]*e\.db-wal>", line):
            synced[at] = synced.get(at, 0) + 1
    assert synced == dict.fromkeys(range(2, 12), 1), (
        "one sync of the write-ahead log for each append, and before its end"
    )
