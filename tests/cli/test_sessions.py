"""Sessions from the command line: run, park, approve in another process, resume, cancel, verify."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Shell, environment
from tests.waiting import until


def parked(shell: Shell) -> tuple[str, str]:
    """A session that waits for a reviewer: its id and its request's."""
    assert shell.triage("acct_1002").code == 3
    (request,) = shell("review", "list", "--format", "json").json
    return request["session_id"], request["id"]


def test_the_running_example_reads_as_the_design_says(shell: Shell) -> None:
    done = shell.triage("acct_1002", "--format", "json")
    assert done.code == 3
    wanted = [
        {
            "step": 1, "kind": "decision_recorded",
            "message": "Search docs and inspect billing state before taking action",
        },
        {"step": 1, "kind": "tool_result", "tool": "search_docs", "status": "ok", "matches": 3},
        {
            "step": 1, "kind": "tool_result", "tool": "lookup_billing_account", "status": "ok",
            "duplicate_charge_detected": True,
        },
        {
            "step": 2, "kind": "tool_result", "tool": "open_refund_case", "status": "blocked",
            "reason": "refund_threshold_exceeded",
        },
        {"step": 2, "kind": "state_transition", "state": "awaiting_human_review"},
    ]  # fmt: skip
    trace = done.json
    at = -1
    for entry in wanted:
        at = next(n for n in range(at + 1, len(trace)) if entry.items() <= trace[n].items())
        assert list(trace[at])[:2] == ["step", "kind"]
    assert at == len(trace) - 1


def test_a_parked_call_is_approved_in_another_process_and_opens_exactly_one_case(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    (listed,) = shell("review", "list", "--format", "json").json
    assert (listed["kind"], listed["tool"], listed["groups"]) == ("approval", "open_refund_case", ["refund-reviewers"])
    assert shell("review", "show", request_id, "--format", "json").json["values"]["refund-threshold"] == {
        "input.amount_usd": 480, "params.refund_threshold_usd": 250,
    }  # fmt: skip
    stranger = shell("review", "approve", request_id, "--as", "mika")
    assert (stranger.code, "not a member" in stranger.err) == (1, True)
    approved = shell("review", "approve", request_id, "--as", "dana")
    assert approved.code == 0
    assert shell.rows() == [[1]]
    second = shell("review", "approve", request_id, "--as", "lee")
    assert (second.code, "was answered by dana" in second.err) == (1, True)
    assert shell.rows() == [[1]]
    assert shell("review", "list").out.strip().count("\n") == 0
    assert shell("resume", session_id).code == 0
    assert shell("sessions", "verify").code == 0


def test_a_denied_call_opens_none(shell: Shell) -> None:
    _, request_id = parked(shell)
    assert shell("review", "deny", request_id, "--as", "lee", "--note", "no").code == 0
    assert shell.rows() == [[0]]


def test_an_answer_can_be_recorded_and_the_session_resumed_later(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    assert shell("review", "approve", request_id, "--as", "dana", "--no-resume").code == 0
    assert shell.rows() == [[0]]
    assert shell("resume", session_id, "--format", "jsonl").code == 0
    assert shell.rows() == [[1]]


def test_a_session_whose_answer_is_recorded_is_driven_on_by_a_worker(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    assert shell("review", "approve", request_id, "--as", "dana", "--no-resume").code == 0
    assert shell("sessions", "verify").code == 0
    done = shell("worker", "--until-idle")
    assert (done.code, "1 session driven" in done.err + done.out) == (0, True), done.err
    assert shell.rows() == [[1]]
    assert shell("sessions", "show", session_id, "--format", "json").json["state"] == "done"
    assert shell("sessions", "verify").code == 0


def test_a_session_that_waits_for_an_answer_is_left_alone_by_a_worker(shell: Shell) -> None:
    session_id, _ = parked(shell)
    assert shell("worker", "--until-idle").code == 0
    assert shell("sessions", "show", session_id, "--format", "json").json["state"] == "awaiting_human_review"


def test_a_reviewer_edits_the_call(shell: Shell) -> None:
    _, request_id = parked(shell)
    assert shell("review", "approve", request_id, "--as", "dana", "--edit", "amount=1").code == 2
    assert shell("review", "approve", request_id, "--as", "dana", "--edit", "amount_usd=300.50").code == 0
    assert shell.rows("SELECT amount_cents FROM refund_cases") == [[30050]]


@pytest.mark.parametrize(("account", "code"), [("acct_1001", 0), ("acct_1003", 0), ("acct_1005", 0), ("acct_1002", 3)])
def test_the_exit_code_says_how_a_session_stands(shell: Shell, account: str, code: int) -> None:
    assert shell.triage(account).code == code


def test_the_same_refund_twice_is_one_row(shell: Shell) -> None:
    assert [shell.triage("acct_1001").code for _ in range(2)] == [0, 0]
    assert shell.rows() == [[1]]


def test_a_limit_exits_4(shell: Shell) -> None:
    agent = shell.at / "specs/agents/support-triage.yaml"
    agent.write_text(agent.read_text().replace("steps: 12", "steps: 1"))
    assert shell.triage("acct_1001").code == 4
    (request,) = shell("review", "list", "--format", "json").json
    assert request["kind"] == "follow_up"
    done = shell("review", "answer", request["id"], "--as", "mika", "--value", "called back", "--no-resume")
    assert done.code == 0


def test_a_duration_may_be_a_param(shell: Shell) -> None:
    policy = shell.at / "policies/refunds.yaml"
    text = policy.read_text().replace("refund_threshold_usd: 250", "refund_threshold_usd: 250\n  patience: 24h")
    policy.write_text(text.replace("input.amount_usd > 0", "input.amount_usd > 0 and now - now < params.patience"))
    assert shell.triage("acct_1001").code == 0


def test_a_reader_who_goes_away_does_not_stop_the_session(shell: Shell) -> None:
    for output_format in ("text", "jsonl"):
        command = (
            f"{sys.executable} -m engine run . -m '{CHARGED.replace(chr(39), '')}' --set tenant=acme "
            f"--set account_id=acct_1001 --format {output_format} | head -1"
        )
        done = subprocess.run(
            command, shell=True, cwd=shell.at, env=environment(shell.at / "store.db"), capture_output=True, text=True,
            timeout=600,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
    rows = shell("sessions", "list", "--format", "json").json
    assert [row["state"] for row in rows] == ["done", "done"]


def test_a_users_text_does_not_steer_the_readers_terminal(shell: Shell) -> None:
    done = shell.triage("acct_1005", message="charged twice \x1b[2J evil payment")
    assert "\x1b" not in done.out


@pytest.mark.parametrize("what", ["a directory", "no database", "another database"])
def test_a_file_that_is_no_store_is_told_and_left_alone(shell: Shell, what: str) -> None:
    path = shell.at / "other"
    if what == "a directory":
        path.mkdir()
    elif what == "no database":
        path.write_text("hello " * 500)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (x)")
        connection.close()
    done = shell("sessions", "list", "--store", f"sqlite:///{path}")
    assert done.code == 2
    assert str(path) in done.err
    if what == "another database":
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        connection.close()


def test_an_approval_waits_with_its_session_when_the_bundles_directory_is_gone(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    away = shell.at.parent / f"{shell.at.name}-away"
    elsewhere = Shell(shell.at.parent)
    store = f"sqlite:///{away}/store.db"
    shell.at.rename(away)
    done = elsewhere("review", "approve", request_id, "--as", "dana", "--store", store)
    assert (done.code, "is not there" in done.err) == (2, True)
    shown = elsewhere("sessions", "show", session_id, "--store", store, "--format", "json").json
    assert shown["state"] == "awaiting_human_review"
    named = ("--store", store, "--bundle", str(away))
    assert elsewhere("review", "approve", request_id, "--as", "dana", *named).code == 0


# -- a threshold is an edit


def threshold(shell: Shell, value: int) -> None:
    policy = shell.at / "policies/refunds.yaml"
    text = policy.read_text()
    assert text.count("refund_threshold_usd: 250") == 1
    policy.write_text(text.replace("refund_threshold_usd: 250", f"refund_threshold_usd: {value}"))


def test_at_a_lower_threshold_the_small_refund_parks(shell: Shell) -> None:
    threshold(shell, 100)
    assert shell.triage("acct_1001").code == 3


def test_at_a_higher_threshold_the_large_refund_opens_its_case(shell: Shell) -> None:
    threshold(shell, 1000)
    assert shell.triage("acct_1002").code == 0
    assert shell.rows() == [[1]]


def test_a_session_that_parked_before_an_edit_goes_on_under_its_own_bundle(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    threshold(shell, 1)
    (shell.at / "specs/reviewers/refund-reviewers.yaml").write_text(
        "kind: Reviewers\nname: refund-reviewers\nmembers: [zoe]\n"
    )
    done = shell("review", "approve", request_id, "--as", "dana", "--format", "json")
    assert done.code == 0
    verdict = next(e for e in done.json if e["kind"] == "verdict" and e["tool"] == "open_refund_case")
    values = next(r["values"] for r in verdict["rules"] if r["rule"] == "refund-threshold")
    assert values["params.refund_threshold_usd"] == 250
    assert shell("sessions", "show", session_id, "--format", "json").json["outcome"] == "case_opened"


# -- other acts


def test_a_customer_confirms(shell: Shell) -> None:
    agent = shell.at / "specs/agents/support-triage.yaml"
    change = "{account_id: acct_1001, new_email: a@mail.example, confirmation_token: tok_1001_a}"
    script = (
        "  changer:\n    kind: scripted\n    decisions:\n"
        f"      - {{message: '', tool_calls: [{{id: a, name: change_billing_email, input: {change}}}]}}\n"
        "      - {message: changed, done: true}\n"
    )
    agent.write_text(agent.read_text() + script)
    done = shell.triage("acct_1001", "--planner", "changer", "--format", "json")
    assert done.code == 3
    assert done.json[-1]["state"] == "awaiting_confirmation"
    session_id = done.json[0]["session_id"]
    assert shell("confirm", session_id, "yes").code == 0
    assert shell("confirm", session_id, "yes").code == 1
    assert shell.rows("SELECT email FROM accounts WHERE account_id = 'acct_1001'") == [["a@mail.example"]]


def test_a_further_message_goes_on_and_a_final_session_takes_none(shell: Shell) -> None:
    session_id, request_id = parked(shell)
    assert shell("send", session_id, "-m", "hello?").code == 3
    assert shell("review", "show", request_id, "--format", "json").json["messages"] == [CHARGED, "hello?"]
    assert shell("cancel", session_id, "--as", "mika").code == 0
    over = shell("send", session_id, "-m", "hello?")
    assert (over.code, "is over" in over.err) == (1, True)
    assert shell("cancel", session_id).code == 1
    assert shell("resume", session_id).code == 1
    assert shell("review", "approve", request_id, "--as", "dana").code == 1
    assert shell.rows() == [[0]]


def test_sessions_are_listed_shown_counted_and_verified(shell: Shell) -> None:
    session_id, _ = parked(shell)
    shell.triage("acct_1005")
    listed = shell("sessions", "list", "--format", "json").json
    assert [row["state"] for row in listed] == ["done", "awaiting_human_review"]
    assert [row["id"] for row in shell("sessions", "list", "--state", "done", "--format", "json").json] == [
        listed[0]["id"]
    ]
    assert len(shell("sessions", "list", "--limit", "1").out.splitlines()) == 2
    shown = shell("sessions", "show", session_id)
    assert "open_refund_case" in shown.out
    assert {row["outcome"]: row["sessions"] for row in shell("sessions", "stats", "--format", "json").json} == {
        "answered": 1, "awaiting_human_review": 1,
    }  # fmt: skip
    assert shell("sessions", "stats").code == 0
    lines = shell("sessions", "events", session_id, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert shell("sessions", "events", session_id, "--after", "5").out.startswith("   6")
    assert shell("sessions", "events", session_id, "--format", "json").json[0]["kind"] == "session_started"
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute(
        "UPDATE segments SET hash = 'x' WHERE session = (SELECT number FROM sessions WHERE id = ?)", (session_id,)
    )
    raw.commit()
    raw.close()
    found = shell("sessions", "verify", "--format", "json")
    assert found.code == 1
    assert [row["whole"] for row in found.json if row["id"] == session_id] == [False]
    assert shell("sessions", "verify", session_id).code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", ".", "-m", "hi"),
        ("run", ".", "-m", "hi", "--set", "tenant"),
        ("run", ".", "-m", "hi", "--set", "tennant=x"),
        ("run", ".", "-m", "hi", "--agent", "support-triag"),
        ("run", ".", "-m", "hi", "--planner", "other"),
        ("run", "."),
        ("run", "nowhere", "-m", "hi"),
        ("run", ".", "-m", "hi", "--set", "tenant=a", "--set", "account_id=b", "--store", "mysql://x"),
        ("run", ".", "-m", "hi", "--set", "tenant=a", "--set", "account_id=b", "--store", "postgresql://x"),
        ("sessions", "show", "ses_none"),
        ("sessions", "verify", "ses_none"),
        ("resume", "ses_none"),
        ("send", "ses_none", "-m", "x"),
        ("confirm", "ses_none", "yes"),
        ("review", "answer", "ses_none.1", "--as", "x"),
        ("validat",),
        ("schema", "polcy"),
        ("validate", "--explain", "E999"),
        ("test", ".", "-k", "nothing-like-it"),
        ("test", ".", "-k", "(("),
    ],
)
def test_a_wrong_call_exits_2_and_says_what_is_wrong(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = shell(*arguments)
    assert done.code == 2, done.err
    assert done.err.strip()
    assert "Traceback" not in done.err


def test_a_request_that_is_not_there_is_refused(shell: Shell) -> None:
    parked(shell)
    assert shell("review", "approve", "ses_none.1", "--as", "dana").code == 1
    assert shell("review", "show", "ses_none.1").code == 1


def test_a_root_that_is_gone_is_told_and_another_can_be_named(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, request_id = parked(shell)
    (shell.at / "specs").rename(shell.at / "moved")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "specs").mkdir()
    (shell.at / "moved/databases").rename(elsewhere / "specs/databases")
    assert shell("review", "approve", request_id, "--as", "dana", "--bundle", str(elsewhere)).code == 0


def test_an_empty_store_in_memory_lists_nothing(empty: Shell) -> None:
    for command in (("sessions", "list"), ("sessions", "verify"), ("review", "list"), ("sessions", "stats")):
        assert empty(*command, "--store", "memory:").code == 0


# -- signals


def slow_script(shell: Shell) -> None:
    """A tool that takes long, and says when it runs."""
    (shell.at / "specs/tools/linger.py").write_text(
        "import time\n\ndef linger(file):\n    open(file, 'a').write('run\\n')\n    time.sleep(30)\n    return {}\n"
    )
    (shell.at / "specs/tools/linger.yaml").write_text(
        "kind: Tool\nname: linger\ndescription: takes long\neffect: write\nidempotency: none\n"
        "input: {type: object, properties: {file: {type: string}}}\noutput: {type: object}\n"
        "adapter: {kind: python, file: specs/tools/linger.py, function: linger}\n"
    )
    (shell.at / "policies/linger.yaml").write_text(
        "kind: Policy\nname: linger\nrules:\n  - {id: linger, tools: [linger], effect: allow}\n"
    )
    agent = shell.at / "specs/agents/support-triage.yaml"
    text = agent.read_text().replace("tools: [search_docs,", "tools: [linger, search_docs,")
    text = text.replace("policies: [refunds,", "policies: [linger, refunds,")
    call = f"{{id: a, name: linger, input: {{file: '{shell.at / 'ran'}'}}}}"
    text += f"  slow:\n    kind: scripted\n    decisions: [{{message: wait, tool_calls: [{call}]}}]\n"
    agent.write_text(text)


def wait_for(path: Path) -> None:
    until(path.exists, f"the making of {path.name}")


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGINT, "cancelled"), (signal.SIGTERM, "running"), (signal.SIGHUP, "running")]
)
def test_an_interrupt_cancels_and_a_termination_only_lets_go(shell: Shell, number: int, state: str) -> None:
    slow_script(shell)
    # whoever runs the tests may be under nohup, which is inherited
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = shell.start(
        "run", ".", "--agent", "support-triage", "--planner", "slow", "-m", "hi", "--set", "tenant=acme", "--set",
        "account_id=acct_1001",
    )  # fmt: skip
    signal.signal(signal.SIGHUP, before)
    wait_for(shell.at / "ran")
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert ("start again" if state == "cancelled" else "go on: engine resume") in err
    (row,) = shell("sessions", "list", "--format", "json").json
    assert row["state"] == state
    assert (shell.at / "ran").read_text() == "run\n"
    if state == "cancelled":
        assert "nobody can say: linger" in err
    else:
        assert shell("resume", row["id"]).code == 3
        (request,) = shell("review", "list", "--format", "json").json
        assert request["kind"] == "settle"
        assert (shell.at / "ran").read_text() == "run\n"


# -- many at once


def test_a_batch_runs_a_session_for_each_line_and_counts_the_outcomes(shell: Shell) -> None:
    lines = [
        {"message": CHARGED},
        {"message": CHARGED, "attributes": {"account_id": "acct_1005"}},
        {"message": "How do I change my PIN?"},
    ]
    (shell.at / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    options = ("--batch", "b.jsonl", "--set", "tenant=acme", "--set", "account_id=acct_1001")
    done = shell("run", ".", *options)
    assert done.code == 0
    assert "case_opened\t1" in done.out
    assert "3 sessions" in done.err
    again = shell("run", ".", *options, "--format", "json")
    assert [(row["line"], row["outcome"]) for row in again.json] == [
        (1, "case_opened"), (2, "answered"), (3, "answered"),
    ]  # fmt: skip
    assert shell.rows() == [[1]]
    assert len(shell("run", ".", *options, "--format", "jsonl", "--concurrency", "1").out.splitlines()) == 3
    waiting = shell("run", ".", "--batch", "b.jsonl", "--set", "tenant=acme", "--set", "account_id=acct_1002")
    assert waiting.code == 3


@pytest.mark.parametrize(
    "line",
    [
        "{", "5", '{"message": 5}', '{"message": "x", "more": 1}', '{"message": "x", "attributes": 5}',
        '{"message": "x"}', "",
    ],
)  # fmt: skip
def test_a_bad_line_is_told_with_its_number_before_anything_runs(shell: Shell, line: str) -> None:
    (shell.at / "b.jsonl").write_text(
        ('{"message": "x", "attributes": {"tenant": "a", "account_id": "b"}}\n' if line else "") + line + "\n"
    )
    done = shell("run", ".", "--batch", "b.jsonl")
    assert done.code == 2
    assert ("b.jsonl:2" if line else "no line") in done.err
    assert not (shell.at / "store.db").exists()


def test_an_interrupted_batch_starts_no_more(shell: Shell) -> None:
    slow_script(shell)
    (shell.at / "b.jsonl").write_text('{"message": "x"}\n' * 5)
    process = shell.start(
        "run", ".", "--batch", "b.jsonl", "--planner", "slow", "--concurrency", "1", "--set", "tenant=acme", "--set",
        "account_id=acct_1001",
    )  # fmt: skip
    wait_for(shell.at / "ran")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "4 never started" in err
    assert "cancelled" in out


def test_a_verdict_is_explained_by_its_rules_their_places_and_the_values_they_saw(shell: Shell) -> None:
    session_id, _ = parked(shell)
    told = shell("explain", session_id)
    assert told.code == 0
    assert "open_refund_case needs approval by refund-reviewers" in told.out
    assert "  refund-threshold (policies/refunds.yaml:" in told.out
    assert "    input.amount_usd = 480" in told.out
    assert "  allowed up to 250 (input.amount_usd)" in told.out
    verdicts = shell("explain", session_id, "--format", "json", "--call", "call-2-1").json
    assert [v["verdict"] for v in verdicts] == ["require_approval"]
    assert shell("explain", "ses_none").code == 2
