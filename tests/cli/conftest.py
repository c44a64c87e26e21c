from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell, copy_of_root


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a copy of the root bundle."""
    return Shell(copy_of_root(tmp_path))


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    """A shell in an empty directory."""
    return Shell(tmp_path)
