"""W612: retry outlives the step."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W612",
    title="retry outlives the step",
    what="The pauses between a tool's attempts alone can take as long as a step, or a session, of the agent may.",
    why="Its last attempts never begin: the step's deadline ends the call before.",
    wrong="""\
retry: {attempts: 5, on: [timeout], delay: 20s, max_delay: 20s}    # and the agent's step_time is 60s
""",
    right="""\
retry: {attempts: 3, on: [timeout], delay: 5s}
""",
    severity=Severity.WARNING,
)


def at(place: Place, waits: str, step: str, agent: str) -> Diagnostic:
    """The word `retry`."""
    return MANUAL.at(
        place,
        f"its attempts wait up to {waits} in all, and a step of `{agent}` ends after {step}",
        help="try less often, or pause less; a tool with `mode: job` outlives its step",
    )
