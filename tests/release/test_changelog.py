"""The changelog has the form of Keep a Changelog, so that people and programs find what concerns them."""

from __future__ import annotations

import re

from tests.release.installed import ROOT

LINES = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
RELEASED = re.compile(r"## \[?(\d+\.\d+\.\d+)\]? - \d{4}-\d\d-\d\d")


def test_each_version_has_its_number_and_date_and_what_is_not_released_comes_first() -> None:
    versions = [line for line in LINES if line.startswith("## ")]
    assert versions[0] == "## Unreleased"
    numbers = [match.group(1) if (match := RELEASED.fullmatch(line)) else line for line in versions[1:]]
    # the newest first
    ordered = sorted((tuple(map(int, number.split("."))) for number in numbers), reverse=True)
    assert [".".join(map(str, number)) for number in ordered] == numbers


def test_every_change_stands_under_its_kind_and_the_kinds_in_their_order() -> None:
    kinds: list[str] = []
    for line in LINES:
        if line.startswith("## "):
            kinds = []
        elif line.startswith("### "):
            kinds.append(line[4:])
            assert [KINDS.index(kind) for kind in kinds] == sorted({KINDS.index(kind) for kind in kinds}), line
        elif line.startswith("- "):
            assert kinds, line
