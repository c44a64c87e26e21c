"""`engine explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import format_option, store_option
from engine.cli.printing import line, print_json
from engine.session.exit_code import OK

if TYPE_CHECKING:
    from engine.cli.work import Work


@click.command("explain", epilog="Example: engine explain ses_1234 --call call-2-1")
@click.argument("session_id", metavar="ID")
@click.option("--call", "call_id", metavar="CALL", help="Only this call.")
@format_option("text", "json")
@store_option
def command(session_id: str, call_id: str | None, output_format: str, store_url: str) -> None:
    """Show each verdict of a session: the rules that took part, where they stand, and the values they saw."""
    from engine.cli.work import perform
    from engine.session.event import EventKind
    from engine.session.trace import entry

    async def body(work: Work) -> int:
        log = await work.store.load(session_id)
        verdicts = [entry(e) for e in log if e.kind is EventKind.VERDICT and call_id in (None, e.payload["call_id"])]
        if output_format == "json":
            print_json(verdicts)
        else:
            for verdict in verdicts:
                _show(verdict)
        return OK

    raise SystemExit(perform(store_url, body))


def _show(verdict: dict[str, Any]) -> None:
    satisfied = " (approved)" if verdict["satisfied"] else ""
    click.echo(f"{verdict['call_id']} {verdict['tool']}: {verdict['verdict']}{satisfied}")
    if verdict["message"]:
        click.echo(f"  {verdict['message']}")
    if not verdict["rules"]:
        click.echo("  no rule covers this tool")
    for rule in verdict["rules"]:
        mark = "matched" if rule["matched"] else "did not match"
        click.echo(f"  {rule['effect']:<16} {rule['rule']} {mark} ({rule['place']})")
        for chain, value in rule["values"].items():
            click.echo(f"    {chain} = {line(value)}")
        if rule.get("error"):
            click.echo(f"    error: {rule['error']}")
