"""`engine chaos`: a table of what held, and an exit code that says whether all did."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell


def test_the_support_bundle_holds_wherever_its_process_is_killed(shell: Shell) -> None:
    by_name = shell("chaos", "refund-approved")
    assert by_name.code == 0
    lines = by_name.out.splitlines()
    assert lines[0].split("\t") == ["killed", "state", "outcome", "settled", "run again", "promises"]
    assert lines[1].split("\t")[:3] == ["undisturbed", "done", "case_opened"]
    assert lines[-1].endswith(" 0 broke a promise")
    lives = shell("chaos", "fixtures/ledger-reconciled.yaml", "--format", "json").json
    assert [life["killed"] for life in lives[:3]] == [None, "before", "after"]
    assert {(life["state"], life["outcome"]) for life in lives} == {("done", "answered")}
    assert all(life["broken"] == [] for life in lives)


@pytest.mark.parametrize("fixture", ["refund-over-threshold", "client-proposes-a-refund"])
def test_a_session_that_waits_and_one_of_a_client_hold_too(fixture: str, shell: Shell) -> None:
    done = shell("chaos", fixture)
    assert (done.code, done.out.splitlines()[-1].endswith(" 0 broke a promise")) == (0, True)


def test_a_broken_promise_is_told_and_exits_with_one(shell: Shell) -> None:
    # a tool that says its key is honoured and keeps none is taken at its word, and the rows tell
    fixture = shell.at / "fixtures/refund-under-threshold.yaml"
    fixture.write_text(fixture.read_text().replace("outcome: case_opened", "outcome: answered"))
    done = shell("chaos", str(fixture))
    assert done.code == 1
    assert "undisturbed: outcome: expected answered" in done.out


def test_what_is_no_fixture_is_a_usage_error(shell: Shell) -> None:
    done = shell("chaos", "refund-aproved", ".")
    assert (done.code, "did you mean `refund-approved`" in done.err) == (2, True)
