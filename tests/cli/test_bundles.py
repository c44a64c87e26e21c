"""init, validate, test, schema, completion and help."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.cli.main import COMMANDS
from tests.cli.shell import Shell


def test_a_new_bundle_validates_runs_and_tests(empty: Shell) -> None:
    assert empty("init", "mine").code == 0
    assert empty("validate", "mine", "--strict").code == 0
    tested = empty("test", "mine")
    assert (tested.code, "3 passed, 0 failed" in tested.out) == (0, True)
    ran = empty("run", "mine", "-m", "Where is it?", "--set", "customer=ada", "--set", "order_id=o-2")
    assert (ran.code, "shipped" in ran.out) == (0, True)
    assert empty("init", "mine").code == 2


def test_the_root_bundle_is_valid_and_its_fixtures_pass(shell: Shell) -> None:
    assert shell("validate", "--strict", "--format", "concise").out == ""
    assert shell("validate", "--format", "json").json == []
    done = shell("test", "-k", "refund and not (held or email)", "--format", "json")
    assert done.code == 0
    assert all(row["passed"] for row in done.json)
    assert len(done.json) > 10


def test_diagnostics_are_printed_in_every_form(shell: Shell) -> None:
    agent = shell.at / "specs/agents/support-triage.yaml"
    agent.write_text(agent.read_text().replace("open_refund_case, escalate", "open_refnd_case, escalate", 1))
    full = shell("validate")
    assert full.code == 1
    assert "error[E302]: tool `open_refnd_case` is not defined" in full.out
    assert "  --> specs/agents/support-triage.yaml:8:" in full.out
    assert "= help: did you mean `open_refund_case`?" in full.out
    assert "= more: engine validate --explain E302" in full.out
    concise = shell("validate", "--format", "concise").out.splitlines()
    assert concise[0].startswith("specs/agents/support-triage.yaml:8:")
    (first, *_) = shell("validate", "--format", "json").json
    assert {"code", "severity", "message", "file", "line", "column", "help"} <= set(first)
    ran = shell.triage("acct_1001")
    assert (ran.code, "E302" in ran.err) == (1, True)


def test_warnings_fail_only_when_they_are_to(shell: Shell) -> None:
    tool = (shell.at / "specs/tools/search_docs.yaml").read_text().replace("name: search_docs", "name: search_doc")
    (shell.at / "specs/tools/search_doc.yaml").write_text(tool)
    agent = shell.at / "specs/agents/support-triage.yaml"
    agent.write_text(agent.read_text().replace("tools: [search_docs,", "tools: [search_docs, search_doc,", 1))
    assert shell("validate").code == 0
    assert shell("validate", "--strict").code == 1


def test_a_diagnostic_is_explained(empty: Shell) -> None:
    page = empty("validate", "--explain", "e302").out
    assert page.startswith("# E302: tool is not defined")
    assert "## Right" in page


def test_a_failing_fixture_says_what_was_expected_what_came_and_the_trace_around_it(shell: Shell) -> None:
    fixture = shell.at / "fixtures/refund-under-threshold.yaml"
    text = fixture.read_text().replace("exit_code: 0", "exit_code: 4").replace("12000", "12001")
    fixture.write_text(text.replace("status: ok, output: {amount_usd: 120}", "status: blocked"))
    done = shell("test", "-k", "refund-under-threshold")
    assert done.code == 1
    assert "FAILED refund-under-threshold" in done.out
    assert "exit_code: expected 4, came 0" in done.out
    assert "status of open_refund_case (call-2-1): expected blocked, came ok" in done.out
    assert 'came [["acct_1001",12000]]' in done.out
    assert "step 3 state_transition: done case_opened" in done.out
    assert "0 passed, 1 failed" in done.out


def test_schemas_are_listed_printed_and_written(empty: Shell) -> None:
    names = empty("schema").out.split()
    assert {"agent", "tool", "policy", "reviewers", "database", "fixture"} <= set(names)
    assert {"decision", "tool_call", "tool_result", "outcome", "event", "verdict"} <= set(names)
    assert json.loads(empty("schema", "policy").out)["title"] == "Policy"
    assert empty("schema", "--write", "out").code == 0
    assert (empty.at / "out/policy.schema.json").read_text() == empty("schema", "policy").out


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(empty: Shell, shell_name: str) -> None:
    assert "_ENGINE_COMPLETE" in empty("completion", shell_name).out


@pytest.mark.parametrize("command", [*COMMANDS, "sessions list", "review approve", ""])
def test_every_command_has_help_with_an_example(empty: Shell, command: str) -> None:
    done = empty(*command.split(), "--help")
    assert done.code == 0
    assert "Example" in done.out or "Commands" in done.out


def test_the_help_lists_every_command_in_the_words_of_the_command_itself(empty: Shell) -> None:
    listed = empty("--help").out
    for name, (_, text) in COMMANDS.items():
        assert name in listed
        assert text in listed


def test_the_version_is_printed(empty: Shell) -> None:
    assert empty("--version").out.startswith("engine 0.")


def test_validating_imports_neither_pydantic_nor_trio(shell: Shell) -> None:
    code = (
        "import sys\nfrom engine.cli.main import cli\n"
        "cli.main(['validate'], standalone_mode=False)\n"
        "print(sorted(m for m in ('pydantic', 'trio', 'rich') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=shell.at, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_store_of_a_later_version_is_refused(shell: Shell) -> None:
    import sqlite3

    connection = sqlite3.connect(shell.at / "store.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = shell("sessions", "list")
    assert (done.code, "schema 99" in done.err) == (5, True)


def test_a_fault_of_our_own_exits_5_with_its_traceback() -> None:
    code = (
        "import engine.cli.commands.schema as s\nfrom engine.cli.main import main\n"
        "s.schema_files.directory = lambda: 1 / 0\nmain(['schema'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "ZeroDivisionError" in done.stderr
    assert "please report it" in done.stderr


def test_cases_are_judged_a_line_each_and_nothing_runs(shell: Shell) -> None:
    account = {
        "found": True, "account_id": "acct_1002", "tenant": "acme", "status": "active", "verified": True,
        "duplicate_charge_detected": True, "duplicate_charge_id": "ch_1", "duplicate_amount_usd": 480,
    }  # fmt: skip
    read = {"event": "call", "tool": "lookup_billing_account", "args": {"account_id": "acct_1002"}, "output": account}
    session = {"tenant": "acme", "account_id": "acct_1002"}

    def case(id_: str, amount: float, tenant: str = "acme") -> dict[str, object]:
        args = {"account_id": "acct_1002", "charge_id": "ch_1", "amount_usd": amount}
        return {
            "id": id_,
            "prior": [read],
            "session": {**session, "tenant": tenant},
            "tool": "open_refund_case",
            "args": args,
        }

    (shell.at / "cases.json").write_text(json.dumps([case("a", 250), case("b", 250.01), case("c", 1, "globex")]))
    done = shell("judge", ".", "--cases", "cases.json", "--now", "2026-01-01T00:00:00Z")
    assert done.code == 0
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"id": "a", "verdict": "allow", "rules": ["verified-refund"], "approvers": [], "errors": []},
        {
            "id": "b", "verdict": "require_approval", "rules": ["refund-threshold"],
            "approvers": ["refund-reviewers"], "satisfied": False, "errors": [],
        },
        {"id": "c", "verdict": "deny", "rules": ["tenant-scope"], "approvers": [], "errors": []},
    ]  # fmt: skip
    assert not list(shell.at.rglob("*.db"))


@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_file_that_is_no_list_of_cases_is_told(shell: Shell, text: str) -> None:
    (shell.at / "cases.json").write_text(text)
    done = shell("judge", ".", "--cases", "cases.json")
    assert (done.code, "cases.json" in done.err) == (2, True)
    (shell.at / "cases.json").write_text("[]")
    assert shell("judge", ".", "--cases", "cases.json", "--now", "noon").code == 2


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (5, "an object"),
        ({"tool": 5}, "an object"),
        ({"tool": "x", "args": 5}, "`args` must be an object"),
        ({"tool": "x", "session": []}, "`session` must be an object"),
        ({"tool": "x", "prior": {}}, "`prior` must be a list"),
        ({"tool": "x", "prior": [{"event": "dream"}]}, "entry 1 of prior has no event"),
        ({"tool": "x", "prior": [None]}, "entry 1 of prior has no event"),
        ({"tool": "x", "prior": [{"event": "call"}]}, "a call without"),
        ({"tool": "x", "prior": [{"event": "user_confirmation", "tool": "x"}]}, 'without "args"'),
        ({"tool": "x", "prior": [{"event": "message", "at": "noon"}]}, "is no moment"),
        ({"tool": "x", "prior": [{"event": "message", "at": 5}]}, "is no moment"),
    ],
)
def test_a_malformed_case_is_denied_and_the_others_are_judged(shell: Shell, case: object, says: str) -> None:
    good = {"id": "good", "session": {"tenant": "acme", "account_id": "a"}, "tool": "search_docs"}
    (shell.at / "cases.json").write_text(json.dumps([case, {**good, "args": {"query": "x"}, "prior": None}]))
    done = shell("judge", ".", "--cases", "cases.json")
    bad, fine = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 2
    assert bad["verdict"] == "deny"
    assert says in bad["errors"][0]
    assert (fine["id"], fine["verdict"]) == ("good", "allow")


def test_how_far_a_bundle_can_go_is_told_per_tool_and_in_all(shell: Shell) -> None:
    done = shell("explain")
    assert done.code == 0
    assert "calls in flight" in done.out
    (case,) = shell("explain", ".", "--agent", "support-triage", "--format", "json").json
    assert (case["agent"], case["calls"], case["running"]) == ("support-triage", 15, "30s")
    assert {tool["tool"]: tool["attempts"] for tool in case["tools"]}["lookup_billing_account"] == 24
    assert shell("explain", ".", "--agent", "nobody").code == 2


def test_sql_of_a_fixture_that_meets_a_constraint_fails_that_fixture_and_no_other(empty: Shell) -> None:
    empty("init", "mine")
    fixture = empty.at / "mine/fixtures/shipped-order-is-not-cancelled.yaml"
    database = empty.at / "mine/specs/databases/shop.sql"
    database.write_text(database.read_text() + "\nCREATE TABLE only (one PRIMARY KEY); INSERT INTO only VALUES (1);\n")
    again = "then:\n  - sql: {database: shop, run: INSERT INTO only VALUES (1)}\n"
    fixture.write_text(fixture.read_text() + again)
    assert empty("validate", "mine").code == 0
    done = empty("test", "mine")
    assert (done.code, "2 passed, 1 failed" in done.out, done.err) == (1, True, "")
    assert "UNIQUE constraint failed: only.one" in done.out


def test_a_bundle_without_fixtures_is_said_to_have_tested_nothing(empty: Shell) -> None:
    empty("init", "mine")
    for path in (empty.at / "mine/fixtures").iterdir():
        path.unlink()
    assert "nothing was tested" in empty("test", "mine").err
    assert "nothing was tested" in empty("test", "mine", "--format", "junit").err
