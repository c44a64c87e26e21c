"""What the commands say of a store that somebody else has written, of its seals, and of one that is not there."""

from __future__ import annotations

import json
import sqlite3

import pytest

from engine.store.log_key import LogKey
from tests.cli.shell import CHARGED, Shell
from tests.store.rewriting import rewrite
from tests.store.test_tables_and_log import erase

KEY = "k3y-of-the-log-0123456789abcdef0123456789abcdef"
OTHER = "another-key-0123456789abcdef0123456789abcdef-xx"


def write(shell: Shell, *statements: str) -> None:
    raw = sqlite3.connect(shell.at / "store.db", isolation_level=None)
    for statement in statements:
        raw.execute(statement)
    raw.close()


def newest(shell: Shell, **env: str) -> str:
    return str(shell("sessions", "list", "--limit", "1", "--format", "json", **env).json[0]["id"])


def sealed(shell: Shell) -> str:
    """A session that waits for a person, with a sealed head."""
    done = shell(
        "run", ".", "--agent", "support-triage", "-m", "I want to talk to a human", "--set", "tenant=acme", "--set",
        "account_id=acct_1001", ENGINE_LOG_KEY=KEY,
    )  # fmt: skip
    assert done.code == 3, done.err
    return newest(shell)


# -- what is found


def test_a_forged_result_of_a_key_is_told_to_no_customer(shell: Shell) -> None:
    assert shell.triage("acct_1001").code == 0
    assert "case_opened" in shell.triage("acct_1001").out, "the result of the first is reused"
    write(shell, "UPDATE idempotency_keys SET output = replace(output, 'case_', 'forged_')")
    done = shell.triage("acct_1001")
    assert done.code == 5, done.out
    assert "forged_" not in done.out
    assert "idempotency_keys" in done.err
    assert "Traceback" not in done.err


def test_verify_finds_what_belongs_to_no_session_and_bundles_that_were_changed(shell: Shell) -> None:
    assert shell.triage("acct_1002").code == 3
    session = newest(shell)
    assert shell("sessions", "verify").out == "1 session is whole, 0 are not\n"
    write(
        shell,
        "INSERT INTO requests SELECT 'ghost.1', kind, 'ghost', status, opened_at, expires_at, payload, counts_at FROM requests",
        "UPDATE bundles SET files = '{'",
        "INSERT INTO bundles (digest, files) SELECT 'other', '{}'",
        "DELETE FROM store",
    )
    found = shell("sessions", "verify", "--format", "json")
    assert found.code == 1
    rows = {(row["what"], row["id"]): row["whole"] for row in found.json}
    assert rows["session", session]
    assert not rows["session", "ghost"]
    assert [whole for (what, _), whole in rows.items() if what == "bundle"] == [False, False]
    assert not rows["store", "file"]
    told = shell("sessions", "verify")
    assert told.code == 1
    assert "ghost: request ghost.1 stands in `requests`" in told.out
    assert "bundle other: " in told.out
    assert shell("sessions", "verify", session).code == 0, "which is whole in itself"


def test_verify_tells_which_payloads_were_erased(shell: Shell) -> None:
    assert shell.triage("acct_1001").code == 0
    session = newest(shell)
    erase(shell.at / "store.db", 3, session=session)
    done = shell("sessions", "verify")
    assert (done.code, done.out) == (0, f"{session}: erased: what event 3 said\n1 session is whole, 0 are not\n")
    (row,) = (row for row in shell("sessions", "verify", "--format", "json").json if row["id"] == session)
    assert (row["whole"], row["erased"]) == (True, [3])


def test_a_file_with_a_damaged_page_is_told_by_its_path(shell: Shell) -> None:
    assert shell.triage("acct_1002").code == 3
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'segments'").fetchone()
    (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    content = bytearray((shell.at / "store.db").read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    (shell.at / "store.db").write_bytes(content)
    for words in (("review", "show", "--last"), ("replay", "--all"), ("whatif", "--policy", ".")):
        done = shell(*words)
        assert (done.code, "Traceback" in done.err) == (5, False), done.err
        assert "store.db" in done.err
        assert "malformed" in done.err
    verified = shell("sessions", "verify")
    assert (verified.code, "Traceback" in verified.err) == (1, False), verified.err
    assert "malformed" in verified.out


@pytest.mark.parametrize("words", ["sessions list", "sessions verify", "replay --all", "worker --until-idle"])
def test_an_empty_file_is_no_store_and_is_told_as_what_it_is(shell: Shell, words: str) -> None:
    (shell.at / "store.db").touch()
    done = shell(*words.split())
    assert done.code == 2
    assert "no store" in done.err
    assert "empty file" in done.err
    assert (shell.at / "store.db").stat().st_size == 0


def test_an_empty_file_is_no_store_to_who_only_reads_it(shell: Shell) -> None:
    (shell.at / "store.db").touch()
    assert "empty file" in shell("whatif", "--policy", ".").err


def test_a_store_is_made_in_an_empty_file_by_who_may_make_one(shell: Shell) -> None:
    (shell.at / "store.db").touch()
    assert shell.triage("acct_1005").code == 0


# -- an urgent bundle


def test_an_urgent_bundle_that_can_not_be_read_names_the_way_out(shell: Shell) -> None:
    assert shell.triage("acct_1002").code == 3
    session = newest(shell)
    write(shell, "INSERT INTO bundles (digest, files, urgent) VALUES ('bad0bad0bad0bad0', '{', 99)")
    for words in (("resume", session), ("cancel", session, "--as", "dana")):
        done = shell(*words)
        assert done.code == 5
        assert "engine deploy --lift bad0bad0bad0" in done.err
    write(shell, "UPDATE sessions SET state = 'running'")
    worked = shell("worker", "--until-idle")
    assert worked.code == 1, "a session could not be driven"
    assert "1 session could not be" in worked.out
    assert shell("deploy", "--lift", "bad0bad0bad0").code == 0
    assert shell("cancel", session, "--as", "dana").code in (0, 1)


# -- seals


def test_without_the_key_a_sealed_session_is_read_and_not_gone_on_with(shell: Shell) -> None:
    session = sealed(shell)
    assert shell("sessions", "show", session).code == 0
    for words in (("cancel", session, "--as", "dana"), ("resume", session)):
        done = shell(*words)
        assert done.code in (2, 3), done.err
    refused = shell("cancel", session, "--as", "dana")
    assert refused.code == 2
    assert "ENGINE_LOG_KEY" in refused.err
    told = shell("sessions", "verify")
    assert told.code == 0
    assert "no seal was checked" in told.err
    checked = shell("sessions", "verify", ENGINE_LOG_KEY=KEY)
    assert (checked.code, checked.err) == (0, "")


def test_a_head_without_a_seal_is_named_when_a_key_is_replaced(shell: Shell) -> None:
    first = sealed(shell)
    assert shell.triage("acct_1005").code == 0
    second = newest(shell)
    both = f"{OTHER} {KEY}"
    done = shell("sessions", "seal", ENGINE_LOG_KEY=both)
    assert (done.code, done.out) == (1, "1 head is sealed, 1 is not\n")
    assert second in done.err
    assert first not in done.err
    assert "--unsealed" in done.err
    assert shell("sessions", "seal", second, "--unsealed", ENGINE_LOG_KEY=both).code == 0
    assert shell("sessions", "verify", ENGINE_LOG_KEY=OTHER).code == 0


@pytest.mark.parametrize("key", [" ", "\n", "\t \n"])
def test_a_blank_key_is_refused(shell: Shell, key: str) -> None:
    assert shell("deploy", ".").code == 0
    for words in (("sessions", "verify"), ("whatif", "--policy", ".")):
        done = shell(*words, ENGINE_LOG_KEY=key)
        assert done.code == 2
        assert "ENGINE_LOG_KEY holds nothing but white space" in done.err


def test_the_file_of_a_key_may_begin_with_a_byte_order_mark(shell: Shell) -> None:
    sealed(shell)
    (shell.at / "key").write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    assert shell("sessions", "verify", ENGINE_LOG_KEY_FILE=str(shell.at / "key")).code == 0


def test_a_wrong_key_is_a_fault_of_the_store_to_replay_and_unreadable_to_whatif(shell: Shell) -> None:
    session = sealed(shell)
    for words in (("replay", session), ("replay", "--all"), ("sessions", "show", session)):
        done = shell(*words, ENGINE_LOG_KEY=OTHER)
        assert done.code == 5, done.out + done.err
    assert shell("replay", session, ENGINE_LOG_KEY=KEY).code == 0
    wrong = shell("whatif", "--policy", ".", "--format", "json", ENGINE_LOG_KEY=OTHER)
    assert wrong.code == 1
    assert [row["rule"] for row in wrong.json["table"]] == ["unreadable"]
    assert shell("whatif", "--policy", ".", ENGINE_LOG_KEY=KEY).code == 0
    covered = shell("test", ".", "--coverage", "--sessions", "--since", "7d", ENGINE_LOG_KEY=OTHER)
    assert "1 session is left out" in covered.err


# -- heads that are exported


def test_the_head_of_a_session_that_is_not_whole_is_not_exported(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    broken = newest(shell)
    assert shell.triage("acct_1005").code == 0
    write(shell, f"UPDATE sessions SET head_hash = 'x' WHERE id = '{broken}'")
    done = shell("sessions", "heads")
    assert done.code == 1
    assert broken in done.err
    assert [json.loads(line)["session_id"] for line in done.out.splitlines()] == [newest(shell)]


def test_heads_of_several_exports_all_have_to_stand(shell: Shell) -> None:
    """The later export was made when the log had been written anew already."""
    assert shell.triage("acct_1001", message="I want to talk to a human").code == 3
    session = newest(shell)
    (shell.at / "first.jsonl").write_text("\ufeff" + shell("sessions", "heads").out)
    rewrite(shell.at / "store.db", session, "want to talk", "want to walk")
    write(shell, "UPDATE requests SET payload = replace(payload, 'want to talk', 'want to walk')")
    (shell.at / "second.jsonl").write_text(shell("sessions", "heads").out)
    assert shell("sessions", "verify", "--heads", "second.jsonl").code == 0
    both = shell("sessions", "verify", "--heads", "first.jsonl", "--heads", "second.jsonl")
    assert both.code == 1
    assert session in both.out


def test_the_inbox_shows_the_request_of_the_log(shell: Shell) -> None:
    assert shell.triage("acct_1001", message="I want to talk to a human").code == 3
    (before,) = shell("review", "list", "--format", "json").json
    write(shell, 'UPDATE requests SET payload = replace(payload, \'"message":"\', \'"message":"forged \')')
    assert shell("review", "list", "--format", "json").json == [before]
    assert "forged" not in shell("review", "list").out
    # of what the log does not have it says so
    write(shell, "UPDATE requests SET id = session_id || '.7'")
    (row,) = shell("review", "list", "--format", "json").json
    assert "knows nothing of the request" in row["problem"]


# -- the newest


def test_the_newest_session_is_shown_by_last(shell: Shell) -> None:
    assert shell("deploy", ".").code == 0
    for command in ("show", "events"):
        assert shell("sessions", command, "--last").code == 1, "there is none yet"
        assert shell("sessions", command).code == 2
    assert shell.triage("acct_1005").code == 0
    assert shell.triage("acct_1005", message=CHARGED + " Twice.").code == 0
    assert shell("sessions", "show", "--last", "--format", "json").json["id"] == newest(shell)
    events = shell("sessions", "events", "--last", "--format", "json").json
    assert events[0]["session_id"] == newest(shell)
    assert shell("sessions", "show", newest(shell), "--last").code == 2


def test_a_key_is_no_part_of_what_is_told_of_it() -> None:
    assert KEY not in repr(LogKey((KEY.encode(),)))


def test_a_session_whose_bundle_is_gone_is_told(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    session = newest(shell)
    write(shell, "DELETE FROM bundles")
    for words in (("sessions", "verify"), ("sessions", "verify", session)):
        done = shell(*words)
        assert (done.code, "its bundle" in done.out, "is gone" in done.out) == (1, True, True), done.out
    assert shell("sessions", "heads").code == 1


def test_heads_of_sessions_that_are_not_named_are_told_to_be_left_out(shell: Shell) -> None:
    assert shell.triage("acct_1005").code == 0
    first = newest(shell)
    assert shell.triage("acct_1005").code == 0
    (shell.at / "heads.jsonl").write_text(shell("sessions", "heads").out)
    done = shell("sessions", "verify", first, "--heads", "heads.jsonl")
    assert (done.code, "heads of 1 other session were not looked at" in done.err) == (0, True), done.err
    assert "not looked at" not in shell("sessions", "verify", "--heads", "heads.jsonl").err
