"""What keeps a session from being started or driven; each says what to do."""

from __future__ import annotations

from datetime import datetime

from engine.policy.value import timestamp
from engine.session.reply import Refused


class NotAllowed(Exception):
    """The core refused an act: used, expired, not a member, session over, attributes that do not fit."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.reason = refused.reason


class LiveElsewhere(Exception):
    """Somebody else drives the session, and the caller does not want to wait."""

    def __init__(self, session_id: str, owner: str, until: datetime) -> None:
        super().__init__(f"session {session_id} is driven by {owner}, whose lease runs until {timestamp(until)}")
        self.owner = owner


class LeaseLost(Exception):
    """Another driver took the session over."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id} was taken over by another driver")


class BundleUnavailable(Exception):
    """The bundle that a session started with can't be had."""


def unwrapped(error: BaseException) -> BaseException:
    """The one error inside of nested groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
