"""The planner for a kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import trio

from engine.extras import unusable
from engine.planner.rules import RulesPlanner
from engine.planner.script import ScriptedPlanner
from engine.ports.external_work import outside
from engine.ports.planner import Planner, PlannerError
from engine.ports.resources import Connections, Secrets, in_header
from engine.spec.bundle import Agent, Bundle, ModelSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.planner.model import Wire
    from engine.planner.transport import Traffic


@dataclass(frozen=True, slots=True)
class PlannerResources:
    """What planners reach models with; `traffic` None is the servers themselves."""

    secrets: Secrets
    connections: Connections
    dice: Callable[[], Decimal]
    traffic: Traffic | None = None


def planner_for(agent: Agent, name: str, bundle: Bundle, reach: PlannerResources) -> Planner:
    """The planner of an agent that has this name."""
    spec = agent.planners[name]
    if spec.model is None:
        return RulesPlanner(spec) if spec.kind == "rules" else ScriptedPlanner(spec)
    # models need libraries that nothing else does
    from engine.planner.model import ModelPlanner

    wire = partial(wire_for, spec.kind, spec.model, reach)
    hide = getattr(reach.traffic, "hide", None) if agent.seal is not None else None
    played = reach.traffic is not None and reach.traffic.offline
    return ModelPlanner(name, spec.model, agent, bundle, wire, reach.dice, reach.secrets.masked, hide, played=played)


async def wire_for(kind: str, spec: ModelSpec, reach: PlannerResources) -> Wire:
    """The wire of a model's server, kept open for all its questions; raises EnvironmentFault, PlannerError."""
    key = f"{kind}:{spec!r}"
    return await reach.connections.hold(key, lambda: _opened(kind, spec, reach))


@asynccontextmanager
async def _opened(kind: str, spec: ModelSpec, reach: PlannerResources) -> AsyncIterator[Wire]:
    with outside():
        make = await trio.to_thread.run_sync(_maker, kind)
    import httpx2

    from engine.planner.transport import Network
    from engine.spec.secret_refs import filled

    traffic = reach.traffic or Network()

    def reveal(text: str) -> str:
        found = "replayed" if traffic.offline else filled(text, in_header(reach.secrets.reveal))
        if not found.isascii() or found != found.strip() or any(ord(char) < 32 for char in found):
            raise PlannerError(f"`{text}` can't be sent in a header", final=True)
        return found

    with outside():
        transport = await trio.to_thread.run_sync(traffic.transport)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False, cookies=no_cookies) as http:
        with outside():
            wire: Wire = await trio.to_thread.run_sync(make, spec, http, reveal)
        yield wire


def _maker(kind: str) -> Callable[..., Wire]:
    """The class of a kind's wire: importing it takes a while, and its library may be missing."""
    try:
        if kind == "openai":
            from engine.planner.openai import OpenAIWire

            return OpenAIWire
        from engine.planner.anthropic import AnthropicWire

        return AnthropicWire
    except ImportError as error:
        raise unusable(kind, f"planners of the kind {kind}", error) from None
