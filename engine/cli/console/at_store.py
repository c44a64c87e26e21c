"""Commands that do something with a store and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cli.console.app import App


def at_store(store_url: str, body: Callable[[App], Awaitable[int]]) -> None:
    """Do it, and exit with its code; the runtime is imported only now, so that `--help` is quick."""
    from engine.cli.console.app import perform

    raise SystemExit(perform(store_url, body))
