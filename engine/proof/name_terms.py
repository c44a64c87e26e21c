"""What names stand for in formulas: the call, the session, the time, facts and the other words of a policy."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import partial
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language import types
from engine.language.expression import Expression
from engine.language.schema_types import of_schema
from engine.policy.rule import Fact, PolicyRules
from engine.proof import calls
from engine.proof.encode import Encoder
from engine.proof.forms import spelt_out
from engine.proof.inline_words import established_name, session_reading
from engine.proof.operations import Read, elements
from engine.proof.term import LIST, NO, NULL, RECORD, YES, ListItem, Term, both, either, no
from engine.proof.terms import choose
from engine.spec.bundle import Tool


def name(of: Encoder, node: ast.Name) -> Read:
    """A word: of a loop, of what the gate knows of a call, or of a word of the policy."""
    word, policy, world = node.id, of.policy, of.world
    if word in of.bound:
        return Read(of.bound[word])
    if word in of.more:
        return Read(of.more[word])
    if word == "params":
        return Read(world.constant(policy.params))
    if word == "input":
        return Read(world.symbol(of.input_name, of.type(node), spelt_out(of.tool.input_schema)))
    if word == "session":
        session = world.symbol(of.session_name, of.type(node), _schema(of, "session", of.agent.attributes))
        return Read(session, z3.Bool(unreadable_session(policy)) if policy.session else NO)
    if word == "now" and policy.time.now is not None:
        return _told_time(of, policy.time.now, of.type(node))
    if word == "call":
        return Read(Term(RECORD, fields=partial(_call, of)))
    if word in policy.facts:
        return _fact(of, policy.facts[word], of.type(node))
    if word in policy.lets:
        return of.let(word)
    if word in policy.established:
        return Read(
            world.symbol(established_name(policy, word), types.union((policy.established[word].type, types.NULL)))
        )
    return Read(world.symbol(word, of.type(node)))


def _told_time(of: Encoder, says: Expression, type_: types.Type) -> Read:
    """The time that the session was started with, and the log's own where it was started with none."""
    told = of.within(says, {})
    own = of.world.symbol("now", type_)
    if told.value.kind == NULL:
        return Read(own, told.error)
    moment, wrong = calls.moment_of(of, told.value)
    error = either(told.error, both(no(told.value.null), wrong))
    return Read(choose(told.value.null, own, replace(moment, null=NO)), error)


def _schema(of: Encoder, whose: str, schema: Any) -> dict[str, Any]:
    """What a schema says; nothing where another bundle in this world says something else."""
    return {} if whose in of.world.differing else spelt_out(schema)


def _call(of: Encoder, name: str) -> Term:
    if name == "name":
        return of.world.constant(of.tool.name)
    return of.world.symbol(f"call.{name}", types.DATETIME if name == "proposed_at" else types.TEXT)


def _fact(of: Encoder, fact: Fact, type_: types.Type) -> Read:
    name = of.fact_name(fact)
    tool = of.bundle.tools.get(fact.tool)
    schema = tool.output_schema if tool is not None and not fact.for_each else None
    declared, schema = of_schema(schema) if schema is not None else type_, _schema(of, fact.tool, schema)
    if fact.for_each and of.world.longest is not None:
        return _facts(of, fact, name, tool)
    if not fact.for_each and name not in of.world.symbols:
        # what it is asked with is part of what a witness tells
        for asked in fact.input.values():
            of.within(asked, {})
    return Read(of.world.symbol(name, declared, schema), z3.Bool(f"{name} can't be read"))


def _facts(of: Encoder, fact: Fact, name: str, tool: Tool | None) -> Read:
    """One read for each combination of the variables, each with its record."""
    schema = tool.output_schema if tool is not None else None
    type_ = of_schema(schema) if schema is not None else types.UNKNOWN
    items: list[ListItem] = []
    errors: list[Any] = [z3.Bool(f"{name} can't be read")]

    def go(left: list[tuple[str, Expression]], there: Any, variables: dict[str, Term]) -> None:
        if not left:
            result = f"{name}[{len(items)}].{fact.result}"
            output = of.world.symbol(result, type_, _schema(of, fact.tool, schema))
            known = {**variables, fact.result: output}
            items.append(ListItem(there, Term(RECORD, fields=known.__getitem__)))
            return
        variable, source = left[0]
        found = of.within(source, variables)
        errors.append(both(there, either(found.error, found.value.null)))
        for item in elements(found.value):
            go(left[1:], both(there, item.there), {**variables, variable: item.value})

    go(list(fact.for_each), YES, {})
    length = z3.Sum([z3.If(item.there, 1, 0) for item in items]) if items else z3.IntVal(0)
    # reads of the same are one: more elements than reads need not be too many
    errors.append(both(length > fact.at_most, z3.Bool(f"{name} takes too many reads")))
    return Read(Term(LIST, items=tuple(items), length=length, loose=True), either(*errors))


def unreadable_session(policy: PolicyRules) -> str:
    """What it is known by that the session's attributes are not what a vocabulary says they are."""
    return f"session can't be read as {session_reading(policy)}"
