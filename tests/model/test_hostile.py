"""Whatever a model answers, no refund happens that the policies of the support bundle do not allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.hostile import ATTACKS, Attack, copy_of_root, fight


@pytest.mark.parametrize("attack", [pytest.param(attack, id=f"{attack.kind}: {attack.name}") for attack in ATTACKS])
async def test_a_refund_that_is_forced_is_stopped(attack: Attack, tmp_path: Path) -> None:
    fought = await fight(attack, copy_of_root(tmp_path), tmp_path)
    assert fought.held, fought
    assert fought.acted == attack.allowed
    assert fought.stopped_by
    assert fought.state.status.value in ("done", "failed", "awaiting_human_review", "out_of_budget")
