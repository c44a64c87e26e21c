"""The suite goes by what happens, not by how long it takes: a busy machine fails no test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import ROOT

TESTS = [path for path in sorted((ROOT / "tests").rglob("*.py")) if "marked" not in path.parts]
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}
# what waits for something to happen may give up, but only after longer than any machine is busy
PATIENCE = 300
PLUGIN = """
import hypothesis

def pytest_collection_modifyitems(items):
    for item in items:
        given = getattr(getattr(item, "function", None), "_hypothesis_internal_use_settings", None)
        if given is not None:
            print(f"GIVEN {item.nodeid} {given.deadline}")
"""


def test_no_property_has_a_deadline(tmp_path: Path) -> None:
    (tmp_path / "tells_deadlines.py").write_text(PLUGIN)
    files = [str(path) for path in TESTS if "@given" in path.read_text("utf-8")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-s", "-p", "tells_deadlines", *files], cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    given = re.findall(r"GIVEN (\S+) (.*)", done.stdout)
    assert len(given) > 8, done.stdout + done.stderr
    assert [name for name, deadline in given if deadline != "None"] == []


def test_no_property_fails_since_its_data_came_slowly() -> None:
    from hypothesis import HealthCheck, settings

    assert HealthCheck.too_slow in settings().suppress_health_check


def _called(node: ast.AST) -> str:
    name = node.func if isinstance(node, ast.Call) else None
    return name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""


def _timed(function: ast.AST) -> list[int]:
    """The lines of assertions about how long something took in real time."""
    own = list(ast.walk(function))
    virtual = any(isinstance(n, ast.arg) and n.arg == "autojump_clock" for n in own)
    clocks = CLOCKS | (set() if virtual else {"current_time"})
    return [
        n.lineno for n in own if isinstance(n, ast.Assert) and any(_called(c) in clocks for c in ast.walk(n))
    ]  # fmt: skip


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_asserted_of_how_long_it_took(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    found = {
        line for function in ast.walk(tree) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in _timed(function)
    }  # fmt: skip
    assert not found, f"{path.relative_to(ROOT)}: lines {sorted(found)}"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_whoever_waits_waits_long_enough(path: Path) -> None:
    short = []
    tree = ast.parse(path.read_text("utf-8"))
    named = {
        target.id: node.value for node in tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = [k.value for k in node.keywords if k.arg == "timeout"]
        if _called(node) == "fail_after":
            given = node.args[:1]
        # a `timeout` that a test is about is far below a second, and what is cut off by it never ends
        given = [named.get(value.id, value) if isinstance(value, ast.Name) else value for value in given]
        short += [
            node.lineno for value in given
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float) and 1 <= value.value < PATIENCE
        ]  # fmt: skip
    assert not short, f"{path.relative_to(ROOT)}: lines {short}"
