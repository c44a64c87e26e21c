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
    assert (code, found["store"].partition(": ")[0]) == (0, "look at it")
    assert found["store"].endswith("engine serve makes it")
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


def test_what_the_service_would_not_start_for_and_what_would_never_be_told_is_found(shell: Shell) -> None:
    (shell.at / "more.yaml").write_text(
        "kind: Notification\nname: desk\ngroups: [refund-reviewrs]\nwebhook: {url: 'https://example.org', secret: '${secret:DESK}'}\n"
    )
    (shell.at / "nightly.yaml").write_text(
        "kind: Schedule\nname: nightly\ncron: '0 2 * * *'\nzone: UTC\nagent: support-triage\nmessage: hello\n"
    )
    (shell.at / "engine.yaml").write_text("kind: Service\ninclude: [more.yaml, nightly.yaml]\n")
    done = shell("doctor", "--config", "engine.yaml", "--format", "json")
    found = [f"{row['what']}: {row['standing']}: {row['told']}" for row in done.json]
    assert done.code == 1
    assert [one for one in found if one.startswith("secrets: bad: ") and "DESK" in one]
    assert (
        "configuration: look at it: notification desk: `refund-reviewrs` is no group of the bundle: did you mean `refund-reviewers`?"
        in found
    )
    assert [
        one for one in found if one.startswith("configuration: look at it: schedule nightly: agent support-triage: ")
    ]
    served = shell("serve", ".", "--config", "engine.yaml", "--port", "0")
    assert served.code == 2
    assert "did you mean `refund-reviewers`?" in served.err


def test_a_store_that_stands_still_and_one_that_another_process_keeps_are_bad(shell: Shell) -> None:
    shell("tokens", "create", "--name", "ops", "--role", "operator")
    assert shell("backup", "copy.db").code == 0
    assert shell("restore", "copy.db", "--store", "sqlite:///put-back.db").code == 0
    code, found = standing(shell, "--store", "sqlite:///put-back.db")
    done = shell("doctor", "--store", "sqlite:///put-back.db", "--format", "json")
    assert code == 1
    assert any(row["standing"] == "bad" and "nobody has released it" in row["told"] for row in done.json)
    with sqlite3.connect(shell.at / "store.db", isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        done = shell("doctor", "--format", "json")
        connection.execute("ROLLBACK")
    assert done.code == 1
    assert any(row["standing"] == "bad" and "keeps others from writing" in row["told"] for row in done.json)
    assert found["tokens"].startswith("good")
