"""The root of what the engine raises to who uses it."""

from __future__ import annotations


class EngineError(Exception):
    """Whatever keeps the engine from what it was asked for: each kind says what to do.

    Faults of Python itself, such as a ValueError of an argument, are not among them.
    """
