"""`engine --server URL login`."""

from __future__ import annotations

import sys

import click

from engine.cli.console.credentials import store_token
from engine.cli.console.output import say
from engine.cli.remote.client import Client, asking
from engine.session.exit_code import OK


@click.command("login", epilog="Example: engine --server https://engine.example.org login < token.txt")
@click.option("--forget", is_flag=True, help="Keep it no longer.")
@asking
def command(forget: bool) -> int:
    """Keep a token for a service, in a file that only this user can read; `$ENGINE_TOKEN` counts before it."""
    server = str(click.get_current_context().find_root().params["server"]).rstrip("/")
    if forget:
        store_token(server, None)
        say("forgotten", err=True)
        return OK
    terminal = sys.stdin.isatty()
    secret = (click.prompt("Token", hide_input=True, err=True) if terminal else sys.stdin.readline()).strip()
    found = Client(server, secret).get("/v1/me")
    store_token(server, secret)
    say(f"you are {found['person'] or found['name']} ({found['role']}) on {server}", err=True)
    return OK
