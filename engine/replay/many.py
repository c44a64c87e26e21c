"""All past sessions of a store under another bundle, on all cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import thread_time

from engine.bundle.load import load_stored
from engine.reach import MissingSecret
from engine.replay.judgements import Judgement, Release, judgements
from engine.replay.whatif import Past, judged
from engine.runtime.collector import relax
from engine.runtime.sealing import opener
from engine.runtime.secrets import HostSecrets
from engine.session.bundle import Bundle
from engine.session.event import Event
from engine.session.evolve import BrokenHistory
from engine.store.chain import Unreadable
from engine.store.reading import Listed, ReadStore, open_reading, opened
from engine.testing.together import cores

# what one process takes at a time, and with fewer sessions than that no further process is started
CHUNK = 200

Open = Callable[[Event], Event]


@dataclass(frozen=True, slots=True)
class Chunk:
    """What became of some sessions; CPU seconds for loading (reading and folding) and for judging apart."""

    pasts: tuple[Past, ...]
    loading: float
    judging: float


def whatif_all(path: Path, bundle: Bundle, sessions: Sequence[Listed], workers: int | None = None) -> Iterator[Chunk]:
    """What a bundle would have made of each session, in chunks as they are done."""
    chunks = [sessions[start : start + CHUNK] for start in range(0, len(sessions), CHUNK)]
    at_once = min(workers or cores(), len(chunks))
    if at_once <= 1:
        with open_reading(path) as store:
            judge = _Judge(store, bundle)
            yield from map(judge, chunks)
        return
    # a fresh process shares no connection and no lock with this one
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, context, _begin, (path, bundle.files)) as pool:
        running = [pool.submit(_do, chunk) for chunk in chunks]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def past_logs(path: Path, since: datetime | None, agents: Collection[str]) -> Iterator[list[Event]]:
    """The logs of the sessions of some agents that began no earlier; those that can't be read are left out."""
    with open_reading(path) as store:
        judge = _Judge(store, None)
        for session in store.sessions(since):
            if session.agent in agents:
                try:
                    yield judge.log(session)
                except (BrokenHistory, Unreadable, MissingSecret, KeyError):
                    continue


class _Judge:
    """Judges sessions of a store."""

    def __init__(self, store: ReadStore, bundle: Bundle | None) -> None:
        self._store = store
        self._bundle = bundle
        self._openers: dict[tuple[str, str], Open | None] = {}

    def __call__(self, sessions: Sequence[Listed]) -> Chunk:
        assert self._bundle is not None, "made to judge"
        pasts: list[Past] = []
        loaded: list[tuple[list[Event], list[Judgement | Release]]] = []
        began = thread_time()
        for session in sessions:
            try:
                log = self.log(session)
                loaded.append((log, list(judgements(log))))
            except (BrokenHistory, Unreadable, MissingSecret, KeyError) as error:
                pasts.append(Past(session.id, session.agent, 0, skipped=f"it can't be read: {error}"))
        all_loaded = thread_time()
        pasts += [judged(log, moments, self._bundle) for log, moments in loaded]
        return Chunk(tuple(pasts), all_loaded - began, thread_time() - all_loaded)

    def log(self, session: Listed) -> list[Event]:
        """A session's events, with what is sealed in them; raises BrokenHistory, Unreadable, MissingSecret."""
        log = self._store.log(session.id)
        if not log:
            raise BrokenHistory(f"session {session.id} has no events")
        key = session.bundle, session.agent
        if key not in self._openers:
            self._openers[key] = self._opener(*key)
        opened = self._openers[key]
        return log if opened is None else [opened(event) for event in log]

    def _opener(self, digest: str, agent: str) -> Open | None:
        """What opens the sealed values of the sessions under a bundle; None if it seals none."""
        files = self._store.bundle(digest)
        if files is None or not any(b"x-sensitive" in content for content in files.values()):
            return None
        bundle = load_stored(files).bundle
        if bundle is None or agent not in bundle.agents:
            raise BrokenHistory(f"this version of the engine can't read the bundle {digest}")
        return opener(bundle, bundle.agents[agent], HostSecrets())


# -- in a worker process

_judge: _Judge


def _begin(path: Path, files: Mapping[str, bytes]) -> None:
    global _judge
    relax()
    bundle = load_stored(files).bundle
    assert bundle is not None, "it was loaded from the same files before"
    # open for as long as the process lives
    _judge = _Judge(opened(path), bundle)


def _do(sessions: Sequence[Listed]) -> Chunk:
    return _judge(sessions)
