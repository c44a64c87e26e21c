"""Adapters of tools: what they are asked to run, and how they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from engine.errors import EngineError
from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.value import jsonable
from engine.ports.clock import Clock
from engine.ports.resources import Connections, Secrets
from engine.spec.bundle import Bundle, Tool
from engine.spec.secret_refs import filled


@dataclass(frozen=True, slots=True)
class ToolInvocation:
    """One run of one tool: checked input, the key under which it may act, whose session it is.

    `masked` gives a text without secrets, and `hidden` one without the sensitive values of the session.
    """

    tool: Tool
    input: Mapping[str, Any]
    attributes: Mapping[str, Any]
    idempotency_key: str | None
    session_id: str
    root: str
    masked: Callable[[str], str] = str
    hidden: Callable[[str], str] = str

    @property
    def names(self) -> Mapping[str, Any]:
        """What the expressions and texts of the tool's settings may name."""
        return {"input": self.input, "session": self.attributes, "key": self.idempotency_key}

    def fill(self, linked: Template | Expression) -> Any:
        """The text of a template, or the value of an expression as plain JSON; raises ToolError where it has none."""
        try:
            return linked.render(self.names) if isinstance(linked, Template) else jsonable(linked.value(self.names))
        except EvaluationError as error:
            raise ToolError("template_error", f"a setting has no value: {error}", acted=False) from None

    def failure_text(self, text: str, most: int, *, end: bool = False) -> str:
        """The beginning (or the end) of what was said about a failure, of so many characters at most.

        What must not be told is looked for before the text is cut: a part of it would not be recognised.
        """
        text = self.masked(text)
        if len(text) <= most:
            return text
        text = self.hidden(text)
        return text[-most:] if end else text[:most]


class ToolError(EngineError):
    """A tool failed.

    `acted` is False only if nothing can have been done; `retryable` if trying again may help; `lost` if the work
    may be done and only the answer did not come.  `wait` are the seconds that it asks for before another try.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retryable: bool = False,
        acted: bool = True,
        lost: bool = False,
        wait: Decimal | None = None,
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.lost = lost
        self.reason = reason
        self.message = message
        self.retryable = retryable
        self.acted = acted


@dataclass(frozen=True, slots=True)
class AdapterResources:
    """What adapters act with: their bundle, a clock, secrets by name, and connections that are kept."""

    bundle: Bundle
    clock: Clock
    secrets: Secrets
    connections: Connections

    def fill_secrets(self, text: str) -> str:
        """A text with the secrets that it refers to (`${secret:NAME}`); raises MissingSecret."""
        return filled(text, self.secrets.reveal)


class ToolAdapter(Protocol):
    """Acts for tools of one kind."""

    async def run(self, run: ToolInvocation) -> Any:
        """The tool's output, unchecked; raises ToolError.  Cancelling it leaves nothing running."""
        ...


@runtime_checkable
class Warmable(Protocol):
    """An adapter that can be made ready before a session needs it."""

    async def ready(self, tool: Tool) -> object:
        """Open what the tool needs, and compare it with what the bundle says; raises ToolError, MissingSecret."""
        ...
