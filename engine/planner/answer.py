"""What a model's server has answered, and what may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.planner.usage import Counts

# how many characters an answer may have, and how many calls
MAX_ANSWER, MAX_CALLS = 400_000, 128

# far beyond what the log keeps of a message: a secret that is cut in two could not be masked any more
FAR = 4_000


class Fault(Exception):
    """What went wrong with one request to a model's server.

    `status` names it for the log; `retryable` if asking again may help, not before `retry_after` seconds; `final` if
    nothing but another planner can; neither if the model itself may do better.  `free` says that the server did
    nothing for it, so that no tokens were taken; `refused` is the parameter that it may do without.
    """

    refused: str | None = None

    def __init__(
        self,
        status: str,
        message: str,
        *,
        retryable: bool = False,
        final: bool = False,
        retry_after: float | None = None,
        free: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retryable = retryable
        self.final = final
        self.retry_after = retry_after
        self.free = free


@dataclass(frozen=True, slots=True)
class RawCall:
    """A tool call as a server tells it: the arguments are still text, and `broken` says why they can't be read."""

    id: str
    name: str
    arguments: str
    broken: str = ""


@dataclass(slots=True)
class ModelAnswer:
    """What a server has answered so far, in pieces.

    `finish` is the reason why it ended, as it was told; `blocks` are those of a turn that goes on, as they came;
    `repairs` tell how the answer deviates from its protocol, harmlessly.
    """

    pieces: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    calls: list[RawCall] = field(default_factory=list)
    size: int = 0
    counts: Counts = field(default_factory=Counts)
    request_id: str | None = None
    finish: Any = None
    blocks: list[Any] = field(default_factory=list)
    repairs: dict[str, None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What it says, put together."""
        return "".join(self.pieces)

    def say(self, piece: str) -> None:
        """Add to the text."""
        if piece:
            self.pieces.append(piece)
            self.size += len(piece)

    def refuse(self, piece: str) -> None:
        """Add to the refusal."""
        if piece:
            self.refusals.append(piece)
            self.size += len(piece)

    @property
    def refusal(self) -> str:
        """Why it refuses, put together."""
        return "".join(self.refusals)

    def add(self, call: RawCall) -> None:
        """Add a call; raises Fault for one too many."""
        check_calls(len(self.calls) + 1)
        self.calls.append(call)

    def repair(self, note: str) -> None:
        """Note what was put right, each once."""
        self.repairs[note] = None


def check_calls(count: int) -> None:
    """Raise the Fault of an answer that has too many calls."""
    if count > MAX_CALLS:
        raise Fault("too_large", f"the answer has more than {MAX_CALLS} calls")


def word(value: Any) -> str | None:
    """A server's short text, as far as it is one."""
    return value[:200] if isinstance(value, str) and value else None
