"""The keys of people, as who operates the engine destroys and wraps them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.shell import Shell

FILES = {
    "specs/agents/desk.yaml": """\
kind: Agent
name: desk
description: desk
planner: script
planners:
  script: {kind: scripted, decisions: [{message: bye, done: true}]}
sealed_with: ${secret:SEAL_KEY}
sealed_for: user
attributes:
  type: object
  required: [user]
  properties: {user: {type: string, x-sensitive: true}}
stop: [{outcome: answered, message: bye}]
""",
}
KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for path, text in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Shell(tmp_path)


def test_a_persons_sessions_are_erased_with_their_key(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    ran = shell("run", "-m", "hi", "--set", "user=ada-4411", "--format", "json", **env)
    assert ran.code == 0, ran.err
    session_id = ran.json[0]["session_id"]
    assert shell("keys", "rewrap", **env).out.strip() == "1 key wrapped anew"
    # nobody is there to say yes
    assert shell("keys", "erase", "ada-4411", **env).code == 130
    erased = shell("keys", "erase", "ada-4411", "--yes", **env)
    assert (erased.code, erased.out.strip()) == (0, "the key of ada-4411 is destroyed")
    again = shell("keys", "erase", "ada-4411", "--yes", **env)
    assert again.code == 1
    assert "ada-4411 has no key in" in again.err
    assert shell("sessions", "verify", session_id, **env).code == 0
    shown = shell("sessions", "show", session_id, **env)
    assert shown.code == 0
    assert "ada-4411" not in shown.out + shown.err


NEXT = {"NEXT_KEY": "the next key of the tests, as long as it has to be"}


def test_a_key_is_destroyed_after_the_old_one_went_away(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, **NEXT, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    agent = shell.at / "specs/agents/desk.yaml"
    before = agent.read_text()
    assert shell("run", "-m", "hi", "--set", "user=ada-4411", **env).code == 0
    agent.write_text(before.replace("${secret:SEAL_KEY}", '["${secret:NEXT_KEY}", "${secret:SEAL_KEY}"]'))
    assert shell("keys", "rewrap", **env).out.strip() == "1 key wrapped anew"
    agent.write_text(before.replace("SEAL_KEY", "NEXT_KEY"))
    env.pop("SEAL_KEY")
    erased = shell("keys", "erase", "ada-4411", "--yes", **env)
    assert (erased.code, erased.out.strip()) == (0, "the key of ada-4411 is destroyed"), erased.err
    assert not list((tmp_path / "people").glob("*.person"))


def test_what_could_not_be_looked_for_is_told_and_is_no_success(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, **NEXT, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    agent = shell.at / "specs/agents/desk.yaml"
    assert shell("run", "-m", "hi", "--set", "user=ada-4411", **env).code == 0
    agent.write_text(agent.read_text().replace("SEAL_KEY", "NEXT_KEY"))
    assert shell("run", "-m", "hi", "--set", "user=ada-4411", **env).code == 0
    erased = shell("keys", "erase", "ada-4411", "--yes", **env)
    assert erased.code == 1
    assert "with other keys than this agent's `sealed_with`: what they hold of ada-4411 is not destroyed" in erased.err
    rewrapped = shell("keys", "rewrap", **env)
    assert rewrapped.code == 1
    assert rewrapped.err.count("stays as it is") == 2


def test_a_person_who_is_a_number_is_erased_by_the_number(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    agent = shell.at / "specs/agents/desk.yaml"
    text = agent.read_text()
    agent.write_text(text.replace("type: string", "type: integer"))
    assert shell("run", "-m", "hi", "--set", "user=4711", **env).code == 0
    assert shell("keys", "erase", "4711", "--yes", **env).code == 0
    assert not list((tmp_path / "people").glob("*.person"))
    # where both the number and the text have one, nobody guesses
    assert shell("run", "-m", "hi", "--set", "user=4711", **env).code == 0
    agent.write_text(text)
    assert shell("run", "-m", "hi", "--set", "user=4711", **env).code == 0
    told = shell("keys", "erase", "4711", "--yes", **env)
    assert told.code == 2
    assert "--json 4711 or --json '\"4711\"'" in told.err
    assert shell("keys", "erase", "4711", "--json", "--yes", **env).code == 0
    assert shell("keys", "erase", "4711", "--json", "--yes", **env).code == 1
    assert shell("keys", "erase", '"4711"', "--json", "--yes", **env).code == 0
    assert shell("keys", "erase", "ada", "--json", "--yes", **env).code == 2


def test_an_erased_session_is_counted_and_a_key_that_is_away_is_a_session_that_can_not_be_read(
    shell: Shell, tmp_path: Path
) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    for user in ("ada-4411", "bela-4412"):
        assert shell("run", "-m", "hi", "--set", f"user={user}", **env).code == 0
    assert shell("keys", "erase", "ada-4411", "--yes", **env).code == 0
    told = shell("whatif", "--policy", ".", **env)
    assert told.code == 0, told.out
    assert "1 session is erased, and not judged" in told.err
    assert shell("whatif", "--policy", ".", "--format", "json", **env).json["erased"] == 1
    assert shell("replay", "--all", **env).code == 0
    promoted = shell("promote", ".", ".", "--without-proofs", "--json", "r.json", **env)
    assert "1 session is erased" in promoted.out + promoted.err
    # the same of a folder that is not there would hide whatever happened
    away = shell("whatif", "--policy", ".", **{**env, "ENGINE_PERSON_KEYS": str(tmp_path / "others")})
    assert away.code == 1
    assert "unreadable" in away.out


def test_what_is_missing_is_told(shell: Shell) -> None:
    for told in (shell("keys", "rewrap", **KEY), shell("run", "-m", "hi", "--set", "user=ada-4411", **KEY)):
        assert told.code == 2
        assert "ENGINE_PERSON_KEYS has to name a folder" in told.err
    agent = shell.at / "specs/agents/desk.yaml"
    agent.write_text(agent.read_text().replace("sealed_for: user\n", ""))
    told = shell("keys", "rewrap", **KEY)
    assert told.code == 2
    assert "has no `sealed_for`" in told.err


def test_the_folder_is_among_what_a_bundle_needs(shell: Shell, tmp_path: Path) -> None:
    told = shell("validate", "--environment", **KEY)
    assert told.code != 0
    assert "ENGINE_PERSON_KEYS names no folder" in told.out + told.err
    assert shell("validate", "--environment", **KEY, ENGINE_PERSON_KEYS=str(tmp_path)).code == 0


def test_a_folder_with_keys_of_another_agent_is_wrapped_as_far_as_it_is_its_own(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    others = {**env, "SEAL_KEY": "a key of another agent that is long enough to be one"}
    for people, keys in (("ada", env), ("bo", others), ("cy", env)):
        assert shell("run", "-m", "hi", "--set", f"user={people}", **keys).code == 0
    before = {
        file: file.read_text() for file in (tmp_path / "people").iterdir() if file.suffix in (".person", ".folder")
    }
    told = shell("keys", "rewrap", **others)
    assert (told.code, told.out.strip()) == (1, "1 key wrapped anew")
    named = [file for file in before if f"{file} stays as it is" in told.err]
    # two people, and the key of the folder under which they are named
    assert len(named) == 3
    assert all(file.read_text() == before[file] for file in named)


def test_a_key_that_could_not_be_looked_for_is_told_by_its_file(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    assert shell("run", "-m", "hi", "--set", "user=ada-4411", **env).code == 0
    (own,) = (tmp_path / "people").glob("*.folder")
    (key,) = (tmp_path / "people").glob("*.person")
    own.rename(tmp_path / own.name)
    again = shell("run", "-m", "hi", "--set", "user=ada-4411", **env)
    assert (again.code, "put its .folder file back" in again.err) == (2, True), again.err
    erased = shell("keys", "erase", "ada-4411", "--yes", **env)
    assert (erased.code, key.name in erased.err) == (1, True), erased.err
    (tmp_path / own.name).rename(own)
    assert shell("keys", "erase", "ada-4411", "--yes", **env).code == 0


def test_what_is_sealed_is_not_judged_where_its_bundle_is_gone(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    assert shell("run", "-m", "hi", "--set", "user=ada-4411", **env).code == 0
    session_id = shell("sessions", "list", "--format", "json", **env).json[0]["id"]
    assert shell("whatif", "--policy", ".", **env).code == 0
    raw = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    raw.execute("DELETE FROM bundles")
    raw.close()
    judged = shell("whatif", "--policy", ".", "--format", "json", **env)
    assert (judged.code, [row["rule"] for row in judged.json["table"]]) == (1, ["unreadable"])
    replayed = shell("replay", session_id, "--bundle", ".", **env)
    assert (replayed.code, "what is sealed in it can't be read" in replayed.out) == (1, True), (
        replayed.out + replayed.err
    )


TOOL = """\
kind: Tool
name: later
description: later
effect: write
mode: job
idempotency: none
input: {type: object}
output: {type: object}
adapter: {kind: python, file: specs/tools/code.py, function: act}
"""


def test_a_session_with_a_job_is_ended_by_a_worker_once_its_person_is_erased(shell: Shell, tmp_path: Path) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    agent = shell.at / "specs/agents/desk.yaml"
    calls = "{message: '', tool_calls: [{id: a, name: later, input: {}}]}, {message: bye, done: true}"
    agent.write_text(
        agent.read_text().replace("{message: bye, done: true}", calls) + "tools: [later]\npolicies: [open]\n"
    )
    files = {
        "specs/tools/later.yaml": TOOL,
        "specs/tools/code.py": "def act(**given):\n    return {}\n",
        "policies/open.yaml": "kind: Policy\nname: open\nrules:\n  - {id: all, tools: [later], effect: allow}\n",
    }
    for path, text in files.items():
        (shell.at / path).parent.mkdir(exist_ok=True)
        (shell.at / path).write_text(text)
    ran = shell("run", "-m", "hi", "--set", "user=ada-4411", **env)
    assert ran.code == 3, ran.out + ran.err
    assert shell("keys", "erase", "ada-4411", "--yes", **env).code == 0
    worked = shell("worker", "--until-idle", **env)
    assert worked.code == 0, worked.out + worked.err
    (row,) = shell("sessions", "list", "--format", "json", **env).json
    assert row["state"] == "cancelled"
    assert [one["status"] for one in shell("jobs", "list", "--format", "json", **env).json] == ["cancelled"]


def test_a_person_is_found_by_what_is_sealed_of_them_or_it_is_said_that_nobody_can_tell(
    shell: Shell, tmp_path: Path
) -> None:
    env = {**KEY, "ENGINE_PERSON_KEYS": str(tmp_path / "people")}
    ran = shell("run", "-m", "hi", "--set", "user=ada-4411", "--format", "json", **env)
    export = ("sessions", "export", "--person", "user=ada-4411")
    found = shell(*export, **env)
    assert [one["id"] for one in found.json["sessions"]] == [ran.json[0]["session_id"]]
    blind = shell(*export)
    assert (blind.code != 0, "SEAL_KEY" in blind.err) == (True, True), blind.err
    nobody = shell("sessions", "export", "--person", "user=eve", **env)
    assert (nobody.json["sessions"], "no session is meant by that" in nobody.err) == ([], True)
    erased = shell("sessions", "erase", "--person", "user=ada-4411", "--why", "asked", "--yes", "--as", "ops", **env)
    assert erased.code == 0, erased.err
