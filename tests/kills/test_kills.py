"""A short form of `make kills`."""

from __future__ import annotations

from tests.kills import service_storm
from tests.kills.storm import storm


def test_kills_at_random_moments_lose_nothing_and_repeat_no_write_that_must_not() -> None:
    found = storm(8, seed=7, at_once=4)
    assert found.wrong == []
    assert found.kills == 8


def test_the_door_and_its_workers_are_killed_in_turn_and_nothing_is_lost_or_done_twice() -> None:
    found = service_storm.storm(4, seed=3)
    assert found.wrong == []
    assert found.kills == 4
