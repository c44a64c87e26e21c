"""E407: template names an unknown variable."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E407",
    title="template names an unknown variable",
    what="A prompt or a text uses a variable that it is not given.",
    why="It would be blank in front of the model or the customer.",
    wrong="You help {{ sesion.tenant }}.",
    right="You help {{ session.tenant }}.",
)


def at(place: Place, name: str, known: Iterable[str] = (), help_: str = "") -> Diagnostic:
    """The variable."""
    help_ = help_ or did_you_mean(name, known)
    return MANUAL.at(place, f"template names the unknown variable `{name}`", help=help_)
