"""Sessions that are over are erased: one that is meant, those of a person, or those that are kept for long enough."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.ports.records import SessionRow
from engine.ports.store import Store
from engine.runtime.errors import NotAllowed
from engine.runtime.runner import Runner as Runner
from engine.session.sealed_tokens import holds_sealed
from engine.session.state.inputs import InputRefused
from engine.session.state.state import FINAL


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Sessions that are over for longer than `after` are erased; of one outcome or tenant, if that is meant."""

    after: timedelta
    outcome: str | None = None
    tenant: str | None = None


async def erase_session(store: Store, session_id: str) -> int:
    """Erase a session that is over, and say how many payloads that were; raises NotAllowed, UnknownSession."""
    row = await store.session(session_id)
    if row.state not in FINAL:
        told = f"session {session_id} is not over ({row.state}): end it first, with engine cancel"
        raise NotAllowed(InputRefused("not_over", told))
    return await store.erase(session_id)


async def is_erased(store: Store, session_id: str) -> bool:
    """Whether what a session was started with is erased; raises UnknownSession."""
    return 1 in await store.erased(session_id)


async def sessions_of_person(store: Store, runner: Runner, attribute: str, value: str) -> list[SessionRow]:
    """The sessions that were started with a value of an attribute; those that are erased tell nothing of theirs.

    One that is sealed is opened for it.  Raises MissingSecret where its key is not here: nobody can say then whose
    those sessions are.
    """
    found = []
    for row in await store.sessions():
        first = (await store.load(row.id))[:1]
        told = first[0].payload.get("attributes", {}) if first else {}
        if attribute in told and holds_sealed(told[attribute]):
            told = (await runner.load(row.id)).attributes
        if attribute in told and str(told[attribute]) == value:
            found.append(row)
    return found


async def due_for_erasure(store: Store, rules: Sequence[RetentionRule], now: datetime) -> AsyncIterator[SessionRow]:
    """The sessions whose time is over, by the first rule that fits each."""
    tenants = {
        rule.tenant: set(await store.access.sessions_of(rule.tenant)) for rule in rules if rule.tenant is not None
    }
    for row in await store.sessions():
        if row.state not in FINAL or row.updated_at is None:
            continue
        for rule in rules:
            fits = rule.outcome in (None, row.outcome) and (rule.tenant is None or row.id in tenants[rule.tenant])
            if fits:
                if row.updated_at + rule.after <= now and not await is_erased(store, row.id):
                    yield row
                break
