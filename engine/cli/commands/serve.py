"""`engine serve`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.bundle import load_or_exit
from engine.cli.console.options import DEFAULT_STORE
from engine.cli.console.output import counted, say
from engine.cli.console.promises import broken_promises
from engine.cli.console.service_config import config_option, settings_or_exit
from engine.config.fit import misfits
from engine.session.exit_code import FAILED, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import trio

    from engine.cli.console.app import App
    from engine.cli.console.development import Development
    from engine.config.settings import ServiceSettings
    from engine.spec.bundle import Bundle
    from engine.web.server.server import HttpServer
    from engine.web.service import Service

HOST, PORT = "127.0.0.1", 8420


class _Workers(click.ParamType[int]):
    """A number of processes, or `none`."""

    name = "N|none"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; raises click.BadParameter."""
        text = str(value)
        if text in ("none", "0"):
            return 0
        if not text.isdecimal() or not 1 <= int(text) <= 64:
            self.fail(f"{text} is no number from 1 to 64, nor `none`", param, ctx)
        return int(text)


@click.command(
    "serve",
    epilog="""\b
Examples:
  engine serve .                         with one worker, at http://127.0.0.1:8420
  engine serve . --dev                   for who writes the bundle: links to log in, files followed
  engine serve . --workers none          the service alone; workers run elsewhere
  engine serve --config engine.yaml      what a file says; see `engine config show`
  engine serve . --port 9000 --store sqlite:////var/lib/engine/engine.db""",
)
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--host", help=f"The address to listen at; {HOST} unless given.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"{PORT} unless given; 0 is any that is free.")
@click.option("--workers", type=_Workers(), help="Processes that drive sessions; 1 unless given.")
@click.option("--store", help=f"Where sessions are kept; $ENGINE_STORE or {DEFAULT_STORE} unless given.", metavar="URL")
@click.option("--dev", is_flag=True,
              help="For this machine alone: links to log in, and the bundle anew when its files change.")  # fmt: skip
@click.option("--seed", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="With --dev: sessions to begin with, as `run --batch` reads them.")  # fmt: skip
@click.option("--agent", help="With --seed: whose sessions; the bundle's own if it has one.")
@config_option
@asynchronous
async def command(
    bundle: Path | None, host: str | None, port: int | None, workers: int | None, store: str | None, dev: bool,
    seed: Path | None, agent: str | None, config: Path | None,
) -> int:  # fmt: skip
    """Serve the HTTP API and the inbox: sessions of BUNDLE are started, read and answered by it.

    Who asks shows a token: `engine tokens create` makes the first. Sessions are driven by workers, which are processes
    of their own, started and watched by this one: where it dies they give their sessions back and end. SIGTERM lets
    what is being answered end, and gives sessions back. Put a proxy that speaks TLS in front of any address but this
    machine's own.
    """
    given = {"bundle": bundle, "host": host, "port": port, "workers": workers, "store": store}
    settings = settings_or_exit(config, {name: value for name, value in given.items() if value is not None})
    if not dev and (seed is not None or agent is not None):
        raise click.UsageError("--seed and --agent go with --dev")
    development = None
    if dev:
        settings, development = _for_development(settings, seed, agent)
    if settings.store == "memory:":
        raise click.UsageError("a store in memory can't be shared with workers: use sqlite:///PATH")
    checked = _loaded(settings.bundle)
    if broken_promises(checked, settings.bundle) and development is None:
        say("engine: it is not served", err=True)
        return FAILED
    for told in misfits(settings, checked):
        say(f"engine: {told}", err=True)
    # the key of the log is taken out of the environment below, and the workers need it as well
    environment = dict(os.environ)
    if not _may_start(settings):
        return USAGE
    await _serve(settings, checked, environment, development(checked) if development is not None else None)
    say("engine: stopped", err=True)
    # that it was asked to stop is how a server ends
    return 0


def _for_development(
    settings: ServiceSettings, seed: Path | None, agent: str | None
) -> tuple[ServiceSettings, Callable[[Bundle], Development]]:
    """For this machine alone, with a store of its own unless one is named; and what is done beside serving."""
    from engine.cli.console.development import Development, check_loopback, own_store
    from engine.config.load import DEFAULT

    check_loopback(settings.host)
    if settings.origins["store"] == DEFAULT:
        settings = replace(settings, store=own_store())
    return settings, lambda bundle: Development(bundle, seed, agent, settings.store)


def _may_start(settings: ServiceSettings) -> bool:
    """Set up what the service logs with, and say what keeps it from starting."""
    from engine.runtime.host_secrets import HostSecrets
    from engine.telemetry.logs import set_up_logs

    set_up_logs(settings.log_format, settings.log_level)
    missing = settings.missing_secrets(HostSecrets())
    for told in missing:
        say(f"engine: {told}", err=True)
    return not missing


async def _serve(
    settings: ServiceSettings, checked: Bundle, environment: dict[str, str], development: Development | None
) -> None:
    """Listen, start the workers, and answer until it is asked to stop."""
    import trio

    from engine.api.engine import open_engine
    from engine.cli.console.app import open_app
    from engine.cli.console.worker_processes import WorkerProcesses
    from engine.notify.notifier import Notifier
    from engine.notify.sender import Sender
    from engine.runtime.host_secrets import HostSecrets
    from engine.store.move_ends import check_goes_on
    from engine.telemetry.otlp import TraceExporter
    from engine.web import deployments
    from engine.web.application import application
    from engine.web.open_service import open_service
    from engine.web.request_log import with_request_log
    from engine.web.schedules import Scheduler
    from engine.web.server.server import HttpServer

    listeners = await _listen(settings.host, settings.port)
    metrics = await _listen(*settings.metrics, of="metrics") if settings.metrics is not None else []
    async with open_app(settings.store, make=True, on_stop="release") as app, open_engine(app.store) as engine:
        await trio.to_thread.run_sync(check_goes_on, settings.store)
        url = settings.url or _address(listeners[0])
        async with open_service(
            engine, app.store, checked, HostSecrets(), url=url, access=settings.access,
            webhooks=settings.webhooks, schedules=settings.schedules, takes_code=settings.takes_code,
            past=settings.store if settings.store != "memory:" else None,
        ) as service:  # fmt: skip
            await deployments.begin(service)
            await engine.bundle(service.bundle.digest)  # the first who asks does not wait for it
            server = HttpServer(with_request_log(application(service)), service.draining, settings.limits)
            async with trio.open_nursery() as nursery:
                if metrics:
                    nursery.start_soon(_serve_metrics, service, server, metrics)
                nursery.start_soon(_drain, app, server)
                nursery.start_soon(_erase_what_is_due, service, settings)
                nursery.start_soon(deployments.follow, service)
                nursery.start_soon(service.comparisons.run, engine, service.past, service.draining)
                if settings.traces is not None:
                    exporter = TraceExporter(app.store, settings.traces, HostSecrets())
                    nursery.start_soon(exporter.run, service.draining)
                if settings.schedules:
                    nursery.start_soon(Scheduler(service, settings.schedules).run)
                if settings.notifications:
                    sender = Sender(HostSecrets(), url)
                    nursery.start_soon(Notifier(app.store, settings.notifications, sender).run, service.draining)
                nursery.start_soon(WorkerProcesses(settings.store, environment, settings.workers).run, service.draining)
                await _announce(app, settings, service.bundle.digest, listeners, development is not None)
                if development is not None:
                    await development.begin(service)
                    nursery.start_soon(development.follow_files, service)
                await server.serve(listeners)


async def _listen(host: str, port: int, of: str = "") -> list[trio.SocketListener]:
    """Listen at an address; where that can't be, it is said, and exit 2."""
    import trio

    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        where = f"{host}:{port}" + (f" (`{of}` of the configuration)" if of else "")
        say(f"engine: {where} can't be listened at: {error.strerror or error}", err=True)
        raise SystemExit(USAGE) from None


async def _erase_what_is_due(service: Service, settings: ServiceSettings) -> None:
    """Erase sessions whose time is over, once an hour, for as long as the service runs."""
    import trio

    from engine.ports.access import AuditEvent
    from engine.runtime.retention import due_for_erasure

    while settings.retention and not service.draining.is_set():
        now = service.clock.now()
        async for row in due_for_erasure(service.store, settings.retention, now):
            await service.follower.count(row)  # what it used is counted first
            await service.store.erase(row.id)
            say(f"engine: {row.id} was over for so long, and is erased", err=True)
            told = AuditEvent(
                0, now, "retention", "configuration", "", None, "erase", row.id, "", "kept for so long", ""
            )
            await service.store.access.record_audit(told)
        with trio.move_on_after(3600):
            await service.draining.wait()


async def _serve_metrics(service: Service, server: HttpServer, listeners: Sequence[trio.SocketListener]) -> None:
    """Serve the metrics at their own port until the service drains."""
    from engine.web.metrics import metrics_application
    from engine.web.server.server import HttpServer

    for listener in listeners:
        say(f"engine: metrics at {_address(listener)}/metrics", err=True)
    metrics = metrics_application(service, lambda: server.connections)
    await HttpServer(metrics, service.draining).serve(listeners)


def _address(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _loaded(bundle: Path) -> Bundle:
    """The bundle; its databases lie where it lies, wherever a worker stands."""
    if not bundle.is_dir():
        raise click.UsageError(f"there is no bundle at {os.path.abspath(bundle)}")
    return replace(load_or_exit(bundle)[0], root=os.path.abspath(bundle))


async def _announce(
    app: App, settings: ServiceSettings, digest: str, listeners: Sequence[trio.SocketListener], dev: bool
) -> None:
    """Say where it is, and what is missing before anybody can come in."""
    workers = settings.workers
    for listener in listeners:
        told = f"bundle {digest[:12]}, {counted(workers, 'worker')}"
        say(f"engine: serving {_address(listener)} ({told})", err=True)
    if not dev and not await app.store.access.tokens() and not settings.access.grants:
        made = f"engine tokens create --name me --role operator --store {app.url}"
        say(f"engine: nobody has a token yet; make one with: {made}", err=True)
    if not workers:
        say("engine: no worker is started here: sessions go on where an `engine worker` runs on this store", err=True)


async def _drain(app: App, server: HttpServer) -> None:
    await app.stopping.wait()
    say("engine: stopping; what is being answered may end", err=True)
    server.drain()
