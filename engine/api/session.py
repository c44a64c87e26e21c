"""A handle of one session: what happened and happens, how it stands, and what is said to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from engine.api.drives import Drives
from engine.api.notifications import News
from engine.api.shown_digests import with_digests
from engine.api.streams import LOOK_EVERY, Events, LogReader, TextReader, Texts
from engine.api.views import CallView, SessionView, view_of
from engine.ports.store import Store
from engine.runtime.errors import NotAllowed
from engine.runtime.runner import Runner as Runner
from engine.session.state.inputs import InputRefused
from engine.session.state.state import Request, State, Status
from engine.spec.planner_spec import NO_USAGE, Usage
from engine.spec.request_kind import RequestKind


class Session:
    """A session by its `id`; made by an engine, on which it lives."""

    def __init__(
        self, session_id: str, runner: Runner, store: Store, drives: Drives, news: News, *, drive: bool
    ) -> None:
        self.id = session_id
        self._runner = runner
        self._store = store
        self._drives = drives
        self._news = news
        self._drive = drive

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def events(self, *, after: int = 0, follow: bool = False) -> Events:
        """What happened behind the event `after`, and what happens, one event after the other.

        It ends when the session waits for somebody or is over; with `follow` only when it is over.  What is sensitive
        stands as `[sensitive]`.  Reading raises what keeps this process from driving the session.

            async for event in session.events():
                print(event.seq, event.kind, event.payload)
        """
        return Events(log_reader(self, follow), after)

    def text(self, *, follow: bool = False) -> Texts:
        """What the session's model says from now on, while it says it, if this process drives the session.

        Each text is the whole message so far, and a slow reader is given the newest; what was said in the end stands in
        the events.  It ends as `events` does.

            async for text in session.text():
                show(text)
        """
        return Texts(text_reader(self, follow))

    async def settled(self) -> SessionView:
        """Drive the session on, or have it driven, until it waits for somebody or is over; how it stands then.

        A yes that counts later (`settle_delay`) is waited for, where nothing else is.

        Raises what keeps this process from driving it: EnvironmentFault, BundleUnavailable, LeaseLost, MissingRoot,
        EngineClosed.
        """
        late = False
        while True:
            self._drives.check_open()
            news = self._news.next(self.id)
            await self._drives.ended(self.id)
            if (await self._store.session(self.id)).state != Status.RUNNING:
                state = await self._runner.look(self.id)
                due = self._is_due(state)
                if self._drive and _waits_for_time_alone(state) and not due:
                    # to drive it before would record that it was taken, each time, and nothing else
                    with trio.move_on_after(LOOK_EVERY):
                        await news.wait()
                    continue
                if late or not (self._drive and due):
                    return await self._viewed(state)
                late = True
            if self._drive:
                self._drives.start(self.id)
            else:
                with trio.move_on_after(LOOK_EVERY):
                    await news.wait()

    def _is_due(self, state: State) -> bool:
        """Whether the time of something that it waits for is over, so that it goes on by itself."""
        now = self._runner.context.clock.now()
        return any(one.due_at is not None and one.due_at <= now for one in state.open_requests())

    async def view(self) -> SessionView:
        """How the session stands; raises UnknownSession."""
        return await self._viewed(await self._runner.look(self.id))

    async def _viewed(self, state: State) -> SessionView:
        return view_of(await with_digests(self._runner, state))

    async def open_requests(self) -> tuple[Request, ...]:
        """What people are asked, the oldest first."""
        return (await self.view()).requests

    async def send(self, text: str, *, only_at: int | None = None) -> None:
        """Say something more to the session, as its customer; raises NotAllowed where it is over.

        With `only_at` also where it stands at another event than that, as where something happened since it was seen.
        """
        self._drives.check_open()
        await self._runner.send(self.id, text, only_at=only_at)
        self._go_on()

    async def confirm(self, tool: str, input: Mapping[str, Any], *, only_at: int | None = None) -> None:
        """Say the customer's yes to a call before it is proposed; raises NotAllowed, as `send` does."""
        self._drives.check_open()
        await self._runner.confirm(self.id, tool, input, only_at)
        self._go_on()

    async def retry_job(self, call_id: str, *, by: str) -> None:
        """Try a job that failed for good once more, as a new call that the gate judges again; raises NotAllowed."""
        self._drives.check_open()
        await self._runner.retry_job(self.id, call_id, by)
        self._go_on()

    async def discard_job(self, call_id: str, *, by: str) -> None:
        """Give a job up that waits, or take one off the list that failed for good; raises NotAllowed."""
        self._drives.check_open()
        await self._runner.discard_job(self.id, call_id, by)
        self._go_on()

    async def propose(
        self, decision: Mapping[str, Any], *, after: int, by: str = "client", usage: Usage = NO_USAGE
    ) -> None:
        """Propose the next step of a session that waits for one (`Status.AWAITING_PLANNER`): its planner is a `client`.

        The decision is plain JSON: `message`, `tool_calls` (each with `id`, `name` and `input`) and `done`.  It is
        judged, limited and logged as any planner's.  `after` is the last event that was read before deciding, such as
        the `seq` of a view; `usage` is what asking a model took.  Raises NotAllowed where it is no decision, where
        nobody waits for one, or where what happened since has to be read first.
        """
        self._drives.check_open()
        await self._runner.propose(self.id, decision, after, by, usage)
        self._go_on()

    async def call(
        self, tool: str, input: Mapping[str, Any], *, after: int, by: str = "client", usage: Usage = NO_USAGE
    ) -> CallView | Request:
        """Propose one call as the next step, and wait for what comes of it: its end, or who is asked about it.

        A call that is denied or fails has ended as well: its view says how.  One that a worker runs as a job is given
        as it stands.  Raises NotAllowed as `propose` does.
        """
        call_id = f"call-{after}"
        decision = {"message": "", "tool_calls": [{"id": call_id, "name": tool, "input": input}], "done": False}
        await self.propose(decision, after=after, by=by, usage=usage)
        view = await self._with_call(call_id)
        held = next((request for request in view.requests if request.call_id == call_id), None)
        if held is not None:
            return held
        found = next((call for call in view.calls if call.id == call_id), None)
        if found is None:
            raise NotAllowed(InputRefused("session_over", f"session {self.id} ended before it took the call in"))
        return found

    async def _with_call(self, call_id: str) -> SessionView:
        """How the session stands once its driver has taken a call in and gone as far as it can."""
        while True:
            news = self._news.next(self.id)
            view = await self.settled()
            if view.over or any(call.id == call_id for call in view.calls):
                return view
            with trio.move_on_after(LOOK_EVERY):
                await news.wait()

    async def cancel(self, by: str, *, only_at: int | None = None) -> None:
        """Ask for the session to end; what runs is cancelled.  Raises NotAllowed, as `send` does."""
        self._drives.check_open()
        await self._runner.cancel(self.id, by, only_at=only_at)
        self._go_on()

    def _go_on(self) -> None:
        if self._drive:
            self._drives.start(self.id)


def _waits_for_time_alone(state: State) -> bool:
    """Whether all that a session waits for is that a yes counts which was said already."""
    asked = [one for one in state.open_requests() if one.kind is not RequestKind.FOLLOW_UP]
    return bool(asked) and all(one.delayed is not None for one in asked)


def log_reader(session: Session, follow: bool) -> LogReader:
    """What a session's events are read with."""
    return LogReader(session.id, session._store, session._drives, session._news, follow=follow)


def text_reader(session: Session, follow: bool) -> TextReader:
    """What a session's texts are read with."""
    return TextReader(session.id, log_reader(session, follow), session._drives, session._news)
