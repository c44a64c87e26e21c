"""An anchor outside of the file: heads with an HMAC, and heads that were exported."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.ports.resources import MissingSecret
from engine.runtime.host_secrets import HostSecrets
from engine.tool.command import environment_of
from tests.cli.shell import Shell, copy_of_root
from tests.store.rewriting import rewrite

KEY = "k3y-of-the-log-0123456789abcdef0123456789abcdef"
OTHER = "another-key-0123456789abcdef0123456789abcdef-xx"
AMOUNTS = ("acct_1002", "acct_1005")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path))


def held(shell: Shell, **env: str) -> str:
    done = shell(
        "run", ".", "--agent", "support-triage", "-m", "I want to talk to a human", "--set", "tenant=acme", "--set",
        "account_id=acct_1001", **env,
    )  # fmt: skip
    assert done.code == 3, done.err
    return str(shell("sessions", "list", "--limit", "1", "--format", "json", **env).json[0]["id"])


def went_on(shell: Shell, session: str, **env: str) -> None:
    assert shell("sessions", "events", session, **env).code == 0
    done = shell("cancel", session, "--as", "dana", **env)
    assert done.code in (0, 1, 4, 130), done.err
    rows = shell("sessions", "list", "--format", "json", **env).json
    assert next(row for row in rows if row["id"] == session)["state"] != "awaiting_human_review", done.err


def heads(shell: Shell, **env: str) -> list[dict[str, Any]]:
    done = shell("sessions", "heads", **env)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def exported(shell: Shell, **env: str) -> str:
    done = shell("sessions", "heads", **env)
    assert done.code == 0, done.err
    path = shell.at.parent / f"{shell.at.name}-heads.jsonl"
    path.write_text(done.out)
    return str(path)


def file_of(shell: Shell) -> Path:
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return shell.at / "store.db"


def rewritten(path: Path, session: str, old: str, new: str) -> None:
    """A log that was written anew, and all that stands beside it."""
    rewrite(path, session, old, new)
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("DELETE FROM snapshots")
    raw.execute("UPDATE requests SET payload = replace(payload, ?, ?)", (old, new))
    raw.close()


def test_heads_are_json_lines_of_all_sessions(shell: Shell) -> None:
    first, second = held(shell), held(shell)
    found = heads(shell)
    assert {head["session_id"] for head in found} == {first, second}
    raw = sqlite3.connect(shell.at / "store.db")
    stored = {id_: (seq, link) for id_, seq, link in raw.execute("SELECT id, seq, head_hash FROM sessions")}
    raw.close()
    for head in found:
        assert set(head) == {"session_id", "seq", "hash", "hmac"}
        assert (head["seq"], head["hash"]) == stored[head["session_id"]]
        assert head["hmac"] is None
    sealed = Shell(shell.at)
    third = held(sealed, ENGINE_LOG_KEY=KEY)
    told = {head["session_id"]: head["hmac"] for head in heads(sealed)}
    assert isinstance(told[third], str)
    assert len(told[third]) >= 32


def test_exported_heads_hold_for_a_store_that_went_on(shell: Shell) -> None:
    session = held(shell)
    file = exported(shell)
    assert shell("sessions", "verify", "--heads", file).code == 0
    went_on(shell, session)
    held(shell)
    done = shell("sessions", "verify", "--heads", file)
    assert done.code == 0, done.out + done.err


def test_exported_heads_find_a_rollback(shell: Shell) -> None:
    session = held(shell)
    path = file_of(shell)
    shutil.copy(path, f"{path}.old")
    went_on(shell, session)
    file = exported(shell)
    file_of(shell)
    for more in ("-wal", "-shm"):
        Path(f"{path}{more}").unlink(missing_ok=True)
    shutil.copy(f"{path}.old", path)
    assert shell("sessions", "verify").code == 0
    done = shell("sessions", "verify", "--heads", file)
    assert (done.code, session in done.out) == (1, True), done.err


def test_exported_heads_find_a_session_that_is_gone(shell: Shell) -> None:
    session = held(shell)
    held(shell)
    file = exported(shell)
    raw = sqlite3.connect(shell.at / "store.db", isolation_level=None)
    raw.execute("DELETE FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?)", (session,))
    for table, column in (("sessions", "id"), ("requests", "session_id"), ("snapshots", "session_id")):
        raw.execute(f"DELETE FROM {table} WHERE {column} = ?", (session,))
    raw.close()
    assert shell("sessions", "verify").code == 0
    done = shell("sessions", "verify", "--heads", file)
    assert (done.code, session in done.out) == (1, True), done.err
    found = shell("sessions", "verify", "--heads", file, "--format", "json")
    assert found.code == 1
    assert [row["whole"] for row in found.json if row["id"] == session] == [False]


@pytest.mark.parametrize("later", [False, True])
def test_exported_heads_find_a_log_that_was_written_anew(shell: Shell, later: bool) -> None:
    session = held(shell)
    file = exported(shell)
    if later:
        went_on(shell, session)
    rewritten(shell.at / "store.db", session, "want to talk", "want to walk")
    assert shell("sessions", "verify").code == 0
    done = shell("sessions", "verify", "--heads", file)
    assert (done.code, session in done.out) == (1, True), done.err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\ufeff{}\n",
        "{",
        "[]",
        "7\n",
        '{"session_id": "x"}',
        '{"session_id": 7, "seq": "x", "hash": null, "hmac": 1}',
        "\x00",
    ],
)
def test_a_file_that_holds_no_heads_is_told(shell: Shell, text: str) -> None:
    held(shell)
    path = shell.at / "heads.jsonl"
    path.write_text(text)
    done = shell("sessions", "verify", "--heads", str(path))
    assert "Traceback" not in done.err
    assert "No such option" not in done.err
    assert done.code in (1, 2)


def test_a_head_that_nobody_sealed_is_a_fault_where_there_is_a_key(shell: Shell) -> None:
    session = held(shell)
    done = shell("sessions", "verify", ENGINE_LOG_KEY=KEY)
    assert (done.code, session in done.out) == (1, True), done.err


def test_a_log_that_was_written_anew_without_the_key_is_found_by_who_has_it(shell: Shell) -> None:
    session = held(shell, ENGINE_LOG_KEY=KEY)
    assert shell("sessions", "verify", ENGINE_LOG_KEY=KEY).code == 0
    rewritten(shell.at / "store.db", session, "want to talk", "want to walk")
    done = shell("sessions", "verify", ENGINE_LOG_KEY=KEY)
    assert (done.code, session in done.out) == (1, True), done.err


def test_a_log_that_was_written_anew_is_not_acted_on_where_there_is_a_key(shell: Shell) -> None:
    env = {"ENGINE_LOG_KEY": KEY}
    session = held(shell, **env)
    rewritten(shell.at / "store.db", session, "want to talk", "want to walk")
    done = shell("cancel", session, "--as", "dana", **env)
    assert done.code == 5, done.out + done.err
    assert "Traceback" not in done.err
    # and nobody seals it again
    assert shell("sessions", "verify", **env).code == 1


def test_a_head_is_of_one_session_one_store_and_one_key(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {"ENGINE_LOG_KEY": KEY}
    session = held(shell, **env)
    assert shell("sessions", "verify", ENGINE_LOG_KEY=OTHER).code == 1
    other = Shell(copy_of_root(tmp_path_factory.mktemp("other")))
    assert other("deploy", ".", **env).code == 0
    raw = sqlite3.connect(other.at / "store.db", isolation_level=None)
    raw.execute("ATTACH ? AS theirs", (str(file_of(shell)),))
    for table in ("sessions", "segments", "bundles", "requests"):
        raw.execute(f"INSERT OR REPLACE INTO main.{table} SELECT * FROM theirs.{table}")
    raw.close()
    done = other("sessions", "verify", **env)
    assert (done.code, session in done.out) == (1, True), "it is sealed for another store"


def test_an_older_head_of_the_same_session_is_not_its_head(shell: Shell) -> None:
    """The HMAC of an earlier moment is put under a later one."""
    env = {"ENGINE_LOG_KEY": KEY}
    session = held(shell, **env)
    raw = sqlite3.connect(shell.at / "store.db", isolation_level=None)
    raw.row_factory = sqlite3.Row
    before = dict(raw.execute("SELECT * FROM sessions WHERE id = ?", (session,)).fetchone())
    went_on(shell, session, **env)
    after = dict(raw.execute("SELECT * FROM sessions WHERE id = ?", (session,)).fetchone())
    differs = [
        name for name in before
        if before[name] != after[name]
        and name not in ("seq", "head_hash", "state", "outcome", "epoch", "owner", "lease_until", "updated_at")
    ]  # fmt: skip
    assert differs, "heads are sealed"
    for name in differs:
        raw.execute(f"UPDATE sessions SET {name} = ? WHERE id = ?", (before[name], session))
    raw.close()
    assert shell("sessions", "verify", **env).code == 1


def test_a_key_that_is_too_short_is_refused(shell: Shell) -> None:
    assert shell("deploy", ".").code == 0
    for key in ("", "short"):
        done = shell("sessions", "verify", ENGINE_LOG_KEY=key)
        assert "Traceback" not in done.err
        assert done.code == (0 if key == "" else 2), done.err


def test_no_tool_and_no_secret_is_given_the_key_of_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENGINE_LOG_KEY", KEY)
    assert KEY not in environment_of({"ENGINE_LOG_KEY": None, "HOME": None}, HostSecrets()).values()
    with pytest.raises(MissingSecret):
        HostSecrets().reveal("ENGINE_LOG_KEY")
    (tmp_path / "ENGINE_LOG_KEY").write_text(KEY)
    with pytest.raises(MissingSecret):
        HostSecrets({"ENGINE_SECRETS": str(tmp_path), "ENGINE_LOG_KEY": KEY}).reveal("ENGINE_LOG_KEY")


def test_a_bundle_that_asks_for_the_key_of_the_log_is_not_valid(shell: Shell) -> None:
    path = shell.at / "specs/tools/asks.yaml"
    path.write_text(
        "kind: Tool\nname: asks\ndescription: x\neffect: read\ninput: {type: object, additionalProperties: false}\n"
        'output: {type: object}\nadapter: {kind: command, argv: [env], environment: {ENGINE_LOG_KEY: "${secret:ENGINE_LOG_KEY}"}}\n'
    )
    done = shell("validate", ".")
    assert done.code == 1
    assert "ENGINE_LOG_KEY" in done.out.split("-->")[0] or "key of the log" in done.out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what a process was started with")
def test_the_key_stands_nowhere_in_what_the_process_was_started_with() -> None:
    code = (
        "import os\nfrom engine.store.log_key import taken_from\nkey = taken_from(os.environ)\n"
        "print(key.keys[0].decode(), open('/proc/self/environ', 'rb').read().count(b'canary-log'), 'ENGINE_LOG_KEY' in os.environ)"
    )
    env = {**os.environ, "ENGINE_LOG_KEY": "canary-log-" + "k" * 32}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=600, check=True
    )
    assert done.stdout.split() == ["canary-log-" + "k" * 32, "0", "False"]
