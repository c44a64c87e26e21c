"""`engine serve`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.bundle import load_or_exit
from engine.cli.console.options import bundle_argument, store_option
from engine.cli.console.output import counted, say
from engine.session.exit_code import USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio

    from engine.cli.console.app import App
    from engine.spec.bundle import Bundle
    from engine.web.server.server import HttpServer

HOST, PORT = "127.0.0.1", 8420


class _Workers(click.ParamType[int]):
    """A number of processes, or `none`."""

    name = "N|none"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; raises click.BadParameter."""
        text = str(value)
        if text == "none":
            return 0
        if not text.isdecimal() or not 1 <= int(text) <= 64:
            self.fail(f"{text} is no number from 1 to 64, nor `none`", param, ctx)
        return int(text)


@click.command(
    "serve",
    epilog="""\b
Examples:
  engine serve .                         with one worker, at http://127.0.0.1:8420
  engine serve . --workers none          the service alone; workers run elsewhere
  engine serve . --port 9000 --store sqlite:////var/lib/engine/engine.db""",
)
@bundle_argument
@click.option("--host", default=HOST, show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 is any that is free.")
@click.option("--workers", type=_Workers(), default="1", show_default=True, help="Processes that drive sessions.")
@store_option
@asynchronous
async def command(bundle: Path, host: str, port: int, workers: int, store_url: str) -> int:
    """Serve the HTTP API: sessions of BUNDLE are started, read and answered by it.

    Who asks shows a token: `engine tokens create` makes the first. Sessions are driven by workers, which are processes
    of their own, started and watched by this one: where it dies they give their sessions back and end. SIGTERM lets
    what is being answered end, and gives sessions back. Put a proxy that speaks TLS in front of any address but this
    machine's own.
    """
    if store_url == "memory:":
        raise click.UsageError("a store in memory can't be shared with workers: use sqlite:///PATH")
    checked = _loaded(bundle)
    # the key of the log is taken out of the environment below, and the workers need it as well
    environment = dict(os.environ)
    import trio

    from engine.api.engine import open_engine
    from engine.cli.console.app import open_app
    from engine.cli.console.worker_processes import WorkerProcesses
    from engine.web.application import application
    from engine.web.server.server import HttpServer
    from engine.web.service import Service

    async with open_app(store_url, make=True, on_stop="release") as app, open_engine(app.store) as engine:
        await app.engine.bundles.keep(checked)
        try:
            listeners = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            say(f"engine: {host}:{port} can't be listened at: {error.strerror or error}", err=True)
            return USAGE
        service = Service(engine, app.store, checked, app.engine.context.clock, trio.Event())
        server = HttpServer(application(service), service.draining)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, app, server)
            nursery.start_soon(WorkerProcesses(store_url, environment, workers).run, service.draining)
            await _announce(app, checked.digest, listeners, workers)
            await server.serve(listeners)
    say("engine: stopped", err=True)
    # that it was asked to stop is how a server ends
    return 0


def _loaded(bundle: Path) -> Bundle:
    """The bundle; its databases lie where it lies, wherever a worker stands."""
    return replace(load_or_exit(bundle)[0], root=os.path.abspath(bundle))


async def _announce(app: App, digest: str, listeners: Sequence[trio.SocketListener], workers: int) -> None:
    """Say where it is, and what is missing before anybody can come in."""
    for listener in listeners:
        host, port = listener.socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        say(f"engine: serving http://{shown}:{port} (bundle {digest[:12]}, {counted(workers, 'worker')})", err=True)
    if not await app.store.access.tokens():
        made = f"engine tokens create --name me --role operator --store {app.url}"
        say(f"engine: nobody has a token yet; make one with: {made}", err=True)
    if not workers:
        say("engine: no worker is started here: sessions go on where an `engine worker` runs on this store", err=True)


async def _drain(app: App, server: HttpServer) -> None:
    await app.stopping.wait()
    say("engine: stopping; what is being answered may end", err=True)
    server.drain()
