"""The runner of cases: what it notices, and that its list can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.expected import Case, expected
from tests.cases.run import Ran, run

ENGINE = Path(sys.executable).with_name("engine")


def ran(at: Path, case: Case) -> Ran:
    return run(case, at / "folder", at, ENGINE)


def test_every_case_of_the_list_has_a_place_and_something_that_must_hold() -> None:
    for case in expected():
        assert case.place.split("/")[0] in ("reports", "attacks", "newcomer"), case.name
        assert case.says or case.never, case.name


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (Case("x", "echo hello   there", says=("hello ... re",), never=("bye",)), ""),
        (Case("x", "echo hello; echo there", says=("hello ... there",)), "it does not say 'hello ... there'"),
        (Case("x", "echo bye", never=("bye",)), "it says 'bye'"),
        (Case("x", "exit 3", exit=2), "it exits with 3 instead of 2"),
        (Case("x", "engine --version", says=("engine",), megabytes=1), "MB, and may take 1"),
        (Case("x", "sleep 600", seconds=1), "it is not over after 1 s"),
        (Case("x", "setsid sleep 601 >/dev/null 2>&1 & "), "it left running: sleep 601"),
    ],
)
def test_what_is_not_as_expected_is_told(tmp_path: Path, case: Case, problem: str) -> None:
    told = ran(tmp_path, case).problem
    assert problem in told
    assert bool(problem) == bool(told)


def test_what_a_case_says_steers_no_terminal(tmp_path: Path) -> None:
    assert ran(tmp_path, Case("x", r"printf 'a\033[2Jb'")).output == "a<1b>[2Jb"


def cases(*given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tests.cases", *given], capture_output=True, text=True)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = cases(str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "there is no folder of cases at" in done.stderr


def test_a_case_that_the_list_does_not_know_fails(tmp_path: Path) -> None:
    for name in ("reports", "attacks", "newcomer"):
        (tmp_path / name).mkdir()
    (tmp_path / "reports" / "99-new").mkdir()
    done = cases(str(tmp_path), "-k", "no case is called so")
    assert done.returncode == 1
    assert "not as expected  reports/99-new" in done.stdout
