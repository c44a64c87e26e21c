"""What is detached is recorded by one process and done by another: a worker on the same store."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Done, Shell
from tests.waiting import until

CHANGE = "{account_id: acct_1001, new_email: a@mail.example, confirmation_token: tok_1001_a}"
PLANNERS = f"""\
  changer:
    kind: scripted
    decisions:
      - {{message: '', tool_calls: [{{id: a, name: change_billing_email, input: {CHANGE}}}]}}
      - {{message: changed, done: true}}
  chatty:
    kind: scripted
    decisions:
      - {{message: 'which charge?', done: false}}
      - {{message: thanks, done: true}}
"""


@pytest.fixture
def scripted(shell: Shell) -> Shell:
    agent = shell.at / "specs/agents/support-triage.yaml"
    agent.write_text(agent.read_text() + PLANNERS)
    return shell


@pytest.fixture
def worker(scripted: Shell) -> Iterator[subprocess.Popen[str]]:
    """A worker that serves the store until the test is over."""
    # the store is made by one process before two use it
    assert scripted.triage("acct_1001", "--detach").code == 0
    process = scripted.start("worker")
    yield process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=600)


def state(shell: Shell, session_id: str) -> str:
    shown = shell("sessions", "show", session_id, "--format", "json").json
    return str(shown["state"])


def only_id(done: Done) -> str:
    assert done.code == 0, done.err
    assert re.fullmatch(r"ses_[0-9a-f]{16}\n", done.out)
    assert f"session {done.out.strip()} is left to a worker: engine worker" in done.err
    return done.out.strip()


def test_a_worker_drives_what_run_has_recorded(shell: Shell) -> None:
    session_id = only_id(shell.triage("acct_1001", "--detach"))
    assert state(shell, session_id) == "running"
    assert not (shell.at / "specs/databases/billing.db").exists()
    assert shell("worker", "--until-idle").out == "0 jobs run, 1 session driven\n"
    assert state(shell, session_id) == "done"
    assert shell.rows() == [[1]]


def test_a_worker_that_runs_takes_up_what_is_run_sent_and_confirmed(
    scripted: Shell, worker: subprocess.Popen[str]
) -> None:
    chat = only_id(scripted.triage("acct_1001", "--planner", "chatty", "--detach", message="hi"))
    change = only_id(scripted.triage("acct_1001", "--planner", "changer", "--detach", message="hi"))
    until(lambda: state(scripted, chat) == "awaiting_message", "the question")
    until(lambda: state(scripted, change) == "awaiting_confirmation", "the question of the customer")
    assert only_id(scripted("send", chat, "-m", "the second", "--detach")) == chat
    assert only_id(scripted("confirm", change, "yes", "--detach")) == change
    until(lambda: state(scripted, chat) == "done", "the end of the talk")
    until(lambda: state(scripted, change) == "done", "the change")
    emails = scripted.rows("SELECT email FROM accounts WHERE account_id = 'acct_1001'")
    assert emails == [["a@mail.example"]]
    assert worker.poll() is None


def test_the_id_is_had_as_json(shell: Shell) -> None:
    done = shell.triage("acct_1001", "--detach", "--format", "json")
    assert re.fullmatch(r"ses_[0-9a-f]{16}", json.loads(done.out)["session"])


def test_what_is_refused_is_refused_when_it_is_detached_too(shell: Shell) -> None:
    session_id = only_id(shell.triage("acct_1001", "--detach"))
    assert shell("cancel", session_id).code == 0
    assert "is over" in shell("send", session_id, "-m", "hello?", "--detach").err
    assert "asks the customer nothing" in shell("confirm", session_id, "yes", "--detach").err
    assert shell("run", ".", "-m", "x", "--detach").code == 2


@pytest.mark.parametrize("more", [["--record", "r"], ["--store", "memory:"]])
def test_what_no_worker_could_see_is_not_detached(shell: Shell, more: list[str]) -> None:
    done = shell.triage("acct_1001", "--detach", *more)
    assert (done.code, "--detach" in done.err) == (2, True)
    (Path(shell.at) / "b.jsonl").write_text(json.dumps({"message": CHARGED}) + "\n")
    batch = shell("run", ".", "--batch", "b.jsonl", "--set", "tenant=acme", "--set", "account_id=acct_1001", "--detach")
    assert (batch.code, "--detach" in batch.err) == (2, True)
