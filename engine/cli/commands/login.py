"""`engine login` and `engine logout`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import store_option
from engine.cli.console.output import say
from engine.session.exit_code import FAILED, OK


@click.command(
    "login",
    epilog="""\b
Examples:
  engine login                           asks for the token
  engine login --store sqlite:////var/lib/engine/engine.db < token.txt
  engine login --forget""",
)
@click.option("--forget", is_flag=True, help="Keep it no longer.")
@store_option
@asynchronous
async def command(forget: bool, store_url: str) -> int:
    """Keep a token for a store, so that who acts on it from here is known.

    It is kept in a file that only this user can read; `$ENGINE_TOKEN` counts before it. `engine tokens create` makes
    one.
    """
    from engine.access.tokens import hash_of, principal_of, well_formed
    from engine.cli.console.app import open_app
    from engine.cli.console.credentials import store_token

    async with open_app(store_url, drives=False) as app:
        if forget:
            store_token(app.url, None)
            say("forgotten", err=True)
            return OK
        terminal = sys.stdin.isatty()
        secret = (click.prompt("Token", hide_input=True, err=True) if terminal else sys.stdin.readline()).strip()
        token = await app.store.access.token_of(hash_of(secret)) if well_formed(secret) else None
        principal = principal_of(token, datetime.now(UTC)) if token is not None else None
        if principal is None:
            say(
                "engine: this token lets nobody in: it is mistyped, revoked, has expired, or is another store's",
                err=True,
            )
            return FAILED
        store_token(app.url, secret)
        say(f"you are {principal.person or principal.name} ({principal.role}) on {app.url}", err=True)
    return app.exit_code
