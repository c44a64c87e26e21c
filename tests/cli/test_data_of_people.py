"""Data of people: erased, exported, kept for so long; copied, and put back in a state in which nothing goes on by itself."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Shell, command, copy_of_root, environment


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path / "bundle"))


def run(shell: Shell, account: str, code: int = 0) -> str:
    done = shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", f"account_id={account}",
        "--format", "json",
    )  # fmt: skip
    assert done.code == code, done.err
    return str(shell("sessions", "list", "--format", "json").json[0]["id"])


def on_disk(shell: Shell) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(shell.at.glob("store.db*")))


def test_an_erased_session_says_nothing_and_its_chain_still_verifies(shell: Shell) -> None:
    first, other = run(shell, "acct_1001"), run(shell, "acct_1001")
    refused = shell("sessions", "erase", first, "--why", "asked to", "--as", "mika")
    assert refused.code == 1, refused.out  # nobody said yes
    done = shell("sessions", "erase", first, "--why", "asked to", "--as", "mika", "--yes")
    assert done.code == 0, done.err
    exported = shell("sessions", "export", first).json["sessions"][0]["events"]
    assert "acct_1001" not in json.dumps(exported)
    assert CHARGED not in json.dumps(exported)
    assert shell("sessions", "verify").code == 0
    assert "acct_1001" in shell("sessions", "export", other).out
    with closing(sqlite3.connect(shell.at / "store.db")) as raw:
        audit = raw.execute("SELECT actor, action, about, result FROM audit_events").fetchall()
    assert ("mika", "erase", first, "asked to") in audit


def test_of_what_is_erased_no_byte_is_left_in_the_file(shell: Shell) -> None:
    """What is compressed is not found by looking: the segments and rows themselves are gone."""
    session = run(shell, "acct_1001")
    connection = sqlite3.connect(shell.at / "store.db")
    bodies = [body for (body,) in connection.execute("SELECT body FROM segments")]
    connection.close()
    assert all(body in on_disk(shell) for body in bodies)
    assert shell("sessions", "erase", session, "--why", "x", "--as", "mika", "--yes").code == 0
    left = on_disk(shell)
    changed = [body for body in bodies if body not in left]
    # those stay in which nothing was said
    assert len(changed) >= len(bodies) - 2


def test_the_sessions_of_a_person_are_exported_and_erased_together(shell: Shell) -> None:
    mine = {run(shell, "acct_1001"), run(shell, "acct_1001")}
    theirs = run(shell, "acct_3001")
    held = run(shell, "acct_1002", 3)
    exported = shell("sessions", "export", "--person", "account_id=acct_1001").json["sessions"]
    assert {one["id"] for one in exported} == mine
    done = shell("sessions", "erase", "--person", "account_id=acct_1001", "--why", "x", "--as", "mika", "--yes")
    assert done.code == 0, done.err
    assert done.out.startswith("2 sessions erased")
    assert shell("sessions", "show", theirs).code == 0
    refused = shell("sessions", "erase", held, "--why", "x", "--as", "mika", "--yes")
    assert refused.code == 1
    assert "is not over" in refused.err
    assert shell("sessions", "show", held).code == 0


def test_a_copy_is_taken_while_the_store_is_written_to_and_is_whole(shell: Shell) -> None:
    lines = shell.at / "many.jsonl"
    lines.write_text(
        "\n".join(json.dumps({"message": CHARGED, "attributes": {"account_id": "acct_1001"}}) for _ in range(40))
    )
    running = subprocess.Popen(
        command("run", ".", "--agent", "support-triage", "--batch", "many.jsonl", "--set", "tenant=acme"), cwd=shell.at,
        env=environment(shell.at / "store.db"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        run(shell, "acct_1001")
        done = shell("backup", "copy.db")
        assert done.code == 0, done.err
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(600)
    again = shell("backup", "copy.db")
    assert (again.code, "nothing is written over" in again.err) == (1, True)
    assert not list(shell.at.glob(".copy.db*"))


def test_a_store_that_was_put_back_stands_still_until_somebody_releases_it(shell: Shell) -> None:
    session = run(shell, "acct_1002", 3)
    assert shell("backup", "copy.db").code == 0
    back = f"sqlite:///{shell.at}/back.db"
    done = shell("restore", "copy.db", ENGINE_STORE=back)
    assert done.code == 0, done.err
    assert f"alive then: {session}" in done.out
    # it can be looked at, and nothing goes on
    assert shell("sessions", "show", session, ENGINE_STORE=back).code == 0
    for act in (("review", "approve", "--last", "--as", "dana"), ("resume", session), ("cancel", session)):
        refused = shell(*act, ENGINE_STORE=back)
        assert refused.code != 0, act
        assert "nobody has released it" in refused.err, (act, refused.err)
    for start in (["worker", "--until-idle"], ["serve", ".", "--port", "0"]):
        refused = shell(*start, ENGINE_STORE=back)
        assert (refused.code, "nobody has released it" in refused.err) == (5, True), refused.err
        assert "fault of Steadyhand" not in refused.err
    copied = shell("sessions", "cancel", session, ENGINE_STORE=f"sqlite:///{shell.at}/copy.db")
    assert copied.code != 0
    assert (
        shell("sessions", "show", session, "--format", "json", ENGINE_STORE=back).json["state"]
        == "awaiting_human_review"
    )
    assert "goes on" in shell("restore", "--release", ENGINE_STORE=back).out
    assert shell("review", "approve", "--last", "--as", "dana", ENGINE_STORE=back).code == 0


def test_what_is_no_copy_is_not_put_back(shell: Shell) -> None:
    (shell.at / "broken.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    for source in ("broken.db", "specs/agents/support-triage.yaml"):
        done = shell("restore", source, ENGINE_STORE=f"sqlite:///{shell.at}/new.db")
        assert done.code == 1, done.out
        assert not (shell.at / "new.db").exists()


def test_the_room_of_what_was_erased_is_given_back(shell: Shell) -> None:
    for _ in range(3):
        run(shell, "acct_1001")
    assert shell("sessions", "erase", "--older-than", "1ms", "--why", "old", "--as", "mika", "--yes").code == 0
    file = shell.at / "store.db"
    before = file.stat().st_size
    done = shell("vacuum")
    assert done.code == 0, done.err
    assert file.stat().st_size <= before
    assert f"{before:,} bytes before, {file.stat().st_size:,} now" in done.out
    assert shell("sessions", "verify").code == 0
    assert shell("vacuum", "--store", "sqlite:///none.db").code == 1
