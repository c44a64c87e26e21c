"""`engine diff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.evidence import EXTRA
from engine.cli.loading import load_or_exit
from engine.cli.options import format_option
from engine.cli.printing import line, print_json
from engine.cli.prove import told_of
from engine.session.bundle import Bundle
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.proof.diff import Change

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("diff", epilog="Example: engine diff ../main .")
@click.argument("old", type=DIRECTORY)
@click.argument("new", type=DIRECTORY)
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="For each question.")
@format_option("text", "json")
def command(old: Path, new: Path, seconds: float, output_format: str) -> None:
    """Compare what two bundles mean.

    For each tool and each change of a verdict it shows which calls those are, and one of them; also inputs that a
    schema takes or takes no more, limits, and guarantees that are gone or kept no more.  What rests on expressions
    that are known by name only is shown as possible.  Exits 0 if nothing differs, 1 otherwise.
    """
    before, after = load_or_exit(old)[0], load_or_exit(new)[0]
    try:
        from engine.proof.diff import diff
        from engine.proof.prove import standing
    except ImportError:
        raise click.UsageError(f"a comparison needs the solver z3: {EXTRA}") from None
    changes = list(diff(before, after, seconds))
    limits = changed_limits(before, after)
    promises = changed_guarantees(standing(before, seconds), standing(after, seconds))
    if output_format == "json":
        print_json({"changes": [change.payload() for change in changes], "limits": limits, "guarantees": promises})
    else:
        show(changes, limits, promises)
    raise SystemExit(FAILED if changes or limits or promises else OK)


Standing = Mapping[str, tuple[str, str]]


def changed_guarantees(old: Standing, new: Standing) -> list[dict[str, Any]]:
    """The guarantees that are gone, new, of another text, or kept by the rules no more; each with how it stands."""
    return [
        {
            "guarantee": name, "before": old[name][1] if name in old else None,
            "after": new[name][1] if name in new else None,
            "never_before": old[name][0] if name in old else None, "never": new[name][0] if name in new else None,
        }
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]  # fmt: skip


def changed_limits(old: Bundle, new: Bundle) -> list[dict[str, Any]]:
    """The limits of agents that are others, by name."""
    found = []
    for name in sorted(old.agents.keys() & new.agents.keys()):
        before, after = (_flat(bundle.agents[name].limits.payload()) for bundle in (old, new))
        found += [
            {"agent": name, "limit": key, "before": before.get(key), "after": after.get(key)}
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]
    return found


def _flat(limits: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in limits.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def told_of_guarantee(one: Mapping[str, Any]) -> str:
    """How a guarantee changed, in a line."""
    if one["after"] is None:
        return f"guarantee {one['guarantee']} is promised no more (it was {one['before']})"
    if one["before"] is None:
        return f"guarantee {one['guarantee']} is new: {one['after']}"
    other = "" if one["never_before"] == one["never"] else "says something else: "
    return f"guarantee {one['guarantee']} {other}{one['before']} becomes {one['after']}"


def show(changes: Sequence[Change], limits: Sequence[Mapping[str, Any]], promises: Sequence[Mapping[str, Any]]) -> None:
    """The changes, for people."""
    for change in changes:
        looser = ", loosens" if change.loosens else ""
        click.echo(f"{change.agent}: {change.tool}: {change.kind} ({change.status}{looser})")
        if change.why:
            click.echo(f"  {change.why}")
        for name, told in change.where.items():
            click.echo(f"  where {name} is {told}")
        if change.rules:
            click.echo(f"  by {', '.join(change.rules)}")
        if change.witness is not None:
            click.echo("  such as")
            for text in told_of(change.witness):
                click.echo(f"    {text}")
    for limit in limits:
        click.echo(f"{limit['agent']}: limit {limit['limit']}: {line(limit['before'])} becomes {line(limit['after'])}")
    for promise in promises:
        click.echo(told_of_guarantee(promise))
    if not changes and not limits and not promises:
        click.echo("nothing differs: every call is judged alike")
