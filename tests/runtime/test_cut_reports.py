"""What a tool says of its failure is cut, and no part of what must not be told is left by the cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.session.state.event import EventKind
from tests.cli.shell import Shell

CANARY = "CANARY-IBAN-0815"
SECRET = "a-secret-of-the-tests-" + "x" * 20
CODE = """
import os, sys

def raises(n):
    raise ValueError("y" * n + os.environ["CANARY"] + " tail")

def dies(n):
    sys.stderr.write("head " + os.environ["CANARY"] + "w" * n)
    sys.stderr.flush()
    os._exit(3)
"""
AGENT = """\
kind: Agent
name: bot
description: bot
planner: script
planners:
  script: {kind: scripted, decisions: [{message: '', tool_calls: [{id: a, name: TOOL, input: {n: LENGTH}}]}, {message: bye, done: true}]}
tools: [TOOL]
policies: [rules]
sealed_with: ${secret:SEAL_KEY}
attributes: {type: object, properties: {iban: {type: string, x-sensitive: true}}}
stop: [{outcome: answered, message: bye}]
"""
TOOL = """\
kind: Tool
name: NAME
description: NAME
effect: EFFECT
input: {type: object, required: [n], properties: {n: {type: integer}}}
output: {type: object}
adapter: ADAPTER
MORE
"""
RULES = """\
kind: Policy
name: rules
rules:
  - {id: open, tools: [leak], effect: allow}
"""
PYTHON = "{kind: python, file: specs/tools/code.py, function: %s}"
SAYS = "import sys; sys.stderr.write('head ' + sys.argv[2] + 'w' * int(sys.argv[1])); sys.exit(4)"
COMMAND = f'{{kind: command, argv: [python3, -c, "{SAYS}", "{{{{ input.n }}}}", "{{{{ session.iban }}}}"]}}'


def failed(shell: Shell, name: str, effect: str, adapter: str, length: int, canary: str) -> tuple[str, str]:
    """All that a session with one failing call leaves, and what its result says."""
    files = {
        "specs/agents/bot.yaml": AGENT.replace("TOOL", name).replace("LENGTH", str(length)),
        f"specs/tools/{name}.yaml": TOOL.replace("NAME", name)
        .replace("EFFECT", effect)
        .replace("ADAPTER", adapter)
        .replace("MORE", "idempotency: none" if effect == "write" else ""),
        "policies/rules.yaml": RULES,
        "specs/tools/code.py": CODE,
    }
    for path, text in files.items():
        (shell.at / path).parent.mkdir(parents=True, exist_ok=True)
        (shell.at / path).write_text(text)
    ran = shell("run", "-m", "hi", "--set", f"iban={CANARY}", "--format", "json", SEAL_KEY=SECRET, CANARY=canary)
    assert ran.code in (0, 3), ran.err
    (result, *_) = [one for one in ran.json if one["kind"] == EventKind.TOOL_RESULT]
    events = shell("sessions", "events", result["session_id"], "--format", "json", SEAL_KEY=SECRET)
    return ran.out + ran.err + events.out, str(result["message"])


def parts(text: str) -> set[str]:
    """The pieces of a text by which somebody would know it."""
    return {text[at : at + 8] for at in range(len(text) - 7)}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("effect", "adapter", "length", "canary"),
    [
        pytest.param("read", PYTHON % "raises", 977, CANARY, id="python-read"),
        pytest.param("read", PYTHON % "raises", 958, SECRET, id="python-read-secret"),
        pytest.param("write", PYTHON % "raises", 977, CANARY, id="python-write"),
        pytest.param("write", PYTHON % "raises", 958, SECRET, id="python-write-secret"),
        pytest.param("write", PYTHON % "dies", 489, CANARY, id="python-that-dies"),
        pytest.param("write", PYTHON % "dies", 471, SECRET, id="python-that-dies-secret"),
        pytest.param("read", COMMAND, 489, CANARY, id="command"),
    ],
)
def test_no_part_of_what_is_known_is_left_by_a_cut(
    shell: Shell, effect: str, adapter: str, length: int, canary: str
) -> None:
    left, message = failed(shell, "leak", effect, adapter, length, canary)
    assert len(message) > 400, message
    assert not [part for part in parts(canary) if part in left]
