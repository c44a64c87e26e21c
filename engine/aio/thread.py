"""A thread that runs Trio for an asyncio program, and what crosses between the two.

The idea: the program's thread only ever posts callbacks to the other side and awaits a future; nothing is shared but
values that do not change.  What holds:

- A call ends exactly once: with its value, with its error as it was raised, or with EngineClosed where what it was made
  on was left or has broken down, be it the whole thread.  None is left waiting.
- Cancelling the task that awaits a call cancels the call, and goes on when that has ended; a second cancellation does
  not wait.  What the call had recorded by then stays recorded, and what the engine drives goes on.
- Leaving a context ends the calls made in it first, then what is open in it, so that leases are given back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import outcome
import trio

from engine.runtime.errors import EngineClosed

T = TypeVar("T")
R = TypeVar("R")


def closed_error() -> EngineClosed:
    """What is told to who comes too late."""
    return EngineClosed("the engine was left: open another on the same store, and go on there")


class ThreadCall(Generic[T]):
    """One call on its way: its future is the program's, its scope is Trio's."""

    __slots__ = ("function", "future", "over", "scope", "why")

    def __init__(self, function: Callable[[], Awaitable[T]], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.future: asyncio.Future[T] = loop.create_future()
        self.over: asyncio.Future[None] | None = None
        self.scope = trio.CancelScope()

    def finish(self, result: outcome.Outcome[T] | None, why: Callable[[], EngineClosed | None]) -> None:
        """Hand the result to who awaits it, in the program's thread; None where the call was cut off.

        While nobody knows yet why it was, what it was made on is about to end, which tells.
        """
        if self.future.done():
            # cancelled: its task waits for this end alone
            if self.over is not None and not self.over.done():
                self.over.set_result(None)
            return
        if result is None:
            error = why()
            if error is None:
                return
            result = outcome.Error(error)
        if isinstance(result, outcome.Error):
            self.future.set_exception(result.error)
        elif isinstance(result, outcome.Value):
            self.future.set_result(result.value)


class TrioThread:
    """The thread, made and ended by `open_thread` in the loop of the program that uses it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self._ready: asyncio.Future[None] = self.loop.create_future()
        self._calls: set[ThreadCall[Any]] = set()
        self._fault: BaseException | None = None
        self._over = self._leaving = False
        self._thread = threading.Thread(target=self._run, name="engine-trio", daemon=True)

    async def start(self) -> None:
        """Return once Trio runs there."""
        self._thread.start()
        await asyncio.shield(self._ready)

    def closed(self) -> EngineClosed | None:
        """Why nothing can be asked of it any more; None while that is not so, or not known."""
        if not self._over and not self._leaving:
            return None
        if self._fault is None:
            return closed_error()
        error = EngineClosed(f"the engine's thread has broken down: {self._fault!r}; open another on the same store")
        error.__cause__ = self._fault
        return error

    def post(self, function: Callable[[], object]) -> bool:
        """Have Trio's thread run a function soon, in order; False where it runs no more."""
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            return False
        return True

    def tell(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the program's thread run a function soon, in order; one whose loop is closed waits for nothing."""
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    async def call(self, begin: Callable[[ThreadCall[T]], None], call: ThreadCall[T]) -> T:
        """Begin a call over there and wait for what comes of it."""
        if asyncio.get_running_loop() is not self.loop:
            raise RuntimeError("an engine is used in the asyncio loop in which it was opened, and in no other")
        if self._over or not self.post(partial(begin, call)):
            await asyncio.wait({self.ended})
            call.finish(None, self.closed)
        self._calls.add(call)
        try:
            return await call.future
        except asyncio.CancelledError:
            if not call.future.cancelled():
                _forget(call.future)  # it had ended already
            elif self.post(call.scope.cancel) and not self._over:
                call.over = self.loop.create_future()
                await call.over
            raise
        finally:
            self._calls.discard(call)

    async def perform(self, call: ThreadCall[T], why: Callable[[], EngineClosed | None]) -> None:
        """Run a call, in Trio's thread; what it raises is its caller's."""
        result: outcome.Outcome[T] | None = None
        try:
            with call.scope:
                result = outcome.Value(await call.function())
        except trio.Cancelled:
            raise
        except BaseExceptionGroup as group:
            cut, rest = group.split(trio.Cancelled)
            result = None if rest is None else outcome.Error(rest)
            if cut is not None:
                raise cut from None
        except BaseException as error:
            result = outcome.Error(error)
        finally:
            self.tell(call.finish, result, why)

    async def end(self) -> None:
        """Leave Trio; whatever is open there is cut off."""
        await _to_the_end({self._ready})
        self._leaving = True
        if not self._over:
            self.post(self._root.cancel)
        await _to_the_end({self.ended})
        self._thread.join()

    def _run(self) -> None:
        fault: BaseException | None = None
        try:
            trio.run(self._main)
        except BaseException as error:
            fault = error
        self.tell(self._end, fault)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self.nursery:
            self._root = self.nursery.cancel_scope
            self.tell(self._set_ready)
            await trio.sleep_forever()

    def _set_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _end(self, fault: BaseException | None) -> None:
        self._fault, self._over = fault, True
        for call in list(self._calls):
            call.finish(None, self.closed)
        if not self._ready.done():
            self._ready.set_exception(fault or trio.RunFinishedError())
        if not self.ended.done():
            self.ended.set_result(None)


class ThreadContext(Generic[T]):
    """What is open in the thread, and the calls on it; made by `hold`."""

    def __init__(self, thread: TrioThread) -> None:
        self.thread = thread
        self.value: T
        self._nursery: trio.Nursery | None = None
        self._calls: set[ThreadCall[Any]] = set()
        self._fault: BaseException | None = None
        self._left = False
        self._leave = trio.Event()

    async def call(self, function: Callable[[], Awaitable[R]]) -> R:
        """What a function of the thread gives; raises what it raises, and EngineClosed once this is left."""
        call = ThreadCall(function, self.thread.loop)
        self._calls.add(call)
        try:
            return await self.thread.call(self._begin, call)
        finally:
            self._calls.discard(call)

    async def host(self, opened: Callable[[], AbstractAsyncContextManager[T]], ready: Callable[[], None]) -> None:
        """Keep it open, in Trio's thread, until it is left."""
        async with opened() as self.value, trio.open_nursery() as self._nursery:
            self.thread.tell(ready)
            try:
                await self._leave.wait()
            finally:
                # whoever calls now is told
                nursery, self._nursery = self._nursery, None
                nursery.cancel_scope.cancel()

    def end(self, hosting: asyncio.Task[None]) -> None:
        """It is not open any more: whoever still waits is told why."""
        self._left = True
        if not hosting.cancelled():
            self._fault = hosting.exception()
        for call in list(self._calls):
            call.finish(None, self._closed)

    def leave(self) -> None:
        """Leave it; what it does to leave is given its time."""
        self._left = True
        self.thread.post(self._leave.set)

    def _begin(self, call: ThreadCall[R]) -> None:
        if self._nursery is None:
            self.thread.tell(call.finish, None, self._closed)
        else:
            self._nursery.start_soon(self.thread.perform, call, self._closed)

    def _closed(self) -> EngineClosed | None:
        if isinstance(self._fault, EngineClosed):
            return self._fault
        if self._fault is not None:
            error = EngineClosed(f"the engine has broken down: {self._fault!r}; open another on the same store")
            error.__cause__ = self._fault
            return error
        return closed_error() if self._left else None


@asynccontextmanager
async def open_thread() -> AsyncIterator[TrioThread]:
    """A thread that runs Trio until the context is left."""
    thread = TrioThread()
    try:
        await thread.start()
        yield thread
    finally:
        await thread.end()


@asynccontextmanager
async def hold(
    thread: TrioThread, opened: Callable[[], AbstractAsyncContextManager[T]]
) -> AsyncIterator[ThreadContext[T]]:
    """Open something in the thread; raises what opening and leaving it raises.

    A first cancellation while it is left waits for its orderly end; a second cuts it off.
    """
    context: ThreadContext[T] = ThreadContext(thread)
    ready = thread.loop.create_future()

    def tell_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    def begin(call: ThreadCall[None]) -> None:
        thread.nursery.start_soon(thread.perform, call, thread.closed)

    call = ThreadCall(partial(context.host, opened, tell_ready), thread.loop)
    hosting = thread.loop.create_task(thread.call(begin, call))
    hosting.add_done_callback(context.end)
    try:
        await asyncio.wait({ready, hosting}, return_when=asyncio.FIRST_COMPLETED)
        if hosting.done():
            hosting.result()
        yield context
    except BaseException:
        context.leave()
        await _to_the_end({hosting}, hosting.cancel)
        # the program's own error is the one that is raised
        _forget(hosting)
        raise
    context.leave()
    await _to_the_end({hosting}, hosting.cancel)
    hosting.result()


def _forget(future: asyncio.Future[Any]) -> None:
    """Nobody asks for what came of it: asyncio is not to complain of that."""
    if not future.cancelled():
        future.exception()


async def _to_the_end(awaited: set[Any], hurry: Callable[[], object] = lambda: None) -> None:
    """Wait for what has to end; a cancellation meanwhile hurries it, a second one does not wait."""
    cancelled: asyncio.CancelledError | None = None
    while not all(one.done() for one in awaited):
        try:
            await asyncio.wait(awaited)
        except asyncio.CancelledError as error:
            if cancelled is not None:
                raise
            cancelled = error
            hurry()
    if cancelled is not None:
        raise cancelled
