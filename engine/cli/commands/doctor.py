"""`engine doctor`: whether everything that a service rests on is well."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.health import BAD, GOOD, LOOK, HealthFinding, show
from engine.cli.console.options import DEFAULT_STORE, format_option
from engine.cli.console.service_config import config_option, settings_or_exit
from engine.session.state.state import FINAL

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.config.settings import ServiceSettings

# less room than that is told, in bytes; and a clock that far behind what is recorded
ROOM, AHEAD = 1024**3, timedelta(seconds=5)
# how long the lock of whoever writes to a store is waited for, in seconds: no write takes longer
LOCK_TIME = 2.0


@click.command(
    "doctor",
    epilog="""\b
Examples:
  engine doctor --config engine.yaml
  engine doctor . --store sqlite:///prod.db --format json""",
)
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--store", metavar="URL", help=f"$ENGINE_STORE or {DEFAULT_STORE} unless given.")
@config_option
@format_option("text", "json")
@asynchronous
async def command(bundle: Path | None, store: str | None, config: Path | None, output_format: str) -> int:
    """Look at what a service rests on: bundle, secrets, store, disk, clock, sessions, tokens and the provider.

    Nothing is changed. Exit code 1 where something is bad.
    """
    given = {"bundle": bundle, "store": store}
    settings = settings_or_exit(config, {name: value for name, value in given.items() if value is not None})
    found = [one async for one in _findings(settings)]
    return show("doctor", found, output_format)


async def _findings(settings: ServiceSettings) -> AsyncIterator[HealthFinding]:
    from engine.cli.console.app import open_app
    from engine.store.urls import new_file

    for one in (*_bundle(settings), *_secrets(settings), *_disk(settings)):
        yield one
    if new_file(settings.store) is not None:
        yield HealthFinding("store", LOOK, f"there is none yet at {settings.store}: engine serve makes it")
        return
    try:
        for one in _writing(settings):
            yield one
        for one in _server(settings):
            yield one
        async with open_app(settings.store, drives=False) as app:
            async for one in _store(app):
                yield one
            yield await _tokens(app, settings)
    except Exception as error:
        yield HealthFinding("store", BAD, str(error))
    async for one in _providers(settings):
        yield one


def _bundle(settings: ServiceSettings) -> list[HealthFinding]:
    """The bundle is valid, and what its agents need of this machine is here."""
    from engine.bundle.load import load_directory
    from engine.config.fit import misfits
    from engine.diagnostic import has_errors
    from engine.runtime.environment import needs, problem
    from engine.runtime.host_secrets import HostSecrets

    try:
        loaded = load_directory(settings.bundle)
    except NotADirectoryError:
        return [HealthFinding("bundle", BAD, f"{settings.bundle} is no directory")]
    bundle = loaded.bundle
    if bundle is None or has_errors(loaded.diagnostics):
        return [HealthFinding("bundle", BAD, f"it has errors: engine validate {settings.bundle}")]
    missing = {
        f"{need.kind} {need.name}: {why}"
        for agent in bundle.agents.values()
        for need in needs(bundle, agent, agent.planners, agent.tools)
        if not need.optional
        for why in [problem(need, HostSecrets(), settings.bundle)]
        if why
    }
    found = [
        HealthFinding("bundle", GOOD, f"{bundle.digest[:12]}, {len(bundle.agents)} agents, {len(bundle.tools)} tools")
    ]
    found += [HealthFinding("environment", BAD, one) for one in sorted(missing)]
    return found + [HealthFinding("configuration", LOOK, one) for one in misfits(settings, bundle)]


def _secrets(settings: ServiceSettings) -> list[HealthFinding]:
    """What the service itself needs, without which it does not start."""
    from engine.runtime.host_secrets import HostSecrets

    return [HealthFinding("secrets", BAD, told) for told in settings.missing_secrets(HostSecrets())]


def _disk(settings: ServiceSettings) -> list[HealthFinding]:
    from engine.store.urls import file_of

    file = file_of(settings.store)
    if file is None:
        return [HealthFinding("disk", LOOK, "the store is not in a file")]
    folder = file.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    told = f"{free / 1024**3:,.1f} GB are free at {folder}"
    if not os.access(folder, os.W_OK):
        return [HealthFinding("disk", BAD, f"{folder} can't be written")]
    return [HealthFinding("disk", GOOD if free > ROOM else BAD, told)]


def _writing(settings: ServiceSettings) -> Iterator[HealthFinding]:
    """Whether the store goes on, and takes what is written to it."""
    from engine.ports.records import StoreMoved
    from engine.store.backup import StoreStopped
    from engine.store.file import lock_problem
    from engine.store.move_ends import check_goes_on
    from engine.store.urls import file_of

    try:
        check_goes_on(settings.store)
    except (StoreStopped, StoreMoved) as error:
        yield HealthFinding("store", BAD, str(error))
    file = file_of(settings.store)
    problem = lock_problem(file, LOCK_TIME) if file is not None else ""
    if problem:
        yield HealthFinding("store", BAD, problem)


def _server(settings: ServiceSettings) -> Iterator[HealthFinding]:
    """Whether a server keeps what it says is durable, and the limits that the engine sets."""
    from engine.store.urls import server_findings

    for one in server_findings(settings.store):
        yield HealthFinding("server", GOOD if one.well else BAD, one.told)


async def _store(app: App) -> AsyncIterator[HealthFinding]:
    """The store can be read, and what is in it goes on."""
    from engine.ports.deliveries import DeliveryState

    now = datetime.now(UTC)
    problems = await app.store.file_problems()
    yield HealthFinding("store", BAD if problems else GOOD, "; ".join(problems) or app.url)
    rows = await app.store.sessions()
    newest = max((row.updated_at for row in rows if row.updated_at is not None), default=now)
    ahead = newest - now
    told = "it agrees with what is recorded" if ahead <= AHEAD else f"something was recorded {ahead} from now"
    yield HealthFinding("clock", GOOD if ahead <= AHEAD else BAD, told)
    due = await app.store.due_sessions()
    alive = sum(row.state not in FINAL for row in rows)
    told = f"{len(rows)} sessions, {alive} not over, {len(due)} to be driven"
    yield HealthFinding("sessions", LOOK if due else GOOD, told + (": is a worker running?" if due else ""))
    jobs = await app.store.jobs()
    dead = [row.id for row in jobs if row.status == "dead"]
    yield HealthFinding("jobs", LOOK if dead else GOOD, f"{len(jobs)} jobs, {len(dead)} dead")
    lost = [one.notification for one in await app.store.deliveries.deliveries(state=DeliveryState.DEAD)]
    told = f"given up: {', '.join(sorted(set(lost)))}; see GET /v1/deliveries" if lost else "none was given up"
    yield HealthFinding("deliveries", LOOK if lost else GOOD, told)
    settle = [row.id for row in await app.store.requests() if row.kind == "settle"]
    told = f"nobody knows whether they happened: {', '.join(settle[:5])}" if settle else "none is unknown"
    yield HealthFinding("writes", LOOK if settle else GOOD, told)


async def _tokens(app: App, settings: ServiceSettings) -> HealthFinding:
    known = [one for one in await app.store.access.tokens() if one.revoked_at is None]
    soon = datetime.now(UTC) + timedelta(days=14)
    ending = [one.name for one in known if one.expires_at is not None and one.expires_at <= soon]
    if not known and not settings.access.grants:
        return HealthFinding("tokens", BAD, "nobody can come in: engine tokens create")
    if ending:
        return HealthFinding("tokens", LOOK, f"they expire within 14 days or have: {', '.join(ending)}")
    return HealthFinding("tokens", GOOD, f"{len(known)} are good")


async def _providers(settings: ServiceSettings) -> AsyncIterator[HealthFinding]:
    """The providers that people and machines come from can be asked."""
    import httpx2

    from engine.runtime.host_secrets import HostSecrets
    from engine.trio_clock import TrioClock
    from engine.web.openid import OpenIdProvider, ProviderUnavailable

    async with httpx2.AsyncClient(timeout=None, trust_env=False) as http:
        for what, provider in (("people", settings.access.people), ("machines", settings.access.machines)):
            if provider is None:
                continue
            try:
                await OpenIdProvider(provider, http, TrioClock(), HostSecrets()).check()
                yield HealthFinding(f"provider of {what}", GOOD, provider.issuer)
            except ProviderUnavailable as error:
                yield HealthFinding(f"provider of {what}", BAD, str(error))
    if settings.access.people is not None:
        url = settings.url or ""
        told = "a browser keeps the cookie of a login over https alone: set `url` to the address of the proxy"
        yield HealthFinding("url", GOOD, url) if url.startswith("https://") else HealthFinding("url", LOOK, told)
