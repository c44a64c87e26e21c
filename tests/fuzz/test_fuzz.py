"""A short form of `make fuzz`: some hundred inputs of each kind, always the same."""

from __future__ import annotations

import pytest

from tests.fuzz.running import source
from tests.fuzz.targets import TARGETS

INPUTS = {"validation": 30, "wires": 30, "terminal": 1000, "cases": 30, "segments": 15}


@pytest.mark.parametrize("target", list(TARGETS))
def test_what_nobody_would_think_of_is_read_to_its_end(target: str) -> None:
    with TARGETS[target]() as feed:
        for number in range(INPUTS[target]):
            try:
                feed(source(target, 0, number))
            except BaseException as error:
                error.add_note(f"see it again: python -m tests.fuzz --target {target} --seed 0 --again {number}")
                raise
