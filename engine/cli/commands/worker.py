"""`engine worker`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import store_option
from engine.cli.console.output import counted, say
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.runtime.worker import Worker
    from engine.store.wake import WakeListener


@click.command(
    "worker",
    epilog="""\b
Examples:
  engine worker                         until SIGTERM or Ctrl-C
  engine worker --until-idle            what is due now, and no longer
  engine worker --concurrency 16 --store sqlite:////var/lib/engine/engine.db""",
)
@click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True, help="Jobs at once.")
@click.option("--until-idle", is_flag=True, help="Stop when nothing is due any more.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds that running jobs have to end when the worker is stopped.",
)
@click.option(
    "--bundle", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where the databases lie now."
)
@click.option("--parent", type=int, hidden=True)
@click.option("--quiet", is_flag=True, help="Tell only what could not be done, and no events.")
@store_option
@asynchronous
async def command(
    concurrency: int,
    until_idle: bool,
    grace: float,
    bundle: Path | None,
    parent: int | None,
    quiet: bool,
    store_url: str,
) -> int:
    """Run jobs, and wake the sessions that something is due for.

    A job is judged again when a worker takes it, and runs under a lease: if the worker dies another takes it over.
    Sessions that were left running are resumed, and requests that nobody answered in time are closed. SIGTERM lets
    running jobs end within the grace period and gives back the others. A session that nothing could be done for is
    told, and the others go on; with --until-idle it exits 1 then.
    """
    import trio

    from engine.cli.console.app import open_app
    from engine.runtime.worker import Worker
    from engine.session.state.event import Event, EventKind
    from engine.session.trace import entry, headline
    from engine.store.move_ends import check_goes_on
    from engine.store.urls import listening_at

    shown = {
        EventKind.JOB_LEASED,
        EventKind.JOB_RELEASED,
        EventKind.ATTEMPT_FAILED,
        EventKind.TOOL_RESULT,
        EventKind.STATE_TRANSITION,
        EventKind.REQUEST_OPENED,
        EventKind.REQUEST_CLOSED,
    }

    def tell(event: Event) -> None:
        if event.kind in shown and not quiet:
            say(f"{event.session_id} {event.kind.value}: {headline(entry(event))}", err=True)

    def trouble(session_id: str, error: Exception) -> None:
        say(f"{session_id} could not be driven: {error}", err=True)

    async with open_app(store_url, root=bundle, on_event=tell, on_stop="release") as app:
        await trio.to_thread.run_sync(check_goes_on, app.url)
        worker = Worker(app.engine, at_once=concurrency, on_trouble=trouble)
        async with listening_at(app.url) as listener, trio.open_nursery() as nursery:
            nursery.start_soon(_wake, listener, worker)
            nursery.start_soon(_read_ahead, app)
            nursery.start_soon(_leave, app, worker)
            if parent is not None:
                nursery.start_soon(_leave_with, parent, app)
            done = await worker.work(until_idle=until_idle, grace=grace)
            nursery.cancel_scope.cancel()
        left = f", {counted(len(done.troubled), 'session')} could not be" if done.troubled else ""
        say(f"{counted(done.jobs, 'job')} run, {counted(done.sessions, 'session')} driven{left}")
        app.code = FAILED if done.troubled and until_idle else OK
    return app.exit_code


async def _read_ahead(app: App) -> None:
    """Read the bundle that new sessions begin with: the first of them does not wait for it."""
    from engine.runtime.errors import BundleUnavailable

    active = await app.store.deployments.active()
    try:
        if active is not None:
            await app.engine.bundles.get(active.bundle)
    except BundleUnavailable as error:
        say(f"engine: {error}", err=True)


async def _wake(listener: WakeListener, worker: Worker) -> None:
    """Have the worker look whenever another process has appended something."""
    while True:
        await listener.wait_any()
        worker.wake()


async def _leave_with(parent: int, app: object) -> None:
    """Stop once the process that started this one is gone: the next one starts workers of its own."""
    import trio

    while os.getppid() == parent:  # noqa: ASYNC110
        await trio.sleep(1)
    app.stopping.set()  # type: ignore[attr-defined]


async def _leave(app: object, worker: object) -> None:
    """Take nothing new once the process was asked to stop."""
    await app.stopping.wait()  # type: ignore[attr-defined]
    worker.release_lease()  # type: ignore[attr-defined]
