"""The fixtures that are missing: for each mutant that survives one that fails under it, or the proof that none can."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.bundle.load import load_files
from engine.bundle.yaml_writer import NotWritable, written
from engine.coverage.mutants import Mutant
from engine.fixtures.scenario import run_fixture
from engine.language.value import exact, jsonable
from engine.proof.diff import Change, diff, other_words
from engine.proof.divergences import OTHER_WORDS
from engine.proof.fixture import fixture_of
from engine.spec.bundle import Bundle

EQUIVALENT, WRITTEN, CAUGHT, OPEN = "equivalent", "written", "caught", "open"

MOST_TRIED = 4


@dataclass(frozen=True, slots=True)
class MissingFixture:
    """What is known of a survivor.

    `equivalent`: proved to judge every call alike; `written`: `fixture` fails under it; `caught` by one that was
    written for another; `open`: neither, and `why`.
    """

    mutant: Mutant
    status: str
    why: str = ""
    fixture: Mapping[str, Any] | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        told = {"id": self.mutant.id, "status": self.status, "why": self.why}
        return told | ({"fixture": self.fixture["name"]} if self.fixture is not None else {})


def missing(
    bundle: Bundle, files: Mapping[str, bytes], survivors: Sequence[Mutant], names: Sequence[str]
) -> Iterator[MissingFixture]:
    """What is known of each survivor; `names` are those of the fixtures that there are."""
    made: list[Mapping[str, Any]] = []
    taken = set(names)
    for mutant in survivors:
        changed = mutant.load(files).bundle
        assert changed is not None, "a survivor is a valid bundle"
        by = next((known for known in made if not run_fixture(changed, known).passed), None)
        if by is not None:
            yield MissingFixture(mutant, CAUGHT, f"`{by['name']}` fails under it", by)
            continue
        found = _of_one(bundle, changed, files, mutant, _name(mutant, taken))
        if found.fixture is not None:
            taken.add(str(found.fixture["name"]))
            made.append(found.fixture)
        yield found


def _of_one(bundle: Bundle, changed: Bundle, files: Mapping[str, bytes], mutant: Mutant, name: str) -> MissingFixture:
    changes: list[Change] = []
    for change in diff(bundle, changed):
        changes.append(change)
        found = _fixture(bundle, changed, files, mutant, change, name) if len(changes) <= MOST_TRIED else None
        if found is not None:
            return found
    if changes:
        first = changes[0]
        return MissingFixture(
            mutant, OPEN, f"{_change_text(first)} is {first.status}, and no fixture could be made of it"
        )
    for change in islice(other_words(bundle, changed), MOST_TRIED):
        found = _fixture(bundle, changed, files, mutant, change, name)
        if found is not None:
            return found
    return MissingFixture(
        mutant, EQUIVALENT, "proved: no call is judged otherwise, and none is known that names other rules"
    )


def _fixture(
    bundle: Bundle, changed: Bundle, files: Mapping[str, bytes], mutant: Mutant, change: Change, name: str
) -> MissingFixture | None:
    """The fixture that notices a change, if there is one."""
    if change.status != "certain" or change.witness is None:
        return None
    words = change.why == OTHER_WORDS
    fixture = fixture_of(bundle, change.witness, name, _description(mutant, change), words=words)
    if fixture is None or run_fixture(changed, fixture.document).passed or not _reads_back(files, fixture.document):
        return None
    return MissingFixture(mutant, WRITTEN, _change_text(change), fixture.document)


def _reads_back(files: Mapping[str, bytes], document: Mapping[str, Any]) -> bool:
    """Whether a bundle of these files takes a fixture as it is written, for what it is."""
    try:
        text = written(exact(jsonable(document)))
    except NotWritable:
        return False
    loaded = load_files({**files, f"fixtures/{document['name']}.yaml": text.encode()})
    read = {one.name: one.plain for one in loaded.documents.well_formed("Fixture")}
    return loaded.bundle is not None and read.get(document["name"]) == document


def _change_text(change: Change) -> str:
    told = f"{change.tool}: {change.kind}"
    return f"{told}: {change.why}" if change.why else told


def _description(mutant: Mutant, change: Change) -> str:
    where = f"{mutant.place.file}:{mutant.place.line}"
    return f"Written to notice a mistake in {where} ({mutant.what}); is this what must come out?"


def _name(mutant: Mutant, taken: set[str]) -> str:
    about = mutant.rule or re.sub(r"[^a-z0-9]+", "-", mutant.what.split(":")[0].replace("`", "").lower()).strip("-")
    base = f"missing-{about}"[:70]
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
