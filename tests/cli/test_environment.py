"""What is missing where the engine runs is told at start, all of it at once, and no session is spoilt by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bundle_texts import ALLOW, agent, policy, tool
from tests.cli.shell import Done, Shell, environment
from tests.needing import (
    CASES,
    KEY,
    KEYED,
    LISTED,
    MODEL,
    OF_PEER,
    PEER,
    SCRIPT,
    Document,
    acting,
    asking,
    lay,
    planned,
)  # fmt: skip

START = ("run", "--agent", "bot", "-m", "hello", "--set", "tenant=acme")


def laid(at: Path, *documents: Document) -> Shell:
    """A shell in a directory with a bundle."""
    lay(at, *documents)
    return Shell(at)


def sessions(shell: Shell) -> list[Any]:
    return list(shell("sessions", "list", "--format", "json").json) if (shell.at / "store.db").exists() else []


def refused(done: Done, *named: str) -> None:
    assert done.code == 2, done.out + done.err
    assert all(name in done.err for name in named), done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("kind", CASES)
def test_a_missing_secret_of_what_the_agent_can_reach_is_refused_before_a_session_begins(
    kind: str, tmp_path: Path
) -> None:
    shell = laid(tmp_path, *CASES[kind])
    refused(shell(*START), KEY)
    assert sessions(shell) == []


@pytest.mark.parametrize("value", ["abc", "", "for a héader", "line\nbreak"])
def test_a_secret_that_can_not_be_used_is_refused_and_not_shown(value: str, tmp_path: Path) -> None:
    done = laid(tmp_path, *CASES["a tool that is not called"])(*START, NOT_THERE=value)
    refused(done, KEY)
    assert not value or value not in done.out + done.err


def test_all_that_is_missing_is_named_at_once_with_what_needs_it(tmp_path: Path) -> None:
    shell = laid(
        tmp_path, agent("[one, two]"), tool("one", more=asking("FIRST_KEY")), tool("two", more=asking("OTHER_KEY"))
    )
    refused(shell(*START), "FIRST_KEY", "tool one", "OTHER_KEY", "tool two")


def test_what_the_chosen_agent_and_planner_can_not_reach_is_not_missed(tmp_path: Path) -> None:
    path, text = agent("[far]")
    shell = laid(
        tmp_path, planned(agent("[look]"), f"{{model: {MODEL}, script: {SCRIPT}}}", "script"), tool("look"),
        tool("far", more=asking()), (path.replace("bot", "far"), text.replace("name: bot", "name: away")),
    )  # fmt: skip
    assert shell(*START).code == 0
    refused(shell(*START, "--planner", "model"), KEY, "planner model")


def test_a_server_of_another_agent_is_not_started(tmp_path: Path) -> None:
    path, text = agent("[far]")
    shell = laid(
        tmp_path, agent("[look]"), tool("look"), tool("far", more="adapter: {kind: mcp, server: peer, tool: far}"),
        (path.replace("bot", "far"), text.replace("name: bot", "name: away")), (PEER[0], PEER[1].replace("true", "false")),
    )  # fmt: skip
    assert shell(*START).code == 0


def test_without_what_an_optional_server_needs_sessions_run_all_the_same(tmp_path: Path) -> None:
    needs = f"{PEER[1]}optional: true\nenvironment: {{K: '${{secret:NOT_THERE}}'}}\n"
    shell = laid(tmp_path, acting(agent("[look]"), "look"), OF_PEER, (PEER[0], needs))
    done = shell(*START)
    assert done.code == 0, done.err
    assert "server_unavailable" in done.out
    apart = without("mcp", tmp_path, *START)
    assert apart.returncode == 0, apart.stderr
    assert "server_unavailable" in apart.stdout


def test_a_batch_is_refused_before_its_first_session(tmp_path: Path) -> None:
    shell = laid(tmp_path, *CASES["a read"])
    (tmp_path / "in.jsonl").write_text('{"message": "a"}\n{"message": "b"}\n')
    refused(shell("run", "--agent", "bot", "--batch", "in.jsonl", "--set", "tenant=acme"), KEY)
    assert sessions(shell) == []


@pytest.fixture
def waiting(tmp_path: Path) -> tuple[Shell, str]:
    """A session that asks its customer about a call whose tool needs a secret."""
    rules = f"{ALLOW}\n  - {{id: sure, tools: [act], effect: require_approval, approvers: [customer]}}"
    shell = laid(
        tmp_path, acting(agent("[act]", policies="[rules]"), "act"), policy(rules),
        tool("act", "write", more=KEYED + asking(method="POST")),
    )  # fmt: skip
    assert shell(*START, NOT_THERE="it is there now").code == 3
    return shell, sessions(shell)[0]["id"]


@pytest.mark.parametrize("said", [("confirm", "{}", "yes"), ("send", "{}", "-m", "and?")])
def test_what_people_say_is_not_recorded_where_the_session_could_not_go_on(
    said: tuple[str, ...], waiting: tuple[Shell, str]
) -> None:
    shell, id_ = waiting
    before = shell("sessions", "events", id_).out
    refused(shell(*(word.format(id_) for word in said)), KEY)
    assert shell("sessions", "events", id_).out == before


def test_a_session_can_be_cancelled_without_what_it_needs(waiting: tuple[Shell, str]) -> None:
    shell, id_ = waiting
    assert shell("cancel", id_).code == 0
    assert sessions(shell)[0]["state"] == "cancelled"


def test_a_worker_tells_once_what_is_missing_and_leaves_the_job_to_others(tmp_path: Path) -> None:
    write = tool("act", "write", more=f"mode: job\n{KEYED}{asking(method='POST')}")
    shell = laid(tmp_path, acting(agent("[act]", policies="[rules]"), "act"), policy(ALLOW), write)
    assert shell(*START, NOT_THERE="it is there").code == 3
    done = shell("worker", "--until-idle")
    assert (done.code, done.err.count(KEY)) == (1, 1), done.err
    (job,) = shell("jobs", "list", "--format", "json").json
    assert job["status"] == "queued"
    assert sessions(shell)[0]["state"] == "awaiting_job"


# -- libraries


def without(library: str, at: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where a library is not installed."""
    code = f"import sys\nsys.modules['{library}'] = None\nfrom engine.cli.main import main\nmain({list(arguments)!r})"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=at, env=environment(at / "store.db"), capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip


OPENAI = planned(agent("[]"), "{m: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}}", "m")
CLAUDE = planned(agent("[]"), "{m: {kind: anthropic, model: m, api_key: '${secret:PATH}'}}", "m")
OVER_HTTP = ("specs/servers/peer.yaml", "kind: Server\nname: peer\nurl: http://127.0.0.1:9/mcp\nallow_private: true\n")
OF_SERVERS = (agent("[look]"), OF_PEER, PEER)


@pytest.mark.parametrize(
    ("library", "extra", "documents", "command"),
    [
        ("openai", "openai", (OPENAI,), START),
        ("anthropic", "anthropic", (CLAUDE,), START),
        ("mcp", "mcp", OF_SERVERS, START),
        ("anyio", "mcp", OF_SERVERS, START),
        ("mcp", "mcp", (agent("[look]"), OF_PEER, OVER_HTTP), START),
        ("mcp", "mcp", OF_SERVERS, ("tools", "check")),
        ("mcp", "mcp", OF_SERVERS, ("tools", "import", "--server", "peer")),
        ("z3", "prove", OF_SERVERS, ("prove",)),
        ("z3", "prove", OF_SERVERS, ("diff", ".", ".")),
    ],
)
def test_a_missing_library_is_told_with_the_extra_that_brings_it(
    library: str, extra: str, documents: tuple[Document, ...], command: tuple[str, ...], tmp_path: Path
) -> None:
    shell = laid(tmp_path, *documents)
    done = without(library, tmp_path, *command)
    refused(Done(done.returncode, done.stdout, done.stderr), f"steadyhand[{extra}]")
    assert sessions(shell) == []


def test_planners_check_tells_the_extra_and_the_secret(tmp_path: Path) -> None:
    shell = laid(tmp_path, planned(agent("[]"), f"{{m: {MODEL}}}", "m"))
    apart = without("openai", tmp_path, "planners", "check")
    assert apart.returncode == 1
    assert "steadyhand[openai]" in apart.stdout
    assert KEY in shell("planners", "check").out


# -- stores


def test_a_store_that_can_not_be_reached_exits_with_5(tmp_path: Path) -> None:
    shell = laid(tmp_path, agent("[look]"), tool("look"))
    (tmp_path / "file").write_text("")
    done = shell(*START, ENGINE_STORE=f"sqlite:///{tmp_path}/file/store.db")
    assert done.code == 5, done.err
    assert "store" in done.err
    assert "Traceback" not in done.err


# -- the list


NEEDY = (
    planned(agent("[look, far, run, own]"), f"{{m: {MODEL}, script: {SCRIPT}}}", "script"),
    OF_PEER, PEER, tool("far", more=asking("FAR_KEY")),
    tool("run", more="adapter: {kind: command, argv: ['no-such-program']}"),
    tool("own", more="adapter: {kind: command, argv: ['./own.sh'], files: [own.sh]}"), ("own.sh", "#!/bin/sh\n"),
)  # fmt: skip


def test_what_a_bundle_needs_is_listed_and_what_of_it_is_there(tmp_path: Path) -> None:
    done = laid(tmp_path, *NEEDY)("validate", "--environment", FAR_KEY="a value of it")
    assert done.code == 1, done.err
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert rows[0] == ["agent", "kind", "name", "for", "status", "problem"]
    assert {(row[1], row[2], row[3], row[4]) for row in rows[1:]} == {
        ("extra", "openai", "planner m", "there"), ("secret", KEY, "planner m", "missing"),
        ("extra", "mcp", "server peer", "there"), ("program", "true", "server peer", "there"),
        ("secret", "FAR_KEY", "tool far", "there"), ("program", "no-such-program", "tool run", "missing"),
    }  # fmt: skip
    assert "a value of it" not in done.out + done.err


def test_the_list_is_json_too_and_exits_with_0_where_nothing_is_missing(tmp_path: Path) -> None:
    shell = laid(tmp_path, *CASES["a read"])
    done = shell("validate", "--environment", "--format", "json", NOT_THERE="it is there")
    assert done.code == 0
    assert done.json == [
        {"agent": "bot", "kind": "secret", "name": KEY, "for": ["tool look"], "status": "there", "problem": ""}
    ]
    assert shell("validate", "--environment", "--format", "sarif").code == 2


def test_what_only_an_optional_server_needs_fails_no_list(tmp_path: Path) -> None:
    shell = laid(
        tmp_path, agent("[look]"), OF_PEER, (PEER[0], PEER[1].replace("'true'", "no-such-program") + "optional: true\n")
    )
    done = shell("validate", "--environment")
    assert done.code == 0, done.out
    assert "missing, optional" in done.out


def test_a_program_is_looked_for_where_it_would_be_started(tmp_path: Path) -> None:
    found = [
        tool("there", more="adapter: {kind: command, argv: ['./it.sh'], directory: bin}"),
        tool("away", more="adapter: {kind: command, argv: ['./it.sh']}"),
        tool("named", more="adapter: {kind: command, argv: ['it.sh'], environment: {PATH: '" + f"{tmp_path}/bin'}}}}"),
    ]
    shell = laid(tmp_path, agent("[there, away, named]"), *found, ("bin/it.sh", "#!/bin/sh\n"))
    (tmp_path / "bin/it.sh").chmod(0o755)
    listed = shell("validate", "--environment", "--format", "json").json
    assert [(*one["for"], one["status"]) for one in listed] == [
        ("tool there", "there"), ("tool away", "missing"), ("tool named", "there"),
    ]  # fmt: skip


def test_a_bundle_that_needs_nothing_says_so(tmp_path: Path) -> None:
    done = laid(tmp_path, agent("[look]"), tool("look"))("validate", "--environment")
    assert (done.code, "needs no secret" in done.out) == (0, True)


def test_a_fixture_says_what_is_missing_for_it(tmp_path: Path) -> None:
    fixture = "kind: Fixture\nname: one\nagent: bot\nmessage: hello\nattributes: {tenant: acme}\nlive: [look]\nexpect: {outcome: answered}\n"
    assert LISTED in agent("[]")[1]
    shell = laid(tmp_path, *CASES["a read"], ("fixtures/one.yaml", fixture))
    done = shell("test")
    assert done.code == 1, done.err
    assert KEY in done.out + done.err
    assert "Traceback" not in done.err
