"""What stands in a bundle's directory and is not read is told: nothing is passed over that may hold a policy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bundle.load import load_directory
from tests.marked_base import FIND, POLICY, changed
from tests.test_marked import MARKED

OUTSIDE = "kind: Policy\nname: more\nrules:\n  - {id: no-refund, tools: [refund_order], effect: deny}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(MARKED / "base", tmp_path / "bundle")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/more.yaml").write_text(OUTSIDE)
    (tmp_path / "outside/plain.txt").write_text("a")
    return tmp_path / "bundle"


def told(root: Path) -> list[tuple[str, str]]:
    return [(d.code, d.place.file) for d in load_directory(root).diagnostics]


@pytest.mark.parametrize(("path", "make", "code"), [
    ("policies/more.yaml", lambda at: at.symlink_to("../../outside/more.yaml"), "E106"),
    ("policies/more", lambda at: at.symlink_to("../../outside"), "E106"),
    ("fixtures/more.yml", lambda at: at.symlink_to("nowhere.yaml"), "E108"),
    ("fixtures/more.yaml", lambda at: at.symlink_to("more.yaml"), "E108"),
    ("policies/more.yaml", lambda at: at.mkdir(), "E108"), ("policies/more.yaml", os.mkfifo, "E108"),
    ("prompts/more.md.j2", os.mkfifo, "E108"), ("policies/more", lambda at: at.symlink_to("../policies"), "E108"),
    ("policies/more.yaml", lambda at: at.write_bytes(b"#" * 8_000_001), "E108"),
    ("policies/more", lambda at: at.write_text(OUTSIDE), "W616"), ("policies/more.txt", lambda at: at.write_text(OUTSIDE), "W616"),
    ("fixtures/a/more.ymal", lambda at: at.write_text("# one\n---\n" + OUTSIDE), "W616"),
    ("policies/more.yaml.bak", lambda at: at.write_text(OUTSIDE), "W616"), ("prompts/more", lambda at: at.write_text("Hi"), "W616"),
])  # fmt: skip
def test_what_is_not_read_is_told(root: Path, path: str, make: Callable[[Path], object], code: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    make(root / path)
    assert told(root) == [(code, path)]


@pytest.mark.parametrize(("path", "make"), [
    ("policies/more.md", lambda at: at.write_text("# Rules\n\nOne reads\n\n    kind: Policy\n")),
    ("policies/.more.swp", lambda at: at.write_text(OUTSIDE)), ("specs/docs", lambda at: at.symlink_to("../prompts")),
    ("prompts/README", lambda at: at.write_text("Hi")), ("policies/pipe", os.mkfifo),
])  # fmt: skip
def test_what_is_no_document_is_not(root: Path, path: str, make: Callable[[Path], object]) -> None:
    make(root / path)
    assert told(root) == []


def test_a_link_within_the_bundle_is_read(root: Path) -> None:
    (root / POLICY).rename(root / "specs/refunds.txt")
    (root / POLICY).symlink_to("../specs/refunds.txt")
    loaded = load_directory(root)
    assert loaded.bundle is not None
    assert {d.place.file for d in loaded.diagnostics} <= {"specs/refunds.txt"}


@pytest.mark.parametrize(("make", "code"), [
    (os.mkfifo, "E108"), (lambda at: at.symlink_to("../../../outside/plain.txt"), "E106"),
    (lambda at: at.symlink_to("nowhere"), "E108"), (lambda at: at.mkdir(), "E108"),
])  # fmt: skip
def test_content_that_is_no_plain_file_of_the_bundle_is_told_where_it_is_named(
    root: Path, make: Callable[[Path], object], code: str
) -> None:
    (root / "specs/databases/shop.sql").unlink()
    make(root / "specs/databases/shop.sql")
    assert told(root) == [(code, "specs/databases/shop.yaml")]


@pytest.mark.parametrize(("make", "code"), [
    (os.mkfifo, "E108"), (lambda at: at.symlink_to("../../../outside/plain.txt"), "E106"),
])  # fmt: skip
def test_what_a_glob_matches_and_can_not_be_had_is_told(root: Path, make: Callable[[Path], object], code: str) -> None:
    argv = "adapter: {kind: command, argv: [cat], files: ['specs/data/*']}\n"
    text = changed(FIND)[FIND]
    (root / FIND).write_text(text[: text.index("adapter:")] + argv)
    (root / "specs/data").mkdir()
    (root / "specs/data/a.txt").write_text("a")
    make(root / "specs/data/b.txt")
    assert told(root) == [(code, FIND)]


CLOSED = """
import os, sys
from pathlib import Path
from engine.bundle.load import load_directory
# what is imported late is there before another user may not read it
load_directory(Path(sys.argv[1]))
os.chmod(sys.argv[2], 0)
if os.getuid() == 0:
    os.seteuid(65534)
for d in load_directory(Path(sys.argv[1])).diagnostics:
    print(d.code, d.place.file)
"""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("policies/refunds.yaml", ["E108 policies/refunds.yaml"]),
        ("prompts/clerk.md.j2", ["E108 prompts/clerk.md.j2"]),
        ("fixtures", ["E108 fixtures"]),
        ("policies", ["E108 policies"]),
        ("specs/tools", ["E108 specs/tools"]),
        ("specs/databases/shop.sql", ["E108 specs/databases/shop.yaml"]),
    ],
)
def test_what_its_owner_does_not_let_one_read_is_told_once(path: str, said: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        root = Path(made, "bundle")
        shutil.copytree(MARKED / "base", root)
        argv = [sys.executable, "-c", CLOSED, str(root), str(root / path)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
        (root / path).chmod(0o700)
    assert (done.stdout.splitlines(), done.stderr) == (said, "")
