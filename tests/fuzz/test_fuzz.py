"""A short form of `make fuzz`: some hundred inputs of each kind, always the same."""

from __future__ import annotations

import pytest

from tests.fuzz.running import source
from tests.fuzz.targets import TARGETS

INPUTS = {"validation": 60, "wires": 60, "terminal": 2000, "cases": 60, "segments": 30}


@pytest.mark.parametrize("target", list(TARGETS))
def test_what_nobody_would_think_of_is_read_to_its_end(target: str) -> None:
    with TARGETS[target]() as feed:
        for number in range(INPUTS[target]):
            try:
                feed(source(target, 0, number))
            except BaseException as error:
                error.add_note(f"see it again: python -m tests.fuzz --target {target} --seed 0 --again {number}")
                raise
