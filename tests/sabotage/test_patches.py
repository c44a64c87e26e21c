"""A short form of `make sabotage`: every patch still fits what it takes out, and two are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sabotage.__main__ import noticed
from tests.sabotage.patches import ROOT, Patch, patches


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch.name)
def test_a_patch_fits_and_names_a_test_that_is_there(patch: Patch) -> None:
    assert (ROOT / patch.file).read_text("utf-8").count(patch.take) == 1
    file, _, name = patch.test.partition("::")
    assert (
        re.search(rf"(def|class) {name}\b", (ROOT / file).read_text("utf-8"))
        or f"{name} = " in (ROOT / file).read_text()
    )


@pytest.mark.parametrize("name", ["a condition without a value is no match", "a job is not judged again"])
def test_taking_a_mechanism_out_is_noticed(name: str, tmp_path: Path) -> None:
    (patch,) = [patch for patch in patches() if patch.name == name]
    assert noticed(patch, tmp_path) == ""
