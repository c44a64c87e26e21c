"""What of a bundle acts: what it calls, where it lies, and what it runs.

A bundle that is brought over the API changes what is decided, and not what acts: else whoever writes rules would run
statements on any database of the service, and send its secrets anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.bundle import yaml_reader
from engine.bundle.files import is_document
from engine.diagnostic import SourceFile
from engine.language.value import digest, jsonable

# of each kind of document what acts; None is all of it
_ACTS: Mapping[str, tuple[str, ...] | None] = {
    "Tool": ("adapter", "mode"),
    "Agent": ("planner", "planners"),
    "Database": None,
    "Server": None,
}


def foreign_parts(files: Mapping[str, bytes], own: Mapping[str, bytes]) -> list[str]:
    """What of a bundle acts otherwise than in another, or is not there; to leave something out is no more than that."""
    known = dict(_parts(own))
    return sorted(name for name, part in _parts(files) if known.get(name) != part)


def _parts(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """What acts, each with a digest: equal ones do the same."""
    for path, content in files.items():
        if not is_document(path):
            # a program, a script, or what a database is filled with
            yield path, digest(content.hex())
            continue
        if not path.endswith((".yaml", ".yml")):
            continue  # a prompt
        node = yaml_reader.read(SourceFile(path, content.decode("utf-8", "replace")), lambda found: None)
        plain: Any = node.plain if node is not None else None
        if not isinstance(plain, Mapping) or plain.get("kind") not in _ACTS:
            continue
        keys = _ACTS[str(plain["kind"])]
        acts = {key: value for key, value in plain.items() if keys is None or key in keys}
        yield f"{plain['kind']} {plain.get('name')}", digest(jsonable(acts))
