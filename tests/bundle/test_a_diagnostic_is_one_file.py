"""A diagnostic is one file: laid into the folder of checks, it is found, explained and reported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ONE_FILE = '''
from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Severity

MANUAL = Manual(
    code="W699",
    title="tool without a word on who owns it",
    what="A tool says nothing of its owner.",
    why="Nobody knows whom to ask.",
    wrong="kind: Tool",
    right="kind: Tool",
    severity=Severity.WARNING,
)


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Every tool."""
    for tool in whole.of_kind("Tool"):
        yield MANUAL.at(tool.node.at("name").place, f"nobody owns `{tool.name}`")
'''

# the folder of checks, with one file more
COMMAND = """
import sys
from engine.bundle import checks
checks.__path__.append(sys.argv.pop(1))
from engine.cli.main import main
main()
"""


def _engine(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_a_diagnostic_is_found_explained_and_reported_by_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "w699_owner.py").write_text(ONE_FILE, "utf-8")
    made = subprocess.run([sys.executable, "-m", "engine", "init", str(tmp_path / "bundle")], check=False, timeout=300)
    assert made.returncode == 0
    told = _engine(tmp_path / "checks", "validate", str(tmp_path / "bundle"), "--format", "concise")
    assert "W699" in told.stdout
    assert "nobody owns `" in told.stdout
    assert "Nobody knows whom to ask." in _engine(tmp_path / "checks", "validate", "--explain", "W699").stdout
