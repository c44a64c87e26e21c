"""What a process that drove a session exits with."""

from __future__ import annotations

from engine.session.state.state import Status

OK, FAILED, USAGE, WAITING, LIMIT, FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_CODES = {
    Status.DONE: OK,
    Status.FAILED: FAILED,
    Status.CANCELLED: FAILED,
    Status.AWAITING_HUMAN_REVIEW: WAITING,
    Status.AWAITING_CONFIRMATION: WAITING,
    Status.AWAITING_JOB: WAITING,
    Status.AWAITING_PLANNER: WAITING,
    Status.AWAITING_MESSAGE: WAITING,
    Status.OUT_OF_BUDGET: LIMIT,
    Status.TIMED_OUT: LIMIT,
    Status.RUNNING: INTERRUPTED,
}


def exit_code(status: Status) -> int:
    """0 done, 1 failed or cancelled, 3 waiting for somebody, 4 out of budget or timed out, 130 let go while running."""
    return _CODES[status]
