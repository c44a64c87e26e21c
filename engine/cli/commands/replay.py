"""`engine replay`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import say
from engine.cli.console.progress import progress
from engine.cli.console.trace_printer import print_json, table
from engine.diagnostic import did_you_mean
from engine.language.value import NotJson, loads
from engine.session.exit_code import FAILED, FAULT, OK
from engine.session.sealed_tokens import holds_sealed

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.replay.replan import Choice
    from engine.replay.replay import ReplayResult
    from engine.runtime.redaction import Redaction
    from engine.session.state.event import Event
    from engine.spec.bundle import Bundle

T = TypeVar("T")


@click.command(
    "replay",
    epilog="""\b
Examples:
  engine replay ses_1234
  engine replay ses_1234 --step 2 --stub 'lookup_billing_account={"found": false}'
  engine replay ses_1234 --step 1 --planner local
  engine replay --all
  engine replay --all --planner local --limit 50 --bundle ../candidate""",
)
@click.argument("session_id", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every session of the store.")
@click.option("--step", type=click.IntRange(1), metavar="N", help="This step alone, from the state it began in.")
@click.option("--planner", metavar="NAME", help="Ask this planner, live, what it would propose.")
@click.option("--stub", "stubs", metavar="TOOL=JSON", multiple=True, help="Of a step: what a tool gives instead.")
@click.option(
    "--bundle",
    "root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Under this bundle; under the session's own unless given.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Of all: only the newest N.")
@format_option("text", "json")
@store_option
@asynchronous
async def command(
    session_id: str | None,
    everything: bool,
    step: int | None,
    planner: str | None,
    stubs: tuple[str, ...],
    root: Path | None,
    limit: int | None,
    output_format: str,
    store_url: str,
) -> int:
    """Run past sessions through the core again.

    It goes by what was recorded: no tool runs and nothing is written.  The same events have to follow: it says that
    they do, or where the first does not and why, and exits 1.  With --step it is one step alone, and with --planner a
    live planner is asked; --all --planner tables what another prompt or model does to the choice of tools.
    """
    if (session_id is None) is not everything:
        raise click.UsageError("name a session, or --all")
    if stubs and step is None:
        raise click.UsageError("--stub is for one step: name it with --step")
    if step is not None and everything:
        raise click.UsageError("--step is of one session: name it")
    if limit is not None and not everything:
        raise click.UsageError("--limit is of --all")
    outputs = dict(_stub(text) for text in stubs)
    from engine.cli.console.app import open_app
    from engine.cli.console.bundle import load_or_exit

    bundle = load_or_exit(root)[0] if root is not None else None

    async with open_app(store_url) as app:
        ids = [session_id] if session_id else [row.id for row in await app.store.sessions(limit)]
        sessions = _Sessions(app, bundle)
        if step is not None and session_id is not None:
            app.code = await _one_step(sessions, session_id, step, planner, outputs, output_format)
        elif planner is not None:
            app.code = await _choices(sessions, ids, planner, output_format)
        else:
            app.code = await _replayed(sessions, ids, output_format)
    return app.exit_code


def _stub(text: str) -> tuple[str, Any]:
    tool, equals, value = text.partition("=")
    try:
        if equals:
            return tool.strip(), loads(value)
    except NotJson as error:
        raise click.UsageError(f"--stub {text}: {error}") from None
    raise click.UsageError(f"--stub {text}: it is written as TOOL=JSON")


class NotReplayed(Exception):
    """A session that can't be replayed; it says why."""


class _Sessions:
    """Past sessions, each with its bundle."""

    def __init__(self, app: App, bundle: Bundle | None) -> None:
        self.app = app
        self._bundle = bundle

    async def log(self, session_id: str) -> list[Event]:
        """What happened; raises UnknownSession, CorruptLog, NotReplayed where what stands beside it is another."""
        from engine.runtime.errors import BundleUnavailable

        try:
            log = await self.app.engine.log(session_id)
        except BundleUnavailable as error:
            if self._bundle is None:
                raise NotReplayed(f"{error}; name one with --bundle") from None
            # nothing can be unsealed without its own bundle
            log = await self.app.store.load(session_id)
            if any(holds_sealed(event.payload) for event in log):
                raise NotReplayed(f"{error}; what is sealed in it can't be read under another") from None
        for problem in await self.app.store.verify(session_id):
            raise NotReplayed(f"it is not what was written: {problem}")
        return log

    async def veils(self, session_id: str) -> list[Redaction]:
        """What hides what its own bundle marks of a session, and what the one does that it is replayed under."""
        from engine.runtime.errors import BundleUnavailable

        try:
            veil = await self.app.engine.veil(session_id)
        except BundleUnavailable:
            # then nothing was opened
            return []
        if veil is None:
            return []
        agent = (await self.app.store.session(session_id)).agent
        other = self._bundle is not None and agent in self._bundle.agents
        return [veil, *([veil.under(self._bundle, self._bundle.agents[agent])] if other and self._bundle else [])]

    async def shown(self, session_id: str, events: Iterable[Event]) -> list[Event]:
        """Events of it as people may see them."""
        found = list(events)
        for veil in await self.veils(session_id):
            found = veil.events(found)
        return found

    async def visible_text(self, session_id: str, text: str) -> str:
        """A text about it as people may see it."""
        for veil in await self.veils(session_id):
            text = veil.words(text)
        return text

    async def bundle(self, log: Sequence[Event]) -> Bundle:
        """What it happens under; raises NotReplayed."""
        from engine.runtime.errors import BundleUnavailable

        try:
            bundle = self._bundle or await self.app.engine.bundles.get(log[0].payload["bundle"])
        except BundleUnavailable as error:
            raise NotReplayed(f"{error}; name one with --bundle") from None
        agent = log[0].payload["agent"]
        if agent not in bundle.agents:
            raise NotReplayed(f"the bundle has no agent {agent}")
        return bundle

    async def urgent(self, log: Sequence[Event]) -> dict[str, Bundle]:
        """The bundles that judged beside its own, by digest; raises NotReplayed."""
        from engine.runtime.errors import BundleUnavailable

        digests = {one["bundle"] for event in log for one in event.payload.get("beside", ())}
        try:
            return {digest: await self.app.engine.bundles.get(digest) for digest in sorted(digests)}
        except BundleUnavailable as error:
            raise NotReplayed(f"an urgent bundle judged beside its own: {error}") from None


def _erased(missing: KeyError) -> str:
    return f"an event of it has no {missing}: its payload was erased"


async def _each(
    ids: Sequence[str], do: Callable[[str], Awaitable[T]], failed: dict[str, Exception]
) -> AsyncIterator[tuple[str, T]]:
    """What is done with each session; one with which nothing can be done is among those that `failed`."""
    from engine.ports.records import CorruptLog
    from engine.ports.resources import EnvironmentFault
    from engine.session.state.evolve import BrokenHistory

    with progress("sessions", len(ids)) as advance:
        for id_ in ids:
            try:
                yield id_, await do(id_)
            except (NotReplayed, CorruptLog, BrokenHistory, EnvironmentFault) as error:
                failed[id_] = error
            except KeyError as missing:
                failed[id_] = NotReplayed(_erased(missing))
            advance(1)


def _code(failed: Mapping[str, Exception], well: bool) -> int:
    """The exit code: a log that is damaged, or that the key does not vouch for, is a fault of the store."""
    from engine.ports.records import CorruptLog

    if any(isinstance(error, CorruptLog) for error in failed.values()):
        return FAULT
    return OK if well and not failed else FAILED


async def _replayed(sessions: _Sessions, ids: Sequence[str], output_format: str) -> int:
    from engine.replay.replay import replay

    async def again(id_: str) -> ReplayResult:
        log = await sessions.log(id_)
        found = replay(log, await sessions.bundle(log), await sessions.urgent(log))
        return await _shown(sessions, log[0], found)

    from engine.runtime.person_keys import KeyDestroyed

    failed: dict[str, Exception] = {}
    done = {id_: one async for id_, one in _each(ids, again, failed)}
    found = {id_: done[id_] if id_ in done else str(failed[id_]) for id_ in ids}
    if output_format == "json":
        print_json([_payload(id_, one) for id_, one in found.items()])
    else:
        _say_all(found)
    # of many, one that was erased with the key of its person is told, and is no failure
    wrong = {id_: e for id_, e in failed.items() if len(ids) == 1 or not isinstance(e, KeyDestroyed)}
    return _code(wrong, all(one.difference is None for one in done.values()))


async def _shown(sessions: _Sessions, first: Event, found: ReplayResult) -> ReplayResult:
    """What came of a session, its first difference as people may see it."""
    difference = found.difference
    if difference is None:
        return found

    both = [event for event in (difference.logged, difference.came) if event is not None]
    shown = iter(await sessions.shown(first.session_id, both))
    logged, came = (next(shown) if event is not None else None for event in (difference.logged, difference.came))
    why = await sessions.visible_text(first.session_id, difference.why)
    return replace(found, difference=replace(difference, logged=logged, came=came, why=why))


def _payload(id_: str, one: ReplayResult | str) -> dict[str, Any]:
    if isinstance(one, str):
        return {"id": id_, "same": False, "problem": one}
    difference = one.difference.payload() if one.difference is not None else None
    outcome = {"same": difference is None, "events": one.events, "taken": one.as_recorded, "difference": difference}
    return {"id": id_, **outcome}


def _say_all(found: dict[str, ReplayResult | str]) -> None:
    same = 0
    for id_, one in found.items():
        if isinstance(one, str):
            say(f"{id_}: {one}")
        elif one.difference is not None:
            say(f"{id_}: event {one.difference.seq}, {one.difference.kind}: {one.difference.why}")
        else:
            same += 1
            if len(found) == 1:
                taken = f", {one.as_recorded} of them taken as they stand" if one.as_recorded else ""
                say(f"{id_}: the same {one.events} events follow{taken}")
    if len(found) != 1:
        say(f"{same} of {len(found)} sessions: the same events follow")


# -- one step


async def _one_step(
    sessions: _Sessions, id_: str, step: int, planner: str | None, outputs: dict[str, Any], output_format: str
) -> int:
    try:
        return await _step(sessions, id_, step, planner, outputs, output_format)
    except KeyError as missing:
        say(f"engine: {id_}: {_erased(missing)}", err=True)
        return FAILED


async def _step(
    sessions: _Sessions, id_: str, step: int, planner: str | None, outputs: dict[str, Any], output_format: str
) -> int:
    from engine.replay.continue_from import Overrides, redrive
    from engine.replay.replay import judging_overlays
    from engine.session.state.event import EventKind
    from engine.session.state.evolve import fold
    from engine.session.trace import entries, headline

    try:
        log = await sessions.log(id_)
        bundle, urgent = await sessions.bundle(log), await sessions.urgent(log)
    except NotReplayed as error:
        say(f"engine: {id_}: {error}", err=True)
        return FAILED
    began = next((n for n, e in enumerate(log) if e.kind is EventKind.STEP_STARTED and e.payload["number"] == step), 0)
    if not began:
        raise click.UsageError(f"session {id_} has no step {step}")
    for tool in outputs:
        if tool not in bundle.tools:
            raise click.UsageError(f"--stub {tool}: the bundle has no such tool; {did_you_mean(tool, bundle.tools)}")
    decision = await _live(sessions, log, bundle, step, planner) if planner is not None else None
    overlays = tuple(urgent[digest] for digest in judging_overlays(log[began:]))
    way = redrive(fold(log[:began]), log, bundle, log[began].at, Overrides(decision, outputs, step), overlays)
    told = entries(await sessions.shown(id_, [event for event in way.events if event.step == step]))
    asked = {event.payload["tool"] for event in way.events if "tool" in event.payload}
    for tool in outputs.keys() - asked:
        say(f"--stub {tool}: the step neither runs nor reads it", err=True)
    recorded = entries(await sessions.shown(id_, [event for event in log if event.step == step]))
    unknown = await sessions.visible_text(id_, way.unknown)
    if output_format == "json":
        print_json({"id": id_, "step": step, "events": told, "recorded": recorded, "unknown": unknown})
    else:
        for entry in told:
            say(f"{entry['kind']:<18} {headline(entry)}")
        say(f"unknown after: {unknown}" if unknown else "as far as the step goes")
    return OK


async def _live(sessions: _Sessions, log: Sequence[Event], bundle: Bundle, step: int, planner: str) -> Any:
    """What a live planner decides in a step."""
    from engine.replay.replan import decided, questions

    question = next(questions(log, step), None)
    if question is None:
        raise click.UsageError(f"nobody decided anything in step {step}")
    _require_planner(bundle, question.state.agent, planner)
    from engine.ports.planner import PlannerError

    try:
        return await decided(question, bundle, planner, _reach(sessions))
    except PlannerError as error:
        said = await sessions.visible_text(question.state.session_id, str(error))
        raise click.ClickException(f"{planner} proposed nothing: {said}") from None


def _reach(sessions: _Sessions) -> Any:
    from engine.planner.resources import PlannerResources
    from engine.runtime.effect_runner import random_fraction

    engine = sessions.app.engine
    return PlannerResources(engine.secrets, engine.connections, random_fraction)


def _require_planner(bundle: Bundle, agent: str, planner: str) -> None:
    if agent not in bundle.agents or planner not in bundle.agents[agent].planners:
        known = ", ".join(sorted(bundle.agents[agent].planners)) if agent in bundle.agents else "no such agent"
        raise click.UsageError(f"agent {agent} has no planner `{planner}`: {known}")


# -- another planner


async def _choices(sessions: _Sessions, ids: Sequence[str], planner: str, output_format: str) -> int:
    from engine.replay.replan import ask_again, questions

    async def choices(id_: str) -> list[Choice]:
        log = await sessions.log(id_)
        bundle = await sessions.bundle(log)
        _require_planner(bundle, log[0].payload["agent"], planner)
        made = [await ask_again(question, bundle, planner, _reach(sessions)) for question in questions(log)]
        return [replace(choice, problem=await sessions.visible_text(id_, choice.problem)) for choice in made]

    found: list[Choice] = []
    failed: dict[str, Exception] = {}
    async for _, some in _each(ids, choices, failed):
        found += some
    for id_, why in failed.items():
        say(f"{id_}: not asked: {why}", err=True)
    code = _code(failed, not found or not all(choice.problem for choice in found))
    if output_format == "json":
        print_json([choice.payload() for choice in found])
        return code
    counts = Counter((choice.was, choice.would) for choice in found)
    rows = [[was, would, "yes" if was == would else "no", str(count)] for (was, would), count in counts.most_common()]
    table(f"what {planner} would choose", ["recorded", planner, "same tools", "questions"], rows)
    same, alike = sum(choice.same for choice in found), sum(choice.same_input for choice in found)
    say(f"{len(found)} questions of {len(ids)} sessions: the same tools in {same}, with the same input in {alike}")
    for problem, count in Counter(choice.problem for choice in found if choice.problem).most_common(5):
        say(f"{count}: {problem}", err=True)
    return code
