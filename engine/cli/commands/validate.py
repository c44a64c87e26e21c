"""`engine validate`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from engine.bundle.checks.catalogue import MANUALS
from engine.bundle.link.agents import MANY_TOOLS
from engine.bundle.load import LoadedBundle, load_directory
from engine.cli.console.options import bundle_argument, format_option
from engine.cli.console.output import coloured, say, say_lines
from engine.cli.console.promises import makes_promises
from engine.diagnostic import did_you_mean, has_errors
from engine.diagnostic.render import as_json, concise, full
from engine.session.exit_code import FAILED
from engine.version import __version__


@click.command(
    "validate",
    epilog="""\b
Examples:
  engine validate
  engine validate my-agent --format json
  engine validate --strict --format github
  engine validate --environment
  engine validate --explain E302""",
)
@bundle_argument
@format_option("full", "concise", "json", "sarif", "github", "junit")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--many-tools",
    metavar="N",
    type=click.IntRange(1),
    default=MANY_TOOLS,
    show_default=True,
    envvar="ENGINE_MANY_TOOLS",
    show_envvar=True,
    help="How many tools one agent may be offered without W601.",
)
@click.option("--explain", metavar="CODE", help="Print the manual page of a diagnostic.")
@click.option(
    "--environment", is_flag=True, help="List what each agent needs of this machine, and whether it is there."
)
def command(
    bundle: Path, output_format: str, strict: bool, many_tools: int, explain: str | None, environment: bool
) -> None:
    """Check a bundle: every diagnostic at once, sorted by place.

    Exits 0 if there is no error, 1 otherwise; with --strict also for warnings.

    With --environment: the secrets, the extras of this package and the programs that each agent needs with all its
    planners and tools; nothing is started and no secret is shown.  Exits 1 if one is missing that is not optional.
    """
    if explain is not None:
        _explain(explain)
        return
    if environment:
        raise SystemExit(_environment(bundle, output_format))
    loaded = load_directory(bundle, many_tools=many_tools)
    _print(loaded, bundle, output_format, strict=strict)
    if has_errors(loaded.diagnostics) or (strict and loaded.diagnostics):
        raise SystemExit(FAILED)


def _environment(bundle: Path, output_format: str) -> int:
    if output_format not in ("full", "json"):
        raise click.UsageError(f"--environment is printed as full or json, and not as {output_format}")
    from engine.cli.console.bundle import load_or_exit
    from engine.cli.console.environment import show

    return show(load_or_exit(bundle)[0], bundle, output_format)


def _print(loaded: LoadedBundle, bundle: Path, output_format: str, *, strict: bool) -> None:
    if output_format in ("sarif", "github", "junit"):
        report(loaded, bundle, output_format, strict=strict)
    elif output_format == "json":
        say_lines(as_json(loaded.diagnostics))
    elif output_format == "concise":
        if loaded.diagnostics:
            say_lines(concise(loaded.diagnostics))
    else:
        if loaded.diagnostics:
            click.echo(full(loaded.diagnostics, loaded.sources, colour=coloured(sys.stdout)))
        if loaded.bundle is not None:
            say(_summary(loaded))
            if makes_promises(loaded.bundle):
                say("what it promises is proved by: engine prove", err=True)


def report(loaded: LoadedBundle, bundle: Path, output_format: str, *, strict: bool = False) -> None:
    """The diagnostics as other tools read them: `sarif`, `github` or `junit`."""
    from engine.cli.console.files import from_repository
    from engine.diagnostic.reports import as_github, as_junit, as_sarif

    found = [replace(d, place=from_repository(d.place, bundle)) for d in loaded.diagnostics]
    if output_format == "sarif":
        say_lines(as_sarif(found, MANUALS, __version__))
    elif output_format == "junit":
        say_lines(as_junit(found, strict=strict))
    elif found:
        click.echo(as_github(found))


def _summary(loaded: LoadedBundle) -> str:
    counts = [(len(loaded.documents.of(kind)), kind.lower()) for kind in ("Agent", "Tool", "Policy", "Fixture")]
    named = ", ".join(f"{n} {_plural(word, n)}" for n, word in counts)
    assert loaded.bundle is not None
    return f"the bundle is valid: {named} (digest {loaded.bundle.digest[:12]})"


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _explain(code: str) -> None:
    manual = MANUALS.get(code.upper())
    if manual is None:
        raise click.UsageError(f"there is no diagnostic {code}; {did_you_mean(code.upper(), MANUALS)}")
    say_lines(manual.page())
