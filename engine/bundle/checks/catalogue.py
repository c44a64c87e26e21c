"""All codes there are, found in this folder: a file a diagnostic.  No code is ever used again for something else."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from importlib import import_module

from engine.bundle import checks
from engine.diagnostic import Manual

_FILE = re.compile(r"[ew]\d{3}_\w+")


def _manuals() -> Iterator[Manual]:
    for found in pkgutil.iter_modules(checks.__path__):
        if _FILE.fullmatch(found.name):
            manual: Manual = import_module(f"{checks.__name__}.{found.name}").MANUAL
            yield manual


MANUALS: Mapping[str, Manual] = {manual.code: manual for manual in sorted(_manuals(), key=lambda manual: manual.code)}
