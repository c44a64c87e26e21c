"""The commands that tell what an edit does, as a user has them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.shell import FOLDERS, Shell

RAISED = ("refund_threshold_usd: 250", "refund_threshold_usd: 500")


def candidate(shell: Shell, before: str = RAISED[0], after: str = RAISED[1]) -> Path:
    at = shell.at / "candidate"
    for name in FOLDERS:
        shutil.copytree(shell.at / name, at / name, ignore=shutil.ignore_patterns("*.db*"))
    path = at / "policies/refunds.yaml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")
    return at


def raised(desk: Shell) -> Path:
    """A copy of the small bundle with a higher threshold."""
    at = shutil.copytree(desk.at, desk.at / "candidate", ignore=shutil.ignore_patterns("*.db*", "candidate"))
    path = at / "policies/cancellations.yaml"
    path.write_text(path.read_text("utf-8").replace("usd: 200", "usd: 400"), "utf-8")
    return at


def test_whatif_tables_the_flips_and_fails_until_somebody_answers_for_what_loosens(shell: Shell) -> None:
    shell.triage("acct_1001")
    shell.triage("acct_1002")
    before = (shell.at / "store.db").read_bytes()
    new = str(candidate(shell))
    done = shell("whatif", "--policy", new, "--format", "json")
    assert done.code == 1, done.err
    assert (done.json["sessions"], done.json["unacknowledged"]) == (2, ["refund-threshold:approval→allow"])
    (flip,) = done.json["flips"]
    assert (flip["tool"], flip["money"], flip["unknown"]) == (
        "open_refund_case", {"USD": 480}, "open_refund_case did not run",
    )  # fmt: skip
    assert shell("whatif", "--policy", new, "--accept", "refund-threshold:approval->allow").code == 0
    assert (shell.at / "store.db").read_bytes() == before
    assert shell("whatif", "--policy", ".").code == 0


def test_whatif_heeds_what_the_bundle_accepts_and_which_sessions_are_meant(shell: Shell) -> None:
    shell.triage("acct_1002")
    new = candidate(shell)
    policy = new / "policies/refunds.yaml"
    accepted = "accepted:\n  - {rule: refund-threshold, flip: approval->allow, author: dana, reason: decided}\n"
    policy.write_text(policy.read_text("utf-8") + accepted, "utf-8")
    assert shell("whatif", "--policy", str(new)).code == 0
    assert shell("whatif", "--policy", str(new), "--since", "2999-01-01", "--format", "json").json["sessions"] == 0
    assert shell("whatif", "--policy", str(new), "--agent", "nobody").code == 2
    assert shell("whatif", "--policy", str(new), "--accept", "nonsense").code == 2
    assert shell("whatif", "--policy", str(new), "--since", "soon").code == 2


def test_whatif_says_in_a_line_what_is_wrong_with_a_store(shell: Shell) -> None:
    assert shell("whatif", "--policy", ".", "--store", "memory:").code == 2
    gone = shell("whatif", "--policy", ".", "--store", f"sqlite:///{shell.at}/gone.db")
    assert (gone.code, "there is no store" in gone.err) == (5, True)
    other = sqlite3.connect(shell.at / "other.db")
    other.execute("CREATE TABLE t (a)")
    other.close()
    assert shell("whatif", "--policy", ".", "--store", f"sqlite:///{shell.at}/other.db").code == 5
    assert not (shell.at / "gone.db").exists()


def test_a_store_that_nobody_may_write_to_is_read_all_the_same(shell: Shell) -> None:
    shell.triage("acct_1002")
    away = shell.at / "away"
    away.mkdir()
    shutil.copyfile(shell.at / "store.db", away / "store.db")
    away.chmod(0o500)
    try:
        done = shell("whatif", "--policy", ".", "--store", f"sqlite:///{away}/store.db", "--format", "json")
    finally:
        away.chmod(0o700)
    assert (done.code, done.json["sessions"]) == (0, 1)


def test_prove_refutes_with_a_witness_that_can_be_written_as_a_fixture(shell: Shell) -> None:
    assert shell("prove").code == 0
    new = candidate(shell)
    done = shell("prove", str(new), "--write-fixture", "--format", "json")
    assert done.code == 1
    (broken,) = [found for found in done.json["guarantees"] if found["status"] == "refuted"]
    assert broken["witness"]["input"]["amount_usd"] > 250
    assert shell("test", str(new), "-k", "breaks").code == 0
    assert shell("test", ".", "-k", "refund-approved").code == 0
    rules = shell("prove", "--rules", "--format", "json").json["rules"]
    assert all(rule["by_name"] == [] for rule in rules)


def test_diff_tells_the_region_and_limits_that_changed(shell: Shell) -> None:
    new = candidate(shell)
    agent = new / "specs/agents/support-triage.yaml"
    agent.write_text(agent.read_text("utf-8").replace("steps: 12", "steps: 11"), "utf-8")
    done = shell("diff", ".", str(new), "--format", "json")
    assert done.code == 1
    (change,) = done.json["changes"]
    assert (change["change"], change["where"]["input.amount_usd"]) == ("approval→allow", "from 250.01 to 500")
    (limit,) = done.json["limits"]
    assert (limit["of"], limit["before"], limit["after"], limit["name"]) == ("support-triage.steps", 12, 11, "")
    assert shell("diff", ".", ".").code == 0


def test_coverage_and_mutants_are_told_as_json_and_fail_below_what_is_asked_for(desk: Shell) -> None:
    some = ("test", "-k", "large-order or open-order", "--workers", "2")
    done = desk(*some, "--coverage", "--mutate", "--format", "json", "--html", "out/cover.html")
    assert done.code == 0, done.err
    assert 0 < done.json["coverage"]["percent"] < 100
    assert done.json["mutation"]["killed"] > 0
    assert {one["status"] for one in done.json["mutation"]["survivors"]} <= {"equivalent", "written", "caught"}
    assert "large-order" in (desk.at / "out/cover.html").read_text("utf-8")
    assert desk(*some, "--min-coverage", "99").code == 1
    assert desk(*some, "--min-score", "99").code == 1


def test_coverage_may_go_by_the_sessions_of_a_store(shell: Shell) -> None:
    shell.triage("acct_1002")
    done = shell("test", "--sessions", "--format", "json")
    assert done.code == 0, done.err
    matched = {one["rule"]: one["matched"] for one in done.json["rules"]}
    assert (matched["refund-threshold"], matched["tenant-scope"]) == (1, 0)
    assert shell("test", "--sessions", "--min-coverage", "99").code == 1


def test_fixtures_are_reported_as_other_tools_read_them(shell: Shell) -> None:
    fixture = shell.at / "fixtures/refund-at-threshold.yaml"
    fixture.write_text(fixture.read_text("utf-8").replace("outcome: case_opened", "outcome: answered"), "utf-8")
    two = ("test", "-k", "refund-at-threshold or refund-under-threshold", "--format")
    suite = ElementTree.fromstring(shell(*two, "junit").out).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (line,) = shell(*two, "github").out.splitlines()
    assert line.startswith("::error file=fixtures/refund-at-threshold.yaml,line=3,")
    (result,) = json.loads(shell(*two, "sarif").out)["runs"][0]["results"]
    assert "refund-at-threshold" in result["message"]["text"]


def test_a_session_is_replayed_whole_in_one_step_and_with_another_planner(shell: Shell) -> None:
    shell.triage("acct_1002")
    (session,) = shell("sessions", "list", "--format", "json").json
    done = shell("replay", session["id"], "--format", "json")
    assert (done.code, done.json[0]["same"], done.json[0]["taken"]) == (0, True, 0)
    stub = 'lookup_billing_account={"found": false}'
    step = shell("replay", session["id"], "--step", "1", "--stub", stub, "--format", "json")
    lookup = [e for e in step.json["events"] if e["kind"] == "tool_result" and e["tool"] == "lookup_billing_account"]
    assert lookup[0]["reason"] == "invalid_output"
    choices = shell("replay", "--all", "--planner", "triage", "--format", "json").json
    assert [choice["same_tools"] for choice in choices] == [True, True]
    assert shell("replay", "--all", "--planner", "nobody").code == 2
    assert shell("replay").code == 2
    assert shell("replay", session["id"], "--step", "99").code == 2
    new = candidate(shell)
    moved = shell("replay", session["id"], "--bundle", str(new))
    assert (moved.code, "verdict" in moved.out) == (1, True)


@pytest.mark.parametrize(
    ("audience", "has", "has_not"),
    [
        ("reviewer", "policies/refunds.yaml:", "bundle "),
        ("model", "allowed up to 250 (input.amount_usd)", "policies/"),
        ("auditor", "tenant-scope did not match", "nothing"),
    ],
)
def test_a_verdict_is_explained_to_each_reader(shell: Shell, audience: str, has: str, has_not: str) -> None:
    shell.triage("acct_1002")
    (session,) = shell("sessions", "list", "--format", "json").json
    text = shell("explain", session["id"], "--call", "call-2-1", "--for", audience).out
    assert has in text
    assert has_not not in text


def test_an_urgent_bundle_is_deployed_and_judges_what_waits(shell: Shell) -> None:
    held = shell.triage("acct_1002")
    assert held.code == 3
    frozen = "rules:\n  - {id: frozen, tools: [open_refund_case], effect: deny, reason: refunds_frozen}\n"
    new = candidate(shell, "rules:\n", f"urgent: tighten\n{frozen}")
    told = shell("deploy", str(new), "--format", "json").json
    assert (told["urgent"], told["open_sessions"]["under_others"]) == (True, 1)
    (request,) = shell("review", "list", "--format", "json").json
    shell("review", "approve", request["id"], "--as", "dana")
    assert shell.rows() == [[0]]
    (session,) = shell("sessions", "list", "--format", "json").json
    events = shell("sessions", "events", session["id"], "--format", "json").json
    last = [event for event in events if event["kind"] == "verdict"][-1]
    assert (last["verdict"], last["rule"]) == ("deny", "frozen")
    assert [one["bundle"] for one in last["beside"]] == [told["bundle"]]
    assert shell("replay", "--all").code == 0


def test_an_urgent_bundle_judges_again_when_it_is_deployed_again_until_it_is_lifted(shell: Shell) -> None:
    frozen = "rules:\n  - {id: frozen, tools: [open_refund_case], effect: deny, reason: refunds_frozen}\n"
    new = candidate(shell, "rules:\n", f"urgent: tighten\n{frozen}")
    digest = shell("deploy", str(new), "--format", "json").json["bundle"]

    def verdict() -> str:
        shell.triage("acct_1002")
        session, *_ = shell("sessions", "list", "--format", "json").json
        events = shell("sessions", "events", session["id"], "--format", "json").json
        return str([event for event in events if event["kind"] == "verdict"][-1]["verdict"])

    # what came later is not older than the urgent one, until that is deployed again
    assert verdict() == "require_approval"
    assert "1 of them are judged by it too" in shell("deploy", str(new)).out
    assert verdict() == "deny"
    assert shell("deploy", "--lift", "nothing").code == 2
    assert shell("deploy").code == 2
    assert shell("deploy", "--lift", digest[:10]).code == 0
    assert verdict() == "require_approval"
    assert shell("deploy", ".", "--store", "memory:").code == 2


def test_a_promotion_is_not_ready_until_nothing_stands_against_it(desk: Shell) -> None:
    desk("run", "-m", "Cancel it", "--set", "customer=ada", "--set", "order_id=o-3")
    new = raised(desk)
    done = desk("promote", ".", str(new), "--json", "report.json", "--markdown", "report.md")
    report = json.loads((desk.at / "report.json").read_text("utf-8"))
    assert (done.code, report["ready"]) == (1, False)
    assert {line.split(":")[0] for line in report["against"]} >= {"prove", "diff", "what if"}
    text = (desk.at / "report.md").read_text("utf-8")
    assert "no-large-cancellation-unattended" in text
    assert "`large-order`" in text
    # a name that is escaped twice shows its backslashes
    assert "which changes" in text
    assert "\\\\" not in text
    same = desk("promote", ".", ".", "--format", "json")
    assert (same.code, same.json["ready"]) == (0, True), same.json["against"]


def test_a_promotion_tells_of_what_is_not_valid_and_of_a_store_that_is_not_there(shell: Shell) -> None:
    shell.triage("acct_1001")
    new = candidate(shell, "effect: deny", "effect: forbid")
    done = shell("promote", ".", str(new), "--markdown", "report.md")
    assert done.code == 1
    assert "not valid" in (shell.at / "report.md").read_text("utf-8")
    assert "E2" in done.err
    compared = shell("diff", ".", str(new))
    assert (compared.code, f"NEW ({new}) is not valid" in compared.err) == (1, True)
    typo = shell("promote", ".", ".", "--store", "sqlite:///typo.db")
    assert (typo.code, "there is no store at typo.db" in typo.err) == (5, True)
    nowhere = shell("promote", ".", ".", "--markdown", "/proc/nowhere/report.md")
    assert (nowhere.code, "can't be written" in nowhere.err) == (2, True)


def test_what_a_program_reads_is_there_for_a_bundle_that_is_not_valid_too(shell: Shell) -> None:
    new = candidate(shell, "effect: deny", "effect: forbid")
    line, *_ = shell("test", "candidate", "--format", "github").out.splitlines()
    assert line.startswith("::error file=candidate/policies/refunds.yaml,line=")
    assert ElementTree.fromstring(shell("test", str(new), "--format", "junit").out).iter("failure")
    results = json.loads(shell("test", "candidate", "--format", "sarif").out)["runs"][0]["results"]
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results}
    assert uris == {"candidate/policies/refunds.yaml"}
    assert [one["code"] for one in json.loads(shell("test", "candidate", "--format", "json").out)]
    elsewhere = shell("validate", "candidate", "--format", "github", GITHUB_WORKSPACE=str(shell.at / "candidate"))
    assert elsewhere.out.startswith("::error file=policies/refunds.yaml,")


@pytest.mark.parametrize(
    "options",
    ["--since 7d", "-k=", "--sessions -k x", "--sessions --mutate", "--sessions --format junit"],
)
def test_options_of_test_that_would_go_unheeded_are_refused(shell: Shell, options: str) -> None:
    assert shell("test", *options.split()).code == 2


def test_what_stands_beside_the_rules_is_compared_and_its_loosening_is_answered_for(desk: Shell) -> None:
    assert desk("run", "-m", "Cancel it", "--set", "customer=ada", "--set", "order_id=o-1").code == 0
    new = raised(desk)
    agent = new / "specs/agents/order-desk.yaml"
    agent.write_text(agent.read_text("utf-8").replace("steps: 6", "steps: 99"), "utf-8")
    group = new / "specs/reviewers/leads.yaml"
    group.write_text(group.read_text("utf-8").replace("kim", "kim, mallory"), "utf-8")
    policy = new / "policies/cancellations.yaml"
    policy.write_text(policy.read_text("utf-8").replace("usd: 400", "usd: 200").partition("guarantees:")[0], "utf-8")
    told = desk("diff", ".", str(new), "--format", "json")
    assert told.code == 1
    names = {one["name"] for kind in ("limits", "guarantees") for one in told.json[kind]}
    assert "limits.steps:deny→allow" in names
    assert "no-large-cancellation-unattended:promised→removed" in names
    assert any("+mallory" in one["said"] for one in told.json["reviewers"])
    report = desk("promote", ".", str(new), "--format", "json").json
    assert any(line.startswith("diff:") for line in report["against"])
    accepts = [option for name in names if name for option in ("--accept", name.replace("→", "->"))]
    answered = desk("promote", ".", str(new), *accepts, "--format", "json").json
    assert not any(line.startswith("diff:") for line in answered["against"])


def test_a_bundle_that_breaks_what_it_promises_goes_live_nowhere(shell: Shell) -> None:
    policy = shell.at / "policies/refunds.yaml"
    policy.write_text(
        policy.read_text("utf-8").replace("refund_threshold_usd: 250", "refund_threshold_usd: 5000"), "utf-8"
    )
    valid = shell("validate", ".")
    assert (valid.code, "what it promises is proved by: engine prove" in valid.err) == (0, True)
    for command, said in (("deploy", "it is not deployed"), ("serve", "it is not served")):
        done = shell(command, ".", *(["--port", "0"] if command == "serve" else []))
        assert done.code == 1, done.err
        assert "guarantee no-large-refund-unattended (policies/refunds.yaml:" in done.err
        assert said in done.err


def test_where_there_is_no_solver_it_is_said_that_nobody_knows(shell: Shell) -> None:
    (shell.at / "without").mkdir()
    (shell.at / "without/z3.py").write_text("raise ImportError('no solver')\n", "utf-8")
    done = shell("deploy", ".", PYTHONPATH=str(shell.at / "without"))
    assert done.code == 0, done.err
    assert "nobody knows whether what the bundle promises holds: proofs need the solver z3: pip install" in done.err
