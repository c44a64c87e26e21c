"""Nothing blocks the loop: measured in a process of its own, without what measures the coverage of this one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.shell import ROOT


@pytest.mark.slow
def test_nothing_blocks_the_loop_under_many_sessions() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.model.loop"], cwd=ROOT, env=plain, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
