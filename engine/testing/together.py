"""Much work at once, on all cores: each process makes what works once, and then is given one thing after the other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from typing import Any, TypeVar

from engine.bundle.load import load_stored
from engine.session.bundle import Bundle
from engine.testing.pathway import Report, run_fixture

# fewer are done before further processes have started
MANY = 40

Fixture = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many processes can work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_all_cores(
    make: Callable[..., Callable[[T], R]], arguments: tuple[Any, ...], things: Sequence[T], workers: int | None = None
) -> Iterator[R]:
    """What `make(*arguments)` gives for each thing, as it is done; with one worker in this process, in order.

    Processes are started afresh, so that they share no connection and no lock with this one.
    """
    at_once = min(workers or cores(), len(things))
    if at_once <= 1:
        yield from map(make(*arguments), things)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, context, _begin, (make, arguments)) as pool:
        running = [pool.submit(_do, thing) for thing in things]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_work: Callable[[Any], Any]


def _begin(make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    global _work
    _work = make(*arguments)


def _do(thing: Any) -> Any:
    return _work(thing)


def run_all(bundle: Bundle, fixtures: Sequence[Fixture], workers: int | None = None) -> Iterator[Report]:
    """The fixtures' reports, without their traces, as they are done."""
    return on_all_cores(_Runner, (dict(bundle.files),), fixtures, workers)


class _Runner:
    """Runs fixtures of a bundle."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        bundle = load_stored(files).bundle
        assert bundle is not None, "it was loaded from the same files before"
        self._bundle = bundle

    def __call__(self, fixture: Fixture) -> Report:
        # what failed has told what stood around it
        return replace(run_fixture(self._bundle, fixture), trace=())
