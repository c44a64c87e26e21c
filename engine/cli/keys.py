"""`engine keys`: the keys of people, which are destroyed to erase what is sealed under them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import bundle_argument
from engine.cli.out import counted, say
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.runtime.cipher import Cipher

agent_option = click.option("--agent", "agent_name", metavar="NAME", help="Whose sessions they seal, if of several.")


@click.group("keys")
def command() -> None:
    """The keys of people that agents with `sealed_for` draw, in the folder that $ENGINE_PERSON_KEYS names."""


@command.command("erase", epilog="Example: engine keys erase ada-4411 --agent access-desk --yes")
@click.argument("person")
@bundle_argument
@agent_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(person: str, bundle: Path, agent_name: str | None, yes: bool) -> None:
    """Destroy the key of PERSON: what is sealed of their sessions can't be opened any more, in no copy of the store.

    PERSON is what the attribute says that `sealed_for` names.  What they have written without a mark stays.
    """
    from engine.reach import MissingSecret
    from engine.runtime.person_keys import person_keys
    from engine.runtime.sealing import name_of

    cipher = _cipher(bundle, agent_name)
    if not yes:
        click.confirm(f"Destroy the key of {person}? Nothing brings it back", abort=True)
    try:
        destroyed = person_keys().destroy(name_of(person, cipher))
    except (MissingSecret, OSError) as error:
        raise click.UsageError(str(error)) from None
    if not destroyed:
        say(f"engine: {person} has no key in {person_keys().folder}", err=True)
        raise SystemExit(FAILED)
    say(f"the key of {person} is destroyed")


@command.command("rewrap", epilog="Example: engine keys rewrap --agent access-desk")
@bundle_argument
@agent_option
def rewrap(bundle: Path, agent_name: str | None) -> None:
    """Wrap every key with the first of `sealed_with`, so that the others are needed no more; no log is touched."""
    from engine.reach import MissingSecret
    from engine.runtime.person_keys import person_keys

    try:
        done = sum(1 for _ in person_keys().wrapped_anew(_cipher(bundle, agent_name)))
    except (MissingSecret, OSError) as error:
        raise click.UsageError(str(error)) from None
    say(f"{counted(done, 'key')} wrapped anew")


def _cipher(bundle: Path, agent_name: str | None) -> Cipher:
    """What wraps the keys of an agent's people."""
    from engine.cli.loading import agent_of, load_or_exit
    from engine.reach import MissingSecret
    from engine.runtime.sealing import cipher_of
    from engine.runtime.secrets import HostSecrets

    agent = agent_of(load_or_exit(bundle)[0], agent_name)
    if agent.seal is None or agent.seal.person is None:
        raise click.UsageError(f"agent `{agent.name}` has no `sealed_for`: its sessions have no keys of people")
    try:
        return cipher_of(agent.seal, HostSecrets())
    except MissingSecret as error:
        raise click.UsageError(str(error)) from None
