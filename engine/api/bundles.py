"""Bundles for programs: loaded from a directory, or told what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.bundle.load import load_directory
from engine.diagnostic import Diagnostic, SourceFile, has_errors
from engine.diagnostic.render import full
from engine.errors import EngineError
from engine.spec.bundle import Bundle


class InvalidBundle(EngineError):
    """A bundle has errors: `diagnostics` are all that there is to say of it, and the message is as it is printed."""

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, SourceFile]) -> None:
        super().__init__(full(diagnostics, sources))
        self.diagnostics = tuple(diagnostics)


def load_bundle(root: str | os.PathLike[str]) -> Bundle:
    """Load and check the bundle in a directory, where its databases lie as well; warnings are no errors.

    Raises InvalidBundle, and NotADirectoryError where there is no directory.  It reads files: within Trio call it
    before the nursery, or in a thread.

        bundle = load_bundle("refunds/")
        print(sorted(bundle.agents), bundle.digest)
    """
    loaded = load_directory(Path(root))
    if loaded.bundle is None or has_errors(loaded.diagnostics):
        raise InvalidBundle(loaded.diagnostics, loaded.sources)
    return replace(loaded.bundle, root=os.path.abspath(root))
