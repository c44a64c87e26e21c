"""The road from a message to an opened case on PostgreSQL, with processes of their own for each step of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.store.postgres.address import address_of
from tests.cli.shell import CHARGED, Shell, copy_of_root
from tests.postgres import HAS_POSTGRES, PostgresServer, server
from tests.waiting import until
from tests.web.service import open_service, opening

pytestmark = pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")


def test_a_session_is_begun_by_one_process_approved_by_another_and_ended_by_a_third(tmp_path: Path) -> None:
    shell, url = Shell(copy_of_root(tmp_path)), server().url()
    begun = shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", "account_id=acct_1002",
        ENGINE_STORE=url,
    )  # fmt: skip
    assert begun.code == 3, begun.err
    (row,) = shell("sessions", "list", "--format", "json", ENGINE_STORE=url).json
    assert row["state"] == "awaiting_human_review"
    approved = shell("review", "approve", f"{row['id']}.1", "--as", "dana", ENGINE_STORE=url)
    assert "case_opened" in approved.out, approved.err
    assert shell("sessions", "verify", ENGINE_STORE=url).out.strip().endswith("1 session is whole, 0 are not")
    tighter = copy_of_root(tmp_path / "tighter")
    policy = tighter / "policies/refunds.yaml"
    policy.write_text(
        policy.read_text("utf-8").replace("refund_threshold_usd: 250", "refund_threshold_usd: 9"), "utf-8"
    )
    judged = shell("whatif", "--policy", str(tighter), "--format", "json", ENGINE_STORE=url)
    assert judged.json["sessions"] == 1, judged.err
    assert (tmp_path / "store.db").exists() is False


def test_a_session_that_is_parked_is_moved_from_a_file_approved_in_the_new_place_and_ended_there(
    tmp_path: Path,
) -> None:
    shell, url, file = Shell(copy_of_root(tmp_path)), server().url(), f"sqlite:///{tmp_path}/here.db"
    with open_service(shell, "--store", file) as old:
        old.tokens |= tokens(shell, file)
        with old.client("ops") as ops:
            session = old.start(ops, "acct_1002")["id"]
            old.waits(ops, session, "awaiting_human_review")
        moved = shell("store", "move", file, url)
        assert "1 session moved into postgresql://engine@" in moved.out, moved.err
        with old.client() as anybody:
            ready = anybody.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "session_moved")
        # who works on the old one is told at once, and nothing that is said to it counts
        with old.client("dana") as dana:
            refused = dana.post(f"/v1/requests/{session}.1/answers", json={"answer": "approve"})
        assert (refused.status_code, refused.json()["code"]) == (503, "session_moved")
        assert "its sessions go on there" in refused.json()["detail"]
    assert shell("worker", "--until-idle", ENGINE_STORE=file).code == 5
    assert "its sessions go on there" in shell("serve", ".", "--port", "0", ENGINE_STORE=file).err
    with open_service(shell, "--store", url) as new:
        # tokens came along
        new.tokens |= old.tokens
        with new.client("ops") as ops, new.client("dana") as dana:
            digest = dana.get(f"/v1/requests/{session}.1").json()["digest"]
            approval = {"answer": "approve", "digest": digest}
            assert dana.post(f"/v1/requests/{session}.1/answers", json=approval).status_code == 200
            assert new.waits(ops, session, "done")["outcome"] == "case_opened"
    assert shell("sessions", "verify", ENGINE_STORE=url).code == 0


def test_a_look_at_a_store_says_what_its_server_keeps_and_what_a_pooler_drops(tmp_path: Path) -> None:
    shell, url = Shell(copy_of_root(tmp_path)), server().url()
    assert shell("store", "check", url).code == 2, "there is none"
    shell("deploy", ".", ENGINE_STORE=url)
    found = {
        (one["what"], one["standing"], one["told"]) for one in shell("store", "check", url, "--format", "json").json
    }
    told = "fsync is off: what was acknowledged may be gone after a crash, and be done twice"
    assert {("store", "good", "it takes what is written"), ("server", "bad", told)} <= found
    assert ("server", "good", "statements end after 30 s, and locks are waited for 10 s") in found
    doctor = shell("doctor", ".", "--store", url, "--format", "json").json
    assert ("server", "bad", told) in {(one["what"], one["standing"], one["told"]) for one in doctor}
    moved = shell("store", "move", url, f"{url}_other")
    assert moved.code == 0, moved.err
    (first,) = [one for one in shell("store", "check", url, "--format", "json").json if one["what"] == "store"]
    assert (first["standing"], "was moved to" in first["told"]) == ("bad", True)


def test_two_services_on_one_server_serve_the_same_sessions(tmp_path: Path) -> None:
    shell, url = Shell(copy_of_root(tmp_path)), server().url()
    with open_service(shell, "--store", url) as one, open_service(shell, "--store", url, "--workers", "none") as other:
        one.tokens |= tokens(shell, url)
        other.tokens |= one.tokens
        with other.client("ops") as ops, one.client("dana") as dana:
            session = other.start(ops, "acct_1002")["id"]
            other.waits(ops, session, "awaiting_human_review")
            digest = dana.get(f"/v1/requests/{session}.1").json()["digest"]
            said = {"answer": "approve", "digest": digest}
            assert dana.post(f"/v1/requests/{session}.1/answers", json=said).status_code == 200
            assert other.waits(ops, session, "done")["outcome"] == "case_opened"


def tokens(shell: Shell, url: str) -> dict[str, str]:
    """One of an operator and one of a reviewer, in the store."""
    made = {}
    for name, role in (("ops", "operator"), ("dana", "reviewer")):
        made[name] = shell("tokens", "create", "--name", name, "--role", role, ENGINE_STORE=url).out.strip()
    return made


def test_a_text_with_a_nul_is_taken_or_refused_and_never_a_fault(tmp_path: Path) -> None:
    shell, url = Shell(copy_of_root(tmp_path)), server().url()
    with open_service(shell, "--store", url) as service:
        service.tokens |= tokens(shell, url)
        with service.client("ops") as ops, service.client("dana") as dana:
            begun = ops.post("/v1/sessions", json=opening("acct_1002") | {"external_id": "a\x00b"})
            assert begun.status_code == 201, begun.text
            again = ops.post("/v1/sessions", json=opening("acct_1002") | {"external_id": "a\x00b"})
            assert again.json()["id"] == begun.json()["id"]
            session = begun.json()["id"]
            service.waits(ops, session, "awaiting_human_review")
            answer = dana.post(f"/v1/requests/{session}.1/answers", json={"answer": "approve", "digest": "a\x00b"})
            asked = [
                ops.get(f"/v1/{path}=%00").status_code
                for path in ("sessions?agent", "sessions?cursor", "requests?cursor")
            ]
    assert (answer.status_code, asked) == (409, [200, 404, 404])
    # and it is moved as it is
    moved = shell("store", "move", url, f"sqlite:///{tmp_path}/moved.db")
    assert moved.code == 0, moved.err
    assert shell("store", "move", f"sqlite:///{tmp_path}/moved.db", url).code == 0


def test_a_worker_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    shell, own = Shell(copy_of_root(tmp_path)), PostgresServer()
    url = own.url("restarts")
    try:
        shell("deploy", ".", ENGINE_STORE=url)
        worker = shell.start("worker", "--store", url)
        try:
            until(lambda: listens(url), "the worker has begun")
            for _ in range(2):
                # it looks once a second
                time.sleep(1.2)
                own.stop()
                time.sleep(2)
                own.start()
            with open_service(shell, "--store", url, "--workers", "none") as service:
                service.tokens |= tokens(shell, url)
                with service.client("ops") as ops:
                    session = service.start(ops, "acct_1001")["id"]
                    assert service.waits(ops, session, "done")["outcome"] == "case_opened"
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.communicate()
    finally:
        own.stop()


def listens(url: str) -> bool:
    """Whether somebody on the store waits for what others change, which is the last that a worker begins with."""
    with address_of(url).connect("test") as raw:
        sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'engine listener' AND state = 'idle'"
        return raw.execute(sql).fetchone() is not None
