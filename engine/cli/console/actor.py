"""Who acts on the command line: whom a token names or, while a store has none, whoever they say they are."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.output import say

if TYPE_CHECKING:
    from engine.access.rights import Right
    from engine.cli.console.app import App

TOKEN = "ENGINE_TOKEN"


@dataclass(frozen=True, slots=True)
class ActorClaim:
    """Who somebody says they are, and whether that is taken although the store has tokens."""

    name: str | None
    insecure: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and the groups that their token carries."""

    name: str
    groups: frozenset[str] = frozenset()


def actor_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--as NAME and --insecure-local, given on as one claim."""
    insecure = click.option(
        "--insecure-local", "insecure", is_flag=True, help="Take --as at its word although the store has tokens."
    )

    @wraps(function)
    def command(name: str | None, insecure: bool, **more: Any) -> Any:
        return function(claim=ActorClaim(name, insecure), **more)

    said = f"Who acts; who the token in ${TOKEN} is for, where the store has tokens."
    return insecure(click.option("--as", "name", metavar="NAME", help=said)(command))


async def actor_of(
    app: App, claim: ActorClaim, right: Right, action: str, about: str, session_id: str | None = None
) -> Actor:
    """Who acts, on a session if it is about one, noted for auditors.

    Raises click.UsageError for whoever may not, is not known, or is another tenant's.
    """
    from engine.cli.console.credentials import stored_token

    secret = os.environ.get(TOKEN) or stored_token(app.url)
    if secret and not (claim.insecure and claim.name is not None):
        return await _by_token(app, secret.strip(), claim, right, action, about, session_id)
    if await app.store.access.tokens() and not claim.insecure:
        told = f"this store has tokens: show yours in ${TOKEN}, or log in with `engine login`"
        raise click.UsageError(f"{told}; --insecure-local takes --as at its word")
    if claim.name is None:
        raise click.UsageError("say who acts with --as NAME")
    say(f"engine: {claim.name} is who --as says; nobody has checked it", err=True)
    await _note(app, claim.name, "claimed", None, action, about)
    return Actor(claim.name)


async def _by_token(
    app: App, secret: str, claim: ActorClaim, right: Right, action: str, about: str, session_id: str | None
) -> Actor:
    from engine.access.tokens import hash_of, principal_of, well_formed

    token = await app.store.access.token_of(hash_of(secret)) if well_formed(secret) else None
    principal = principal_of(token, datetime.now(UTC)) if token is not None else None
    if principal is None:
        raise click.UsageError("this token lets nobody in: it is mistyped, revoked, has expired, or is another store's")
    name = principal.person or principal.name
    if not principal.may(right):
        raise click.UsageError(f"the token of {name} may not {right.value.replace('_', ' ')}")
    if claim.name not in (None, name):
        raise click.UsageError(f"this token is {name}'s, and not {claim.name}'s")
    theirs = None if session_id is None else await app.store.access.tenant_of(session_id)
    if session_id is not None and principal.tenant not in (None, theirs):
        raise click.UsageError(f"there is no session {session_id} of the tenant {principal.tenant}")
    await _note(app, principal.id, "token", principal.tenant, action, about)
    return Actor(name, principal.groups)


async def _note(app: App, actor: str, means: str, tenant: str | None, action: str, about: str) -> None:
    from engine.ports.access import AuditEvent

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    told = AuditEvent(0, datetime.now(UTC), actor, means, f"local user {user}", tenant, action, about, "", "asked", "")
    await app.store.access.record_audit(told)
