"""Acts that are told as they are: what commands say of moved bundles, interrupts, stores, cancels, jobs, counts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from engine.planner.guidance import guidance
from engine.proof.bundle_diff import changed_limits
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.cli.shell import CHARGED, Shell, copy_of_root
from tests.cli.test_jobs import DISPUTE
from tests.cli.test_sessions import parked, slow_script, wait_for


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path))


# -- a moved bundle


def moved(shell: Shell, *, confirm: bool = False) -> tuple[str, str, Path]:
    """A session that waits for an answer, and whose bundle's directory is elsewhere now."""
    home, away = shell.at / "home", shell.at / "away"
    home.mkdir()
    for name in ("specs", "policies", "prompts", "fixtures"):
        (shell.at / name).rename(home / name)
    more: tuple[str, ...] = ()
    if confirm:
        file = home / "specs/agents/support-triage.yaml"
        change = "{account_id: acct_1001, new_email: a@mail.example, confirmation_token: tok_1001_a}"
        file.write_text(
            file.read_text() + "  changer:\n    kind: scripted\n    decisions:\n"
            f"      - {{message: '', tool_calls: [{{id: a, name: change_billing_email, input: {change}}}]}}\n"
            "      - {message: changed, done: true}\n"
        )
        more = ("--planner", "changer")
    account = "acct_1001" if confirm else "acct_1002"
    ran = shell(
        "run", "home", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set",
        f"account_id={account}", *more,
    )  # fmt: skip
    assert ran.code == 3, ran.err
    (request,) = shell("review", "list", "--format", "json").json
    home.rename(away)
    return request["session_id"], request["id"], away


def test_a_confirmation_after_a_moved_bundle_is_not_used_up(shell: Shell) -> None:
    session_id, _, away = moved(shell, confirm=True)
    first = shell("confirm", session_id, "yes")
    assert first.code != 0
    assert "--bundle" in first.err
    again = shell("confirm", session_id, "yes", "--bundle", str(away))
    assert again.code == 0, again.err


@pytest.mark.parametrize("act", ["approve", "deny"])
def test_an_answer_after_a_moved_bundle_is_not_used_up(shell: Shell, act: str) -> None:
    _, request_id, away = moved(shell)
    assert "--bundle" in shell("review", act, request_id, "--as", "dana").err
    again = shell("review", act, request_id, "--as", "dana", "--bundle", str(away))
    assert again.code == 0, again.err


# -- Ctrl-C


def lingering(shell: Shell, code: str = "", effect: str = "read") -> subprocess.Popen[str]:
    slow_script(shell)
    if code:
        (shell.at / "specs/tools/linger.py").write_text(code)
    if code and effect == "read":
        file = shell.at / "specs/tools/linger.yaml"
        file.write_text(file.read_text().replace("effect: write\nidempotency: none\n", "effect: read\n"))
    process = shell.start(
        "run", ".", "--agent", "support-triage", "--planner", "slow", "-m", "hi", "--set", "tenant=acme", "--set",
        "account_id=acct_1001",
    )  # fmt: skip
    wait_for(shell.at / "ran")
    return process


def interrupted_twice(process: subprocess.Popen[str]) -> str:
    """What it says when it is interrupted again, after it has heeded the first."""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    said = ""
    while "Ctrl-C again" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    try:
        _, rest = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return rest


def test_a_second_interrupt_leaves_at_once_and_says_how_to_go_on(shell: Shell) -> None:
    process = lingering(shell)
    rest = interrupted_twice(process)
    assert process.returncode == 130
    (row,) = shell("sessions", "list", "--format", "json").json
    assert row["state"] == "running"
    assert f"that {row['id']} is to be cancelled is recorded" in rest
    assert f"engine resume {row['id']}" in rest
    assert shell("resume", row["id"]).code == 1
    assert shell("sessions", "show", row["id"], "--format", "json").json["state"] == "cancelled"


def test_a_write_whose_result_is_known_is_not_told_as_one_that_nobody_knows(shell: Shell) -> None:
    process = lingering(shell, REFUSES, effect="write")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "nobody can say" not in err
    assert "not done: linger" in err
    events = shell("sessions", "events", "--last", "--format", "json").json
    assert [e["status"] for e in events if e["kind"] == "tool_result"] == ["terminal_error"]


REFUSES = """
import time

def linger(file):
    open(file, 'a').write('run\\n')
    time.sleep(1)
    raise ValueError("the account is closed")
"""
DEAF = """
import trio

async def linger(file):
    open(file, 'a').write('run\\n')
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()
"""


def test_a_second_interrupt_leaves_also_a_tool_that_ignores_it(shell: Shell) -> None:
    process = lingering(shell, DEAF)
    interrupted_twice(process)
    assert process.returncode == 130


@pytest.mark.parametrize(
    "command",
    [
        ("run", ".", "--agent", "support-triage", "--batch", "PIPE", "--set", "tenant=acme", "--set",
         "account_id=acct_1001"),
        ("judge", ".", "--agent", "support-triage", "--cases", "PIPE"),
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_an_interrupt_before_anything_has_begun_exits_130(shell: Shell, command: tuple[str, ...]) -> None:
    pipe = shell.at / "pipe"
    os.mkfifo(pipe)
    process = shell.start(*(str(pipe) if word == "PIPE" else word for word in command))
    # opens once the command does: it has begun to read, and nothing comes
    with pipe.open("w"):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err


# -- a store that is not there

READING = [
    "sessions list", "sessions show s", "sessions events s", "sessions verify", "sessions stats", "review list",
    "review show s.1", "jobs list", "jobs show s/c", "replay s", "replay --all", "explain s",
    # these act on what is there, and there is nothing
    "resume s", "send s -m x", "confirm s yes", "cancel s", "review approve s.1 --as kim", "review deny s.1 --as kim",
    "review answer s.1 --as kim --value 1", "jobs retry s/c --as kim", "jobs discard s/c --as kim", "deploy --lift 3",
    "worker --until-idle",
]  # fmt: skip


@pytest.mark.parametrize("words", READING)
def test_a_mistyped_store_is_told_and_never_made(shell: Shell, words: str) -> None:
    done = shell(*words.split(), "--store", f"sqlite:///{shell.at}/typo/engine.db")
    assert done.code != 0
    assert "no store" in done.err
    assert not (shell.at / "typo").exists()


def test_the_default_store_that_is_not_there_is_not_made_by_a_look(shell: Shell) -> None:
    done = shell("sessions", "list", ENGINE_STORE="")
    assert done.code != 0
    assert not (shell.at / ".engine").exists()


# -- cancel


def test_a_cancel_says_who_wanted_it(shell: Shell) -> None:
    session_id, _ = parked(shell)
    done = shell("cancel", session_id, "--as", "mika")
    assert done.code == 0
    assert f"session {session_id} is cancelled by mika" in done.err
    assert "mika" in shell("sessions", "show", session_id).out
    assert "mika" in str(shell("sessions", "show", session_id, "--format", "json").json)


# -- expired


@pytest.fixture
def expired(tmp_path: Path) -> tuple[Shell, str, str]:
    shell = Shell(copy_of_root(tmp_path))
    file = shell.at / "specs/agents/support-triage.yaml"
    text = re.sub(r"\n  expires:.*", "", file.read_text())
    file.write_text(text.replace("\nbudgets:\n", "\nbudgets:\n  expires: {approval: 1ms}\n", 1))
    return shell, *parked_and_gone(shell)


def parked_and_gone(shell: Shell) -> tuple[str, str]:
    assert shell.triage("acct_1002").code == 3
    (request,) = shell("review", "list", "--all", "--format", "json").json
    return request["session_id"], request["id"]


def test_a_request_past_its_time_is_shown_as_expired(expired: tuple[Shell, str, str]) -> None:
    shell, session_id, request_id = expired
    (row,) = shell("review", "list", "--all", "--format", "json").json
    assert row["status"] == "expired"
    assert "\topen\t" not in shell("review", "list").out
    assert shell("review", "show", request_id, "--format", "json").json["status"] == "expired"
    assert f"{request_id} approval (expired)" in shell("sessions", "show", session_id).out


def test_a_refused_late_answer_says_how_the_session_goes_on(expired: tuple[Shell, str, str]) -> None:
    shell, session_id, request_id = expired
    late = shell("review", "approve", request_id, "--as", "dana")
    assert late.code == 1
    assert f"engine resume {session_id}" in late.err


def test_a_closed_request_is_shown_with_what_became_of_it(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    assert shell("review", "deny", request_id, "--as", "lee").code == 0
    assert f"{request_id} approval (closed)" not in shell("sessions", "show", session_id).out


# -- jobs, counts


def test_a_list_of_jobs_has_a_header(shell: Shell) -> None:
    assert shell.triage("acct_1001", message=DISPUTE).code == 3
    head, row = shell("jobs", "list").out.splitlines()
    assert head.split("\t")[:4] == ["id", "status", "tool", "attempts"]
    assert row.split("\t")[1:4] == ["queued", "reconcile_ledger", "0"]


def test_counts_are_in_their_number(shell: Shell) -> None:
    assert shell.triage("acct_1001", message=DISPUTE).code == 3
    worked = shell("worker", "--until-idle")
    assert worked.out == "1 job run, 1 session driven\n"
    verified = shell("sessions", "verify")
    assert verified.out.startswith("1 session is whole"), verified.out
    deployed = shell("deploy", ".")
    assert "0 sessions are under way" in deployed.out
    parked(shell)
    policies = shell.at / "policies/refunds.yaml"
    policies.write_text(policies.read_text().replace("refund_threshold_usd: 250", "refund_threshold_usd: 240"))
    assert "1 session is under way under others" in shell("deploy", ".").out
    assert "of 2 sessions" in shell("replay", "--all").out
    (shell.at / "one.jsonl").write_text('{"message": "How do I change my PIN?"}\n')
    one = shell("run", ".", "--batch", "one.jsonl", "--set", "tenant=acme", "--set", "account_id=acct_1001")
    assert one.err.startswith("1 session in "), one.err


def test_a_limit_of_one_is_told_in_its_number() -> None:
    made = bundle(
        agent("[write]", policies="[rules]", budgets="{calls_per_tool: {write: 1}}"), policy(ALLOW),
        tool("write", "write"),
    )  # fmt: skip
    text = guidance(made.agents["bot"], dict(made.tools))
    assert "1 calls" not in text
    assert "At most one call in a session" in text or "At most 1 call in a session" in text


# -- diagnostics, guidance


def test_a_diagnostic_points_to_a_page_that_everybody_has(shell: Shell) -> None:
    file = shell.at / "specs/agents/support-triage.yaml"
    file.write_text(file.read_text().replace("open_refund_case, escalate", "open_refnd_case, escalate", 1))
    told = shell("validate").out
    assert "engine validate --explain E302" in told
    assert "docs/reference" not in told, "who installed the engine has no such file"
    assert shell("validate", "--explain", "E302").code == 0


def test_guidance_says_that_any_one_of_several_groups_may_say_yes() -> None:
    ask = "  - {id: ask, tools: [write], effect: require_approval, approvers: [leads, customer]}"
    made = bundle(
        agent("[write]", policies="[rules]"), policy(f"{ALLOW}\n{ask}"), tool("write", "write"),
        reviewers("leads", "[kim]"),
    )  # fmt: skip
    text = guidance(made.agents["bot"], dict(made.tools))
    assert "Needs a yes of leads or the customer's own yes" in text


# -- diff


def limited(budgets: str) -> Bundle:
    return bundle(agent("[write]", policies="[rules]", budgets=budgets), policy(ALLOW), tool("write", "write"),
                  reviewers("leads", "[kim]"), reviewers("chiefs", "[ada]"))  # fmt: skip


REVIEWED = "{calls: {limit: 5, crossing: review, extend_by: %s, reviewers: %s}}"


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("{concurrency: 1}", "{concurrency: 4}", "limits.concurrency:deny→allow"),
        ("{concurrency: 4}", "{concurrency: unlimited}", "limits.concurrency:deny→allow"),
        ("{grace: 1s}", "{grace: 1h}", "limits.grace:deny→allow"),
        ("{expires: {approval: 1h}}", "{expires: {approval: 30d}}", "limits.expires.approval:deny→allow"),
        ("{expires: {approval: 1h}}", "{expires: {approval: unlimited}}", "limits.expires.approval:deny→allow"),
        ("{expires: {budget: 1h}}", "{expires: {budget: 2h}}", "limits.expires.budget:deny→allow"),
        ("{calls: {limit: 5, crossing: stop}}", "{calls: {limit: 5, crossing: block}}",
         "limits.crossing.calls:deny→allow"),
        ("{steps: {limit: 5, crossing: stop}}", "{steps: {limit: 5, crossing: finish}}",
         "limits.crossing.steps:deny→allow"),
        ("{calls: {limit: 5, crossing: block}}", REVIEWED % (5, "leads"), "limits.crossing.calls:deny→allow"),
        (REVIEWED % (5, "leads"), REVIEWED % (50, "leads"), "limits.extensions.calls.by:deny→allow"),
        (REVIEWED % (5, "leads"), REVIEWED % (5, "chiefs"), "limits.extensions.calls.reviewers:deny→allow"),
    ],
)  # fmt: skip
def test_what_a_limit_lets_through_is_marked_as_loosening(before: str, after: str, name: str) -> None:
    found = list(changed_limits(limited(before), limited(after)))
    assert name in {one.name for one in found}, [str(one) for one in found]
    assert all(not one.name for one in changed_limits(limited(after), limited(before)) if "reviewers" not in one.of)


# -- the ledger


def test_a_session_is_shown_with_its_whole_ledger(shell: Shell) -> None:
    session_id, _ = parked(shell)
    used = shell("sessions", "show", session_id, "--format", "json").json["used"]
    assert {
        "steps", "calls", "calls_per_tool", "fact_reads", "retries", "repairs", "model_tokens", "model_cost_usd",
        "meters", "wall_clock",
    } <= used.keys()  # fmt: skip
    text = shell("sessions", "show", session_id).out
    assert "search_docs" in text.split("used", 1)[1].splitlines()[0] or "calls_per_tool" in text
    assert "model_tokens" in text


def test_a_session_is_shown_with_the_limits_that_its_ledger_is_held_against(shell: Shell) -> None:
    session_id, _ = parked(shell)
    assert shell("sessions", "show", session_id, "--format", "json").json["limits"]["steps"] == 12


# -- the last request


def test_the_last_request_is_answered_without_its_id(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    assert request_id in shell("review", "show", "--last").out
    assert shell("review", "approve", "--last", "--as", "dana").code == 0
    assert shell("sessions", "show", session_id, "--format", "json").json["outcome"] == "case_opened"


def test_without_any_request_the_last_one_is_told_to_be_missing(shell: Shell) -> None:
    shell.triage("acct_1001")
    done = shell("review", "approve", "--last", "--as", "dana")
    assert (done.code, "Traceback" in done.err, "no such option" in done.err.lower()) == (1, False, False), done.err
