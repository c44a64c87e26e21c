"""Fixtures: what they name has to exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e302_tool,
    e308_outcome,
    e309_agent,
    e310_planner,
    e311_database,
    e315_rule,
    w622_stub_misfit,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.node import Node
from engine.session.state.state import Status
from engine.spec.bundle import Agent, Tool


def check_fixture(documents: DocumentSet, document: Document, agents: Mapping[str, Agent]) -> None:
    """Say what a fixture names that does not exist, and what of it says nothing."""
    node = document.node
    name = node.at("agent")
    if not documents.has("Agent", name.value):
        documents.say(e309_agent.at(name.place, str(name.value), documents.of("Agent")))
    agent = agents.get(str(name.value))
    planner = node.get("planner")
    if agent is not None and planner is not None and planner.value not in agent.planners:
        documents.say(e310_planner.at(planner.place, str(planner.value), agent.planners))
    outcome = node.at("expect").get("outcome")
    if agent is not None and outcome is not None:
        known = {rule.outcome for rule in agent.stop} | {status.value for status in Status}
        if outcome.value not in known:
            documents.say(e308_outcome.at(outcome.place, str(outcome.value), {rule.outcome for rule in agent.stop}))
    _check_form(documents, node, agent)
    cassette = node.get("cassette")
    if cassette is not None:
        documents.take_folder(cassette, "*.json")
    _check_live(documents, node, agent)
    for tool in _tools(node):
        if not documents.has("Tool", tool.value):
            documents.say(e302_tool.at(tool.place, str(tool.value), documents.of("Tool")))
    for database in _databases(node):
        if not documents.has("Database", database.value):
            documents.say(e311_database.at(database.place, str(database.value), documents.of("Database")))


def _check_live(documents: DocumentSet, node: Node, agent: Agent | None) -> None:
    """What acts for real has to be there, and can't be stubbed as well."""
    live, stubs = node.get("live"), node.get("stubs")
    models = [name for name, planner in agent.planners.items() if planner.model is not None] if agent else []
    for name in (live.items or ()) if live is not None else ():
        if not documents.has("Tool", name.value) and name.value not in models and agent is not None:
            documents.say(e302_tool.at(name.place, str(name.value), [*documents.of("Tool"), *models]))
        if stubs is not None and stubs.get(str(name.value)) is not None:
            documents.say(e206_constraint.at(name, "live", f"holds `{name.value}`, which is stubbed: it is either"))


def check_stubs(documents: DocumentSet, document: Document, tools: Mapping[str, Tool]) -> None:
    """What a stub gives is held against the tool's schema, as what the tool gives is."""
    stubs = document.node.get("stubs")
    for name, _, stub in stubs.pairs() if stubs is not None else ():
        calls = stub.get("calls")
        for one in (stub, *((calls.items or ()) if calls is not None else ())):
            output = one.get("output")
            problems = tools[name].check_output(output.plain) if output is not None and name in tools else []
            if output is not None and problems:
                documents.say(w622_stub_misfit.at(output.place, name, problems[0]))


def _says_nothing(name: str, value: Any) -> bool:
    """Whether an expectation holds whatever comes: of open requests an empty list says that there are none."""
    if name in ("message_contains", "events"):
        return not any(value)
    return value is None or (value == [] and name != "requests")


def _is_moment(text: str) -> bool:
    """Whether what has the form of a moment is one."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _check_form(documents: DocumentSet, node: Node, agent: Agent | None) -> None:
    """What the schema can't say: one thing happens at a time, something is expected, the session can start."""
    then, expect, attributes = node.get("then"), node.at("expect"), node.get("attributes")
    now = node.get("now")
    if now is not None and now.value is not None and not _is_moment(str(now.value)):
        documents.say(e206_constraint.at(now, "now", "is no moment that there is, such as 2026-01-31T09:00:00Z"))
    for item in (then.items or ()) if then is not None else ():
        if len(item.entries or ()) != 1:
            documents.say(
                e206_constraint.at(item, "then", "is a list of one thing each: put each under a `-` of its own")
            )
    if not expect.entries:
        documents.say(e206_constraint.at(node.key("expect") or expect, "expect", "must say what comes out"))
    elif all(_says_nothing(name, value.plain) for name, _, value in expect.pairs()):
        told = "must say what comes out: this holds whatever does"
        documents.say(e206_constraint.on_entry(node.key("expect") or expect, "expect", told))
    if agent is not None and "refused" not in str(then.plain if then is not None else ""):
        problems = agent.check_attributes(node.plain.get("attributes", {}))
        if problems:
            place = attributes if attributes is not None else node.at("agent")
            documents.say(e206_constraint.at(place, "attributes", f"must fit agent `{agent.name}`: {problems[0]}"))
    rules = {
        str(rule.plain.get("id"))
        for policy in documents.well_formed("Policy")
        for rule in policy.node.at("rules").items or ()
    }
    # a rule may stand in a policy that is at fault itself: one cause, one diagnostic
    all_read = not documents.lost and all(policy.well_formed for policy in documents.of("Policy").values())
    for item in expect.at("calls").items or () if expect.get("calls") is not None else ():
        rule = item.get("rule")
        if all_read and rule is not None and rule.value is not None and str(rule.value) not in rules:
            documents.say(e315_rule.at(rule.place, str(rule.value), rules))


def _tools(node: Node) -> Iterator[Node]:
    stubs = node.get("stubs")
    yield from (key for _, key, _ in stubs.pairs()) if stubs is not None else ()
    expect = node.at("expect")
    for key in ("calls", "ran"):
        yield from (item.at("tool") for item in expect.at(key).items or () if expect.get(key) is not None)
    never = expect.get("never_ran")
    yield from (never.items or ()) if never is not None else ()


def _databases(node: Node) -> Iterator[Node]:
    setup, then, rows = node.get("setup"), node.get("then"), node.at("expect").get("rows")
    yield from (item.at("database") for item in (setup.items or ()) if setup is not None) if setup else ()
    yield from (item.at("sql", "database") for item in (then.items or ()) if item.get("sql")) if then else ()
    yield from (item.at("database") for item in (rows.items or ())) if rows else ()
