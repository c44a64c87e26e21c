"""Why an answer would be refused now, for who shows a question before anybody answers."""

from __future__ import annotations

from engine.errors import EngineError
from engine.runtime.runner import Runner as Runner
from engine.session.decide.decide import decide
from engine.session.state.inputs import InputRefused, RequestAnswered


async def refusal(
    runner: Runner, request_id: str, action: str, by: str, roles: frozenset[str] = frozenset()
) -> InputRefused | None:
    """What would be said to a yes or a no with a note; None where it would count, or nobody can tell."""
    reply = RequestAnswered(request_id, action, by, "so", None, None, runner.context.clock.now(), roles)
    try:
        state = await runner.load(request_id.rpartition(".")[0])
        own, overlays = await runner.bundles.get(state.bundle), await runner.bundles.overlays(state.bundle)
    except EngineError:
        return None
    decided = decide(state, reply, own, overlays)
    return decided if isinstance(decided, InputRefused) else None
