"""The recorded domain: a database, and conversations as they were executed on the original tools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.language.value import loads

OWN = Path(__file__).parent / "shop"
VARIABLE = "RETAIL_DATA"
ROOT = Path(__file__).resolve().parents[2]
PLACES = ("data/retail", "../shared/data/retail")


@dataclass(frozen=True, slots=True)
class Data:
    """`db` has users, orders and products by id; an episode has the steps of one conversation."""

    place: Path
    db: Mapping[str, Mapping[str, Any]]
    episodes: list[Mapping[str, Any]]


def read(place: Path) -> Data:
    """The data of a directory, its numbers exact."""
    return Data(place, loads((place / "db.json").read_bytes()), loads((place / "episodes.json").read_bytes()))


def recorded() -> Path | None:
    """Where the recorded domain lies, or None: it is not part of the repository."""
    named = os.environ.get(VARIABLE)
    places = [Path(named)] if named else [ROOT / place for place in PLACES]
    return next((place for place in places if (place / "episodes.json").is_file()), None)
