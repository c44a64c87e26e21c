"""A short form of `make kills`."""

from __future__ import annotations

from tests.kills.storm import storm


def test_kills_at_random_moments_lose_nothing_and_repeat_no_write_that_must_not() -> None:
    found = storm(8, seed=7, at_once=4)
    assert found.wrong == []
    assert found.kills == 8
