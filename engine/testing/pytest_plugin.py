"""pytest runs the fixtures of a bundle: every `fixtures/**/*.yaml` beside a `specs/` folder is a test file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.bundle.load import LoadedBundle, load_directory
from engine.diagnostic.render import full
from engine.fixtures.scenario import run_fixture

FOLDER = "fixtures"


class BundleIsInvalid(Exception):
    """The bundle of a fixture has errors, which stand in the message."""


class FixtureFailed(Exception):
    """A fixture's expectations do not hold; the message says which, and what came instead."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect fixture documents."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    root = bundle_of(file_path)
    if root is None:
        return None
    collected: pytest.Collector = FixtureFile.from_parent(parent, path=file_path)
    return collected


def bundle_of(path: Path) -> Path | None:
    """The bundle that a fixture file belongs to, or None."""
    for folder in path.parents:
        if folder.name == FOLDER and (folder.parent / "specs").is_dir():
            return folder.parent
    return None


class FixtureFile(pytest.File):
    """A file that holds one fixture."""

    def collect(self) -> Iterator[pytest.Item]:
        """The fixture, as one test."""
        root = bundle_of(self.path)
        assert root is not None
        yield PathwayItem.from_parent(self, name=self.path.stem, root=root)


class PathwayItem(pytest.Item):
    """One fixture."""

    def __init__(self, *, root: Path, **more: Any) -> None:
        super().__init__(**more)
        self._root = root
        # other plugins look at the function of every item, as if each had one
        self.obj = self.runtest

    def runtest(self) -> None:
        """Run it; raises BundleIsInvalid, FixtureFailed."""
        loaded = _load(self._root)
        if loaded.bundle is None:
            raise BundleIsInvalid(full(loaded.diagnostics, loaded.sources))
        relative = self.path.relative_to(self._root).as_posix()
        document = next(d for d in loaded.documents.well_formed("Fixture") if d.node.place.file == relative)
        report = run_fixture(loaded.bundle, document.plain)
        if not report.passed:
            raise FixtureFailed("\n".join(str(failure) for failure in report.failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a person needs: the expectation, not our stack."""
        if isinstance(excinfo.value, BundleIsInvalid | FixtureFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, 0, f"fixture: {self.name}"


@cache
def _load(root: Path) -> LoadedBundle:
    return load_directory(root)
