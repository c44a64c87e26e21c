"""Wrong bundles: each gives exactly the diagnostics that are marked, at exactly the marked places.

A case is a folder of files that stand over those of `marked/base`.  A mark is a comment at the end of the
guilty line, `#! CODE text`, where `text` is what must be underlined; where no comment can stand, the file
`marks.txt` has lines `CODE FILE:LINE:COLUMN-LINE:COLUMN`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from engine.bundle.checks.catalogue import MANUALS
from engine.bundle.load import load_directory

MARKED = Path(__file__).parent / "marked"
CASES = sorted(path for path in MARKED.iterdir() if path.is_dir() and path.name != "base")
_MARK = re.compile(r"  #! ([EW]\d{3}) (.+)$")


def bundle_of(case: Path, at: Path) -> Path:
    shutil.copytree(MARKED / "base", at)
    shutil.copytree(case, at, dirs_exist_ok=True, ignore=shutil.ignore_patterns("marks.txt"))
    return at


def marks_of(case: Path) -> set[str]:
    listed = case / "marks.txt"
    found = set(listed.read_text("utf-8").split("\n")) - {""} if listed.exists() else set()
    for path in case.rglob("*.yaml"):
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            mark = _MARK.search(line)
            if mark:
                start = line.index(mark[2]) + 1
                file = path.relative_to(case).as_posix()
                found.add(f"{mark[1]} {file}:{number}:{start}-{number}:{start + len(mark[2])}")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_bundle_gives_exactly_the_marked_diagnostics(case: Path, tmp_path: Path) -> None:
    loaded = load_directory(bundle_of(case, tmp_path / "bundle"))
    found = {
        f"{d.code} {d.place.file}:{d.place.line}:{d.place.column}-{d.place.end_line}:{d.place.end_column}"
        for d in loaded.diagnostics
    }
    assert marks_of(case)
    assert found == marks_of(case)
    assert (loaded.bundle is None) == any(mark.startswith("E") for mark in found)


def test_the_bundle_that_the_cases_stand_on_is_clean(tmp_path: Path) -> None:
    assert load_directory(MARKED / "base").diagnostics == ()


def test_every_diagnostic_code_has_a_wrong_bundle() -> None:
    marked = {mark.split()[0] for case in CASES for mark in marks_of(case)}
    assert marked == set(MANUALS)


def test_a_directory_without_documents_is_an_empty_bundle(tmp_path: Path) -> None:
    assert [(d.code, d.message) for d in load_directory(tmp_path).diagnostics] == [
        ("E105", "the bundle has no documents")
    ]


def test_a_link_that_leads_out_of_the_bundle_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sql"
    outside.write_text("CREATE TABLE t (x)")
    bundle = tmp_path / "bundle"
    shutil.copytree(MARKED / "base", bundle)
    (bundle / "specs/databases/shop.sql").unlink()
    (bundle / "specs/databases/shop.sql").symlink_to(outside)
    assert [d.code for d in load_directory(bundle).diagnostics] == ["E106"]
