"""A bundle with 200 tools and 1,000 rules, for what its size costs."""

from __future__ import annotations

from pathlib import Path

TOOLS, POLICIES, RULES = 200, 20, 50


def write(root: Path) -> None:
    """Write it into an empty directory."""
    for name in ("specs/tools", "specs/agents", "specs/reviewers", "policies"):
        (root / name).mkdir(parents=True)
    (root / "specs/tools/code.py").write_text("def act(**given):\n    return {}\n", "utf-8")
    (root / "specs/reviewers/people.yaml").write_text("kind: Reviewers\nname: people\nmembers: [dana]\n", "utf-8")
    for number in range(TOOLS):
        (root / f"specs/tools/tool_{number:03d}.yaml").write_text(_tool(number), "utf-8")
    for number in range(POLICIES):
        (root / f"policies/p{number}.yaml").write_text(_policy(number), "utf-8")
    (root / "specs/agents/bot.yaml").write_text(_agent(), "utf-8")


def _tool(number: int) -> str:
    write = number % 2
    return f"""\
kind: Tool
name: tool_{number:03d}
description: Tool number {number}.
effect: {"write" if write else "read"}
input:
  type: object
  properties:
    account_id: {{type: string, minLength: 1}}
    amount_usd: {{type: number, minimum: 0}}
    reason: {{type: string, enum: [a, b, c]}}
  required: [account_id, amount_usd]
  additionalProperties: false
output: {{type: object, properties: {{ok: {{type: boolean}}, owner: {{type: string}}}}, required: [ok, owner]}}
adapter: {{kind: python, file: specs/tools/code.py, function: act}}
{"idempotency: none" if write else ""}
"""


def _policy(number: int) -> str:
    head = f"""\
kind: Policy
name: p{number}
params: {{most: {100 + number}}}
facts:
  account: {{tool: tool_{2 * number:03d}, input: {{account_id: input.account_id, amount_usd: 1}}}}
let:
  own: account.owner == session.tenant
rules:
"""
    return head + "".join(_rule(number, at) for at in range(RULES))


def _rule(policy: int, at: int) -> str:
    tool = policy * 10 + at % 10
    effect = ("allow", "deny", "require_approval")[at % 3]
    asks = ", approvers: [people]" if effect == "require_approval" else ""
    when = f"input.amount_usd > params.most + {at} and own and (input.reason == 'a' or call.name == 'tool_{tool:03d}')"
    tools = f"[tool_{tool:03d}, tool_{(tool + 1) % TOOLS:03d}]"
    return f'  - {{id: r{policy * RULES + at}, tools: {tools}, effect: {effect}{asks}, when: "{when}"}}\n'


def _agent() -> str:
    tools = ", ".join(f"tool_{number:03d}" for number in range(TOOLS))
    policies = ", ".join(f"p{number}" for number in range(POLICIES))
    return f"""\
kind: Agent
name: bot
description: Has everything.
planner: script
planners:
  script: {{kind: scripted, decisions: [{{message: hi, done: true}}]}}
tools: [{tools}]
policies: [{policies}]
attributes: {{type: object, properties: {{tenant: {{type: string}}}}, required: [tenant]}}
stop:
  - {{outcome: answered, message: "{{{{ decision.message }}}}"}}
"""
