"""Digests of requests as programs see them: a hidden one by its handle, which can be compared and says nothing."""

from __future__ import annotations

from dataclasses import replace

from engine.ports.resources import EnvironmentFault
from engine.runtime.person_keys import KeyDestroyed
from engine.runtime.runner import Runner
from engine.session.handles import Handles
from engine.session.sensitivity import HIDDEN
from engine.session.state.state import Request, State


def is_about(state: State, request: Request, digest: str) -> bool:
    """Whether a digest, as it was shown, is that of a request; `state` is in the clear."""
    return digest != HIDDEN and digest in (request.digest, Handles(state.handle_key).of(request.digest))


async def with_digests(runner: Runner, state: State) -> State:
    """A state as people see it, with digests that can be told apart where this process can open them."""
    hidden = [request for request in state.open_requests() if request.digest == HIDDEN]
    if not hidden:
        return state
    try:
        clear = await runner.load(state.session_id)
    except (EnvironmentFault, KeyDestroyed):
        return state  # who can't open it can't answer it either
    handles, requests = Handles(clear.handle_key), state.requests
    for request in hidden:
        told = replace(request, digest=handles.of(clear.requests[request.id].digest))
        requests = requests.with_item(request.id, told)
    return replace(state, requests=requests)
