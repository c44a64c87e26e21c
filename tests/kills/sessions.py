"""The sessions that are killed: parallel reads, a flaky one, and writes with and without keys."""

from __future__ import annotations

from pathlib import Path

from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool

FOLDER = "{type: object, properties: {at: {type: string}, n: {type: integer}}, required: [at, n]}"
DONE = "{type: object, properties: {did: {type: string}}, required: [did]}"

# every invocation is a line in a file of the session's own, fsynced, before anything else is done
CODE = """
import os, time


def _note(at, line):
    with open(os.path.join(at, "effects"), "a") as file:
        file.write(line + "\\n")
        file.flush()
        os.fsync(file.fileno())


def look(at, n):
    _note(at, f"look {n}")
    time.sleep(0.02)
    return {"did": f"look {n}"}


def flaky(at, n):
    _note(at, f"flaky {n}")
    with open(os.path.join(at, "effects")) as file:
        if file.read().count("flaky") % 2:
            raise RuntimeError("try again")
    return {"did": f"flaky {n}"}


def keyed(at, n, idempotency_key):
    _note(at, f"keyed {n}")
    try:
        # the tool keeps its keys itself: the second time it has nothing to do
        os.close(os.open(os.path.join(at, f"applied-{n}"), os.O_CREAT | os.O_EXCL))
        _note(at, f"applied {n}")
    except FileExistsError:
        pass
    time.sleep(0.02)
    return {"did": f"keyed {n}"}


def job(at, n, idempotency_key):
    _note(at, f"job {n}")
    try:
        os.close(os.open(os.path.join(at, f"job-applied-{n}"), os.O_CREAT | os.O_EXCL))
        _note(at, f"job-applied {n}")
    except FileExistsError:
        pass
    time.sleep(0.02)
    return {"did": f"job {n}"}


def once(at, n):
    _note(at, f"once {n}")
    time.sleep(0.02)
    return {"did": f"once {n}"}


def plain(at, n):
    _note(at, f"plain {n}")
    time.sleep(0.02)
    return {"did": f"plain {n}"}
"""

RETRY = "retry: {attempts: 9, on: [error, retryable], delay: 20ms, max_delay: 40ms}\n"


def made(rules: str = ALLOW, *more: tuple[str, str]) -> Bundle:
    """The bundle; its planner is a script of four steps, the last of which hands a job over."""

    def act(name: str) -> str:
        return f"adapter: {{kind: python, file: specs/tools/act.py, function: {name}}}\n"

    def key(by: str) -> str:
        return f"idempotency: {{key: [input.at, input.n], honoured_by: {by}}}\n"

    def calls(*named: str) -> str:
        return ", ".join(f"{{name: {name}, input: {{at: session.tenant, n: {n}}}}}" for n, name in enumerate(named, 1))

    path, text = agent("[look, flaky, keyed, once, plain, job]", policies="[rules]", budgets="{retries_per_call: 9}")
    rows = f"""
  steps:
    kind: rules
    rows:
      - {{when: step.number == 1, message: look, tool_calls: [{calls("look", "look", "flaky")}]}}
      - {{when: step.number == 2, message: act, tool_calls: [{calls("keyed", "once")}]}}
      - {{when: step.number == 3, message: act, tool_calls: [{calls("plain", "keyed")}]}}
      - {{when: step.number == 4, message: hand over, tool_calls: [{calls("job")}]}}
      - {{message: bye, done: true}}
"""
    script = "\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
    return bundle(
        (path, text.replace("planner: script\n", "planner: steps\n").replace(script, rows)),
        policy(rules),
        *more,
        ("specs/tools/act.py", CODE),
        tool("look", input=FOLDER, output=DONE, more=act("look")),
        tool("flaky", input=FOLDER, output=DONE, more=act("flaky") + RETRY),
        tool("keyed", "write", input=FOLDER, output=DONE, more=act("keyed") + key("tool")),
        tool("once", "write", input=FOLDER, output=DONE, more=act("once") + key("engine")),
        tool("plain", "write", input=FOLDER, output=DONE, more=act("plain") + "idempotency: none\n"),
        tool("job", "write", input=FOLDER, output=DONE, more="mode: job\n" + act("job") + key("tool")),
    )


def effects(at: Path) -> list[str]:
    """What the tools of a session did, a line for each invocation; a line that was cut off counts."""
    file = at / "effects"
    return file.read_text().splitlines() if file.exists() else []
