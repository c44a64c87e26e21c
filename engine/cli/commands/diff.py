"""`engine diff`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.bundle.load import load_directory
from engine.cli.commands.prove import told_of
from engine.cli.console.bundle import valid_or_exit
from engine.cli.console.coverage import EXTRA
from engine.cli.console.options import format_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import print_json
from engine.session.exit_code import FAILED, OK
from engine.spec.bundle import Bundle

if TYPE_CHECKING:
    from engine.proof.bundle_diff import BundleDifference
    from engine.proof.diff import Change

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("diff", epilog="Example: engine diff ../main .")
@click.argument("old", type=DIRECTORY)
@click.argument("new", type=DIRECTORY)
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="For each question.")
@format_option("text", "json")
def command(old: Path, new: Path, seconds: float, output_format: str) -> None:
    """Compare what two bundles mean.

    For each tool and each change of a verdict it shows which calls those are, the rule that makes the difference, and
    one such call; also inputs that a schema takes or takes no more, limits, guarantees that are gone or kept no more,
    and who may say yes.  What rests on expressions that are known by name only is shown as possible.  Exits 0 if
    nothing differs, 1 otherwise.
    """
    before, after = _valid_bundle(old, "OLD"), _valid_bundle(new, "NEW")
    try:
        from engine.proof.bundle_diff import bundle_differences, by_kind
        from engine.proof.diff import diff
        from engine.proof.prove import prove
    except ImportError:
        raise click.UsageError(f"a comparison needs the solver z3: {EXTRA}") from None
    changes = list(diff(before, after, seconds))
    differences = bundle_differences(before, after, prove(before, seconds), prove(after, seconds))
    if output_format == "json":
        print_json({"changes": [change.payload() for change in changes], **by_kind(differences)})
    else:
        show(changes, differences)
    raise SystemExit(FAILED if changes or differences else OK)


def _valid_bundle(root: Path, which: str) -> Bundle:
    """One of the two bundles; if it is not valid it is told which."""
    return valid_or_exit(load_directory(root), lambda: say(f"{which} ({root}) is not valid", err=True))


def show(changes: Sequence[Change], differences: Sequence[BundleDifference]) -> None:
    """The changes, for people."""
    for change in changes:
        looser = ", loosens" if change.loosens else ""
        say(f"{change.agent}: {change.tool}: {change.kind} ({change.status}{looser})")
        if change.why:
            say(f"  {change.why}")
        for name, told in change.where.items():
            say(f"  where {name} is {told}")
        if change.due:
            say(f"  by {change.due}")
        if change.witness is not None:
            say("  such as")
            for text in told_of(change.witness):
                say(f"    {text}")
    for one in differences:
        say(str(one))
    if not changes and not differences:
        say("nothing differs: every call is judged alike")
