"""What `make bench` keeps, and what `make bench-check` says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import floor, history
from benchmarks.speed.figures import Figures
from engine.session.state.evolve import fold


def test_a_ratio_beyond_the_tolerance_is_told_and_fails_the_check() -> None:
    table, good = history.compared({"a": 2.0, "b": 1.0}, {"a": 2.0 * history.TOLERANCE + 0.01, "b": 1.0})
    assert not good
    assert [row.endswith("WORSE") for row in table] == [False, True, False]


def test_a_ratio_within_the_tolerance_or_better_passes_the_check() -> None:
    table, good = history.compared({"a": 2.0, "b": 1.0, "of a peer": 3.0}, {"a": 2.1, "b": 0.2})
    assert good
    assert len(table) == 3


def test_a_run_that_has_nothing_of_the_kept_one_fails_the_check() -> None:
    assert history.compared({"a": 2.0}, {"b": 1.0})[1] is False


def test_ratios_are_of_the_least_figures_and_leave_out_what_was_not_measured() -> None:
    figures = {("ours", "many 1000"): 0.6, ("floor", "many 1000"): 0.2}

    def ask(subject: str, what: str, of: Callable[[dict[str, Any]], float]) -> Figures | None:
        least = figures.get((subject, what))
        return None if least is None else Figures(9.0, least, 9.0)

    found = history.ratios(ask)
    assert found["CPU a step, 1,000 at once, to the fair floor"] == pytest.approx(3.0)
    assert "the same to LangGraph" not in found


def test_each_kept_run_is_a_line_with_its_commit_and_the_last_is_what_a_check_goes_by(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert history.last(path) is None
    history.keep({"a": 1.0}, "2 cores", ["Python"], path)
    history.keep({"a": 2.0}, "2 cores", ["Python"], path)
    assert len(path.read_text("utf-8").splitlines()) == 2
    kept = history.last(path)
    assert kept is not None
    assert kept["ratios"] == {"a": 2.0}
    assert kept["commit"] == json.loads(path.read_text("utf-8").splitlines()[0])["commit"] != ""


def test_the_fair_floor_keeps_a_history_that_the_engine_can_read() -> None:
    template = floor.appends(3)
    events = [event for append in template for event in append]
    assert fold(events).final
    (verdict, *_) = [event for event in events if event.kind == "verdict"]
    assert floor.judged(verdict.payload["rules"], "acme", 1, {"customer_id": "c1"}) == verdict.payload["rules"]
    assert events[0].at == datetime(2026, 1, 1, tzinfo=UTC)
