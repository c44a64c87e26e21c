"""All past sessions of a store under another bundle, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import thread_time

from engine.bundle.load import load_stored
from engine.fixtures.process_pool import on_all_cores
from engine.ports.records import CorruptLog, DamagedBundle, UnknownSession
from engine.ports.resources import MissingSecret
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
from engine.store.log_key import LogKey
from engine.store.readonly import ListedSession, ReadStore, open_reading
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


def whatif_all(
    path: Path,
    files: Mapping[str, bytes],
    sessions: Sequence[ListedSession],
    workers: int | None = None,
    key: LogKey | None = None,
) -> Iterator[Chunk]:
    """What the bundle of these files would have made of each session, in chunks as they are done.

    With the log's key a session whose head it has not sealed is one that can't be read.
    """
    chunks = [sessions[start : start + CHUNK] for start in range(0, len(sessions), CHUNK)]
    return on_all_cores(_SessionJudge, (path, dict(files), key), chunks, workers)


def past_logs(
    path: Path,
    since: datetime | None,
    agents: Collection[str],
    key: LogKey | None = None,
    left_out: Callable[[str], None] = lambda why: None,
) -> Iterator[list[Event]]:
    """The logs of the sessions of some agents that began no earlier; of those that can't be read it is told why."""
    with open_reading(path, key) as store:
        logs = _Logs()
        for session in store.sessions(since):
            if session.agent in agents:
                try:
                    yield logs.of(store, session)[0]
                except UNREADABLE as error:
                    left_out(f"{session.id}: {error}")


class _Logs:
    """The logs of a store's sessions, with what is sealed in them."""

    def __init__(self) -> None:
        self._sealing: dict[str, bool] = {}
        self._secrets = HostSecrets()
        self._people = person_keys()
        self._bundles: dict[str, Bundle | None] = {}

    def bundle(self, store: ReadStore, digest: str) -> Bundle | None:
        """A bundle of the store, or None if it is not there or can't be read."""
        if digest not in self._bundles:
            files = store.bundle(digest)
            bundle = load_stored(files).bundle if files is not None else None
            # under another digest it is not what the session ran under
            self._bundles[digest] = bundle if bundle is not None and bundle.digest == digest else None
        return self._bundles[digest]

    def of(self, store: ReadStore, session: ListedSession) -> tuple[list[Event], Redaction | None]:
        """A session's events, and what hides from people what is sensitive of them; raises one of UNREADABLE."""
        log = store.log(session.id)
        if not log:
            raise BrokenHistory(f"session {session.id} has no events")
        if not self._seals(store, session.bundle):
            if any(holds_sealed(event.payload) for event in log):
                raise BrokenHistory(f"its values are sealed, and its bundle {session.bundle[:12]} is gone or another")
            return log, None
        bundle = self.bundle(store, session.bundle)
        if bundle is None or session.agent not in bundle.agents:
            raise BrokenHistory(f"this version of the engine can't read the bundle {session.bundle}")
        return opened(log, bundle, bundle.agents[session.agent], self._secrets, self._people)

    def _seals(self, store: ReadStore, digest: str) -> bool:
        """Whether a bundle may have something sealed, which most have not."""
        if digest not in self._sealing:
            files = store.bundle(digest) or {}
            # a word of YAML may also be written with escapes
            self._sealing[digest] = any(b"x-sensitive" in text or b"\\" in text for text in files.values())
        return self._sealing[digest]


class _SessionJudge:
    """Judges sessions of a store."""

    def __init__(self, path: Path, files: Mapping[str, bytes], key: LogKey | None) -> None:
        tune_gc()
        bundle = load_stored(files).bundle
        assert bundle is not None, "it was loaded from the same files before"
        self._path = path
        self._key = key
        self._bundle = bundle
        self._logs = _Logs()

    def __call__(self, sessions: Sequence[ListedSession]) -> Chunk:
        pasts: list[PastSession] = []
        loaded: list[tuple[ListedSession, list[Event], Redaction | None, list[Judgement | Release]]] = []
        began = thread_time()
        with open_reading(self._path, self._key) as store:
            for session in sessions:
                try:
                    log, veil = self._logs.of(store, session)
                    loaded.append((session, log, veil, list(judgements(log))))
                except KeyDestroyed:
                    pasts.append(PastSession(session.id, session.agent, 0, erased=True))
                except UNREADABLE as error:
                    pasts.append(unread(session.id, session.agent, str(error)))
            all_loaded = thread_time()
            pasts += [self._judged(store, *one) for one in loaded]
        return Chunk(tuple(pasts), all_loaded - began, thread_time() - all_loaded)

    def _judged(
        self,
        store: ReadStore,
        session: ListedSession,
        log: list[Event],
        veil: Redaction | None,
        moments: list[Judgement | Release],
    ) -> PastSession:
        try:
            found = judged(log, moments, self._bundle, lambda: self._logs.bundle(store, session.bundle))
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
