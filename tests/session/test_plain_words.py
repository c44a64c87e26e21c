"""A tool in plain words."""

from __future__ import annotations

from engine.explain.tool_summary import sentences
from tests.bundle_texts import agent, bundle, policy, reviewers, tool

RULES = """
  - {id: open, tools: [write], effect: allow, when: input.n != null and input.n > params.least}
  - {id: any-note, tools: [note], effect: allow}
  - id: large
    tools: [write]
    effect: require_approval
    when: >-
      input.n != null
      and input.n > 9
    approvers: [leads, customer]
  - {id: shut, tools: [write], effect: deny, unless: session.tenant == 'acme'}
  - {id: own, tools: [look], effect: deny, release_unless: output != null}
  - {id: theirs, tools: [look], effect: deny, when: session.tenant == 'acme', release_unless: output != null}
  - {id: others, tools: [look], effect: deny, unless: session.tenant == 'acme', release_unless: output != null}
"""
LIMITS = "{write: 2, free: 1, other: unlimited}"
MADE = bundle(
    agent("[write, note, look, idle, free]", policies="[rules]", budgets=f"{{calls_per_tool: {LIMITS}}}"),
    policy(RULES, params="{least: 1}"),
    reviewers("leads", "[dana]"),
    *(tool(name, "write") for name in ("write", "note", "idle")),
    tool("look"),
    tool("free"),
)


def told(name: str) -> list[str]:
    return sentences(MADE.tools[name], MADE.agents["bot"])


def test_a_write_tells_when_it_may_run_when_it_asks_and_when_it_never_runs() -> None:
    place = "policies/rules.yaml"
    assert told("write") == [
        f"it may run when input.n != null and input.n > 1 (params.least) (open, {place}:7)",
        "in every other case it never runs",
        f"it asks the customer or leads when input.n != null and input.n > 9 (large, {place}:9)",
        f"it never runs unless session.tenant == 'acme' (shut, {place}:16)",
        "it runs 2 times in a session at the most",
    ]


def test_what_is_allowed_in_any_case_has_no_other_case() -> None:
    assert told("note") == ["it may run in any case (any-note, policies/rules.yaml:8)"]


def test_a_write_that_no_rule_allows_never_runs() -> None:
    assert told("idle") == ["it never runs: no rule allows it"]


def test_a_read_runs_and_its_result_may_be_kept() -> None:
    assert told("look") == [
        "it runs whenever it is proposed, unless a rule below says otherwise",
        "its result is kept from the planner unless output != null (own, policies/rules.yaml:17)",
        "its result is kept from the planner when session.tenant == 'acme', unless output != null"
        " (theirs, policies/rules.yaml:18)",
        "its result is kept from the planner unless session.tenant == 'acme', unless output != null"
        " (others, policies/rules.yaml:19)",
    ]


def test_what_no_rule_is_about_runs_whenever_it_is_proposed() -> None:
    assert told("free") == ["it runs whenever it is proposed", "it runs once in a session at the most"]
