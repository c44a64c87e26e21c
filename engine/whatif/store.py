"""All past sessions of a store under another bundle, on all cores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import thread_time

import trio

from engine.bundle.document_set import NOTHING_SET
from engine.bundle.load import load_stored
from engine.fixtures.process_pool import on_all_cores
from engine.ports.records import CorruptLog, DamagedBundle, SessionRow, UnknownSession
from engine.ports.resources import MissingSecret
from engine.ports.store import OpenPast, PastSessions
from engine.replay.judgements import Judgement, Release, judgements
from engine.runtime.gc_tuning import tune_gc
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.person_keys import KeyDestroyed, person_keys
from engine.runtime.redaction import Redaction
from engine.runtime.sealed_store import opened
from engine.session.sealed_tokens import holds_sealed
from engine.session.state.event import Event
from engine.session.state.evolve import BrokenHistory
from engine.spec.bundle import Bundle
from engine.whatif.session import PastSession, judged, unread

# what one process takes at a time, and with fewer sessions than that no further process is started
CHUNK = 200

# a payload that was erased has no fields
UNREADABLE = (BrokenHistory, CorruptLog, MissingSecret, DamagedBundle, UnknownSession, KeyError)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What became of some sessions; CPU seconds for loading (reading and folding) and for judging apart."""

    pasts: tuple[PastSession, ...]
    loading: float
    judging: float


async def listed(open_past: OpenPast, since: datetime | None = None, agent: str | None = None) -> list[SessionRow]:
    """The sessions of an agent, or of all, that began no earlier; oldest first."""
    async with open_past() as store:
        return (await store.sessions(since=since, agent=agent))[::-1]


def whatif_all(
    open_past: OpenPast, files: Mapping[str, bytes], sessions: Sequence[SessionRow], workers: int | None = None
) -> Iterator[Chunk]:
    """What the bundle of these files would have made of each session, in chunks as they are done.

    It runs a loop of its own for each chunk: call it where none runs.  What can't be pickled to open a store in
    other processes, as a store in memory, is for one worker.
    """
    chunks = [sessions[start : start + CHUNK] for start in range(0, len(sessions), CHUNK)]
    return on_all_cores(_SessionJudge, (open_past, dict(files)), chunks, workers)


async def past_logs(
    store: PastSessions,
    since: datetime | None,
    agents: Collection[str],
    left_out: Callable[[str], None] = lambda why: None,
) -> AsyncIterator[list[Event]]:
    """The logs of the sessions of some agents that began no earlier; of those that can't be read it is told why."""
    logs = _Logs()
    for session in (await store.sessions(since=since))[::-1]:
        if session.agent in agents:
            try:
                log, _ = await logs.of(store, session)
            except UNREADABLE as error:
                left_out(f"{session.id}: {error}")
            else:
                yield log


class _Logs:
    """The logs of a store's sessions, with what is sealed in them."""

    def __init__(self) -> None:
        self._files: dict[str, Mapping[str, bytes] | None] = {}
        self._sealing: dict[str, bool] = {}
        self._secrets = HostSecrets()
        self._people = person_keys()
        self._bundles: dict[str, Bundle | None] = {}

    def bundle(self, digest: str) -> Bundle | None:
        """The bundle of a session whose log was read, or None if it is not there or can't be read."""
        if digest not in self._bundles:
            files = self._files[digest]
            bundle = load_stored(files, NOTHING_SET).bundle if files is not None else None
            # under another digest it is not what the session ran under
            self._bundles[digest] = bundle if bundle is not None and bundle.digest == digest else None
        return self._bundles[digest]

    async def of(self, store: PastSessions, session: SessionRow) -> tuple[list[Event], Redaction | None]:
        """A session's events, and what hides from people what is sensitive of them; raises one of UNREADABLE."""
        log = await store.load(session.id)
        if not log:
            raise BrokenHistory(f"session {session.id} has no events")
        if not await self._seals(store, session.bundle):
            if any(holds_sealed(event.payload) for event in log):
                raise BrokenHistory(f"its values are sealed, and its bundle {session.bundle[:12]} is gone or another")
            return log, None
        bundle = self.bundle(session.bundle)
        if bundle is None or session.agent not in bundle.agents:
            raise BrokenHistory(f"this version of the engine can't read the bundle {session.bundle}")
        return opened(log, bundle, bundle.agents[session.agent], self._secrets, self._people)

    async def _seals(self, store: PastSessions, digest: str) -> bool:
        """Whether a bundle may have something sealed, which most have not."""
        if digest not in self._sealing:
            files = self._files[digest] = await store.load_bundle(digest)
            # a word of YAML may also be written with escapes
            self._sealing[digest] = any(b"x-sensitive" in text or b"\\" in text for text in (files or {}).values())
        return self._sealing[digest]


class _SessionJudge:
    """Judges sessions of a store."""

    def __init__(self, open_past: OpenPast, files: Mapping[str, bytes]) -> None:
        tune_gc()
        bundle = load_stored(files, NOTHING_SET).bundle
        assert bundle is not None, "it was loaded from the same files before"
        self._open_past = open_past
        self._bundle = bundle
        self._logs = _Logs()

    def __call__(self, sessions: Sequence[SessionRow]) -> Chunk:
        return trio.run(self._chunk, sessions)

    async def _chunk(self, sessions: Sequence[SessionRow]) -> Chunk:
        pasts: list[PastSession] = []
        loaded: list[tuple[SessionRow, list[Event], Redaction | None, list[Judgement | Release]]] = []
        began = thread_time()
        async with self._open_past() as store:
            for session in sessions:
                try:
                    log, veil = await self._logs.of(store, session)
                    if not log[0].payload:
                        pasts.append(PastSession(session.id, session.agent, 0, erased=True))
                        continue
                    loaded.append((session, log, veil, list(judgements(log))))
                except KeyDestroyed:
                    pasts.append(PastSession(session.id, session.agent, 0, erased=True))
                except UNREADABLE as error:
                    pasts.append(unread(session.id, session.agent, str(error)))
        all_loaded = thread_time()
        pasts += [self._judged(*one) for one in loaded]
        return Chunk(tuple(pasts), all_loaded - began, thread_time() - all_loaded)

    def _judged(
        self,
        session: SessionRow,
        log: list[Event],
        veil: Redaction | None,
        moments: list[Judgement | Release],
    ) -> PastSession:
        try:
            found = judged(log, moments, self._bundle, lambda: self._logs.bundle(session.bundle))
            return found if veil is None else self._hidden(found, veil)
        except UNREADABLE as error:
            return unread(session.id, session.agent, str(error))

    def _hidden(self, past: PastSession, veil: Redaction) -> PastSession:
        """The same as people may see it: what its own bundle marks, and what the new one does, stands nowhere."""
        agent = self._bundle.agents.get(past.agent)
        new = veil.under(self._bundle, agent) if agent is not None else veil
        flips = tuple(
            replace(
                flip,
                values=new.values(flip.tool, flip.call_id, veil.values(flip.tool, flip.call_id, flip.values)),
                why=veil.words(flip.why, flip.tool, flip.call_id),
            )
            for flip in past.flips
        )
        return replace(past, flips=flips, then=veil.words(past.then), unknown=veil.words(past.unknown))
