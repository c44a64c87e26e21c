"""Commands that are asked of a service print what those on its store do, and exit with the same codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Done, Shell, command, copy_of_root, environment
from tests.web.service import Service, open_service

SET = ("--set", "tenant=acme", "--set", "account_id=acct_1002")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("remote")))) as opened:
        yield opened


@pytest.fixture
def elsewhere(service: Service, tmp_path: Path) -> Shell:
    """Where there is no store and no bundle."""
    return Shell(tmp_path)


def asks(elsewhere: Shell, service: Service, who: str, role: str, *words: str) -> Done:
    token = service.token(who, role, *(() if role != "reviewer" else ("--group", "refund-reviewers")))
    return elsewhere("--server", service.url, *words, ENGINE_TOKEN=token)


def test_a_refund_is_run_approved_and_read_as_on_the_store(service: Service, elsewhere: Shell) -> None:
    ran = asks(elsewhere, service, "ops", "operator", "run", "--agent", "support-triage", "-m", CHARGED, *SET)
    assert ran.code == 3, ran.err
    assert "step 1" in ran.out
    session = ran.err.split("session ")[1].split(" ")[0]
    assert f"engine review approve {session}.1" in ran.err
    for words in (
        ("sessions", "list", "--format", "json"),
        ("sessions", "list"),
        ("sessions", "show", session),
        ("sessions", "show", session, "--format", "json"),
        ("sessions", "events", session),
        ("sessions", "events", session, "--format", "jsonl"),
        ("sessions", "stats"),
        ("sessions", "verify", session),
        ("review", "list"),
        ("review", "list", "--format", "json"),
        ("jobs", "list", "--format", "json"),
    ):
        there, here = asks(elsewhere, service, "ops", "operator", *words), service.shell(*words)
        assert (there.code, there.out) == (here.code, here.out), words
    shown = asks(elsewhere, service, "dana", "reviewer", "review", "show", "--last")
    assert "amount_usd" in shown.out
    wrong = asks(elsewhere, service, "dana", "reviewer", "review", "approve", "--last", "--digest", "0" * 64)
    assert (wrong.code, "changed" in wrong.err or "another" in wrong.err) == (1, True), wrong.err
    done = asks(elsewhere, service, "dana", "reviewer", "review", "approve", f"{session}.1", "--note", "fine")
    assert done.code == 0, done.err
    assert f"session {session} is done (case_opened)" in done.err
    again = asks(elsewhere, service, "dana", "reviewer", "review", "approve", f"{session}.1")
    assert again.code == 1, again.err


def test_what_an_attribute_is_the_service_knows(service: Service, elsewhere: Shell) -> None:
    wrong = asks(elsewhere, service, "ops", "operator", "run", "--agent", "support-triage", "-m", "x", "--set", "no=1")
    assert (wrong.code, "Traceback" in wrong.err) == (2, False), wrong.err
    assert "account_id" in wrong.err
    none = asks(elsewhere, service, "ops", "operator", "run", "--agent", "nobody", "-m", "x")
    assert none.code == 2, none.err


def test_who_is_nobody_is_told_so(service: Service, elsewhere: Shell) -> None:
    assert elsewhere("--server", service.url, "sessions", "list").code == 2
    away = elsewhere("--server", "http://127.0.0.1:9", "sessions", "list")
    assert (away.code, "can't be reached" in away.err) == (5, True)
    assert elsewhere("--server", "no address", "sessions", "list").code in (2, 5)
    assert asks(elsewhere, service, "dana", "reviewer", "run", "--agent", "support-triage", "-m", "x").code == 2


def test_a_token_is_kept_for_a_service(service: Service, elsewhere: Shell) -> None:
    home = {"XDG_CONFIG_HOME": str(elsewhere.at / "config"), "ENGINE_SERVER": service.url}
    token = service.token("dana", "reviewer", "--group", "refund-reviewers")

    def login(text: str) -> subprocess.CompletedProcess[str]:
        env = environment(elsewhere.at / "store.db") | home
        return subprocess.run(
            command("login"), cwd=elsewhere.at, env=env, input=text, capture_output=True, text=True, timeout=600
        )

    kept = login(f"{token}\n")
    assert (kept.returncode, "you are dana (reviewer)" in kept.stderr) == (0, True), kept.stderr
    assert elsewhere("review", "list", **home).code == 0
    assert login("eng_live_nothing\n").returncode == 2
    assert elsewhere("login", "--forget", **home).code == 0
    assert elsewhere("review", "list", **home).code == 2


def test_what_works_here_alone_says_so(service: Service, elsewhere: Shell) -> None:
    refused = elsewhere("--server", service.url, "worker")
    assert (refused.code, "is asked of no service" in refused.err) == (2, True)
    assert elsewhere("schema", "--help", ENGINE_SERVER=service.url).code == 0


def test_a_bundle_is_brought_and_deployed(service: Service, elsewhere: Shell) -> None:
    bundle = copy_of_root(elsewhere.at / "changed")
    rules = bundle / "policies/refunds.yaml"
    text = rules.read_text()
    assert "refund_threshold_usd: 250" in text
    rules.write_text(text.replace("refund_threshold_usd: 250", "refund_threshold_usd: 200"))
    brought = asks(elsewhere, service, "ops", "operator", "deploy", str(bundle), "--only-bring", "--format", "json")
    assert brought.code == 0, brought.err
    found = json.loads(brought.out)
    assert (found["loosens"], bool(found["changes"])) == (False, True)
    done = asks(elsewhere, service, "ops", "operator", "deploy", "--digest", found["digest"])
    assert done.code == 0, done.err
    assert "nothing of it loosens" in done.out
    with service.client("ops", "operator") as ops:
        assert ops.get("/v1/deployments").json()["items"][0]["bundle"] == found["digest"]


def test_an_id_leads_to_no_other_route(service: Service, elsewhere: Shell) -> None:
    ran = asks(elsewhere, service, "ops", "operator", "run", "--agent", "support-triage", "-m", CHARGED, *SET)
    session = ran.err.split("session ")[1].split(" ")[0]
    done = asks(elsewhere, service, "ops", "operator", "jobs", "discard", f"../sessions/{session}/cancel#")
    assert done.code == 2, done.err
    shown = asks(elsewhere, service, "ops", "operator", "sessions", "show", session, "--format", "json")
    assert json.loads(shown.out)["state"] == "awaiting_human_review"
    for id_ in (f"{session}?", f"{session}/events", "..", "", "../jobs"):
        odd = asks(elsewhere, service, "ops", "operator", "sessions", "show", id_)
        assert (odd.code, "Traceback" in odd.err) == (2, False), odd.err


def test_a_token_is_never_printed(service: Service, elsewhere: Shell) -> None:
    token = service.token("ops", "operator")
    for secret in (f"{token} ", f"{token}\n", f"a{token}\nb", f"{token}ü"):
        done = elsewhere("--server", service.url, "sessions", "list", ENGINE_TOKEN=secret)
        assert token not in done.err
        assert "Traceback" not in done.err
        assert done.code == (0 if secret.strip() == token else 2), done.err


def test_nothing_is_erased_that_nobody_is_sure_of(service: Service, elsewhere: Shell) -> None:
    ran = asks(elsewhere, service, "ops", "operator", "run", "--agent", "support-triage", "-m", CHARGED, *SET)
    session = ran.err.split("session ")[1].split(" ")[0]
    done = asks(elsewhere, service, "ops", "operator", "sessions", "erase", session, "--why", "x")
    assert (done.code, "nothing was erased" in done.err) == (1, True), done.err


def test_an_address_that_is_none_is_said_so(elsewhere: Shell) -> None:
    for server in ("", "127.0.0.1:8420", "ftp://x", "http://[::1"):
        done = elsewhere("--server", server, "sessions", "list")
        assert (done.code, "Traceback" in done.err) == (2, False), (server, done.err)
