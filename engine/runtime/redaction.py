"""What people may see of a session whose values are sealed, of events and values that are in clear in this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from engine.runtime.seals import Sealing, Seals
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event, EventKind
from engine.spec.bundle import Agent, Bundle

_NEVER = datetime.min.replace(tzinfo=UTC)


class Redaction:
    """Hides what is sensitive of one session."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def under(self, bundle: Bundle, agent: Agent) -> Redaction:
        """The same of what another bundle marks, with the values that are known."""
        seals = self._seals
        return Redaction(
            Seals(seals.cipher, bundle, agent, seals.sealed_texts, seals.of_call, seals.tools, seals.short)
        )

    def events(self, events: Iterable[Event]) -> list[Event]:
        """Events as people may see them; what they tell to be sensitive is known from then on."""
        events = list(events)
        self._seals.learn(events)
        return [replace(event, payload=shown(self._seals.sealed(event).payload)) for event in events]

    def values(self, tool: str, call_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values that a rule saw of a call, by name."""
        return dict(shown(self._about(tool, call_id).rule_values(values)))

    def output(self, tool: str, call_id: str, output: Any) -> Any:
        """What a call brought."""
        known = self._seals.bundle.tools.get(tool)
        schema = (known.output_schema if known is not None else None) or {}
        return shown(self._about(tool, call_id).by_schema(output, schema))

    def words(self, value: Any, tool: str = "", call_id: str = "") -> Any:
        """Plain JSON with each text hidden as a whole that holds something, and each number that is something."""
        return shown(self._about(tool, call_id).words(value, by_word=True))

    def _about(self, tool: str, call_id: str) -> Sealing:
        event = Event("", 0, 0, EventKind.VERDICT, {"tool": tool, "call_id": call_id}, _NEVER)
        return Sealing(self._seals, event, self._seals.bundle.tools.get(tool))
