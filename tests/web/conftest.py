from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests of a file: each brings its own sessions and tokens."""
    at: Path = tmp_path_factory.mktemp("service")
    with open_service(Shell(copy_of_root(at))) as opened:
        yield opened
