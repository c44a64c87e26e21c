"""Many fixtures at once, each in a process of its own pool."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from engine.bundle.load import load_stored
from engine.session.bundle import Bundle
from engine.testing.pathway import Report, run_fixture

# fewer are done before further processes have started
MANY = 40

Fixture = Mapping[str, Any]


def cores() -> int:
    """How many processes can work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(bundle: Bundle, fixtures: Sequence[Fixture], workers: int | None = None) -> Iterator[Report]:
    """The fixtures' reports, without their traces, as they are done."""
    at_once = min(workers or cores(), len(fixtures))
    if at_once <= 1:
        yield from (run_fixture(bundle, fixture) for fixture in fixtures)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, context, _begin, (dict(bundle.files), fixtures)) as pool:
        running = [pool.submit(_run, number) for number in range(len(fixtures))]
        for done in as_completed(running):
            yield done.result()


_bundle: Bundle
_fixtures: Sequence[Fixture]


def _begin(files: Mapping[str, bytes], fixtures: Sequence[Fixture]) -> None:
    global _bundle, _fixtures
    bundle = load_stored(files).bundle
    assert bundle is not None, "it was loaded from the same files before"
    _bundle, _fixtures = bundle, fixtures


def _run(number: int) -> Report:
    # what failed has told what stood around it
    return replace(run_fixture(_bundle, _fixtures[number]), trace=())
