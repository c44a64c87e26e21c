from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell, copy_of_root

PROMISE = """
guarantees:
  - id: no-large-cancellation-unattended
    never: verdict != 'deny' and 'leads' not in approvers and call.name == 'cancel_order' and order.total_usd > 200
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a copy of the root bundle."""
    return Shell(copy_of_root(tmp_path))


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    """A shell in an empty directory."""
    return Shell(tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Shell:
    """A shell in the small bundle that `engine init` writes, which also promises something."""
    assert Shell(tmp_path)("init", "desk").code == 0
    policy = tmp_path / "desk/policies/cancellations.yaml"
    policy.write_text(policy.read_text("utf-8") + PROMISE, "utf-8")
    return Shell(tmp_path / "desk")
