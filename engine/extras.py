"""Libraries that many bundles do without: they come with the extras of this package, each by its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from engine.ports.resources import EnvironmentFault

# by extra: the modules that it brings
MODULES: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "mcp": ("mcp", "anyio"),
    "prove": ("z3",),
    "postgres": ("psycopg",),
}


class MissingExtra(EnvironmentFault):
    """A library is not there, or can't be used."""


def missing_kind(what: str, name: str) -> MissingExtra:
    """A kind of adapter or planner that nothing here brings."""
    return MissingExtra(f"nothing that is installed here brings the {what} kind `{name}`: install its package")


def is_there(extra: str) -> bool:
    """Whether the modules of an extra are there; none of them is imported."""
    return all(find_spec(module) is not None for module in MODULES[extra])


def unusable(extra: str, by: str, error: ImportError) -> MissingExtra:
    """What importing a library came to, where something needs it."""
    return MissingExtra(f"a library can't be used: {install(extra)} ({by}: {error})")


def install(extra: str) -> str:
    """The command that brings an extra."""
    return f"pip install 'steadyhand[{extra}]'"
