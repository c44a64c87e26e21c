"""All codes there are, found in this folder: a file a diagnostic.  No code is ever used again for something else.

A file has the code's `MANUAL` and the functions that make its diagnostics.  What a whole bundle without errors shows is
found there as well, by `check(whole: WholeBundle) -> Iterator[Diagnostic]`; all else is found while documents are read
and linked, where it is met.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType

from engine.bundle import checks
from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual

_FILE = re.compile(r"[ew]\d{3}_\w+")


def _files() -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(checks.__path__), key=lambda found: found.name):
        if _FILE.fullmatch(found.name):
            yield import_module(f"{checks.__name__}.{found.name}")


_CHECK_FILES = tuple(_files())

MANUALS: Mapping[str, Manual] = {
    manual.code: manual for manual in sorted((module.MANUAL for module in _CHECK_FILES), key=lambda manual: manual.code)
}

CHECKS: tuple[Callable[[WholeBundle], Iterator[Diagnostic]], ...] = tuple(
    module.check for module in _CHECK_FILES if hasattr(module, "check")
)
