"""Why a store can't be had."""

from __future__ import annotations

from engine.errors import EngineError


class BadStoreUrl(EngineError):
    """A store's URL that this version can't use."""


class StoreFault(EngineError):
    """A store that is there, or should be, and can't be read or written."""


class NoStore(StoreFault):
    """There is nothing where a store is to be read, or an empty file."""
