"""`engine judge`: what nobody understands makes a case malformed, and what is told is the whole of it."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.cli.console.case_lines import MOST, UnreadLine, cases_in
from tests.bundle_texts import CODE, agent, policy, tool
from tests.cli.shell import Done, Shell, command, environment

RULES = """
  - {id: own, tools: [write], effect: allow, when: order.owner == session.tenant and stock.left > 0}
  - {id: once, tools: [write], effect: deny, when: any(c.input.n == input.n for c in calls.write)}
  - {id: many, tools: [write], effect: deny, when: budget.calls.used > 2 or len(calls.look) > 1}
  - {id: sure, tools: [write], effect: require_approval, approvers: [customer]}
"""
FACTS = "{order: {tool: look, input: {n: input.n}}, stock: {tool: count, input: {n: input.n}}}"
N = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
OWNER = "{type: object, properties: {owner: {type: string}}, required: [owner]}"
LEFT = "{type: object, properties: {left: {type: integer}}, required: [left]}"


@pytest.fixture
def desk(tmp_path: Path) -> Shell:
    documents = (
        agent("[look, write]", policies="[rules]"), policy(RULES, facts=FACTS), tool("look", input=N, output=OWNER),
        tool("count", input=N, output=LEFT, more="offered_to: runtime"), tool("write", "write", input=N),
        ("specs/tools/code.py", CODE),
    )  # fmt: skip
    for path, text in documents:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return Shell(tmp_path)


LOOK = {"event": "call", "tool": "look", "args": {"n": 1}, "output": {"owner": "acme"}}
COUNT = {"event": "read", "tool": "count", "args": {"n": 1}, "output": {"left": 3}}
CASE: dict[str, Any] = {"id": "1", "session": {"tenant": "acme"}, "tool": "write", "args": {"n": 1}, "prior": [LOOK]}


def judged(shell: Shell, *cases: Any, lines: bool = False) -> tuple[Done, list[Any]]:
    text = "".join(f"{json.dumps(case)}\n" for case in cases) if lines else json.dumps(cases)
    name = "cases.jsonl" if lines else "cases.json"
    (shell.at / name).write_text(text)
    done = shell("judge", ".", "--cases", name, "--now", "2026-01-01T00:00:00Z")
    return done, [json.loads(line) for line in done.out.splitlines()]


def prior(**entry: Any) -> dict[str, Any]:
    return {**CASE, "prior": [entry]}


YES = {"event": "user_confirmation"}
MALFORMED: dict[str, tuple[Any, str]] = {
    "a-key-of-a-case": ({**CASE, "argz": {}}, "argz"),
    "a-misspelt-history": ({**CASE, "priors": []}, "priors"),
    "a-key-of-an-entry": (prior(**LOOK, outptu={}), "outptu"),
    "a-key-of-a-message": (prior(event="message", text="a", tool="look"), "tool"),
    "a-message-that-is-no-text": (prior(event="message", text=5), "text"),
    "a-message-without-a-text": (prior(event="message", txt="a"), "txt"),
    "a-key-of-a-yes": (prior(**YES, by="ana"), "by"),
    "an-unknown-tool": ({**CASE, "tool": "wriet"}, "wriet"),
    "a-tool-that-the-agent-has-not": ({**CASE, "tool": "count"}, "count"),
    "an-unknown-tool-before": (prior(**{**LOOK, "tool": "lok"}), "lok"),
    "a-yes-to-an-unknown-tool": (prior(**YES, tool="wriet", args={"n": 1}), "wriet"),
    "a-yes-to-a-call-that-can-not-be": (prior(**YES, tool="write", args={"m": 1}), "m"),
    "an-undeclared-attribute": ({**CASE, "session": {"tenant": "acme", "tenat": "acme"}}, "tenat"),
    "an-attribute-that-does-not-fit": ({**CASE, "session": {"tenant": 5}}, "tenant"),
    "an-input-that-does-not-fit": ({**CASE, "args": {"n": "1"}}, "`args`: n: must be"),
    "an-input-that-is-not-there": ({**CASE, "args": {}}, "`args`: `n` is missing"),
    "an-undeclared-field": ({**CASE, "args": {"n": 1, "m": 2}}, "m"),
    "an-input-that-is-expected-to-be-denied": ({**CASE, "args": {"n": "1"}, "expect": {"verdict": "deny"}}, "args"),
    "an-undeclared-field-before": (prior(**{**LOOK, "args": {"n": 1, "m": 2}}), "m"),
    "an-input-before-that-does-not-fit": (prior(**{**LOOK, "args": {"n": "1"}}), "n"),
    "an-output-before-that-does-not-fit": (prior(**{**LOOK, "output": {"owner": 5}}), "owner"),
    "an-output-before-that-is-not-there": (prior(event="call", tool="look", args={"n": 1}), "output"),
    "an-output-beside-an-error": (prior(**LOOK, error="no"), "error"),
    "an-error-that-is-no-text": (prior(event="call", tool="look", args={"n": 1}, error={"a": 1}), "error"),
    "a-call-of-what-only-the-runtime-reads": (prior(**{**COUNT, "event": "call"}), "`read`"),
    "a-read-that-is-none": (prior(event="read", tool="write", args={"n": 2}, output={}), "write"),
    "an-event-that-is-none": (prior(event="cal", tool="look"), "`call`"),
    "args-of-a-yes-to-nothing": (prior(**YES, args={"n": 1}), "tool"),
    "a-moment-that-is-none": (prior(**LOOK, at="0001-01-01T00:00:00+14:00"), "moment"),
    "an-output-of-the-case": ({**CASE, "tool": "look", "prior": [], "output": {"owner": 5}}, "owner"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_nobody_understands_makes_a_case_malformed(kind: str, desk: Shell) -> None:
    case, says = MALFORMED[kind]
    done, (bad, fine) = judged(desk, case, {**CASE, "prior": [LOOK, COUNT]})
    assert done.code == 2
    assert bad["verdict"] == "deny"
    assert "malformed case: case 1: " in bad["errors"][0]
    assert says in bad["errors"][0].partition("case 1: ")[2]
    assert fine["verdict"] == "require_approval"


@pytest.mark.parametrize(("key", "meant"), [("argz", "args"), ("priors", "prior"), ("sesion", "session")])
def test_a_misspelt_key_is_told_what_was_meant(key: str, meant: str, desk: Shell) -> None:
    _, (bad,) = judged(desk, {**CASE, key: {}})
    assert f"`{meant}`" in bad["errors"][0]


def test_all_facts_that_were_not_read_are_named_at_once(desk: Shell) -> None:
    done, (told, partly) = judged(desk, {**CASE, "prior": []}, CASE)
    assert (done.code, told["verdict"]) == (0, "deny")
    assert told["needs"] == [{"tool": "count", "args": {"n": 1}}, {"tool": "look", "args": {"n": 1}}]
    assert partly["needs"] == [{"tool": "count", "args": {"n": 1}}]


def test_a_read_of_the_runtimes_own_is_a_fact_and_no_call(desk: Shell) -> None:
    reads = [COUNT, {**LOOK, "event": "read"}, {**LOOK, "event": "read", "args": {"n": 2}}]
    done, (told,) = judged(desk, {**CASE, "prior": reads})
    assert done.code == 0
    assert (told["verdict"], told["rules"]) == ("require_approval", ["sure"]), "neither calls nor the budget count them"
    assert told.get("needs", []) == []


def expecting(verdict: str, **more: Any) -> dict[str, Any]:
    return {**CASE, "prior": [LOOK, COUNT], "expect": {"verdict": verdict, **more}}


def test_what_is_expected_and_comes_is_summed_up_and_exits_0(desk: Shell) -> None:
    done, _ = judged(desk, expecting("require_approval", rules=["sure"]), expecting("require_approval"))
    assert (done.code, done.out.count('"as_expected": true')) == (0, 2), done.err
    assert "2 of 2 cases as expected" in done.err


@pytest.mark.parametrize("wrong", [{"verdict": "allow"}, {"verdict": "require_approval", "rules": ["once"]}])
def test_what_is_expected_and_does_not_come_exits_1_and_is_told(wrong: dict[str, Any], desk: Shell) -> None:
    done, (good, bad) = judged(
        desk, expecting("require_approval"), {**expecting("x"), "id": "the-bad", "expect": wrong}
    )
    assert done.code == 1
    assert 'cases.json: case 2 ("the-bad"): ' in done.err
    assert "1 of 2 cases as expected" in done.err
    assert (good["verdict"], bad["verdict"]) == ("require_approval", "require_approval")


@pytest.mark.parametrize(
    "expect",
    [
        5,
        {"approvers": ["nobody"]},
        {"rules": [5]},
        {"verdict": None},
        {"verdcit": "allow"},
        {"verdict": "alow"},
        {"rules": ["onec"]},
        {},
    ],
)
def test_an_expectation_that_can_not_come_true_is_malformed(expect: Any, desk: Shell) -> None:
    done, (bad,) = judged(desk, {**CASE, "expect": expect})
    assert (done.code, "malformed case" in bad["errors"][0]) == (2, True)


def test_a_malformed_case_weighs_more_than_one_that_is_not_as_expected(desk: Shell) -> None:
    assert judged(desk, expecting("allow"), 5)[0].code == 2


def test_cases_may_be_lines_of_json(desk: Shell) -> None:
    done, told = judged(desk, CASE, {**CASE, "id": "2"}, lines=True)
    assert (done.code, [one["id"] for one in told]) == (0, ["1", "2"])


def test_one_line_that_can_not_be_read_is_one_malformed_case(desk: Shell) -> None:
    bad = [b"{", b"\xff{}", b"", b'{"a": 1, "a": 2}', b"[" * 100, b"[1, 2]", b'"text"', b'{"tool": NaN}']
    fine = json.dumps(CASE).encode()
    (desk.at / "cases.jsonl").write_bytes(b"\r\n".join([b"\xef\xbb\xbf" + fine, *bad, fine]))
    done = desk("judge", ".", "--cases", "cases.jsonl")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len(told)) == (2, 1 + len(bad) - 1 + 1), "an empty line is none"
    assert [one["id"] for one in told] == ["1", *[None] * (len(bad) - 1), "1"]
    assert "malformed case: line 2: " in told[1]["errors"][0]
    assert "cases.jsonl: 7 of 9 cases are malformed" in done.err


def test_a_line_without_an_end_is_not_held_in_memory_and_hurts_itself_only() -> None:
    stream = io.BytesIO(b'{"n": 1}\n{"n": "' + b"x" * (2 * MOST + 7) + b'"}\n{"n": 3}\n')
    one, two, three = cases_in(stream)
    assert (one, three) == (("line 1", {"n": 1}), ("line 3", {"n": 3}))
    assert isinstance(two[1], UnreadLine)
    assert (two[0], "longer" in two[1].why) == ("line 2", True)


def test_a_list_of_one_and_a_line_of_one_are_told_apart(desk: Shell) -> None:
    for text in (json.dumps([CASE]), json.dumps([CASE], indent=2), f"\n {json.dumps(CASE)}\n"):
        (desk.at / "cases").write_text(text + "\n")
        done = desk("judge", ".", "--cases", "cases")
        assert (done.code, len(done.out.splitlines())) == (0, 1)


def test_a_list_that_others_come_behind_is_a_line(desk: Shell) -> None:
    (desk.at / "cases").write_text(f"[1]\n{json.dumps(CASE)}\n{json.dumps(CASE)}\n")
    done = desk("judge", ".", "--cases", "cases")
    assert (done.code, len(done.out.splitlines())) == (2, 3)
    assert "line 1: it must be an object" in done.out


def test_a_list_that_can_not_be_read_is_told_with_its_file(desk: Shell) -> None:
    (desk.at / "cases.json").write_text("[{},\n")
    done = desk("judge", ".", "--cases", "cases.json")
    assert (done.code, done.out) == (2, "")
    assert "cases.json: not valid JSON" in done.err


def test_that_there_was_nothing_to_judge_is_said(desk: Shell) -> None:
    for text in ("", "[]", "\n\n"):
        (desk.at / "cases").write_text(text)
        done = desk("judge", ".", "--cases", "cases")
        assert (done.code, done.out, "no case" in done.err) == (2, "", True)


def test_each_case_is_answered_before_the_next_one_is_there(desk: Shell) -> None:
    process = subprocess.Popen(
        command("judge", ".", "--cases", "-"), cwd=desk.at, env=environment(desk.at / "store.db"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        for id_ in ("a", "b", "c"):
            process.stdin.write(json.dumps({**CASE, "id": id_}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == id_
        process.stdin.close()
        assert process.wait() == 0


def test_each_decision_says_how_long_it_took_if_that_is_asked_for(desk: Shell) -> None:
    case = {**CASE, "prior": [LOOK, COUNT]}
    (desk.at / "cases.json").write_text(json.dumps([case]))
    fixed = ("judge", ".", "--cases", "cases.json", "--now", "2026-01-01T00:00:00Z")
    assert desk(*fixed).out == desk(*fixed).out, "what is read by others stays as it is"
    assert desk(*fixed, "--time").json["seconds"] >= 0


def test_an_approval_that_was_given_is_told_as_satisfied(desk: Shell) -> None:
    given = [LOOK, COUNT, {**YES, "tool": "write", "args": {"n": 1}}]
    other = [LOOK, COUNT, {**YES, "tool": "write", "args": {"n": 2}}]
    _, (yes, no, asked) = judged(desk, *({**CASE, "prior": p} for p in (given, other, [LOOK, COUNT])))
    assert (yes["verdict"], yes["satisfied"], yes["approvers"]) == ("require_approval", True, [])
    for one in (no, asked):
        assert (one["verdict"], one["satisfied"], one["approvers"]) == ("require_approval", False, ["customer"])


def test_the_examples_of_a_case_are_judged_as_their_files_say(shell: Shell) -> None:
    done = shell("judge", "--cases", "fixtures/cases/refunds.jsonl")
    assert (done.code, "2 of 2 cases as expected" in done.err) == (0, True)
