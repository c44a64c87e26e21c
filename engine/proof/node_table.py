"""What encodes each kind of node of an expression, and the encoder that goes by it."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.policy.rule import PolicyRules
from engine.proof import calls, loops, name_terms
from engine.proof.encode import OPERATIONS, Encoder, Nodes
from engine.proof.operations import Read
from engine.proof.term import Term
from engine.proof.terms import SymbolTable
from engine.spec.bundle import Agent, Bundle, Tool


def _call(of: Encoder, node: ast.Call) -> Read:
    return Read(*calls.encode(of, node))


NODES: Nodes = {
    **OPERATIONS,
    ast.Name: name_terms.name,
    ast.List: loops.listing,
    ast.Tuple: loops.listing,
    ast.ListComp: loops.loop,
    ast.GeneratorExp: loops.loop,
    ast.Call: _call,
}


def encoder(
    world: SymbolTable,
    bundle: Bundle,
    agent: Agent,
    tool: Tool,
    policy: PolicyRules,
    more: Mapping[str, Term] | None = None,
    input_name: str = "input",
) -> Encoder:
    """An encoder of a policy's expressions as they are typed for a tool of an agent; `more` are further names."""
    return Encoder(NODES, world, bundle, agent, tool, policy, more, input_name)
