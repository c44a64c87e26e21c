"""`engine sessions erase` and `engine sessions export`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from engine.access.rights import Right
from engine.cli.console.actor import ActorClaim, actor_of, actor_option
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import store_option
from engine.cli.console.output import counted, say
from engine.cli.console.trace_printer import print_json
from engine.session.exit_code import FAILED
from engine.session.state.state import FINAL

if TYPE_CHECKING:
    from engine.cli.console.app import App


def _person_option(function: Any) -> Any:
    said = "Those that were started with this value of an attribute."
    return click.option("--person", metavar="ATTR=VALUE", help=said)(function)


@click.command(
    "erase",
    epilog="""\b
Examples:
  engine sessions erase ses_1234 --as mika --why "asked to, ticket 88"
  engine sessions erase --person account_id=acct_1001 --as mika --why "article 17" --yes
  engine sessions erase --older-than 90d --as mika --why "kept for long enough" --yes""",
)
@click.argument("session_id", metavar="[ID]", required=False)
@_person_option
@click.option("--older-than", metavar="SPAN", help="Those that have been over for so long, such as 90d.")
@click.option("--why", required=True, metavar="TEXT", help="For the audit.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@actor_option
@store_option
@asynchronous
async def erase(
    session_id: str | None,
    person: str | None,
    older_than: str | None,
    why: str,
    yes: bool,
    claim: ActorClaim,
    store_url: str,
) -> int:
    """Destroy what sessions said: payloads, requests, snapshots, results. Nothing brings it back.

    Their chains still verify, what was done once is not done again, and who erased them and why is in the audit. A
    session that is not over is ended first (`engine cancel`). Backups and exports are yours to erase.
    """
    from engine.cli.console.app import open_app
    from engine.runtime.retention import erase_session

    if sum(one is not None for one in (session_id, person, older_than)) != 1:
        raise click.UsageError("name one session, a --person, or those --older-than a span")
    # a person may be known by what is sealed, which an engine opens
    async with open_app(store_url, drives=person is not None) as app:
        meant = await _meant(app, session_id, person, older_than)
        alive = [row.id for row in meant if row.state not in FINAL]
        if not meant:
            say("engine: no session is meant by that", err=True)
            return FAILED
        if not yes and not is_sure(len(meant)):
            say("engine: nothing was erased", err=True)
            return FAILED
        for row in meant:
            who = await actor_of(app, claim, Right.ERASE, "erase", row.id, row.id)
        total = 0
        for row in meant:
            if row.state in FINAL:
                total += await erase_session(app.store, row.id)
                await _note(app, who.name, row.id, why)
        say(f"{counted(len(meant) - len(alive), 'session')} erased, {counted(total, 'payload')}")
        for one in alive:
            say(f"engine: {one} is not over, and is left: engine cancel {one}", err=True)
        app.code = FAILED if alive else app.code
    return app.exit_code


@click.command(
    "export",
    epilog="""\b
Examples:
  engine sessions export ses_1234 > session.json
  engine sessions export --person account_id=acct_1001 > person.json""",
)
@click.argument("session_id", metavar="[ID]", required=False)
@_person_option
@store_option
@asynchronous
async def export(session_id: str | None, person: str | None, store_url: str) -> int:
    """Print whole sessions as JSON, readable by people: what was said, done, decided and by whom."""
    from engine.cli.console.app import open_app
    from engine.session.trace import entry

    if (session_id is None) == (person is None):
        raise click.UsageError("name one session, or a --person")
    async with open_app(store_url, drives=person is not None) as app:
        found = []
        meant = await _meant(app, session_id, person, None)
        if not meant:
            say("engine: no session is meant by that", err=True)
        for row in meant:
            events = [entry(event) for event in await app.store.load(row.id)]
            found.append(
                {"id": row.id, "agent": row.agent, "state": row.state, "outcome": row.outcome, "events": events}
            )
        print_json({"exported_at": datetime.now(UTC), "sessions": found})
    return app.exit_code


def is_sure(number: int) -> bool:
    """Whether who sits at the terminal means it; nobody does where there is none."""
    try:
        return click.confirm(f"Destroy what {counted(number, 'session')} said? Nothing brings it back")
    except click.Abort:
        return False  # nobody is there to ask


async def _meant(app: App, session_id: str | None, person: str | None, older_than: str | None) -> list[Any]:
    """The sessions that a command means; raises UnknownSession, click.UsageError."""
    from engine.cli.commands.tokens import span_of
    from engine.runtime.retention import RetentionRule, due_for_erasure, sessions_of_person

    if session_id is not None:
        return [await app.store.session(session_id)]
    if person is not None:
        name, equals, value = person.partition("=")
        if not equals or not name:
            raise click.UsageError("--person takes ATTR=VALUE")
        return await sessions_of_person(app.store, app.engine, name, value)
    rule = RetentionRule(span_of(str(older_than), "--older-than"))
    return [row async for row in due_for_erasure(app.store, [rule], datetime.now(UTC))]


async def _note(app: App, name: str, session_id: str, why: str) -> None:
    from engine.ports.access import AuditEvent

    told = AuditEvent(0, datetime.now(UTC), name, "command line", "", None, "erase", session_id, "", why[:200], "")
    await app.store.access.record_audit(told)
