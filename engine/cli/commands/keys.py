"""`engine keys`: the keys of people, which are destroyed to erase what is sealed under them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.options import bundle_argument
from engine.cli.console.output import are, counted, say
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.runtime.cipher import Cipher
    from engine.runtime.person_keys import PersonKeys, UnsearchedFiles

agent_option = click.option("--agent", "agent_name", metavar="NAME", help="Whose sessions they seal, if of several.")


@click.group("keys")
def command() -> None:
    """The keys of people that agents with `sealed_for` draw, in the folder that $ENGINE_PERSON_KEYS names."""


@command.command(
    "erase",
    epilog="Examples: engine keys erase ada-4411 --agent access-desk --yes; engine keys erase 4711 --json --yes",
)
@click.argument("person")
@bundle_argument
@agent_option
@click.option("--json", "as_json", is_flag=True, help='PERSON is JSON: 4711 is the number, and "4711" the text.')
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(person: str, bundle: Path, agent_name: str | None, as_json: bool, yes: bool) -> None:
    """Destroy the key of PERSON: what is sealed of their sessions can't be opened any more, in no copy of the store.

    PERSON is what the attribute says that `sealed_for` names: a text, or a number, true, false or null.  What they have
    written without a mark stays.  Exit 1 if there is no such key, or if there may be another that could not be looked
    for.
    """
    from engine.ports.resources import MissingSecret
    from engine.runtime.person_keys import person_keys

    cipher = _cipher(bundle, agent_name)
    try:
        keys = person_keys()
        one = _person(person, as_json, keys, cipher)
        if not yes:
            click.confirm(f"Destroy the key of {person}? Nothing brings it back", abort=True)
        destroyed = keys.destroy(one, cipher)
        unsearched = keys.unsearched(cipher)
    except (MissingSecret, OSError) as error:
        raise click.UsageError(str(error)) from None
    if destroyed:
        say(f"the key of {person} is destroyed")
    else:
        say(f"engine: {person} has no key in {keys.folder}", err=True)
    _tell_unsearched(person, unsearched, keys.folder)
    if unsearched.closed or unsearched.nameless or not destroyed:
        raise SystemExit(FAILED)


def _tell_unsearched(person: str, unsearched: UnsearchedFiles, folder: Path) -> None:
    """Where a key of a person may be that could not be looked for, and what to do about it."""
    if earlier := len(unsearched.earlier):
        told = f"{counted(earlier, 'key')} in {folder} {are(earlier)} named by an earlier version"
        say(f"note: {told}, and found under the `compared_with` of today only", err=True)
    if unsearched.closed:
        told = "sessions were sealed in this folder with other keys than this agent's `sealed_with`"
        files = ", ".join(unsearched.closed)
        say(f"engine: {told}: what they hold of {person} is not destroyed; erase with those too ({files})", err=True)
    if unsearched.nameless:
        count = len(unsearched.nameless)
        told = (
            f"{counted(count, 'key')} of people in {folder} {are(count)} named under a .folder file that is not there"
        )
        told = f"{told} or not opened, and may be of {person}: put that file back, or remove them"
        say(f"engine: {told}: {', '.join(unsearched.nameless)}", err=True)


def _person(text: str, as_json: bool, keys: PersonKeys, cipher: Cipher) -> Any:
    """Whom a text means: the text, or the number or other JSON that it writes, if only that has a key."""
    from engine.language.value import NotJson, canonical, loads

    try:
        written = loads(text)
    except NotJson as error:
        if as_json:
            raise click.UsageError(f"PERSON is not JSON: {error}") from None
        return text
    if as_json:
        return written
    if isinstance(written, str) or not keys.has(written, cipher):
        return text
    if keys.has(text, cipher):
        raise click.UsageError(
            f"there is a key of the text {text} and one of the number or other JSON {text}: say which with "
            f"--json {shlex.quote(text)} or --json {shlex.quote(canonical(text))}"
        )
    return written


@command.command("rewrap", epilog="Example: engine keys rewrap --agent access-desk")
@bundle_argument
@agent_option
def rewrap(bundle: Path, agent_name: str | None) -> None:
    """Wrap every key with the first of `sealed_with`; no log is touched.

    From then on the others of `sealed_with` open no person's key.  A session opens with what its own bundle names: run
    this when those that began without the first one are over.  `compared_with` stays whatever it is, since writes are
    known by it.
    """
    from engine.ports.resources import MissingSecret
    from engine.runtime.person_keys import person_keys

    try:
        keys = person_keys()
        found = list(keys.wrapped_anew(_cipher(bundle, agent_name)))
    except (MissingSecret, OSError) as error:
        raise click.UsageError(str(error)) from None
    closed = [file for file, opened in found if not opened]
    say(f"{counted(len(found) - len(closed), 'key')} wrapped anew")
    for file in closed:
        say(f"engine: {keys.folder / file} stays as it is: none of this agent's `sealed_with` opens it", err=True)
    if closed:
        raise SystemExit(FAILED)


def _cipher(bundle: Path, agent_name: str | None) -> Cipher:
    """What wraps the keys of an agent's people."""
    from engine.cli.console.bundle import agent_of, load_or_exit
    from engine.ports.resources import MissingSecret
    from engine.runtime.host_secrets import HostSecrets
    from engine.runtime.sealed_store import cipher_of

    agent = agent_of(load_or_exit(bundle)[0], agent_name)
    if agent.seal is None or agent.seal.person is None:
        raise click.UsageError(f"agent `{agent.name}` has no `sealed_for`: its sessions have no keys of people")
    try:
        return cipher_of(agent.seal, HostSecrets())
    except MissingSecret as error:
        raise click.UsageError(str(error)) from None
