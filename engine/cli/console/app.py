"""Runs a command's asynchronous part: store, engine, signals, and what its errors mean to a caller."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import click
import trio

from engine.cli.console.output import say, say_lines
from engine.cli.console.trace_printer import Printer
from engine.ports.records import CorruptLog, SealedLog, StoreMoved, UnknownSession
from engine.ports.resources import EnvironmentFault
from engine.ports.store import Store
from engine.ports.tool import ToolError
from engine.runtime.errors import BundleUnavailable, LeaseLost, LiveElsewhere, NotAllowed, unwrapped
from engine.runtime.gc_tuning import tune_gc
from engine.runtime.host_secrets import HostSecrets
from engine.session.exit_code import FAILED, FAULT, INTERRUPTED, OK, USAGE
from engine.session.state.event import Event
from engine.session.state.evolve import BrokenHistory
from engine.store.backup import StoreStopped
from engine.store.chain import SegmentTooLarge
from engine.store.faults import BadStoreUrl, StoreFault
from engine.store.log_key import BadLogKey, taken_from
from engine.store.migrations import NewerStore
from engine.store.urls import new_file, open_url
from engine.tool.databases import MissingRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.planner.transport import Traffic
    from engine.runtime.runner import Runner

INTERRUPT = "interrupt"

# in seconds: what is cut off at a second Ctrl-C has so long to close its connections
LEAVE = 2.0

# what is no fault of ours, and what it exits with
_FORESEEN: dict[type[Exception], int] = {
    NotAllowed: FAILED,
    LiveElsewhere: FAILED,
    LeaseLost: FAILED,
    UnknownSession: USAGE,
    MissingRoot: USAGE,
    ToolError: FAILED,
    EnvironmentFault: USAGE,
    BadStoreUrl: USAGE,
    BadLogKey: USAGE,
    SealedLog: USAGE,
    NewerStore: FAULT,
    StoreFault: FAULT,
    StoreStopped: FAULT,
    StoreMoved: FAULT,
    CorruptLog: FAULT,
    SegmentTooLarge: FAULT,
    BrokenHistory: FAULT,
    BundleUnavailable: FAULT,
    sqlite3.Error: FAULT,
}


@dataclass(frozen=True, slots=True)
class Models:
    """How models are asked: for real, recorded into a folder on the way, or from a recording and offline."""

    record: Path | None = None
    replay: Path | None = None

    def traffic(self, secrets: HostSecrets) -> Traffic | None:
        """What planners send their requests with; None is the servers themselves."""
        if self.record is None and self.replay is None:
            return None
        from engine.planner.transport import BadCassette, RecordingTransport, replayed_from

        try:
            if self.record is not None:
                return RecordingTransport(self.record, secrets.masked)
            assert self.replay is not None
            return replayed_from(self.replay)
        except (BadCassette, OSError) as error:
            raise click.UsageError(str(error)) from None


LIVE = Models()


@dataclass(slots=True)
class App:
    """What a command works with; `interrupted` once the user pressed Ctrl-C, `has_key` if seals can be checked.

    `runner` is None for a command that only reads the store, which starts in half the time without it; `code` is what
    the command exits with, if it comes to its end; it has printed what happened by `printer`.
    """

    url: str
    store: Store
    runner: Runner | None
    printer: Printer
    has_key: bool = False
    code: int = OK
    interrupted: bool = False
    released: bool = False
    ended: bool = False
    stopping: trio.Event = field(default_factory=trio.Event)
    leaving: threading.Timer = field(default_factory=lambda: _leaving())

    @property
    def engine(self) -> Runner:
        """What drives and records, for a command that does."""
        assert self.runner is not None, "opened to read the store alone"
        return self.runner

    @property
    def exit_code(self) -> int:
        """What the process exits with: the command's own code, unless it was interrupted or cut off."""
        return self.code if self.ended and not self.interrupted else INTERRUPTED


@asynccontextmanager
async def open_app(
    url: str,
    *,
    root: Path | None = None,
    printer: Printer | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_stop: Literal["cancel", "release"] = "cancel",
    models: Models = LIVE,
    make: bool = False,
    drives: bool = True,
) -> AsyncIterator[App]:
    """Open the store and the engine that a command works with, and heed signals until it leaves.

    A command that only reads the store opens it without an engine, which `drives` False says.  A store that is not
    there is made only where the command may `make` one.  On Ctrl-C what is driven is cancelled, unless it is to be
    released as on SIGTERM; on a second one the block is left at once.
    """
    # taken before anything is started that would inherit it
    key = taken_from(os.environ)
    tune_gc()
    printer = printer or Printer("none")
    secrets = HostSecrets()
    made = new_file(url) if make else None
    with _named_in_faults(url):
        async with open_url(url, key, make=make) as store:
            if made is not None:
                say(f"engine: a new store: {made}", err=True)
            runner = _runner(store, root, on_event or printer, printer, secrets, models) if drives else None
            app = App(url, store, runner, printer, key is not None)
            try:
                with trio.open_signal_receiver(*_signals()) as signals:
                    async with runner or nullcontext(), trio.open_nursery() as nursery:
                        nursery.start_soon(_heed, signals, app, nursery.cancel_scope, on_stop)
                        yield app
                        app.ended = True
                        nursery.cancel_scope.cancel()
            finally:
                app.leaving.cancel()


def _runner(
    store: Store,
    root: Path | None,
    on_event: Callable[[Event], None],
    printer: Printer,
    secrets: HostSecrets,
    models: Models,
) -> Runner:
    # most of what starting a command costs
    from engine.runtime.runner import Runner

    return Runner(
        store,
        root=root,
        on_event=on_event,
        on_partial=printer.partial,
        secrets=secrets,
        traffic=models.traffic(secrets),
    )


def run_app(command: Callable[[], Awaitable[int]]) -> int:
    """Run a command's asynchronous part and return its exit code; foreseen errors are told in one line."""
    try:
        return trio.run(command)
    except BaseException as error:
        return tell_foreseen(error)


def tell_foreseen(error: BaseException) -> int:
    """Tell an error that is no fault of ours in one line, and return what it exits with; raises any other."""
    cause = _cause(error)
    if isinstance(cause, click.ClickException) or (isinstance(cause, OSError) and foreseen(cause) is None):
        raise cause from None
    if not isinstance(cause, Exception) or (code := foreseen(cause)) is None:
        raise error
    say(f"engine: {cause}", err=True)
    return code


@contextmanager
def _named_in_faults(url: str) -> Iterator[None]:
    """Of a file that is damaged SQLite says how, and not which one it is."""
    try:
        yield
    except BaseException as error:
        cause = _cause(error)
        if isinstance(cause, sqlite3.Error):
            raise StoreFault(f"{url}: {cause}") from error
        raise


def foreseen(error: Exception) -> int | None:
    """The exit code of an error that is no fault of ours, or None."""
    return next((code for kind, code in _FORESEEN.items() if isinstance(error, kind)), None)


def _cause(error: BaseException) -> BaseException:
    """What an error comes to: of several at once that are no fault of ours, as when a disk is full, the worst."""
    found = list(_leaves(error))
    codes = [foreseen(one) if isinstance(one, Exception) else None for one in found]
    if None in codes:
        return unwrapped(error)
    return found[codes.index(max(code for code in codes if code is not None))]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _leaving() -> threading.Timer:
    """Ends the process at once, once it is started; the command that comes to its end before cancels it."""
    timer = threading.Timer(LEAVE, os._exit, (INTERRUPTED,))
    timer.daemon = True
    return timer


def _signals() -> list[signal.Signals]:
    """What asks this process to stop; under nohup a terminal that is gone asks for nothing."""
    asked = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        asked.append(signal.SIGHUP)
    return asked


async def _heed(signals: object, app: App, scope: trio.CancelScope, on_stop: str) -> None:
    """SIGINT cancels what is driven, a second one leaves at once; the others let go of it for others to resume."""
    async for number in signals:  # type: ignore[attr-defined]
        again = app.stopping.is_set()
        app.stopping.set()
        if on_stop == "release":
            app.released = True
            if again:
                scope.cancel()
        elif number != signal.SIGINT:
            app.released = True
            if app.runner is not None:
                app.runner.release_lease()
        elif app.interrupted and not app.leaving.is_alive():
            left = [
                f"that {session_id} is to be cancelled is recorded; this ends it: engine resume {session_id}"
                for session_id in (app.runner.driven() if app.runner is not None else ())
            ]
            say_lines("\n".join(["engine: left at once", *left]), err=True)
            # a tool that ignores its cancellation keeps nobody: what is durable is in the store
            app.leaving.start()
            scope.cancel()
        elif not app.interrupted:
            app.interrupted = True
            say_lines("\nengine: cancelling; press Ctrl-C again to leave at once", err=True)
            if app.runner is not None:
                await app.runner.interrupt(INTERRUPT)
