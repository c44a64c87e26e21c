"""A short form of `make kills`."""

from __future__ import annotations

import argparse

import pytest

from tests.kills import cluster, service_storm
from tests.kills.storm import storm
from tests.postgres import HAS_POSTGRES, server


def test_kills_at_random_moments_lose_nothing_and_repeat_no_write_that_must_not() -> None:
    found = storm(8, seed=7, at_once=4)
    assert found.wrong == []
    assert found.kills == 8


@pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")
def test_three_that_drive_the_same_sessions_on_a_server_are_killed_and_lose_and_repeat_nothing() -> None:
    found = storm(9, seed=5, at_once=6, url=server().url(), children=3)
    assert found.wrong == []
    assert found.kills == 9


def test_the_door_and_its_workers_are_killed_in_turn_and_nothing_is_lost_or_done_twice() -> None:
    found = service_storm.storm(4, seed=3)
    assert found.wrong == []
    assert found.kills == 4


@pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")
def test_a_cluster_whose_workers_are_killed_and_whose_server_is_restarted_loses_and_doubles_nothing() -> None:
    found = cluster.cluster(argparse.Namespace(sessions=60, kills=3, restarts=1, seed=3, data=None))
    assert (found.lost, found.doubled, found.damaged) == ([], [], [])
    assert (found.sessions, found.kills, found.restarts) == (60, 3, 1)
    assert found.last_line() == "0 lost, 0 doubled, 60 logs verify"
    # every refund that a session speaks of, and no other, stands in the billing system
    assert found.refunds == found.states["case_opened"] > 0
    assert len([name for name in found.drove if name.startswith("worker")]) > 1
