"""How far long work has come: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.cli.console.trace_printer import console


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that counts so many more done."""
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


@contextmanager
def rows_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A function that is told how many rows of a table are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda table, done, of: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(sys.stderr)) as bar:
        task = bar.add_task("rows")
        yield lambda table, done, of: bar.update(task, description=table.replace("_", " "), completed=done, total=of)
