"""A session's trace as it happens: for people, or as JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

from engine.cli.console.output import coloured, say_lines, stop_writing, tell_lost
from engine.diagnostic.visible import block
from engine.diagnostic.visible import line as visible
from engine.language.value import jsonable, one_line, pretty
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event, EventKind
from engine.session.state.events.table import EVENTS
from engine.session.trace import entries, entry, headline

_STYLE = {
    "ok": "green",
    "blocked": "yellow",
    "terminal_error": "red",
    "retryable_error": "red",
    "unknown": "magenta",
}


# so many characters of a table's first column stay on one line, and of the others if they can be read at all
FIRST, READABLE = 36, 10

# around each cell
BORDERS = 3

# before each line of what a model says while it says it
BAR = "│ "


class Printer:
    """Prints events in a format: text and jsonl as they come, json at the end."""

    def __init__(self, output_format: str) -> None:
        self._format = output_format
        self.events: list[Event] = []
        self._console: Any = None
        self._gone = False
        self._partial = ""
        self._column = 0

    def __call__(self, event: Event) -> None:
        """Take one event; a reader who has gone away does not stop the session."""
        self.events.append(event)
        if self._gone:
            return
        try:
            if self._format == "jsonl":
                say_lines(line(entry(event)))
            elif self._format == "text":
                self._text(event)
        except (BrokenPipeError, SystemExit):
            self._gone = True
            stop_writing()

    def partial(self, session_id: str, text: str) -> None:
        """Show what a model has said so far, on a terminal only."""
        if self._format != "text" or self._gone or not sys.stdout.isatty():
            return
        more = text[len(self._partial) :] if text.startswith(self._partial) else f"\n{text}"
        if not self._partial:
            self._column = 0
        self._partial = text
        click.secho(self._barred(block(more)), nl=False, dim=True)

    def _barred(self, text: str) -> str:
        """A text behind a bar on every line, also where the terminal would break it: none looks like the trace's."""
        from rich.cells import cell_len

        width, barred = shutil.get_terminal_size().columns, []
        for char in text.replace("\t", " "):
            if char != "\n" and self._column + cell_len(char) > width:
                barred.append("\n")
                self._column = 0
            if self._column == 0:
                barred.append(BAR)
                self._column = len(BAR)
            barred.append(char)
            self._column = 0 if char == "\n" else self._column + cell_len(char)
        return "".join(barred)

    def finish(self) -> None:
        """Print what is printed at the end."""
        if self._format == "json":
            print_json(entries(self.events))
        # the session is as it is, whatever became of its trace
        tell_lost()

    def _text(self, event: Event) -> None:
        if self._partial:
            # what was said so far is told whole by the event
            self._partial = ""
            click.echo()
        if EVENTS[event.kind].detail or (event.kind is EventKind.VERDICT and event.payload["verdict"] == "allow"):
            return
        if self._console is None:
            self._console = console(sys.stdout, highlight=False, soft_wrap=True)
        label, style = _label(event)
        from rich.text import Text

        said = headline(entry(event))
        self._console.print(Text.assemble((f"{label:<10}", "bold"), (said, style)))


def _label(event: Event) -> tuple[str, str]:
    kind, payload = event.kind, event.payload
    if kind is EventKind.MESSAGE_RECEIVED:
        return "user", "cyan"
    if kind is EventKind.DECISION_RECORDED:
        return f"step {event.step}", "bold" if payload["tool_calls"] else ""
    if kind is EventKind.TOOL_RESULT:
        return "", _STYLE.get(payload["status"], "")
    if kind is EventKind.STATE_TRANSITION:
        return "state", "bold green" if payload["state"] == "done" else "bold yellow"
    if kind is EventKind.SESSION_STARTED:
        return "session", "dim"
    return _LABELS.get(kind, "event"), "dim"


_LABELS = {
    EventKind.VERDICT: "policy",
    EventKind.REQUEST_OPENED: "asked",
    EventKind.REQUEST_ANSWERED: "answer",
    EventKind.YES_DELAYED: "answer",
    EventKind.YES_TAKEN_BACK: "answer",
}


def print_json(value: Any) -> None:
    """A value as indented JSON, its keys in their order."""
    say_lines(pretty(jsonable(shown(value))))


def line(value: Any) -> str:
    """A value as one line of JSON, its keys in their order."""
    return one_line(jsonable(shown(value)))


NO_COLOURS: Mapping[str, str] = {}


def table(title: str, columns: list[str], rows: list[list[str]], colours: Mapping[str, str] = NO_COLOURS) -> None:
    """A table on a terminal, or its rows one below the other on a narrow one; tab-separated lines in a pipe.

    `colours` are of the cells that say just that.
    """
    rows = [[visible(cell) for cell in row] for row in shown(rows)]
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.table import Table
    from rich.text import Text

    # a cell is a text of others: nothing of it is markup
    heading, screen = Text(visible(title)), console(sys.stdout, emoji=False, markup=False)
    if not rows:
        screen.print(Text.assemble(heading, ": none"))
        return
    longest = [max([len(column), *(len(row[n]) for row in rows if n < len(row))]) for n, column in enumerate(columns)]
    least = [min(wide, READABLE if place else FIRST) for place, wide in enumerate(longest)]
    if sum(least) + BORDERS * len(least) + 1 > screen.width:
        screen.print(heading, style="italic")
        _print_below(screen, columns, rows)
        return
    grid = Table(title=heading, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        # what is too long goes on below: a name that is cut can't be used
        grid.add_column(column, overflow="fold", min_width=least[place] if place == 0 else None)
    for row in rows:
        grid.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
    screen.print(grid)


def _print_below(screen: Any, columns: list[str], rows: list[list[str]]) -> None:
    """The rows of a table that a terminal is too narrow for, a line for each cell."""
    from rich.text import Text

    wide = max(map(len, columns))
    for row in rows:
        screen.print()
        for column, cell in zip(columns, row, strict=False):
            if cell:
                screen.print(Text.assemble((f"{column:<{wide}}", "bold"), "  ", cell), overflow="fold")


def console(stream: TextIO, **settings: Any) -> Any:
    """What prints for people on a stream, in colours where it may."""
    from rich.console import Console

    return Console(file=stream, color_system="auto" if coloured(stream) else None, **settings)
