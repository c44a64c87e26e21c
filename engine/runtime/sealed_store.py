"""A store that keeps sensitive values sealed: what schemas mark is stored encrypted, wherever it turns up.

The encryption is deterministic (AES-SIV), so that who has the key finds the same token for the same value; who can
read the store learns which sealed values are equal, and their lengths.

What holds: nothing that a schema marks reaches the store in the clear, in whatever event, request, key or meter it
turns up, and no text that holds one does either; whoever reads through this layer sees what was written.  Whoever has
no key reads tokens in the place of values, and everything else.

What can go wrong: a key is missing (reading and driving say so and leave the session as it is) or was changed (values
of older keys open as long as their key is listed); a token was tampered with (the log is said to be corrupt); a
person's key was destroyed (what it sealed is erased, and stands as such).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import trio

from engine.ports.external_work import outside
from engine.ports.records import ERASED, OK, AppendResult, ExpiredKey, HeldKey, session_of
from engine.ports.resources import MissingSecret, Secrets
from engine.ports.store import Store
from engine.runtime.cipher import SHORTEST, Cipher, NotOpened
from engine.runtime.erasure import ErasedSeals
from engine.runtime.errors import BundleUnavailable
from engine.runtime.pass_through import PassThrough
from engine.runtime.person_keys import KeyDestroyed, PersonKey, PersonKeys
from engine.runtime.redaction import Redaction
from engine.runtime.seals import PERSON, Seals
from engine.runtime.state_loader import load_state
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event
from engine.session.state.evolve import fold
from engine.session.state.state import State
from engine.spec.bundle import Agent, Bundle, Seal
from engine.spec.secret_refs import filled

# so many sessions are known at once: with what they are sealed with, and those of which nothing is sealed
REMEMBERED, REMEMBERED_PLAIN = 4096, 65_536


class SealedStore(PassThrough):
    """A store that keeps sensitive values sealed."""

    def __init__(
        self, inner: Store, secrets: Secrets, bundle_of: Callable[[str], Awaitable[Bundle]], people: PersonKeys
    ) -> None:
        """`bundle_of` gives a bundle by its digest, `people` are the keys of those that sessions are about."""
        super().__init__(inner)
        self._secrets = secrets
        self._bundle_of = bundle_of
        self._people = people
        self._sessions: OrderedDict[str, Seals | ErasedSeals] = OrderedDict()
        self._plain: OrderedDict[str, None] = OrderedDict()

    async def append(self, session_id: str, after: int, events: Sequence[Event], **more: Any) -> AppendResult:
        """See `ports.Store`; raises MissingSecret for a new session whose key is too short."""
        one = await self._session(session_id, events if not after else ())
        if one is None:
            return await self._inner.append(session_id, after, events, **more)
        one.learn(events)
        sealed = [one.sealed(event) for event in events]
        result = await self._inner.append(session_id, after, sealed, **more)
        if not isinstance(result, ExpiredKey | HeldKey):
            return result
        # of the key that is spoken of, the event as the session has it and as it is stored
        own, stored = next(pair for pair in zip(events, sealed, strict=True) if _key(pair[1].payload) == result.key)
        if isinstance(result, ExpiredKey):
            return replace(result, key=_key(own.payload))
        return await self._opened_holder(one, result, own.payload, stored.payload)

    async def _opened_holder(
        self, one: Seals | ErasedSeals, held: HeldKey, own: Mapping[str, Any], stored: Mapping[str, Any]
    ) -> HeldKey:
        """Who holds a key, as the session that would have it knows it: by its own names, with what is opened."""
        before = held.compared
        if before is not None:
            # what is as it is now is known; of what is not, this is all that can be said
            now = stored["compared"]
            before = {name: own["compared"][name] if now.get(name) == item else item for name, item in before.items()}
        held = replace(held, key=_key(own), compared=before)
        try:
            return replace(held, output=one.open_value(held.output))
        except NotOpened:
            return await self._held_by_another(held)

    async def _held_by_another(self, held: HeldKey) -> HeldKey:
        """What a session has that is sealed with another key; what is erased stays taken."""
        try:
            other = await self._session(session_of(held.holder))
            return replace(held, output=other.open_value(held.output) if other is not None else None)
        except NotOpened:
            return replace(held, output=None, status=ERASED if held.status == OK else held.status)

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`; raises NotOpened where the values are sealed under another key."""
        events = await self._inner.load(session_id, after)
        one = await self._session(session_id, events if not after else ())
        return events if one is None else [one.opened(event) for event in events]

    async def erased(self, session_id: str) -> list[int]:
        """See `ports.Store`: a payload that nobody can open any more is not gone, and its seal is whole."""
        return await self._inner.erased(session_id)

    async def meter_asked(self, session_id: str, of: Mapping[str, Any], since: datetime | None) -> Any:
        """What calls of all sessions have added to a meter under the key that a session asks for.

        See `ports.Store`, and `session.shared_meters` for what it is asked by.
        """
        one = await self._session(session_id)
        key = of["key"] if one is None else one.meter_key(of["meter"], of["of"], of["key"])
        return await self._inner.meter_used(key, since)

    async def look(self, session_id: str) -> State:
        """A session's state as who may not see what is sealed sees it."""
        row = await self._inner.session(session_id)
        if _agent(await self._bundle_of(row.bundle), row.agent).seal is None:
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

    async def veil(self, session_id: str) -> Redaction | None:
        """What hides the sensitive values of a session; None if it has none.  Raises what opening it raises."""
        one = await self._session(session_id)
        return Redaction(one) if isinstance(one, Seals) else None

    async def key_destroyed(self, session_id: str) -> bool:
        """Whether the key of a session's person was destroyed: then it is loaded as people may see it, and can end."""
        try:
            return isinstance(await self._session(session_id), ErasedSeals)
        except KeyDestroyed:
            self._sessions[session_id] = ErasedSeals()
            return True

    async def _session(self, session_id: str, beginning: Sequence[Event] = ()) -> Seals | ErasedSeals | None:
        """What is known of a session, from its first event or from the store; None if nothing of it is sealed."""
        if session_id in self._plain:
            self._plain.move_to_end(session_id)
            return None
        if session_id in self._sessions:
            self._sessions.move_to_end(session_id)
            return self._sessions[session_id]
        if beginning:
            first = beginning[0].payload
            digest, name = first["bundle"], first["agent"]
        else:
            row = await self._inner.session(session_id)
            digest, name = row.bundle, row.agent
        bundle = await self._bundle_of(digest)
        made = await self._new_seals(session_id, bundle, _agent(bundle, name), beginning)
        if made is None:
            self._plain[session_id] = None
            if len(self._plain) > REMEMBERED_PLAIN:
                self._plain.popitem(last=False)
            return None
        self._sessions[session_id] = made
        if len(self._sessions) > REMEMBERED:
            self._sessions.popitem(last=False)
        return made

    async def _new_seals(
        self, session_id: str, bundle: Bundle, agent: Agent, beginning: Sequence[Event]
    ) -> Seals | None:
        if agent.seal is None:
            return None
        log = beginning or await self._inner.load(session_id)
        with outside():
            made = await trio.to_thread.run_sync(seals, bundle, agent, self._secrets, self._people, log[0].payload)
        if made is not None and not beginning:
            for event in log:
                made.opened(event)
        return made


def seals(bundle: Bundle, agent: Agent, secrets: Secrets, people: PersonKeys, first: Mapping[str, Any]) -> Seals | None:
    """What seals and opens a session of an agent by its first payload, stored or not; None if nothing of it is sealed.

    Raises MissingSecret.
    """
    if agent.seal is None:
        return None
    cipher = cipher_of(agent.seal, secrets)
    if agent.seal.person is None:
        return Seals(cipher, bundle, agent)
    if PERSON in first:
        found = PersonKey(people.of(first[PERSON], cipher), first[PERSON])
    else:
        found = people.drawn(first["attributes"][agent.seal.person], cipher)
    return Seals(cipher.under(found.key), bundle, agent, person=found.called)


def cipher_of(seal: Seal, secrets: Secrets) -> Cipher:
    """The cipher of an agent's own keys; raises MissingSecret."""
    keys = [filled(text, secrets.reveal) for text in seal.keys]
    return Cipher(keys, filled(seal.comparing, secrets.reveal))


def check_keys(seal: Seal, secrets: Secrets) -> None:
    """Refuse keys that could be tried out, before anything is sealed with them; raises MissingSecret."""
    for text in (seal.keys[0], seal.comparing):
        if len(filled(text, secrets.reveal)) < SHORTEST:
            told = f"{text} is too short to seal with: a key has {SHORTEST} characters at least"
            raise MissingSecret(f"{told}; make one with: openssl rand -hex 32")


def opened(
    log: Sequence[Event], bundle: Bundle, agent: Agent, secrets: Secrets, people: PersonKeys
) -> tuple[list[Event], Redaction | None]:
    """A stored log with what is sealed in it, and what hides that from people; raises MissingSecret."""
    made = seals(bundle, agent, secrets, people, log[0].payload)
    return (list(log), None) if made is None else ([made.opened(event) for event in log], Redaction(made))


def _agent(bundle: Bundle, name: str) -> Agent:
    """An agent of a bundle; raises BundleUnavailable."""
    if name not in bundle.agents:
        raise BundleUnavailable(f"the bundle {bundle.digest} has no agent {name}, which the session is said to be of")
    return bundle.agents[name]


def _key(payload: Mapping[str, Any]) -> str:
    """The idempotency key that an event claims, as a store knows it."""
    return f"{payload.get('key_scope')}:{payload.get('idempotency_key')}"
