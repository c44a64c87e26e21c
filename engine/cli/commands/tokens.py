"""`engine tokens`: who may come in at the service."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from engine.access.rights import Right, Role
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import print_json, table
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.ports.access import AccessToken


@click.group("tokens", epilog="Example: engine tokens create --name dana --role reviewer --expires 90d")
def command() -> None:
    """Make, list and revoke the tokens that the HTTP API is asked with."""


@command.command(
    "create",
    epilog="""\b
Examples:
  engine tokens create --name ops --role operator
  engine tokens create --name web-backend --role caller --tenant acme
  engine tokens create --name ci --role author --for dana
  engine tokens create --name dana --role reviewer --expires 90d""",
)
@click.option("--name", required=True, help="What it is called, in lists and in the log.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may do.")
@click.option("--person", metavar="NAME", help="Whose it is; of a reviewer the token's name unless given.")
@click.option(
    "--for",
    "stands_for",
    metavar="NAME",
    help="Of a machine's token the person whose machine it is: what takes two people takes another one.",
)
@click.option("--tenant", metavar="NAME", help="Whose sessions it reaches; those of all tenants unless given.")
@click.option("--scope", "scopes", type=click.Choice([right.value for right in Right]), multiple=True,
              help="Of what the role may do only this; several times.")  # fmt: skip
@click.option("--group", "groups", metavar="NAME", multiple=True,
              help="A group that it belongs to, as `roles` of reviewers name it; several times.")  # fmt: skip
@click.option("--expires", metavar="SPAN", help="Until when it is good, such as 90d; for ever unless given.")
@store_option
@asynchronous
async def create(
    name: str,
    role: str,
    person: str | None,
    stands_for: str | None,
    tenant: str | None,
    scopes: tuple[str, ...],
    groups: tuple[str, ...],
    expires: str | None,
    store_url: str,
) -> int:
    """Make a token, and print it this once.

    Of its secret nothing is kept but a hash.
    """
    from engine.access.tokens import BadToken, new_token
    from engine.cli.console.app import open_app

    now = datetime.now(UTC)
    if person is None and role == Role.REVIEWER:
        person = name  # a machine answers nothing
    try:
        secret, token = new_token(
            name, Role(role), person=person, tenant=tenant, scopes=[Right(one) for one in scopes], by=_me(), at=now,
            groups=groups, stands_for=stands_for, expires_at=_end(now, expires) if expires is not None else None,
        )  # fmt: skip
    except BadToken as error:
        raise click.UsageError(str(error)) from None
    if store_url == "memory:":
        raise click.UsageError("a store in memory ends with this command: use sqlite:///PATH")
    async with open_app(store_url, make=True, drives=False) as app:
        if not await app.store.access.add_token(token):
            say(f"engine: there is a token {name} already; revoke it first: engine tokens revoke {name}", err=True)
            app.code = FAILED
        else:
            say(secret)
            say(f"engine: token {token.id} of the role {role}; it is shown this once", err=True)
    return app.exit_code


@command.command("list", epilog="Example: engine tokens list --format json")
@format_option("text", "json")
@store_option
@asynchronous
async def list_(output_format: str, store_url: str) -> int:
    """List tokens, the oldest first."""
    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        found = await app.store.access.tokens()
        if output_format == "json":
            print_json([_shown(token) for token in found])
        else:
            columns = ["id", "name", "role", "person", "tenant", "scopes", "state", "until", "used"]
            table("tokens", columns, [_cells(token) for token in found])
    return app.exit_code


@command.command("link", epilog="Example: engine tokens link dana --url https://engine.example.org")
@click.argument("token")
@click.option("--url", default="http://127.0.0.1:8420", show_default=True, help="Where the service is reached.")
@store_option
@asynchronous
async def link(token: str, url: str, store_url: str) -> int:
    """Make a link that logs a browser in once.

    It waits for ten minutes, and logs in as the token with this id or name.
    """
    from engine.access.logins import new_link
    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        meant = _meant_by(token, await app.store.access.tokens())
        if meant is None or _state(meant) != "good":
            say(f"engine: there is no token {token} that is good; see: engine tokens list", err=True)
            app.code = FAILED
        else:
            secret, login = new_link(meant.id, datetime.now(UTC))
            await app.store.access.add_login(login)
            say(f"{url.rstrip('/')}/login/{secret}")
    return app.exit_code


@command.command("revoke", epilog="Example: engine tokens revoke web-backend")
@click.argument("token")
@store_option
@asynchronous
async def revoke(token: str, store_url: str) -> int:
    """End a token, by its id or its name; it lets nobody in any more, and no yes of its person that waits counts.

    Of one that was ended before only the last is done.
    """
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        meant = _meant_by(token, await app.store.access.tokens())
        if meant is None:
            say(f"engine: there is no token {token}; see: engine tokens list", err=True)
            app.code = FAILED
        else:
            now = await app.store.access.revoke_token(meant.id, datetime.now(UTC))
            say(f"token {meant.id} ({meant.name}) {'is revoked' if now else 'was revoked before'}")
            app.code = await _take_back(app, meant.id)
    return app.exit_code


async def _take_back(app: App, token_id: str) -> int:
    """Take back what was said with a token that is revoked, and may have been said by who took it."""
    from engine.runtime.waiting_yes import take_back_all
    from engine.session.state.inputs import TOKEN_REVOKED

    token = await app.store.access.token_by_id(token_id)
    if token is None or token.person is None:
        return OK
    told = await take_back_all(
        app.engine, app.store, token.person, TOKEN_REVOKED, said_until=token.revoked_at, tenant=token.tenant
    )
    for one in told.requests:
        say(f"a yes of {token.person} to {one} did not count yet, and is taken back")
    for one, why in told.left.items():
        say(f"engine: a yes to {one} waits to count, and may be {token.person}'s: {why}", err=True)
    if told.left:
        say(f"engine: once that is mended take them back with: engine tokens revoke {token_id}", err=True)
    return FAILED if told.left else OK


def _meant_by(text: str, known: Sequence[AccessToken]) -> AccessToken | None:
    """The token with an id, or the good one of a name, or else the last one that had it."""
    by_id = [one for one in known if one.id == text]
    named = [one for one in known if one.name == text]
    return next(iter([*by_id, *(one for one in named if one.revoked_at is None), *named[::-1]]), None)


def _me() -> str:
    """Who makes a token: the user of the operating system, which nobody has to say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _end(now: datetime, text: str) -> datetime:
    try:
        return now + span_of(text, "--expires")
    except OverflowError:
        raise click.BadParameter(f"{text} is beyond the calendar", param_hint="--expires") from None


def span_of(text: str, option: str) -> timedelta:
    """A span of time as an option says it; raises click.BadParameter."""
    from engine.language.durations import span_text
    from engine.language.value import duration

    found = duration(text) or duration(span_text(text))
    if found is None:
        raise click.BadParameter(f"{text} is no span of time, such as 90d or 12h", param_hint=option)
    return found


def _state(token: AccessToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= datetime.now(UTC) else "good"


def _cells(token: AccessToken) -> list[str]:
    used = token.used_at.strftime("%Y-%m-%d %H:%M") if token.used_at is not None else "never"
    until = token.expires_at.strftime("%Y-%m-%d %H:%M") if token.expires_at is not None else ""
    return [
        token.id, token.name, token.role, token.person or "", token.tenant or "", " ".join(token.scopes),
        _state(token), until, used,
    ]  # fmt: skip


def _shown(token: AccessToken) -> dict[str, Any]:
    """A token without the hash of its secret."""
    return {
        "id": token.id, "name": token.name, "role": token.role, "person": token.person, "tenant": token.tenant,
        "scopes": list(token.scopes), "groups": list(token.groups), "state": _state(token),
        "created_at": token.created_at,
        "created_by": token.created_by, "stands_for": token.stands_for, "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "used_at": token.used_at,
    }  # fmt: skip
