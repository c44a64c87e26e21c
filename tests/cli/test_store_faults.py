"""A full disk, a store that can't be written, a row or a log that is damaged: told, and nothing is half-written."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine.cli.console.app import _cause
from engine.runtime.errors import LeaseLost
from tests.cli.shell import CHARGED, ROOT, Done, Shell, environment
from tests.cli.test_sessions import wait_for

NOBODY = 65534


def limited(shell: Shell, limit: Callable[[], None], *arguments: str) -> Done:
    """A command in a process that is limited once its modules are loaded."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import engine.cli.commands.run, engine.cli.console.drive\n"
        "import engine.cli.commands.sessions, engine.bundle.load, engine.runtime.runner, engine.cli.console.app, jsonschema_rs\n"
        "import tests.cli.test_store_faults as faults; getattr(faults, sys.argv.pop(1))()\n"
        "from engine.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), limit.__name__, *arguments], cwd=shell.at,
        env=environment(shell.at / "store.db"), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def full_disk() -> None:
    """No file may grow beyond what a fresh store takes, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (130_000, 130_000))


def nobody() -> None:
    """Somebody who may read the store and not write it."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def test_a_full_disk_is_told_and_what_was_durable_stays(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    before = shell("sessions", "list", "--format", "json").json
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    arguments = ["--set", "tenant=acme", "--set", "account_id=acct_1005"]
    failed = [
        limited(shell, full_disk, "run", ".", "--agent", "support-triage", "-m", CHARGED, *arguments) for _ in range(3)
    ]
    assert 5 in [done.code for done in failed]
    told = next(done for done in failed if done.code == 5)
    assert "disk" in told.err
    assert "Traceback" not in told.err
    verified = shell("sessions", "verify", "--format", "json")
    assert verified.code == 0
    after = shell("sessions", "list", "--format", "json").json
    assert [row for row in after if row["id"] == before[0]["id"]] == before
    for row in after:
        assert shell("resume", row["id"]).code == 0
    assert shell("sessions", "verify").code == 0


def test_a_store_that_can_not_be_written_is_told(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("PRAGMA journal_mode = DELETE")
    raw.close()
    for folder in (shell.at, *shell.at.parents):
        # who is to read it gets there
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(0o755)
    (shell.at / "store.db").chmod(0o444)
    shell.at.chmod(0o555)
    done = limited(shell, nobody, "sessions", "list")
    shell.at.chmod(0o755)
    assert done.code == 5, done.err
    assert "can't be used as a store" in done.err
    assert "Traceback" not in done.err
    assert shell("sessions", "verify").code == 0


def test_a_damaged_row_is_told_wherever_it_is_read(shell: Shell) -> None:
    assert shell.triage("acct_1002").code == 3
    (row,) = shell("sessions", "list", "--format", "json").json
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("UPDATE segments SET body = x'00112233' WHERE first = (SELECT max(first) FROM segments)")
    raw.commit()
    raw.close()
    for command in (("sessions", "show"), ("sessions", "events"), ("resume",)):
        done = shell(*command, row["id"])
        assert done.code == 5
        assert "is damaged" in done.err
        assert "engine sessions verify" in done.err
        assert "Traceback" not in done.err
    assert shell("sessions", "verify").code == 1
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("DELETE FROM segments WHERE first = 1")
    raw.commit()
    raw.close()
    gone = shell("resume", row["id"])
    assert (gone.code, "Traceback" in gone.err) == (5, False)


def test_a_file_that_is_no_store_any_more_is_told(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    (shell.at / "store.db").write_bytes(b"\x00garbage" * 4096)
    done = shell("sessions", "list")
    assert (done.code, "can't be used as a store" in done.err) == (2, True)


def test_a_store_of_a_newer_version_is_left_alone(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    done = shell("sessions", "list")
    assert (done.code, "schema 99" in done.err) == (5, True)


def test_a_log_that_was_cut_at_its_tail_is_whole_up_to_an_append(shell: Shell) -> None:
    ran = shell.at / "waits"
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_THE_WAL, str(shell.at / "store.db"), str(ran)], cwd=shell.at
    )
    wait_for(ran)
    assert shell.triage("acct_1002").code == 3
    wal = Path(f"{shell.at / 'store.db'}-wal")
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = wal.read_bytes()
    assert len(whole) > 4096
    wal.write_bytes(whole[:-1000])
    assert shell("sessions", "verify").code == 0
    (row,) = shell("sessions", "list", "--format", "json").json
    assert shell("resume", row["id"]).code == 3
    assert shell("sessions", "verify").code == 0


# a second connection keeps the write-ahead log from being folded into the file when the command ends
_HOLDS_THE_WAL = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA wal_autocheckpoint = 0")
connection.execute("BEGIN")
connection.execute("SELECT * FROM sqlite_master").fetchall()
open(sys.argv[2], "w").close()
time.sleep(60)
"""


def test_a_worker_with_nothing_to_do_stops_when_its_store_is_gone(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    process = shell.start("worker")
    wait_for(shell.at / "store.db-wal")
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (shell.at / name).unlink(missing_ok=True)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, "the file is gone" in err) == (5, True), err


def test_of_several_faults_at_once_that_are_none_of_ours_one_is_told() -> None:
    both = BaseExceptionGroup("", [sqlite3.OperationalError("disk is full"), ExceptionGroup("", [LeaseLost("s")])])
    assert _cause(both) is both.exceptions[0]
    ours = BaseExceptionGroup("", [sqlite3.OperationalError("disk is full"), KeyError("x")])
    assert _cause(ours) is ours
    assert isinstance(_cause(ExceptionGroup("", [ExceptionGroup("", [LeaseLost("s")])])), LeaseLost)
