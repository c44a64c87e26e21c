"""Past sessions that a command looks at: since when, in which store, and what about them is accepted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.console.output import say
from engine.policy.flip_names import BadFlip, flip_name
from engine.session.exit_code import FAULT
from engine.spec.bundle import Bundle
from engine.whatif.acceptance import Acceptance
from engine.whatif.since import moment_of

if TYPE_CHECKING:
    from engine.ports.store import OpenPast
    from engine.store.log_key import LogKey

F = TypeVar("F", bound=Callable[..., Any])


def since_option(function: F) -> F:
    """--since WHEN."""
    told = "Only sessions that began since then: `7d`, or `2026-01-31`."
    return click.option("--since", metavar="WHEN", callback=_moment, help=told)(function)


def accept_option(function: F) -> F:
    """--accept RULE:FLIP."""
    told = "A loosening that is meant; repeatable."
    return click.option("--accept", "accepts", metavar="RULE:FLIP", multiple=True, help=told)(function)


def _moment(context: click.Context, option: click.Parameter, since: str | None) -> datetime | None:
    """The time that `7d` or a date names."""
    if since is None:
        return None
    try:
        return moment_of(since, datetime.now(UTC))
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None


def named_flip(text: str) -> str:
    """A flip that somebody names, in one form; raises click.UsageError."""
    try:
        return flip_name(text)
    except BadFlip as error:
        raise click.UsageError(str(error)) from None


def accepted_by(bundle: Bundle, accepts: tuple[str, ...]) -> Acceptance:
    """The flips that a bundle's policies or the caller answer for; raises click.UsageError."""
    return Acceptance(bundle.accepted, {named_flip(text) for text in accepts})


@cache
def log_key() -> LogKey | None:
    """The key of the log, which is taken out of the environment the first time; a wrong one ends the command."""
    from engine.store.log_key import BadLogKey, taken_from

    try:
        return taken_from(os.environ)
    except BadLogKey as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def reading(store_url: str) -> Iterator[OpenPast]:
    """What opens the past sessions of a store; what is wrong with it ends the command in a line."""
    from engine.store.faults import BadStoreUrl, StoreFault
    from engine.store.migrations import NewerStore
    from engine.store.readonly import open_past

    try:
        yield partial(open_past, store_url, log_key())
    except BadStoreUrl as error:
        raise click.UsageError(str(error)) from None
    except (StoreFault, NewerStore) as error:
        say(f"engine: {error}", err=True)
        raise SystemExit(FAULT) from None
