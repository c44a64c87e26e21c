"""The bundle that a command works on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from engine.bundle.load import LoadedBundle, load_directory
from engine.cli.console.output import coloured
from engine.diagnostic import Diagnostic, SourceFile, did_you_mean, has_errors
from engine.diagnostic.render import full
from engine.session.exit_code import FAILED
from engine.spec.bundle import Agent, Bundle


def load_or_exit(root: Path) -> tuple[Bundle, LoadedBundle]:
    """The bundle of a directory; its errors are printed, and exit 1."""
    loaded = load_directory(root)
    return valid_or_exit(loaded), loaded


def valid_or_exit(loaded: LoadedBundle, otherwise: Callable[[], None] = lambda: None) -> Bundle:
    """A bundle that was loaded; its errors are printed, beside what is told `otherwise`, and exit 1."""
    if loaded.bundle is None or has_errors(loaded.diagnostics):
        otherwise()
        show_diagnostics(loaded.diagnostics, loaded.sources)
        raise SystemExit(FAILED)
    return loaded.bundle


def show_diagnostics(found: Sequence[Diagnostic], sources: Mapping[str, SourceFile]) -> None:
    """Print diagnostics with their places on stderr."""
    click.echo(full(found, sources, colour=coloured(sys.stderr)), err=True)


def agent_of(bundle: Bundle, name: str | None) -> Agent:
    """The agent that is meant; raises click.UsageError."""
    if name is None:
        if len(bundle.agents) == 1:
            return next(iter(bundle.agents.values()))
        raise click.UsageError(f"--agent is needed: the bundle has {', '.join(sorted(bundle.agents))}")
    if name not in bundle.agents:
        hint = did_you_mean(name, bundle.agents) or f"the bundle has {', '.join(sorted(bundle.agents))}"
        raise click.UsageError(f"there is no agent `{name}`; {hint}")
    return bundle.agents[name]
