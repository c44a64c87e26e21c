"""No command prints what a schema marks, nor what it is sealed or handled as: every command there is, in every format.

A command that is new has no line here, and fails until it has one.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from engine.cli.main import cli
from tests.cli.shell import command, environment
from tests.waiting import until

SECRETS = {"SEAL_KEY": "a key of the tests that is long enough to be one"}

MARKED = ("CANARY-IBAN", "CANARY-TAG", "CANARY-NAME", "CANARY-RECEIPT", "CANARY-FIX", "8812345", "7712345", "6612345")

FILES = {
    "specs/agents/bot.yaml": """\
kind: Agent
name: bot
description: bot
planner: table
sealed_with: ${secret:SEAL_KEY}
sealed_for: user
planners:
  table:
    kind: rules
    rows:
      - {when: "messages[-1] == 'wait'", message: "and {{ session.iban }}?"}
      - when: "messages[-1] == 'later' and len(results.later) == 0"
        message: "later {{ session.iban }}"
        tool_calls: [{name: later, input: {iban: session.iban, amount_usd: session.amount}}]
      - when: "messages[-1] == 'ask' and len(results.ask) == 0"
        message: "ask {{ session.iban }}"
        tool_calls: [{name: ask, input: {iban: session.iban, amount_usd: session.amount}}]
      - when: "messages[-1] not in ['later', 'ask'] and len(results.pay) == 0"
        message: "pay {{ session.iban }}"
        tool_calls: [{name: pay, input: {iban: session.iban, amount_usd: session.amount, tags: session.tags}}]
      - {message: "bye {{ session.iban }}", done: true}
tools: [pay, later, ask]
policies: [rules]
attributes:
  type: object
  required: [user, iban, amount, tags]
  properties:
    user: {type: string}
    iban: {type: string, x-sensitive: true}
    amount: {type: integer, x-sensitive: true}
    tags: {type: array, items: {$ref: '#/$defs/tag'}}
  $defs: {tag: {type: string, x-sensitive: true}}
stop: [{outcome: answered, message: "done for {{ session.iban }}"}]
""",
    "specs/tools/pay.yaml": """\
kind: Tool
name: pay
description: pay
effect: write
input:
  type: object
  required: [iban, amount_usd, tags]
  properties:
    iban: {type: string, x-sensitive: true}
    amount_usd: {type: integer, x-sensitive: true}
    tags: {type: array, items: {allOf: [{type: string}, {x-sensitive: true}]}}
output: &output
  type: object
  required: [receipt, balance]
  properties: {receipt: {type: string, x-sensitive: true}, balance: {type: integer, x-sensitive: true}}
summary: [receipt, balance]
idempotency: none
adapter: {kind: command, argv: [printf, '{"receipt": "CANARY-RECEIPT", "balance": 6612345}']}
""",
    "specs/tools/later.yaml": """\
kind: Tool
name: later
description: later
effect: write
mode: job
input: &input
  type: object
  required: [iban, amount_usd]
  properties: {iban: {type: string, x-sensitive: true}, amount_usd: {type: integer, x-sensitive: true}}
output: {type: object}
idempotency: none
adapter: {kind: command, argv: ['false']}
""",
    "specs/tools/ask.yaml": """\
kind: Tool
name: ask
description: ask
effect: read
input: &input
  type: object
  required: [iban, amount_usd]
  properties: {iban: {type: string, x-sensitive: true}, amount_usd: {type: integer, x-sensitive: true}}
output: {type: object, required: [name], properties: {name: {type: string, x-sensitive: true}}}
adapter: {kind: handoff, reviewers: leads, asks: input, question: "Whose is {{ input.iban }}?"}
""",
    "specs/tools/look.yaml": """\
kind: Tool
name: look
description: look
effect: read
offered_to: runtime
input:
  type: object
  required: [iban]
  properties: {iban: {type: string, x-sensitive: true}, more: {type: string, x-sensitive: true}}
output:
  type: object
  required: [score, name]
  properties: {score: {type: integer, x-sensitive: true}, name: {type: string, x-sensitive: true}}
adapter: {kind: python, file: specs/tools/look.py, function: look}
""",
    "specs/tools/look.py": "def look(iban, more=None):\n    return {'score': 7712345, 'name': 'CANARY-NAME'}\n",
    "specs/reviewers/leads.yaml": "kind: Reviewers\nname: leads\nmembers: [dana]\n",
    "policies/rules.yaml": """\
kind: Policy
name: rules
params: {most: 9000000}
facts:
  who: {tool: look, input: {iban: input.iban}}
rules:
  - {id: ok, tools: writes, effect: allow, when: who.score > 5 and session.iban == input.iban}
  - id: ask
    tools: [pay]
    effect: require_approval
    approvers: [leads]
    when: "messages[-1] == 'approve' and input.amount_usd > 5"
    message: "pay {{ input.amount_usd }} of {{ who.name }}?"
  - {id: sure, tools: [pay], effect: require_approval, approvers: [customer], when: "messages[-1] == 'sure'"}
  - {id: most, tools: [pay], effect: deny, when: input.amount_usd > params.most}
  - {id: tags, tools: [pay], effect: deny, when: "'x' in input.tags"}
""",
    "fixtures/one.yaml": """\
kind: Fixture
name: one
agent: bot
message: "hi CANARY-FIX"
attributes: {user: ada, iban: CANARY-FIX, amount: 8812345, tags: [CANARY-TAG]}
stubs: {pay: {output: {receipt: CANARY-RECEIPT, balance: 6612345}}}
expect:
  state: failed
  message_contains: [another]
  calls: [{tool: pay, status: blocked, output: {receipt: other, balance: 1}}]
""",
    "cases.jsonl": "".join(
        json.dumps(case) + "\n"
        for case in (
            {"tool": "pay", "args": {"iban": "CANARY-IBAN", "amount_usd": 8812345, "tags": ["CANARY-TAG"]},
             "session": {"user": "ada", "iban": "CANARY-IBAN", "amount": 8812345, "tags": ["CANARY-TAG"]},
             "expect": {"verdict": "allow"}},
            {"tool": "pay", "args": {"iban": "CANARY-IBAN", "amount_usd": "CANARY-FIX", "tags": []},
             "session": {"user": "ada", "iban": "CANARY-IBAN", "amount": 8812345, "tags": []}},
        )
    ),
    "batch.jsonl": '{"message": "hi CANARY-IBAN"}\n',
}  # fmt: skip

# the same with another threshold, under which what was allowed is denied, and a read that nobody recorded
CHANGED = {
    "policies/rules.yaml": FILES["policies/rules.yaml"]
    .replace("most: 9000000", "most: 5")
    .replace("'x' in input.tags", "'x' not in input.tags")
    .replace("facts:\n", "facts:\n  other: {tool: look, input: {iban: session.iban, more: 'input.tags[0]'}}\n")
    + "  - {id: other, tools: [pay], effect: deny, when: \"messages[-1] == 'sure' and other.score > 99999999\"}\n"
}

# the same with one rule, of which there are few mutants
SMALL = {
    "policies/rules.yaml": "kind: Policy\nname: rules\nrules:\n"
    "  - {id: ok, tools: writes, effect: allow, when: input.amount_usd > 5}\n"
}

OPTIONS = ["--set", "user=ada", "--set", "iban=CANARY-IBAN", "--set", "amount=8812345", "--set", 'tags=["CANARY-TAG"]']


class Place:
    """A bundle with its store, in which commands run; names of capitals in their arguments stand for what there is."""

    def __init__(self, at: Path) -> None:
        self.at = at
        made = {"BUNDLE": at / "bundle", "OTHER": at / "other", "SMALL": at / "small"}
        for folder, files in zip(made.values(), (FILES, FILES | CHANGED, FILES | SMALL), strict=True):
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
        self._made: dict[str, Callable[[], str]] = {
            "OTHER": lambda: str(made["OTHER"]), "SMALL": lambda: str(made["SMALL"]), "NEW": lambda: str(at / "new"), "PAGE": lambda: str(at / "report.html"),
            "MARKDOWN": lambda: str(at / "report.md"), "JSON": lambda: str(at / "report.json"),
            "DONE": lambda: self.done, "SESSION": lambda: self.ran("approve"), "TALKING": lambda: self.ran("wait"),
            "SURE": lambda: self.ran("sure"), "JOB": lambda: self.job(), "DEAD": lambda: self.job("worker"),
            "REQUEST": lambda: f"{self.ran('approve')}.1", "QUESTION": lambda: f"{self.ran('ask')}.1",
        }  # fmt: skip
        self.done = self.ran("hi")
        self.ran("sure")

    def __call__(self, *arguments: str) -> str:
        """All that a command says."""
        given = [self._made[one]() if one in self._made else one for one in arguments]
        found = CliRunner().invoke(cli, given, catch_exceptions=False)
        return found.output

    def ran(self, message: str) -> str:
        """A new session in which this was said."""
        found = re.search(r"ses_[0-9a-f]{16}", self("run", "-m", message, *OPTIONS))
        assert found is not None
        return found.group()

    def job(self, *first: str) -> str:
        """A job that waits, or one that has failed for good."""
        session = self.ran("later")
        for worked in first:
            self(worked, "--until-idle")
        return str(json.loads(self("jobs", "list", "--session", session, "--format", "json"))[0]["id"])


# of each command what it is called with; the others say nothing of a session
LINES: Mapping[str, list[list[str]]] = {
    "init": [["NEW"]],
    "validate": [["--environment"]],
    "test": [[], ["--coverage", "--html", "PAGE"], ["--sessions", "--html", "PAGE"], ["SMALL", "--mutate", "--format", "json"]],
    "deploy": [[]],
    "run": [["-m", "hi CANARY-IBAN", *OPTIONS], ["-m", "approve", *OPTIONS], ["--batch", "batch.jsonl", *OPTIONS]],
    "propose": [["SESSION", "--after", "1", '{"message": "CANARY-IBAN", "tool_calls": [], "done": true}']],
    "send": [["TALKING", "-m", "I am CANARY-IBAN"]],
    "confirm": [["SURE", "yes"]],
    "resume": [["SESSION"]],
    "cancel": [["SESSION"]],
    "sessions list": [[]],
    "sessions show": [["DONE"], ["SESSION"]],
    "sessions events": [["DONE"], ["SESSION"]],
    "sessions stats": [[]],
    "sessions verify": [[]],
    "sessions heads": [[]],
    "sessions export": [["DONE"]],
    "sessions seal": [[]],
    "review list": [["--all"]],
    "review show": [["REQUEST"], ["QUESTION"]],
    "review approve": [["REQUEST", "--as", "dana"], ["REQUEST", "--as", "dana", "--edit", "amount_usd=7712345"]],
    "review comment": [["REQUEST", "CANARY-NAME again", "--as", "dana"]],
    "review take-back": [["REQUEST", "--as", "dana"]],
    "review deny": [["REQUEST", "--as", "dana"]],
    "review answer": [["QUESTION", "--as", "dana", "--set", "name=CANARY-NAME"], ["QUESTION", "--as", "dana", "--value", "5"]],
    "worker": [["--until-idle"]],
    "config show": [[]],
    "login": [["--forget"]],
    "doctor": [[]],
    "shadow report": [[]],
    "backup": [["copy.db"]],
    "vacuum": [[]],
    "store check": [["sqlite:///../store.db"]],
    "store migrate": [["sqlite:///../store.db"]],
    "store move": [["sqlite:///../store.db", "sqlite:///../moved.db"], ["sqlite:///../moved.db", "sqlite:///../store.db"]],
    "restore": [["--release"]],
    "sessions erase": [["--older-than", "999d", "--why", "x", "--yes", "--as", "eve", "--insecure-local"]],
    "tokens create": [["--name", "eve", "--role", "auditor"]],
    "tokens list": [[]],
    "tokens link": [["eve"]],
    "tokens revoke": [["eve"]],
    "jobs list": [[]],
    "jobs show": [["JOB"], ["DEAD"]],
    "jobs retry": [["DEAD", "--as", "dana"]],
    "jobs discard": [["JOB", "--as", "dana"]],
    "replay": [
        ["DONE"], ["--all"], ["DONE", "--step", "1"], ["DONE", "--step", "1", "--bundle", "OTHER"],
        ["DONE", "--step", "1", "--stub", 'look={"score": 4, "name": "CANARY-NAME"}'], ["--all", "--bundle", "OTHER"],
        ["DONE", "--step", "1", "--planner", "table"], ["--all", "--planner", "table"],
    ],
    "whatif": [["--policy", "OTHER"], ["--policy", "OTHER", "--show", "most:allow->deny"],
               ["--policy", "OTHER", "--show", "unread_facts:allow->unknown"]],
    "diff": [[".", "OTHER"]],
    "promote": [["OTHER", "SMALL", "--without-proofs", "--format", "json", "--markdown", "MARKDOWN", "--json", "JSON"]],
    "prove": [[]],
    "explain": [["."], ["DONE"], ["DONE", "--for", "model"], ["DONE", "--for", "auditor"], ["SESSION", "--for", "auditor"]],
    "judge": [["--cases", "cases.jsonl"]],
    "chaos": [["one"]],
    "keys erase": [["bo", "--yes"]],
    "keys rewrap": [[]],
    "planners check": [[]],
    "tools import": [["--server", "none"]],
    "tools check": [[]],
    "schema": [[]],
    "completion": [["bash"]],
}  # fmt: skip

# what has to show that there is something, or it would be told of nothing
SHOWN = {
    "test", "run", "send", "confirm", "sessions show", "sessions events", "review list",
    "review show", "review approve", "review deny", "review answer", "jobs show", "replay", "whatif", "promote",
    "explain", "judge", "chaos",
}  # fmt: skip


def commands(group: Any, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that there is, by what is typed."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        whole = f"{path} {name}".strip()
        if isinstance(found, click.Group):
            yield from commands(found, whole)
        else:
            assert found is not None
            yield whole, found


ALL = dict(commands(cli))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    at = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **SECRETS, "ENGINE_PERSON_KEYS": f"{at}/people",
            "ENGINE_STORE": f"sqlite:///{at}/store.db", "COLUMNS": "400",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        for name in ("ENGINE_LOG_KEY", "ENGINE_LOG_KEY_FILE"):
            patch.delenv(name, raising=False)
        (at / "bundle").mkdir()
        patch.chdir(at / "bundle")
        yield Place(at)


def test_every_command_has_its_lines() -> None:
    # what is served is looked at by tests/web/test_sensitive.py
    assert set(LINES) | {"serve"} == set(ALL)


@pytest.mark.parametrize("name", list(LINES))
def test_nothing_that_is_marked_is_printed(place: Place, name: str) -> None:
    formats = next(
        (p.type.choices for p in ALL[name].params if isinstance(p.type, click.Choice) and p.name == "output_format"),
        [""],
    )
    told = ""
    for arguments in LINES[name]:
        given = ["--format"] if "--format" not in arguments else []
        for form in formats if given else [""]:
            said = place(*name.split(), *arguments, *(given and form and [*given, form]))
            for written in place.at.glob("report*"):
                said += written.read_text()
                written.unlink()
            for marked in (*MARKED, "sealed:1:"):
                assert marked not in said, (arguments, form, around(said, marked))
            assert not re.search(r"\[sensitive:[0-9a-f]", said), (arguments, form)
            told += said
    assert "Traceback" not in told
    if name in SHOWN:
        assert "[sensitive]" in told


def around(said: str, what: str) -> str:
    at = said.index(what)
    return said[max(0, at - 300) : at + 100]


def test_how_to_start_again_what_was_interrupted_is_told_without_what_is_marked(tmp_path: Path) -> None:
    slow = FILES["specs/tools/pay.yaml"].split("adapter:")[0]
    slow += f"adapter: {{kind: command, argv: [sh, -c, 'touch {tmp_path}/ran; exec sleep 60']}}\n"
    for name, text in (FILES | {"specs/tools/pay.yaml": slow}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    env = environment(tmp_path / "store.db") | SECRETS | {"ENGINE_PERSON_KEYS": f"{tmp_path}/people"}
    process = subprocess.Popen(
        command("run", "-m", "hi", *OPTIONS), cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    until((tmp_path / "ran").exists)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=600)
    assert "start again: engine run" in said
    assert "--set 'iban=[sensitive]'" in said
    assert not [marked for marked in MARKED if marked in said]
