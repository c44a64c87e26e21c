"""What keeps a session from being started or driven; each says what to do."""

from __future__ import annotations

from datetime import datetime

from engine.errors import EngineError
from engine.language.value import number_text, timestamp
from engine.ports.records import AppendResult, ExpiredKey, FullMeter, HeldKey, session_of
from engine.session.state.inputs import InputRefused


class NotAllowed(EngineError):
    """The core refused an act: used, expired, not a member, session over, attributes that do not fit."""

    def __init__(self, refused: InputRefused) -> None:
        super().__init__(refused.message)
        self.reason = refused.reason


def not_recorded(result: AppendResult) -> NotAllowed:
    """Why an act of somebody was not recorded; of another session's call nothing is told but whose it is."""
    match result:
        case HeldKey(holder=holder, status=status):
            told = f"its idempotency key is held ({status.replace('_', ' ')}) by a call of session {session_of(holder)}"
        case ExpiredKey():
            told = "results under its idempotency key have expired meanwhile: try it again"
        case FullMeter(meter=meter, used=used, limit=limit):
            told = f"it would go beyond the meter {meter}: {number_text(used)} of {number_text(limit)} are used"
        case _:
            told = "somebody else has changed its session meanwhile: try it again"
    return NotAllowed(InputRefused("taken", told))


class LiveElsewhere(EngineError):
    """Somebody else drives the session, and the caller does not want to wait."""

    def __init__(self, session_id: str, owner: str, until: datetime) -> None:
        super().__init__(f"session {session_id} is driven by {owner}, whose lease runs until {timestamp(until)}")
        self.owner = owner


class LeaseLost(EngineError):
    """Another driver took the session over, or may have: the store did not confirm the lease in time."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id} was taken over by another driver, or its lease was not confirmed in time"
        )


class BundleUnavailable(EngineError):
    """The bundle that a session started with can't be had."""


class EngineClosed(EngineError):
    """The engine was left, or has broken down: what is in the store goes on in another."""


def unwrapped(error: BaseException) -> BaseException:
    """The one error inside of nested groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
