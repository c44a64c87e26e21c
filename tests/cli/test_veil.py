"""Whatever command tells of a session whose values are sealed: of what is sensitive it shows `[sensitive]`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from engine.cli.main import cli
from tests.cli.shell import Shell

KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
MARKED = "{type: string, x-sensitive: true}"
FILES = {
    "specs/agents/bot.yaml": """\
kind: Agent
name: bot
description: bot
planner: table
sealed_with: ${secret:SEAL_KEY}
planners:
  table:
    kind: rules
    rows:
      - when: len(results.pay) == 0
        message: "pay {{ session.iban }}"
        tool_calls: [{name: pay, input: {iban: session.iban, amount_usd: session.amount, tags: session.tags}}]
      - {message: "bye {{ session.iban }}", done: true}
tools: [pay]
policies: [rules]
attributes:
  type: object
  required: [iban, amount, tags, vip]
  properties:
    iban: {type: string, x-sensitive: true}
    amount: {type: integer, x-sensitive: true}
    vip: {type: boolean, x-sensitive: true}
    tags: {type: array, items: {type: string, x-sensitive: true}}
stop: [{outcome: answered, message: "done for {{ session.iban }}"}]
""",
    "specs/tools/pay.yaml": f"""\
kind: Tool
name: pay
description: pay
effect: write
trust: trusted
input:
  type: object
  required: [iban, amount_usd, tags]
  properties:
    iban: {MARKED}
    amount_usd: {{type: integer, x-sensitive: true}}
    tags: {{type: array, items: {MARKED}}}
output:
  type: object
  properties: {{receipt: {MARKED}, balance: {{type: integer, x-sensitive: true}}, paid: {{type: boolean, x-sensitive: true}}}}
summary: [receipt, balance]
idempotency: {{key: [input.iban, input.amount_usd], honoured_by: tool}}
adapter: {{kind: python, file: specs/tools/pay.py, function: pay}}
""",
    "specs/tools/look.yaml": f"""\
kind: Tool
name: look
description: look
effect: read
offered_to: runtime
input: {{type: object, required: [iban], properties: {{iban: {MARKED}}}}}
output: {{type: object, required: [score, name], properties: {{score: {{type: integer, x-sensitive: true}}, name: {MARKED}}}}}
adapter: {{kind: python, file: specs/tools/look.py, function: look}}
""",
    "specs/tools/look.py": 'def look(iban):\n    return {"score": 771234, "name": "CANARY-name"}\n',
    "specs/tools/pay.py": 'def pay(**given):\n    return {"receipt": "CANARY-rcpt", "balance": 6677881, "paid": True}\n',
    "specs/reviewers/leads.yaml": "kind: Reviewers\nname: leads\nmembers: [dana]\n",
    "policies/rules.yaml": """\
kind: Policy
name: rules
params: {most: 1000000}
facts:
  rules: {tool: look, input: {iban: input.iban}}
  people: {tool: look, input: {iban: tag}, for_each: {tag: input.tags}}
rules:
  - {id: ok, tools: [pay], effect: allow, when: rules.score > 5 and session.iban == input.iban and len(people) > 0}
  - {id: ask, tools: [pay], effect: require_approval, approvers: [leads], when: input.amount_usd > params.most, message: "pay {{ input.amount_usd }} of {{ rules.name }}, vip {{ session.vip }}?"}
  - {id: tag, tools: [pay], effect: deny, when: "'x' in input.tags"}
""",
    "fixtures/one.yaml": """\
kind: Fixture
name: one
agent: bot
message: "hi"
attributes: {iban: CANARY-fix, amount: 3332221, vip: true, tags: [CANARY-tag]}
then: [{approve: {by: dana}}]
expect:
  state: failed
  message_contains: [zzz]
  calls: [{tool: pay, status: ok, output: {receipt: other, paid: false}}]
""",
    "cases.jsonl": (
        '{"session": {"iban": "CANARY-case", "amount": 1, "vip": true, "tags": ["CANARY-tag"]}, "tool": "pay", '
        '"args": {"iban": "CANARY-case", "amount_usd": 1997755, "tags": ["CANARY-tag"]}}\n'
    ),
}
# in what order of digits and letters they stand
VALUES = ("CANARY", "771234", "1997755", "6677881", "3332221", "vip true", '"paid": true', "sealed:1:")

# what reads no session, or tells nothing but names of one
OTHERS = frozenset({"confirm", "deploy", "jobs discard", "jobs retry", "jobs show", "sessions heads", "sessions seal"})


def stores() -> Iterator[str]:
    """The commands that open a store."""

    def inner(group: click.Group, name: str) -> Iterator[str]:
        for key in group.list_commands(click.Context(group)):
            one = group.get_command(click.Context(group), key)
            if isinstance(one, click.Group):
                yield from inner(one, f"{name}{key} ")
            elif one is not None and any(param.name == "store_url" for param in one.params):
                yield f"{name}{key}"

    yield from inner(cli, "")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All that each command says of a sealed session."""
    at = tmp_path_factory.mktemp("sealed")
    for bundle, most in (("own", "1000000"), ("new", "3000000")):
        for name, text in FILES.items():
            file = at / bundle / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("most: 1000000", f"most: {most}").replace("'x'", f"'x{bundle}'"))
    shell, said = Shell(at / "own"), dict[str, str]()

    def run(*arguments: str) -> str:
        done = shell(*arguments, **KEY)
        # what was asked for is no news to who asks
        said[" ".join(arguments)] = done.out + done.err
        return done.out + done.err

    given = (
        "--set",
        "iban=CANARY-iban",
        "--set",
        "amount=1997755",
        "--set",
        "vip=true",
        "--set",
        'tags=["CANARY-tag"]',
    )
    session = re.findall(r"ses_[0-9a-f]{16}", run("run", "-m", "hi", *given))[0]
    waiting = re.findall(r"ses_[0-9a-f]{16}", run("run", "-m", "hi", *given, "--format", "json"))[0]
    for arguments in (
        ("review", "list"), ("review", "list", "--format", "json"), ("review", "show", f"{session}.1"),
        ("review", "deny", f"{waiting}.1", "--as", "dana"), ("review", "approve", f"{session}.1", "--as", "dana"),
        ("review", "answer", f"{session}.1", "--as", "dana", "--value", "{}"),
        ("send", session, "-m", "more"), ("resume", session), ("cancel", waiting),
        ("sessions", "list"), ("sessions", "stats"), ("sessions", "show", session), ("sessions", "events", session),
        ("sessions", "events", session, "--format", "json"), ("sessions", "verify"), ("jobs", "list"), ("worker", "--until-idle"),
        ("explain", session), ("explain", session, "--for", "auditor", "--format", "json"),
        ("explain", session, "--for", "model"), ("replay", session), ("replay", session, "--step", "1"),
        ("replay", session, "--step", "1", "--format", "json"), ("replay", session, "--bundle", "../new"),
        ("replay", session, "--bundle", "../new", "--format", "json"),
        ("whatif", "--policy", "../new", "--format", "json"),
        ("whatif", "--policy", "../new", "--show", "ask:approval->allow"),
        ("promote", ".", "../new", "--without-proofs", "--markdown", "r.md", "--json", "r.json"),
        ("test",), ("test", "--format", "junit"), ("test", "--format", "json"), ("test", "--format", "github"),
        ("test", "--coverage", "--sessions"), ("chaos", "one"), ("judge", "--cases", "cases.jsonl"),
    ):  # fmt: skip
        run(*arguments)
    for file in ("r.md", "r.json"):
        said[file] = (at / "own" / file).read_text()
    # which reads are missing is what who judges asks for, with what the case gives
    judged = next(name for name in said if name.startswith("judge"))
    said[judged] = re.sub(r'"needs": \[.*?\]', "", said[judged])
    return said


def test_no_command_shows_what_is_sensitive(told: dict[str, str]) -> None:
    found = {
        command: [text[max(text.index(value) - 60, 0) :][:120] for value in VALUES if value in text]
        for command, text in told.items()
    }
    assert {command: some for command, some in found.items() if some} == {}
    for command in ("replay", "whatif", "explain", "review show", "sessions show", "test"):
        assert any("[sensitive]" in text for name, text in told.items() if name.startswith(command)), command


def test_every_command_that_opens_a_store_is_among_them(told: dict[str, str]) -> None:
    tried = {name for name in stores() if any(command == name or command.startswith(f"{name} ") for command in told)}
    assert set(stores()) - tried <= OTHERS
