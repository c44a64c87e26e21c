"""`engine explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import format_option, store_option
from engine.cli.printing import line, print_json, table
from engine.session.exit_code import OK

if TYPE_CHECKING:
    from engine.cli.work import Work


@click.command(
    "explain",
    epilog="""\b
Example: engine explain .
         engine explain ses_1234 --call call-2-1""",
)
@click.argument("target", metavar="[BUNDLE|ID]", default=".")
@click.option("--agent", "agent_name", metavar="NAME", help="Of a bundle: only this agent.")
@click.option("--call", "call_id", metavar="CALL", help="Of a session: only this call.")
@format_option("text", "json")
@store_option
def command(target: str, agent_name: str | None, call_id: str | None, output_format: str, store_url: str) -> None:
    """Show how far a bundle's agents can go, or why each verdict of a session fell.

    Of a bundle it is the worst case that its limits permit, whatever the planner proposes: steps, calls, attempts,
    time, tokens, money and calls in flight, per tool and in all.  Of a session each verdict: the rules that took
    part, where they stand, and the values they saw.
    """
    if Path(target).is_dir():
        _explain_bundle(Path(target), agent_name, output_format)
        return
    _explain_session(target, call_id, output_format, store_url)


def _explain_bundle(root: Path, agent_name: str | None, output_format: str) -> None:
    from engine.cli.loading import agent_of, load_or_exit
    from engine.session.worst_case import worst_case

    bundle, _ = load_or_exit(root)
    agents = [agent_of(bundle, agent_name)] if agent_name else [bundle.agents[name] for name in sorted(bundle.agents)]
    found = [worst_case(bundle, agent).payload() for agent in agents]
    if output_format == "json":
        print_json(found)
        return
    for case in found:
        rows = [[_words(name), _limit(case[name])] for name in case if name not in ("agent", "meters", "tools")]
        rows += [[f"meter {m['meter']}", f"{line(m['limit'])} for {m['of']}"] for m in case["meters"]]
        table(f"{case['agent']}: one session, at the most", ["of", "most"], rows)
        columns = ["tool", "effect", "calls", "attempts", "at_once", "time_per_attempt"]
        cells = [[_limit(tool[column]) for column in columns] for tool in case["tools"]]
        table(f"{case['agent']}: its tools", [_words(column) for column in columns], cells)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _limit(value: Any) -> str:
    return "unlimited" if value is None else str(value)


def _explain_session(session_id: str, call_id: str | None, output_format: str, store_url: str) -> None:
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
