"""Sessions' states from the store: the newest snapshot, and the events behind it."""

from __future__ import annotations

from engine.ports.store import Store
from engine.session.state.evolve import fold
from engine.session.state.snapshot import VERSION, restored, snapshot
from engine.session.state.state import State

# events behind the last snapshot, before a further one is worth its commit
EVERY = 1000


async def load_state(store: Store, session_id: str) -> State:
    """A session's state as its log tells it; raises UnknownSession, CorruptLog, BrokenHistory.

    A snapshot is used where the log's key vouches for it, else the whole log is read.
    """
    text = await store.snapshot(session_id, VERSION)
    if text is None:
        return fold(await store.load(session_id))
    state = restored(text)
    return fold(await store.load(session_id, state.seq), state)


async def keep_state(store: Store, state: State, last: int | None) -> int | None:
    """Save a snapshot if so many events were added that it pays; the event of the newest one, None while unknown.

    The gap grows with the session: what a snapshot costs stays a fixed part of what its events did.
    """
    if state.seq < EVERY or not store.keeps_snapshots:
        return last
    if last is None:
        text = await store.snapshot(state.session_id, VERSION)
        last = 0 if text is None else restored(text).seq
    if state.seq - last < max(EVERY, last):
        return last
    await store.save_snapshot(state.session_id, state.seq, VERSION, snapshot(state))
    return state.seq
