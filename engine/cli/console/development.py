"""`engine serve --dev`: for whoever writes a bundle, on their own machine, with what they'd otherwise do by hand.

A link for each person whom the bundle knows, sessions to begin with, and the bundle anew whenever its files change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio

from engine.access.logins import new_link
from engine.access.rights import Role
from engine.access.tokens import new_token
from engine.bundle.load import load_directory
from engine.cli.commands.batch import read_lines
from engine.cli.console.bundle import agent_of, show_diagnostics
from engine.cli.console.output import counted, say
from engine.cli.console.promises import broken_promises
from engine.cli.console.trace_printer import table
from engine.diagnostic import has_errors
from engine.web.deployments import deploy_files

if TYPE_CHECKING:
    from engine.runtime.opening import Opening
    from engine.spec.bundle import Bundle
    from engine.web.service import Service

STORE = "sqlite:///.engine/dev.db"
# who operates the service; no reviewer is called so
OPERATOR = "operator"
GOOD_FOR = timedelta(days=1)
MOST_PEOPLE = 8
# what databases of tools are written to
WRITTEN = (".db", ".db-wal", ".db-shm", ".db-journal")


def check_loopback(host: str) -> None:
    """Raise click.UsageError for an address that others reach: the links let anybody in who reads them here."""
    try:
        own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise click.UsageError(f"--dev serves this machine alone: {host} is reached by others; use 127.0.0.1")


def own_store() -> str:
    """The store that is used where none is named; its folder is made."""
    Path(".engine").mkdir(exist_ok=True)
    return STORE


class Development:
    """What a service does beside serving a bundle: sessions of a `seed` are begun, with an `agent` of the bundle.

    `store` is the URL of the store that it serves.
    Raises click.UsageError for an agent that is not there; bad lines of the file are told, and exit 2.
    """

    def __init__(self, bundle: Bundle, seed: Path | None, agent: str | None, store: str) -> None:
        self._store = store
        self._openings: Sequence[Opening] = ()
        if seed is not None:
            self._openings = [one for _, one in read_lines(seed, agent_of(bundle, agent), {}, None, None)]

    async def begin(self, service: Service) -> None:
        """Begin the sessions, which the workers drive, in a new store; and print a link for each who can log in."""
        # a store that was begun already is gone on with
        seed = () if await service.store.sessions(1) else self._openings
        if seed:
            say(f"engine: {counted(len(seed), 'session')} of the seed begin", err=True)
        for one in seed:
            await service.engine.start(
                service.bundle, message=one.message, agent=one.agent, attributes=one.attributes, drive=False
            )
        say("engine: log in by one of these links, once, within ten minutes:", err=True)
        table("links", ["as", "role", "link"], [list(row) for row in await _links(service)])
        say(f"engine: a further one: engine tokens link 'dev NAME' --url {service.url} --store {self._store}", err=True)

    async def follow_files(self, service: Service) -> None:
        """Serve the bundle anew whenever its files change, until the service drains.

        One with errors is told, and the one before stays; sessions that have begun go on under what they began with.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow, service)
            await service.draining.wait()
            nursery.cancel_scope.cancel()

    async def _follow(self, service: Service) -> None:
        folder, whole = Path(service.bundle.root or "."), True
        async for _ in _changes(folder, service.bundle):
            loaded = await trio.to_thread.run_sync(load_directory, folder)
            bundle = loaded.bundle
            if bundle is None or has_errors(loaded.diagnostics):
                show_diagnostics(loaded.diagnostics, loaded.sources)
                served = service.bundle.digest[:12]
                say(f"engine: the bundle is served as it was ({served}): mend these first", err=True)
                whole = False
            elif bundle.digest != service.bundle.digest or not whole:
                await deploy_files(service, bundle)
                whole = True
                say(f"engine: new sessions begin with bundle {bundle.digest[:12]}", err=True)
                await trio.to_thread.run_sync(broken_promises, bundle, folder)


async def _links(service: Service) -> list[tuple[str, str, str]]:
    """Who can log in, as what, and the link that does it once: the operator, and those who are asked."""
    now, access = service.clock.now(), service.store.access
    known = {token.name: token for token in await access.tokens() if token.revoked_at is None}
    made = []
    for name, role in ((OPERATOR, Role.OPERATOR), *((person, Role.REVIEWER) for person in _reviewers(service.bundle))):
        named = f"dev {name}"
        if named in known:
            await access.revoke_token(known[named].id, now)
        _, token = new_token(
            named, role, person=name, tenant=None, by="engine serve --dev", at=now, expires_at=now + GOOD_FOR
        )
        await access.add_token(token)
        secret, login = new_link(token.id, now)
        await access.add_login(login)
        made.append((name, role.value, f"{service.url}/login/{secret}"))
    return made


def _reviewers(bundle: Bundle) -> list[str]:
    named = dict.fromkeys(person for group in bundle.reviewers.values() for person in group.members)
    return [name for name in named if name != OPERATOR][:MOST_PEOPLE]


async def _changes(folder: Path, bundle: Bundle) -> AsyncIterator[None]:
    """Something changed where files of a bundle lie; what its tools write there, and what is hidden, is none of it."""
    from watchfiles import Change, awatch

    def is_read(change: Change, path: str) -> bool:
        return not path.endswith(WRITTEN) and not Path(path).name.startswith(".")

    while True:
        places = [folder / part for part in {Path(file).parts[0] for file in bundle.files}]
        there = [place for place in places if place.exists()]
        # one that is taken away and put back is another one, which has to be watched anew
        kept = {place: place.stat().st_ino for place in there}
        async for changes in awatch(
            *(there or [folder]), watch_filter=is_read, yield_on_timeout=True, rust_timeout=1000
        ):
            other = {place: place.stat().st_ino for place in places if place.exists()} != kept
            if changes or other:
                yield None
            if other:
                break
