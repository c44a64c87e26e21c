"""The road from a message to an opened case on PostgreSQL, with processes of their own for each step of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Shell, copy_of_root
from tests.postgres import HAS_POSTGRES, server
from tests.web.service import open_service

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
