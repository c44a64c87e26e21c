"""Small bundles that need something of where they run: secrets, extras, programs."""

from __future__ import annotations

from pathlib import Path

from tests.bundle_texts import ALLOW, CODE, agent, policy, tool

Document = tuple[str, str]

KEY = "NOT_THERE"
KEYED = "idempotency: {key: [input.n], honoured_by: tool}\n"
SCRIPT = "{kind: scripted, decisions: [{message: hi, done: true}]}"
MODEL = "{kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1', api_key: '${secret:NOT_THERE}'}"
PEER = ("specs/servers/peer.yaml", "kind: Server\nname: peer\ncommand: ['true']\n")
OF_PEER = tool("look", more="adapter: {kind: mcp, server: peer, tool: look}")
LISTED = "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"


def asking(secret: str = KEY, *, method: str = "GET", url: str = "http://127.0.0.1:9/x") -> str:
    """The adapter of a tool that sends a secret in a header."""
    headers = f"{{X-Key: '${{secret:{secret}}}'}}"
    return f"adapter: {{kind: http, method: {method}, url: '{url}', allow_private: true, headers: {headers}}}"


def acting(made: Document, name: str) -> Document:
    """The agent with a planner that calls one tool, and is done."""
    plan = f"[{{message: act, tool_calls: [{{id: a, name: {name}, input: {{n: 1}}}}]}}, {{message: bye, done: true}}]"
    return made[0], made[1].replace("[{message: hi, done: true}]", plan)


def planned(made: Document, planners: str, planner: str) -> Document:
    """The agent with other planners."""
    path, text = made
    assert LISTED in text
    return path, text.replace(LISTED, f"planners: {planners}\n").replace("planner: script\n", f"planner: {planner}\n")


def sealed(made: Document) -> Document:
    """The agent with a key for sensitive values."""
    return made[0], made[1].replace("bot\n", f"bot\nsealed_with: ${{secret:{KEY}}}\n", 1)


PIN = "{type: object, properties: {n: {type: integer, x-sensitive: true}}, additionalProperties: false}"

# the secret NOT_THERE is needed by all of them, each for something else
CASES: dict[str, tuple[Document, ...]] = {
    "a read": (acting(agent("[look]"), "look"), tool("look", more=asking())),
    "a write": (
        acting(agent("[act]", policies="[rules]"), "act"), policy(ALLOW),
        tool("act", "write", more=KEYED + asking(method="POST")),
    ),
    "a write without a key": (
        acting(agent("[act]", policies="[rules]"), "act"), policy(ALLOW),
        tool("act", "write", more=asking(method="POST")),
    ),
    "a tool that is not called": (agent("[look]"), tool("look", more=asking())),
    "a query": (
        agent("[look]"),
        tool("look", more="adapter: {kind: http, url: 'http://127.0.0.1:9/x', allow_private: true, "
                          "query: {key: '${secret:NOT_THERE}'}}"),
    ),
    "a body": (
        agent("[act]", policies="[rules]"), policy(ALLOW),
        tool("act", "write", more="adapter: {kind: http, method: POST, url: 'http://127.0.0.1:9/x', "
                                  "allow_private: true, body: {in: [{key: '${secret:NOT_THERE}'}]}}"),
    ),
    "a program": (
        agent("[look]"),
        tool("look", more="adapter: {kind: command, argv: ['true'], environment: {K: '${secret:NOT_THERE}'}}"),
    ),
    "a fact": (
        acting(agent("[act]", policies="[rules]"), "act"),
        policy("  - {id: own, tools: [act], effect: allow, when: f != null}", facts="{f: {tool: look}}"),
        tool("act", "write", more=KEYED), tool("look", more=f"{asking()}\noffered_to: runtime"),
    ),
    "a probe": (
        agent("[act]", policies="[rules]"), policy(ALLOW),
        tool("act", "write", more="probe: {tool: look, input: {n: input.n}, happened: output != null}"),
        tool("look", more=f"{asking()}\noffered_to: runtime"),
    ),
    "a planner": (planned(agent("[]"), f"{{model: {MODEL}}}", "model"),),
    "a planner that stands in": (planned(agent("[]"), f"{{first: {SCRIPT}, model: {MODEL}}}", "[first, model]"),),
    "a planner that another stands in for": (
        planned(agent("[]"), f"{{last: {SCRIPT}, model: {MODEL}}}", "[model, last]"),
    ),
    "a server": (
        agent("[look]"), OF_PEER, (PEER[0], f"{PEER[1]}environment: {{K: '${{secret:NOT_THERE}}'}}\n"),
    ),
    "a seal": (sealed(acting(agent("[look]"), "look")), tool("look", input=PIN)),
}  # fmt: skip


def lay(at: Path, *documents: Document) -> None:
    """Write a bundle's files."""
    for path, text in (("specs/tools/code.py", CODE), *documents):
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_text(text)
