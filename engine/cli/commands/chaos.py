"""`engine chaos`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.bundle import load_or_exit
from engine.cli.console.files import from_repository
from engine.cli.console.options import format_option
from engine.cli.console.output import say
from engine.diagnostic import did_you_mean
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.diagnostic import Place
    from engine.fixtures.chaos import Life


@click.command(
    "chaos",
    epilog="""\b
Examples:
  engine chaos refund-approved
  engine chaos fixtures/refund-approved.yaml --format json
  engine chaos refund-approved my-agent
  engine chaos my-agent/fixtures/refund-approved.yaml""",
)
@click.argument("fixture", metavar="FIXTURE")
@click.argument(
    "bundle", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="[BUNDLE]"
)
@format_option("text", "json")
def command(fixture: str, bundle: Path | None, output_format: str) -> None:
    """Kill a fixture's process at every moment; show what held.

    After each death another process goes on from the log. What must hold: it comes to the same end, no write runs
    twice that must not, the log verifies, and resuming once more changes nothing. Exits 0 if all held, else 1.
    """
    root = bundle or _bundle_of(Path(fixture))
    checked, loaded = load_or_exit(root)
    found = {document.name: document for document in loaded.documents.well_formed("Fixture")}
    name = Path(fixture).stem if fixture.endswith((".yaml", ".yml")) else fixture
    if name not in found:
        raise click.UsageError(f"there is no fixture `{name}`; {did_you_mean(name, found) or 'see fixtures/'}")
    from engine.fixtures.chaos import chaos

    with click.progressbar(length=1, label="lives", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def tell(done: int, of: int) -> None:
            bar.length = of
            bar.update(1)

        lives = chaos(checked, found[name].plain, tell)
    _show(name, from_repository(found[name].node.at("name").place, root), lives, output_format)
    if not all(life.all_kept for life in lives):
        raise SystemExit(FAILED)


def _bundle_of(path: Path) -> Path:
    """The bundle that a fixture's file belongs to; of a mere name, the current directory."""
    return path.parent.parent if path.is_file() and path.parent.name == "fixtures" else Path()


def _show(name: str, place: Place, lives: list[Life], output_format: str) -> None:
    from engine.cli.console.trace_printer import print_json, table

    if output_format == "json":
        print_json([_payload(life) for life in lives])
        return
    rows = [
        [
            "undisturbed" if life.moment is None else f"{life.moment.side} {life.call}",
            life.status,
            life.outcome,
            str(life.settled),
            "" if life.moment is None else str(life.again),
            "held" if life.all_kept else "BROKEN",
        ]
        for life in lives
    ]
    table(name, ["killed", "state", "outcome", "settled", "run again", "promises"], rows)
    for life in lives:
        for problem in life.broken:
            say(f"{place}: {life.moment.side + ' ' + life.call if life.moment else 'undisturbed'}: {problem}")
    broken = sum(not life.all_kept for life in lives)
    say(f"{len(lives) - 1} kills, {broken} broke a promise")


def _payload(life: Life) -> dict[str, Any]:
    moment = life.moment
    return {
        "killed": None if moment is None else moment.side,
        "at": None if moment is None else life.call,
        "call": None if moment is None else moment.call,
        "state": life.status,
        "outcome": life.outcome,
        "settled": life.settled,
        "run_again": life.again,
        "broken": list(life.broken),
    }
