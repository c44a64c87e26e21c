"""`engine explain`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import say, say_lines
from engine.cli.console.trace_printer import print_json, table
from engine.diagnostic.visible import line
from engine.session.sealed_tokens import shown

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.explain.verdict_text import VerdictText


@click.command(
    "explain",
    epilog="""\b
Example: engine explain .
         engine explain ses_1234 --call call-2-1
         engine explain ses_1234 --for auditor""",
)
@click.argument("target", metavar="[BUNDLE|ID]", default=".")
@click.option("--agent", "agent_name", metavar="NAME", help="Of a bundle: only this agent.")
@click.option("--call", "call_id", metavar="CALL", help="Of a session: only this call.")
@click.option(
    "--for",
    "audience",
    type=click.Choice(["reviewer", "model", "auditor"]),
    default="reviewer",
    show_default=True,
    help="Of a session: for whom; a model is told only what the policy discloses, an auditor everything.",
)
@format_option("text", "json")
@store_option
def command(
    target: str, agent_name: str | None, call_id: str | None, audience: str, output_format: str, store_url: str
) -> None:
    """Show how far a bundle's agents can go, or why each verdict of a session fell.

    Of a bundle it is each tool in plain words (when it runs, when it asks and whom, when it never runs), and the worst
    case that its limits permit, whatever the planner proposes: steps, calls, attempts, time, tokens, money and calls
    in flight, per tool and in all.  Of a session each verdict: the rules that decided, where they stand, the values
    that they compared, and the nearest change that would flip it.
    """
    given = click.get_current_context().get_parameter_source
    if Path(target).is_dir():
        for option in ("call_id", "audience"):
            if given(option) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{'for' if option == 'audience' else 'call'} is about a session")
        _explain_bundle(Path(target), agent_name, output_format)
        return
    if agent_name is not None:
        raise click.UsageError("--agent is about a bundle")
    _explain_session(target, call_id, audience, output_format, store_url)


def _explain_bundle(root: Path, agent_name: str | None, output_format: str) -> None:
    from engine.cli.console.bundle import agent_of, load_or_exit
    from engine.explain.tool_summary import sentences
    from engine.spec.worst_case import worst_case

    bundle, _ = load_or_exit(root)
    agents = [agent_of(bundle, agent_name)] if agent_name else [bundle.agents[name] for name in sorted(bundle.agents)]
    found = [
        worst_case(bundle, agent).payload()
        | {"in_words": {name: sentences(bundle.tools[name], agent) for name in agent.tools}}
        for agent in agents
    ]
    if output_format == "json":
        print_json(found)
        return
    for case in found:
        for tool, told in case["in_words"].items():
            say(f"{case['agent']}: {tool}")
            for sentence in told:
                say(f"  {sentence}")
        rows = [[_words(name), _limit(case[name])] for name in case if name not in _APART]
        rows += [[f"meter {m['meter']}", f"{_limit(m['limit'])} for {m['of']}"] for m in case["meters"]]
        table(f"{case['agent']}: one session, at the most", ["of", "most"], rows)
        columns = ["tool", "effect", "calls", "attempts", "at_once", "time_per_attempt"]
        cells = [[_limit(tool[column]) for column in columns] for tool in case["tools"]]
        table(f"{case['agent']}: its tools", [_words(column) for column in columns], cells)


_APART = frozenset({"agent", "meters", "tools", "in_words"})


def _words(name: str) -> str:
    return name.replace("_", " ")


def _limit(value: Any) -> str:
    return "unlimited" if value is None else str(value)


def _explain_session(session_id: str, call_id: str | None, audience: str, output_format: str, store_url: str) -> None:
    from engine.store.urls import SQLITE

    if store_url.startswith(SQLITE) and not Path(store_url.removeprefix(SQLITE)).exists():
        raise click.UsageError(
            f"there is no bundle {session_id}, and no store {store_url} that it could be a session of"
        )
    _explain_calls(session_id, call_id, audience, output_format, store_url)


@asynchronous
async def _explain_calls(
    session_id: str, call_id: str | None, audience: str, output_format: str, store_url: str
) -> int:
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        told = await _verdict_texts(app, session_id, call_id)
        if call_id is not None and not told:
            raise click.UsageError(f"session {session_id} has no verdict on a call `{call_id}`")
        if output_format == "json":
            print_json([_payload(one, audience) for one in told])
        else:
            for one in told:
                say_lines("\n".join(map(line, one.lines(audience))))
    return app.exit_code


async def _verdict_texts(app: App, session_id: str, call_id: str | None) -> list[VerdictText]:
    """Each verdict of a session, with what would flip it as far as its bundle can be had."""
    from engine.cli.commands.sessions import check_not_erased
    from engine.explain.nearest import nearest
    from engine.explain.verdict_text import VerdictText
    from engine.replay.judgements import Judgement, judgements
    from engine.runtime.errors import BundleUnavailable

    await check_not_erased(app, session_id)
    # as people may see it: a text of which a part is cut off shows no part of what is sealed
    log = [replace(event, payload=shown(event.payload)) for event in await app.store.load(session_id)]
    try:
        bundle = await app.engine.bundles.get(log[0].payload["bundle"])
    except BundleUnavailable:
        bundle = None
    # of sealed values nobody can tell what they would have to be
    sealed = bundle is None or bundle.agents[log[0].payload["agent"]].seal is not None
    found = []
    for moment in judgements(log):
        if isinstance(moment, Judgement) and call_id in (None, moment.call.id):
            # what an urgent bundle beside it would say then is not known from this one
            apart = sealed or "beside" in moment.event.payload
            near = tuple(nearest(moment, bundle)) if bundle is not None and not apart else ()
            found.append(VerdictText(moment, bundle, near))
    return found


def _payload(told: VerdictText, audience: str) -> dict[str, Any]:
    from engine.session.trace import entry

    about = {"for": audience, "text": told.lines(audience), "nearest": [near.payload() for near in told.near]}
    if audience == "model":
        return {"call_id": told.moment.call.id, "tool": told.moment.call.name, "for": audience, "text": about["text"]}
    return entry(told.moment.event) | about
