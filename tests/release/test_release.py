"""The wheel, installed apart from the checkout, is what the README says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.cli.shell import FOLDERS
from tests.release.installed import ROOT, Environment, borrowing, built
from tests.release.use import LOADED, follow_readme, loaded_by_import, programs

EXAMPLE = "engine/examples/support-triage/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return borrowing(wheel, tmp_path_factory.mktemp("environment"))


def test_the_wheel_carries_the_root_bundle_as_its_example_and_nothing_that_running_it_made(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(EXAMPLE)}
    files = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {path for path in files if "__pycache__" not in path.parts and ".db" not in path.name}
    assert names == {EXAMPLE + str(path.relative_to(ROOT)) for path in wanted}


def test_what_is_installed_is_used_without_the_checkout_as_the_readme_says(
    installed: Environment, tmp_path: Path
) -> None:
    assert installed.where().is_relative_to(installed.at)
    bundle = follow_readme(installed, tmp_path)
    assert bundle == tmp_path / "support-triage"
    program = programs(bundle)[0]
    said = installed.sh(f"python {program}", bundle)
    assert said.endswith("done case_opened\n")
    assert installed.sh("steadyhand --version", bundle) == installed.sh("engine --version", bundle)


def test_importing_what_is_installed_loads_the_version_and_nothing_else(installed: Environment, tmp_path: Path) -> None:
    assert loaded_by_import(installed, tmp_path) == LOADED
