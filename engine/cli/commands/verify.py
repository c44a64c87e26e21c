"""`engine sessions verify`, `heads` and `seal`: whether a store holds what was written, and who vouches for it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import are, counted, say
from engine.cli.console.trace_printer import line, print_json
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.ports.records import Head

T = TypeVar("T")

SESSION, BUNDLE, STORE = "session", "bundle", "store"


@dataclass(frozen=True, slots=True)
class CheckedSession:
    """What was looked at, what is wrong with it, and the events of a session whose payload was erased."""

    what: str
    id: str
    problems: Sequence[str]
    erased: Sequence[int] = ()

    def lines(self) -> list[str]:
        """What there is to tell of it."""
        name = self.id if self.what == SESSION else f"{self.what} {self.id}"
        told = [f"{name}: {problem}" for problem in self.problems]
        if self.erased:
            numbers = ", ".join(map(str, self.erased))
            told.append(f"{name}: erased: what {'event' if len(self.erased) == 1 else 'events'} {numbers} said")
        return told

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "what": self.what,
            "id": self.id,
            "whole": not self.problems,
            "problems": list(self.problems),
            "erased": list(self.erased),
        }


@click.command("verify", epilog="Example: engine sessions verify")
@click.argument("session_ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--heads",
    "heads_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `engine sessions heads` printed before, which has to stand (of all, or of those named); repeatable.",
)
@format_option("text", "json")
@store_option
@asynchronous
async def verify(
    session_ids: tuple[str, ...], heads_files: tuple[Path, ...], output_format: str, store_url: str
) -> int:
    """Check sessions: their chain, what stands beside the log, seals; exits 1 if one is not whole.

    Unless sessions are named it is all of them, and what stands beside no session, and the stored bundles too.  Events
    whose payload was erased are told, and are no fault: their chain is whole.

    With the log's key in $ENGINE_LOG_KEY, or in the file that $ENGINE_LOG_KEY_FILE names, a head without its seal is
    a fault.  Only heads that were exported, and are kept elsewhere, find a store that was put back, or a session that
    is gone.
    """
    known = _known_heads(heads_files)

    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        checked = await _checked(app, session_ids, known)
        if output_format == "json":
            print_json([one.payload() for one in checked])
        else:
            for one in checked:
                for told in one.lines():
                    say(told)
            sessions = [one for one in checked if one.what == SESSION]
            broken = sum(1 for one in sessions if one.problems)
            whole = len(sessions) - broken
            say(f"{counted(whole, 'session')} {are(whole)} whole, {broken} {are(broken)} not")
        await _tell_of_seals(app, {one.id for one in checked})
        app.code = FAILED if any(one.problems for one in checked) else OK
    return app.exit_code


@click.command("heads", epilog="Example: engine sessions heads > heads-2026-01-31.jsonl")
@store_option
@asynchronous
async def heads(store_url: str) -> int:
    """Print where each session's chain ends, as JSON Lines: kept elsewhere, for `engine sessions verify --heads`.

    A session that is not whole has no head to go by: it is told, the others are printed, and it exits 1.
    """

    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        code = OK
        found = await app.store.chain_heads()
        for head in found:
            one = await _session(app, head.session_id)
            if one.problems:
                code = FAILED
                for problem in one.problems:
                    say(f"{head.session_id}: not exported: {problem}", err=True)
            else:
                say(line({"session_id": head.session_id, "seq": head.seq, "hash": head.hash, "hmac": head.hmac}))
        await _tell_of_seals(app, {head.session_id for head in found})
        app.code = code
    return app.exit_code


@click.command("seal", epilog="Example: ENGINE_LOG_KEY_FILE=/run/secrets/log-key engine sessions seal")
@click.argument("session_ids", metavar="[ID]...", nargs=-1)
@click.option("--unsealed", is_flag=True, help="Also heads that no key has sealed: you trust what their logs say.")
@store_option
@asynchronous
async def seal(session_ids: tuple[str, ...], unsealed: bool, store_url: str) -> int:
    """Seal heads with the log's key, of all sessions unless named, once a new key was written in front of the old.

    A head that has no seal is named, and sealed only with --unsealed, as in a store from before there was a key: from
    then on the key vouches for what its log says.  A head whose seal is wrong is not sealed again; exits 1 if one was
    not sealed.
    """

    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        ids = session_ids or tuple(await app.store.session_ids())
        found = {session_id: await app.store.seal(session_id, unsealed=unsealed) for session_id in ids}
        not_sealed = {session_id: problems for session_id, problems in found.items() if problems}
        for session_id, problems in not_sealed.items():
            for problem in problems:
                say(f"{session_id}: {problem}", err=True)
        done = len(found) - len(not_sealed)
        say(f"{counted(done, 'head')} {are(done)} sealed, {len(not_sealed)} {are(len(not_sealed))} not")
        app.code = FAILED if not_sealed else OK
    return app.exit_code


COMMANDS = (verify, heads, seal)


async def _checked(app: App, session_ids: Sequence[str], known: Mapping[str, Sequence[Head]]) -> list[CheckedSession]:
    """What comes of the sessions that are named; of all that the store holds where none is."""
    if session_ids:
        if others := known.keys() - set(session_ids):
            told = f"heads of {counted(len(others), 'other session')} were not looked at"
            say(f"{told}: name no session to have all of them checked", err=True)
        return [await _session(app, id_, known.get(id_, ()), named=True) for id_ in session_ids]
    ids = dict.fromkeys((*await app.store.session_ids(), *known))
    sessions = {id_: await _session(app, id_, known.get(id_, ())) for id_ in ids}
    strays: Mapping[str, list[str]] = await _unless_damaged(app.store.strays(), {})
    for id_, problems in strays.items():
        before = sessions[id_].problems if id_ in sessions else []
        sessions[id_] = CheckedSession(SESSION, id_, [*before, *problems])
    bundles = [await _bundle(app, digest) for digest in await _unless_damaged(app.store.bundles(), [])]
    problems = await app.store.file_problems()
    file = [CheckedSession(STORE, "file", problems)] if problems else []
    return [*sessions.values(), *(one for one in bundles if one.problems), *file]


async def _unless_damaged(asked: Awaitable[T], otherwise: T) -> T:
    """What was asked for, or the other where a page of the file can't be read: the check of the file tells that."""
    try:
        return await asked
    except sqlite3.DatabaseError:
        return otherwise


async def _session(app: App, session_id: str, known: Sequence[Head] = (), *, named: bool = False) -> CheckedSession:
    """What comes of a session; raises UnknownSession for one that somebody has `named`."""
    from engine.ports.records import UnknownSession

    try:
        problems = await app.store.verify(session_id, known)
        problems = problems or await _unless_damaged(_without_bundle(app, session_id), [])
        return CheckedSession(SESSION, session_id, problems, await _unless_damaged(app.store.erased(session_id), []))
    except UnknownSession:
        if named and not known:
            raise
        gone = "it is gone: the store has no such session" if known else "it is listed under an id that can't be read"
        return CheckedSession(SESSION, session_id, [gone])


async def _without_bundle(app: App, session_id: str) -> list[str]:
    """That nobody can go on with a session, nor read what is sealed in it, where the store has lost its bundle."""
    digest = (await app.store.session(session_id)).bundle
    if digest in await app.store.bundles():
        return []
    return [f"its bundle {digest[:12]} is gone: engine deploy it again from the files that it was made of"]


async def _bundle(app: App, digest: str) -> CheckedSession:
    from engine.runtime.errors import BundleUnavailable

    try:
        await app.engine.bundles.get(digest)
    except BundleUnavailable as error:
        return CheckedSession(BUNDLE, digest[:12], [str(error)])
    return CheckedSession(BUNDLE, digest[:12], [])


async def _tell_of_seals(app: App, session_ids: set[str]) -> None:
    """Without a key nobody looks at seals, and that is told where there are some."""
    if app.has_key:
        return
    heads: list[Head] = await _unless_damaged(app.store.chain_heads(), [])
    sealed = sum(1 for head in heads if head.hmac is not None and head.session_id in session_ids)
    if sealed:
        told = f"{counted(sealed, 'head')} {are(sealed)} sealed, and no seal was checked: the log's key is not given"
        say(f"{told} in ENGINE_LOG_KEY or ENGINE_LOG_KEY_FILE", err=True)


def _known_heads(paths: Sequence[Path]) -> dict[str, list[Head]]:
    """All heads of some files by session; raises click.UsageError."""
    known: dict[str, list[Head]] = {}
    for path in paths:
        found = _heads_of(path)
        if not found:
            raise click.UsageError(f"{path} holds no heads; write them with: engine sessions heads > {path}")
        for head in found:
            known.setdefault(head.session_id, []).append(head)
    return known


def _heads_of(path: Path) -> list[Head]:
    from engine.ports.records import Head

    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from None
    found = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            told = json.loads(text)
            head = Head(told["session_id"], told["seq"], told["hash"], told["hmac"])
        except (ValueError, LookupError, TypeError, RecursionError):
            head = None
        if (
            head is None
            or type(head.seq) is not int
            or not all(isinstance(t, str) for t in (head.session_id, head.hash))
        ):
            raise click.UsageError(f"{path}:{number} is no head, as `engine sessions heads` prints them")
        found.append(head)
    return found
