"""Connections to the servers of models, kept open for all questions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import trio

from engine.extras import unusable
from engine.planner.answer import ModelAnswer
from engine.planner.answer_format import AnswerForm
from engine.planner.prompt import Prompt
from engine.planner.resources import PlannerResources
from engine.ports.external_work import outside
from engine.ports.planner import PlannerError
from engine.ports.resources import in_header
from engine.spec.planner_spec import ModelSpec


class Wire(Protocol):
    """One request to a model's server; `cached_apart`: cached tokens are told beside those of the prompt."""

    cached_apart: bool

    async def ask(self, prompt: Prompt, asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]) -> None:
        """Fill the answer in as it comes, saying so each time; raises Fault.  Cancelling it closes the connection."""
        ...


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
