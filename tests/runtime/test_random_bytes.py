"""Random bytes: as many as were asked for, to one taker alone, in this process and in one that was forked."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.random_bytes import random_hex


@pytest.mark.parametrize("count", [0, 1, 16, 4095, 4096, 4097, 100_000])
def test_there_are_as_many_as_were_asked_for(count: int) -> None:
    assert len(bytes.fromhex(random_hex(count))) == count


def test_no_two_threads_are_given_the_same() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: random_hex(12), range(5000)))
    assert len(set(found)) == 5000


def test_a_forked_process_is_not_given_what_its_parent_has_left() -> None:
    code = (
        "import os; from engine.random_bytes import random_hex\n"
        "random_hex(1)\n"
        "child = os.fork()\n"
        "child and os.waitpid(child, 0)\n"
        "print(random_hex(16), flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    one, other = done.stdout.split()
    assert one != other
