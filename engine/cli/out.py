"""What commands say: every text on its way to a terminal or a pipe goes through here.

What is sealed is shown as `[sensitive]`, whatever text it stands in.
"""

from __future__ import annotations

import os
from typing import TextIO

import click

from engine.diagnostic.visible import block, line
from engine.session.sealed import shown


def coloured(stream: TextIO) -> bool:
    """Whether text for a stream may have colours: on a terminal that has them, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(number: int, noun: str) -> str:
    """So many of something: `1 session`, `2 sessions`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """What so many of something do: `is` or `are`."""
    return "is" if number == 1 else "are"


def say(text: object, *, err: bool = False, style: str | None = None) -> None:
    """Say one line, whatever it holds; `style` is its colour on a terminal."""
    said = block(line(shown(str(text))))
    click.echo(click.style(said, fg=style) if style else said, err=err)


def say_lines(text: str, *, err: bool = False, end: bool = True) -> None:
    """Say a text that has lines of its own; the values in it were put on one before."""
    click.echo(block("\n".join(map(shown, text.split("\n")))), err=err, nl=end)
