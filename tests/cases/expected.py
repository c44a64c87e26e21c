"""The list of cases: how each is run, and what it is expected to give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LIST = Path(__file__).with_name("expected.yaml")


@dataclass(frozen=True)
class Case:
    """`run` is a script for bash with the words of `steps.sh`; all else is what must come of it.

    The first word of a name is the case's place in the folder; `uses` are further places that it goes through.
    `says` and `never` are texts of its output; `megabytes` bounds each process
    of the engine, `seconds` all of it.
    """

    name: str
    run: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    exit: int = 0
    seconds: int = 90
    megabytes: int = 400
    uses: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return self.name.partition(" ")[0].rstrip(",")

    @property
    def stands_for(self) -> tuple[str, ...]:
        return (self.place, *self.uses)


def _fields(said: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}


def expected() -> list[Case]:
    listed = yaml.safe_load(LIST.read_text())
    return [Case(name, **_fields(said)) for name, said in listed.items()]
