"""Sessions whose planner is a model behind a server of the tests'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.planner.transport import RecordingTransport, Traffic
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import Event, EventKind
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import agent, bundle, policy, tool

SECRETS = {"MODEL_KEY": "sk-canary-4711"}
INPUT = "{type: object, properties: {n: {type: integer}, amount: {type: number}}, additionalProperties: false}"


def made(url: str, *, kind: str = "openai", more: str = "", chain: str = "model", budgets: str = "{}",
         policies: Sequence[tuple[str, str]] = (), listed: str = "[]", others: str = "",
         timeout: str = "60s", tools: str = "[look, mail, pay]") -> Bundle:  # fmt: skip
    """An agent with a read, an untrusted read and a write, planned by a model at a URL."""
    base = f"{url}/v1" if kind == "openai" else url
    path, text = agent(tools, policies=listed, budgets=budgets)
    planner = (
        f"  model: {{kind: {kind}, model: m, base_url: '{base}', api_key: '${{secret:MODEL_KEY}}', "
        f"retry: {{delay: 10ms, max_delay: 1s, attempts: 2}}, timeout: {timeout}{more}}}\n{others}"
    )
    text = text.replace("planner: script\nplanners:\n", f"planner: {chain}\nplanners:\n{planner}")
    prices = "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n"
    return bundle(
        tool("look", input=INPUT, more="trust: trusted"),
        tool("mail", input=INPUT),
        tool("pay", "write", input=INPUT),
        (path, text),
        ("specs/prices/all.yaml", prices),
        *policies,
    )


class Sessions:
    """An engine for such sessions, and the log of the last one."""

    def __init__(
        self, secrets: Mapping[str, str] = SECRETS, traffic: Traffic | None = None, record: Path | None = None
    ) -> None:
        known = HostSecrets(secrets)
        traffic = RecordingTransport(record, known.masked) if record is not None else traffic
        self.store = MemoryStore()
        self.events: list[Event] = []
        self.partial: list[str] = []
        self.engine = Runner(
            self.store, on_event=self.events.append, secrets=known, traffic=traffic,
            on_partial=lambda session_id, text: self.partial.append(text),
        )  # fmt: skip

    async def run(self, made_bundle: Bundle, message: str = "Hello", planner: str | None = None,
                  **attributes: Any) -> State:  # fmt: skip
        async with self.engine:
            opening = Opening("bot", message, {"tenant": "acme", **attributes}, planner)
            state = await self.engine.run(made_bundle, opening, Path("."))
        assert await self.store.verify(state.session_id) == []
        return state

    def of(self, kind: EventKind) -> list[dict[str, Any]]:
        return [dict(event.payload) for event in self.events if event.kind is kind]

    @property
    def statuses(self) -> list[str]:
        return [call["status"] for call in self.of(EventKind.MODEL_CALLED)]


def allowing(rules: str) -> tuple[str, str]:
    return policy(rules)
