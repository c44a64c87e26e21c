"""Sensitive values on their way to the store and back: what schemas mark is stored encrypted, wherever it turns up.

A value is sealed where its schema marks it, and every text that holds it is sealed as a whole: in verdicts, keys,
requests and messages.  The encryption is deterministic (AES-SIV), so that keys stay comparable; who can read the
store learns which sealed values are equal, and their lengths.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from engine.policy.value import NotJson, canonical, loads, number_text
from engine.ports import Store
from engine.reach import Secrets
from engine.runtime.errors import BundleUnavailable
from engine.runtime.states import load_state
from engine.session.bundle import Agent, Bundle
from engine.session.event import RESERVED, Event
from engine.session.event import EventKind as K
from engine.session.evolve import fold
from engine.session.sealed import PREFIX, is_sealed, shown
from engine.session.secret import filled
from engine.session.sensitive import replaced, sensitive_values
from engine.session.state import State
from engine.stored import AppendResult, KeyHeld

REMEMBERED = 4096

# a shorter text would be found in every other one; it is sealed where it is marked
SHORTEST = 4


# what the engine itself writes, and the store goes by: never a value of the session
PLAIN = frozenset(
    {
        "agent", "planner", "bundle", "call_id", "tool", "status", "reason", "rule", "request_id", "request_kind",
        "how", "state", "outcome", "run_at", "due_at", "expires_at", "attempt", "settled", "satisfied", "reused",
        "final", "effect", "verdict", "digest", "epoch", "owner", "limits", "groups", "limit", "started", "fence_mark",
    }
)  # fmt: skip


# these tell what others have said
TOLD = frozenset({K.PLANNER_FELL_BACK, K.MODEL_CALLED})


def _plain_in(kind: K) -> frozenset[str]:
    """The fields of an event that are the engine's own; those of a summary stand beside a result under any name."""
    if kind is K.TOOL_RESULT:
        return PLAIN & RESERVED
    return PLAIN if kind not in TOLD else frozenset()


class Token(str):
    """A sealed value that was made here; any other text that looks like one is just a text."""


class Cipher:
    """Seals plain JSON under a key, the same value always alike."""

    def __init__(self, secret: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        key = HKDF(SHA256(), 64, None, b"agent-engine sealed values").derive(secret.encode())
        self._cipher = AESSIV(key)

    def seal(self, value: Any) -> Token:
        """The token of a value."""
        raw = self._cipher.encrypt(canonical(value).encode(), None)
        return Token(PREFIX + base64.urlsafe_b64encode(raw).decode())

    def opened(self, token: str) -> Any:
        """The value of a token; what was never sealed under this key stays as it is."""
        from cryptography.exceptions import InvalidTag

        try:
            return loads(self._cipher.decrypt(base64.urlsafe_b64decode(token[len(PREFIX) :]), None))
        except (InvalidTag, ValueError, NotJson):
            return token


@dataclass(slots=True)
class _Session:
    """What is known of a session whose values are sealed."""

    cipher: Cipher
    bundle: Bundle
    agent: Agent
    values: set[str] = field(default_factory=set)

    def learn(self, events: Iterable[Event]) -> None:
        for event in events:
            for value in _marked(event, self.bundle, self.agent):
                self.values |= set(_texts(value))

    def sealed(self, event: Event) -> Event:
        payload = _at_marks(event, self.bundle, self.agent, self.cipher)
        plain = _plain_in(event.kind)
        found = {
            key: item if key in plain else self._by_value(item, numbers=key != "reserved")
            for key, item in payload.items()
        }
        return replace(event, payload=found)

    def _by_value(self, value: Any, *, numbers: bool = True) -> Any:
        """The value with every text sealed that holds a sensitive one; the store adds up what calls reserve."""
        if isinstance(value, Token):
            return value
        if isinstance(value, str):
            # what only looks sealed is sealed like any text that has to be
            hides = value.startswith(PREFIX) or any(part in value for part in self.values)
            return self.cipher.seal(value) if hides else value
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return self.cipher.seal(value) if numbers and number_text(value) in self.values else value
        if isinstance(value, Mapping):
            return {self._by_value(key): self._by_value(item, numbers=numbers) for key, item in value.items()}
        return [self._by_value(item, numbers=numbers) for item in value] if isinstance(value, list | tuple) else value

    def opened(self, event: Event) -> Event:
        return replace(event, payload=self.open_value(event.payload))

    def open_value(self, value: Any) -> Any:
        if is_sealed(value):
            found = self.cipher.opened(value)
            self.values |= set(_texts(found))
            return found
        if isinstance(value, Mapping):
            return {self.open_value(key): self.open_value(item) for key, item in value.items()}
        return [self.open_value(item) for item in value] if isinstance(value, list | tuple) else value


class SealedStore:
    """A store that keeps sensitive values sealed; everything else goes straight through."""

    def __init__(self, inner: Store, secrets: Secrets, bundle_of: Callable[[str], Awaitable[Bundle]]) -> None:
        """`bundle_of` gives a bundle by its digest."""
        self._inner = inner
        self._secrets = secrets
        self._bundle_of = bundle_of
        self._sessions: OrderedDict[str, _Session | None] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def append(self, session_id: str, after: int, events: Sequence[Event], **more: Any) -> AppendResult:
        """See `ports.Store`."""
        one = await self._session(session_id, events if not after else ())
        if one is None:
            return await self._inner.append(session_id, after, events, **more)
        one.learn(events)
        sealed = [one.sealed(event) for event in events]
        result = await self._inner.append(session_id, after, sealed, **more)
        if isinstance(result, KeyHeld):
            keys = {_key(stored): _key(event) for stored, event in zip(sealed, events, strict=True)}
            output, compared = one.open_value(result.output), one.open_value(result.compared)
            return replace(result, key=keys.get(result.key, result.key), output=output, compared=compared)
        return result

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        events = await self._inner.load(session_id, after)
        one = await self._session(session_id, events if not after else ())
        return events if one is None else [one.opened(event) for event in events]

    async def sealed_log(self, session_id: str) -> list[Event]:
        """A session's log as it is stored, for who may not see what is sealed."""
        return await self._inner.load(session_id)

    async def look(self, session_id: str) -> State:
        """A session's state as who may not see what is sealed sees it."""
        row = await self._inner.session(session_id)
        if _agent(await self._bundle_of(row.bundle), row.agent).sealed_with is None:
            return await load_state(self._inner, session_id)
        log = await self._inner.load(session_id)
        return fold(replace(event, payload=shown(event.payload)) for event in log)

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`; of a session with sensitive values none is kept."""
        if await self._session(session_id) is None:
            await self._inner.save_snapshot(session_id, seq, version, text)

    def shown(self, event: Event) -> Event:
        """An event as it is stored."""
        one = self._sessions.get(event.session_id)
        return event if one is None else one.sealed(event)

    async def _session(self, session_id: str, beginning: Sequence[Event] = ()) -> _Session | None:
        """What is known of a session, from its first event or from the store; None if nothing of it is sealed."""
        if session_id in self._sessions:
            self._sessions.move_to_end(session_id)
            return self._sessions[session_id]
        if beginning:
            told = fold(beginning[:1])
            digest, agent = told.bundle, told.agent
        else:
            row = await self._inner.session(session_id)
            digest, agent = row.bundle, row.agent
        made = await self._made(digest, agent)
        if made is not None and not beginning:
            for event in await self._inner.load(session_id):
                made.opened(event)
        self._sessions[session_id] = made
        while len(self._sessions) > REMEMBERED:
            self._sessions.popitem(last=False)
        return made

    async def _made(self, digest: str, agent_name: str) -> _Session | None:
        bundle = await self._bundle_of(digest)
        agent = _agent(bundle, agent_name)
        if agent.sealed_with is None:
            return None
        return _Session(Cipher(filled(agent.sealed_with, self._secrets.reveal)), bundle, agent)


def _agent(bundle: Bundle, name: str) -> Agent:
    """An agent of a bundle; raises BundleUnavailable."""
    if name not in bundle.agents:
        raise BundleUnavailable(f"the bundle {bundle.digest} has no agent {name}, which the session is said to be of")
    return bundle.agents[name]


def opener(bundle: Bundle, agent: Agent, secrets: Secrets) -> Callable[[Event], Event] | None:
    """What opens the events of an agent's sessions; None if none of their values are sealed; raises MissingSecret."""
    if agent.sealed_with is None:
        return None
    return _Session(Cipher(filled(agent.sealed_with, secrets.reveal)), bundle, agent).opened


def _key(event: Event) -> str:
    """The idempotency key that an event claims, as a store knows it."""
    return f"{event.payload.get('key_scope')}:{event.payload.get('idempotency_key')}"


# where events hold what schemas speak of: the key, and whether it is a tool's input or output


def _places(event: Event, bundle: Bundle, agent: Agent) -> Iterator[tuple[dict[str, Any], str, Mapping[str, Any]]]:
    """Each object of a payload with the key of a value that a schema describes, and the schema."""
    payload: Any = event.payload
    if event.kind is K.SESSION_STARTED:
        yield payload, "attributes", agent.attributes
    if event.kind is K.DECISION_RECORDED:
        for call in payload["tool_calls"]:
            yield from _of_tool(call, call["name"], bundle, ("input",))
    if event.kind is K.GATE_PENDING:
        for fact in payload["facts"]:
            yield from _of_tool(fact, fact["tool"], bundle, ("input",))
    if isinstance(payload.get("tool"), str):
        yield from _of_tool(payload, payload["tool"], bundle, ("input", "output"))


def _of_tool(
    owner: dict[str, Any], name: str, bundle: Bundle, keys: Sequence[str]
) -> Iterator[tuple[dict[str, Any], str, Mapping[str, Any]]]:
    tool = bundle.tools.get(name)
    if tool is None:
        return
    for key, schema in (("input", tool.input_schema), ("output", tool.output_schema)):
        if key in keys and key in owner and schema is not None:
            yield owner, key, schema


def _marked(event: Event, bundle: Bundle, agent: Agent) -> Iterator[Any]:
    for owner, key, schema in _places(event, bundle, agent):
        yield from sensitive_values(owner[key], schema)


def _at_marks(event: Event, bundle: Bundle, agent: Agent, cipher: Cipher) -> Any:
    """The payload with the marked values sealed where they stand, whatever they are."""
    places = [(id(owner), key, schema) for owner, key, schema in _places(event, bundle, agent)]
    return _copied(event.payload, places, cipher) if places else event.payload


def _copied(value: Any, places: list[tuple[int, str, Mapping[str, Any]]], cipher: Cipher) -> Any:
    if isinstance(value, Mapping):
        here = {key: schema for owner, key, schema in places if owner == id(value)}
        return {
            key: replaced(item, here[key], cipher.seal) if key in here else _copied(item, places, cipher)
            for key, item in value.items()
        }
    return [_copied(item, places, cipher) for item in value] if isinstance(value, list | tuple) else value


def _texts(value: Any) -> Iterator[str]:
    """The texts by which a sensitive value is found elsewhere."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        if len(value) >= SHORTEST:
            yield value
    elif value is not None and not isinstance(value, bool):
        text = number_text(value)
        if len(text) >= SHORTEST:
            yield text
