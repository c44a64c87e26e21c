"""The door for Python: its names, and sessions that are driven beside a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

import engine
from engine import (
    Approve,
    Deny,
    EngineError,
    EnvironmentFault,
    InvalidBundle,
    NotAllowed,
    Settle,
    Status,
    UnknownSession,
    load_bundle,
    open_engine,
    open_store,
)
from engine.api.answers import recorded

ROOT = Path(__file__).resolve().parent.parent.parent
CHARGED = "I was charged twice and your docs didn't help."
SMALL = {"tenant": "acme", "account_id": "acct_1001"}
LARGE = {"tenant": "acme", "account_id": "acct_1002"}

NAMES = """
Answer Approve BadStoreUrl Bundle BundleUnavailable CallView Clock CorruptLog Deny Diagnostic Engine EngineClosed EngineError
AdapterLinker AdapterResources PlannerContext PlannerLinker PlannerSpec
EnvironmentFault Event EventKind InvalidBundle LeaseLost LiveElsewhere MissingSecret NotAllowed Planner PlannerError
PlannerView Proposal Request Secrets Session SessionView Settle Status Store StoreFault ToolAdapter ToolError
ToolInvocation UnknownSession Usage load_bundle open_engine open_store
BadLogKey LogKey MissingRoot NewerStore RequestRow SessionRow
"""


@pytest.fixture(scope="module")
def bundle() -> engine.Bundle:
    return load_bundle(ROOT)


def url(at: Path) -> str:
    return f"sqlite:///{at / 'e.db'}"


def test_these_names_are_what_programs_may_use() -> None:
    assert set(engine.__all__) == {"__version__", *NAMES.split()}
    for name in engine.__all__:
        assert getattr(engine, name) is not None
    assert set(NAMES.split()) < set(dir(engine))
    with pytest.raises(AttributeError, match="no attribute 'nothing_such'"):
        engine.nothing_such  # type: ignore[attr-defined]  # noqa: B018


def test_importing_it_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import engine; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['engine', 'engine.version']"


@pytest.mark.parametrize(
    "kind", [InvalidBundle, NotAllowed, UnknownSession, EnvironmentFault, engine.StoreFault, engine.LeaseLost]
)
def test_whatever_it_raises_has_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, EngineError)


def test_a_bundle_that_is_not_valid_tells_all_that_is_wrong(tmp_path: Path) -> None:
    agent = tmp_path / "specs" / "agents" / "bot.yaml"
    agent.parent.mkdir(parents=True)
    agent.write_text("kind: Agent\nname: bot\nplaner: x\n")
    with pytest.raises(InvalidBundle) as caught:
        load_bundle(tmp_path)
    assert "E201" in [one.code for one in caught.value.diagnostics]
    assert "specs/agents/bot.yaml" in str(caught.value)


async def test_a_session_runs_beside_a_program_and_its_events_come_as_they_happen(
    bundle: engine.Bundle, tmp_path: Path
) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, agent="support-triage", message=CHARGED, attributes=SMALL)
        events = [event async for event in session.events()]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[-1].payload["state"] == "done"
        assert [event.seq async for event in session.events(after=5)] == list(range(6, len(events) + 1))
        view = await session.settled()
    assert (view.status, view.outcome, view.over) == (Status.DONE, "case_opened", True)
    assert {call.tool for call in view.calls} >= {"open_refund_case"}
    assert view.seq == len(events)


async def test_a_person_answers_and_the_session_goes_on(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=LARGE)
        view = await session.settled()
        assert view.status is Status.AWAITING_HUMAN_REVIEW
        (request,) = await session.open_requests()
        assert [row.id for row in await one.requests()] == [request.id]
        with pytest.raises(NotAllowed, match="another call"):
            await one.answer(request.id, Approve(by="dana"), digest="x")
        with pytest.raises(NotAllowed):
            await one.answer(request.id, Approve(by="a stranger"), digest=request.digest)
        again = await one.answer(request.id, Approve(by="dana"), digest=request.digest)
        assert again.id == session.id
        assert (await session.settled()).outcome == "case_opened"


async def test_a_no_ends_the_call(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=LARGE)
        await session.settled()
        (request,) = await session.open_requests()
        await one.answer(request.id, Deny(by="dana", note="no"))
        assert (await session.settled()).outcome != "case_opened"


async def test_what_a_worker_is_to_drive_is_recorded_only(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL, drive=False)
        assert (await session.view()).status is Status.RUNNING
        assert [event.kind async for event in _first(session, 2)] == ["session_started", "message_received"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: one.work(until_idle=True))
            assert (await session.settled()).over
            nursery.cancel_scope.cancel()


async def _first(session: engine.Session, count: int):  # type: ignore[no-untyped-def]
    async for event in session.events():
        yield event
        count -= 1
        if not count:
            return


async def test_leaving_releases_what_waits_for_another_process(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=LARGE)
        view = await session.settled()
    async with open_engine(url(tmp_path)) as other:
        later = other.session(session.id)
        assert (await later.view()).seq == view.seq
        (request,) = await later.open_requests()
        await other.answer(request.id, Approve(by="dana"))
        assert (await later.settled()).over
        with pytest.raises(UnknownSession):
            await other.session("ses_none").view()


async def test_a_session_is_cancelled_and_takes_no_message_then(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=LARGE)
        await session.settled()
        await session.cancel("ada")
        assert (await session.settled()).status is Status.CANCELLED
        with pytest.raises(NotAllowed):
            await session.send("hello?")


async def test_an_agent_or_attributes_that_do_not_fit_are_refused(bundle: engine.Bundle) -> None:
    async with open_engine("memory:") as one:
        with pytest.raises(NotAllowed, match="no agent `bot`: the bundle has support-triage"):
            await one.start(bundle, agent="bot", message="hi")
        with pytest.raises(NotAllowed, match="tenant"):
            await one.start(bundle, message="hi")


async def test_what_keeps_a_session_from_being_driven_is_raised_to_who_waits(bundle: engine.Bundle) -> None:
    async with open_engine("memory:", root="/nowhere/at/all") as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        with pytest.raises(EngineError, match="/nowhere/at/all"):
            await session.settled()
        with pytest.raises(EngineError, match="/nowhere/at/all"):
            await session.settled()


async def test_what_nobody_waited_for_is_raised_when_the_engine_is_left(bundle: engine.Bundle) -> None:
    with pytest.raises(EngineError, match="/nowhere/at/all"):
        async with open_engine("memory:", root="/nowhere/at/all") as one:
            await one.start(bundle, message=CHARGED, attributes=SMALL)


async def test_an_error_of_the_programs_own_comes_out_as_it_is_and_what_was_driven_is_released(
    bundle: engine.Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with open_engine(url(tmp_path)) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL)
            raise ZeroDivisionError
    async with open_engine(url(tmp_path)) as other:
        assert (await other.session(session.id).settled()).over


async def test_a_store_of_the_programs_own_is_used_as_it_is(bundle: engine.Bundle) -> None:
    async with open_store("memory:") as store, open_engine(store) as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        await session.settled()
        assert [row.id for row in await store.sessions()] == [session.id]
        assert [row.id for row in await one.sessions()] == [session.id]


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (Settle(by="a", happened=True, output={"id": 1}), {"happened": {"id": 1}}),
        (Settle(by="a", happened=False), "did_not_happen"),
        (Settle(by="a", happened=None), "abandon"),
    ],
)
def test_a_settlement_is_recorded_as_the_inbox_records_it(reply: Settle, value: object) -> None:
    assert recorded(reply) == ("answer", value, None)
