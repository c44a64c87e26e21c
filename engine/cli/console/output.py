"""What commands say: every text on its way to a terminal or a pipe goes through here.

What is sealed is shown as `[sensitive]`, whatever text it stands in.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

import click

from engine.diagnostic.visible import block, line
from engine.session.sealed_tokens import shown


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


# -- where the texts go


class _GuardedStream(io.FileIO):
    """A stream that takes everything: what can't be written is lost, and told at the end.

    A full disk ends no session half way.  A reader who has gone away is another matter: a list ends with it.
    """

    write_error: OSError | None = None

    def write(self, data: Any) -> int:
        """See `io.FileIO`; raises BrokenPipeError alone."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.write_error = error
            return len(data)


_guarded: list[_GuardedStream] = []


def guard_output() -> None:
    """Make this process's streams guarded ones; one that was closed leads nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # it gets the lowest number that is free, which would be a store's otherwise
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115
            setattr(sys, f"__{name}__", getattr(sys, name))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
            continue
        stream.flush()
        raw = _GuardedStream(stream.fileno(), "w", closefd=False)
        _guarded.append(raw)
        # what a terminal's encoding has no character for is told, and ends nothing
        made = io.TextIOWrapper(
            io.BufferedWriter(raw),
            stream.encoding,
            "backslashreplace",
            line_buffering=name == "stderr" or stream.isatty(),
        )
        setattr(sys, name, made)


def stop_writing() -> None:
    """Write nothing any more to standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell_lost() -> bool:
    """Say once that some of standard output could not be written; whether it was so."""
    lost = [raw.write_error for raw in _guarded if raw.fileno() == 1 and raw.write_error is not None]
    for error in lost:
        say(f"engine: the output can't be written: {os.strerror(error.errno or 0).lower()}", err=True)
    for raw in _guarded:
        raw.write_error = None
    return bool(lost)
