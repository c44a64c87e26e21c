"""What a request asks for."""

from __future__ import annotations

from enum import StrEnum


class RequestKind(StrEnum):
    """A yes or no to a call or to more of a limit, a handoff's result, what became of a write, or a decision.

    PLANNER waits for a client to propose, and is nothing that a person is asked.  FOLLOW_UP is work that a session
    which is over leaves to people; it waits for nothing and never expires.
    """

    APPROVAL = "approval"
    INPUT = "input"
    CHOICE = "choice"
    SETTLE = "settle"
    BUDGET = "budget"
    PLANNER = "planner"
    FOLLOW_UP = "follow_up"
