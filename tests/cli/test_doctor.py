"""What a service rests on is looked at: what is well, what to look at, and what is bad, each with what to do."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.language.value import timestamp
from tests.cli.shell import CHARGED, Shell, copy_of_root


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path / "bundle"))


def standing(shell: Shell, *arguments: str, **env: str) -> tuple[int, dict[str, str]]:
    done = shell("doctor", *arguments, "--format", "json", **env)
    return done.code, {row["what"]: f"{row['standing']}: {row['told']}" for row in done.json}


def test_a_store_that_is_well_is_said_to_be(shell: Shell) -> None:
    shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", "account_id=acct_1001"
    )
    shell("tokens", "create", "--name", "ops", "--role", "operator")
    code, found = standing(shell)
    assert code == 0, found
    assert all(told.startswith("good") for told in found.values()), found
    assert {"bundle", "disk", "store", "clock", "sessions", "jobs", "writes", "tokens"} <= set(found)


def test_what_is_bad_is_told_with_what_to_do(shell: Shell) -> None:
    code, found = standing(shell)
    assert code == 1
    assert found["store"].startswith("bad: there is no store")
    shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", "account_id=acct_1001"
    )
    code, found = standing(shell)
    assert (code, found["tokens"]) == (1, "bad: nobody can come in: engine tokens create")
    (shell.at / "policies/refunds.yaml").write_text("kind: Policy\n")
    (shell.at / "access.yaml").write_text(
        'kind: Access\npeople: {issuer: "http://127.0.0.1:9", client_id: engine}\ngrants: [{group: a, roles: [auditor]}]\n'
    )
    (shell.at / "engine.yaml").write_text("kind: Service\ninclude: [access.yaml]\n")
    code, found = standing(shell, "--config", "engine.yaml")
    assert found["bundle"].startswith("bad: it has errors: engine validate")
    assert found["provider of people"].startswith("bad: 127.0.0.1:9 can't be asked")
    assert found["url"].startswith("look at it")


def test_a_clock_that_is_behind_what_is_recorded_is_bad(shell: Shell) -> None:
    shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", "account_id=acct_1001"
    )
    with sqlite3.connect(shell.at / "store.db") as connection:
        later = timestamp(datetime.now(UTC) + timedelta(hours=1))
        connection.execute("UPDATE sessions SET updated_at = ?", (later,))
    connection.close()
    code, found = standing(shell)
    assert code == 1
    assert found["clock"].startswith("bad: something was recorded")
