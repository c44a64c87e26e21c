"""`engine whatif`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import trio

from engine.cli.console.bundle import load_or_exit
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import are, counted, say, say_lines
from engine.cli.console.past_sessions import accept_option, accepted_by, named_flip, reading, since_option
from engine.cli.console.progress import progress
from engine.cli.console.trace_printer import line, print_json, table
from engine.language.value import compact, jsonable
from engine.session.exit_code import FAILED, OK
from engine.spec.bundle import Bundle
from engine.whatif.acceptance import Acceptance
from engine.whatif.open_requests import OpenRequests
from engine.whatif.session import UNREADABLE

if TYPE_CHECKING:
    from engine.whatif.flip import Flip
    from engine.whatif.session import PastSession
    from engine.whatif.summary import FlipRow

EXAMPLES = 3


@click.command(
    "whatif",
    epilog="""\b
Examples:
  engine whatif --policy ../candidate
  engine whatif --policy . --since 7d --agent support-triage
  engine whatif --policy . --show "refund-threshold:approval->allow"
  engine whatif --policy . --accept "refund-threshold:approval->allow" """,
)
@click.option(
    "--policy",
    "bundle",
    metavar="NEW",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The bundle that is to judge; a directory.",
)
@since_option
@click.option("--agent", metavar="NAME", help="Only sessions of this agent.")
@accept_option
@click.option("--show", metavar="RULE:FLIP", help="Every call of one row of the table.")
@click.option("--workers", type=click.IntRange(1), help="How many processes; one for each core unless given.")
@format_option("text", "json", "jsonl")
@store_option
def command(
    bundle: Path,
    since: datetime | None,
    agent: str | None,
    accepts: tuple[str, ...],
    show: str | None,
    workers: int | None,
    output_format: str,
    store_url: str,
) -> None:
    """Judge past sessions again under another bundle.

    It shows which calls it would have judged otherwise.

    The store is only read; with the log's key in $ENGINE_LOG_KEY a session that it does not vouch for is `unreadable`.
    One that was erased, by itself or with the key of its person, is counted and judged by nobody.
    Of what people are asked now it is told how much would no longer be asked. With `--format jsonl` each line tells
    how many sessions are done, and the last one the result.
    Where a flip changes what would have followed, the session goes on with what was
    recorded as far as it reaches, and is `unknown` after.  Exits 1 if something loosens that neither --accept nor
    the bundle's own `accepted:` acknowledges.
    """
    checked, _ = load_or_exit(bundle)
    if agent is not None and agent not in checked.agents:
        raise click.UsageError(f"the bundle has no agent `{agent}`; it has {', '.join(sorted(checked.agents))}")
    accepted = accepted_by(checked, accepts)
    wanted = named_flip(show) if show is not None else None
    done = judge_all(checked, store_url, since, agent, workers, _tell_progress if output_format == "jsonl" else None)
    rows = done.rows(accepted)
    if output_format == "json":
        print_json(done.payload(rows, accepted))
    elif output_format == "jsonl":
        say(compact(jsonable({"result": done.payload(rows, accepted)})))
    elif wanted is not None:
        _show_calls(done, [flip for flip in done.flips if flip.name == wanted], wanted)
    else:
        _show(done, rows)
        for name in unneeded(rows, accepted):
            say(f"accepted, and nothing here loosens so: {name}", err=True)
    raise SystemExit(FAILED if any(row.open for row in rows) else OK)


class Comparison:
    """What came of all sessions."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.pasts: dict[str, PastSession] = {}
        self.sessions = self.erased = 0
        self.decisions = 0
        self.loading = self.judging = 0.0
        self.open_requests = OpenRequests()

    def add(self, pasts: Iterable[PastSession]) -> None:
        """Take in some more."""
        for past in pasts:
            self.sessions += 1
            self.erased += past.erased
            self.decisions += past.decisions
            self.open_requests.add(past.open_calls, past.flips)
            self.open_requests.unreadable += any(flip.rule == UNREADABLE for flip in past.flips)
            if past.flips:
                self.pasts[past.session_id] = past

    @property
    def flips(self) -> list[Flip]:
        """All of them, by session."""
        return [flip for _, past in sorted(self.pasts.items()) for flip in past.flips]

    @property
    def rate(self) -> int:
        """Decisions a second of one core, loading apart."""
        return round(self.decisions / self.judging) if self.judging else 0

    def rows(self, accepted: Acceptance) -> list[FlipRow]:
        """All flips as a table."""
        from engine.whatif.summary import tally

        return tally(self.flips, lambda flip: accepted.covers(flip.name, self.pasts[flip.session_id].accepted))

    def payload(self, rows: list[FlipRow], accepted: Acceptance) -> dict[str, Any]:
        """As JSON."""
        return {
            "bundle": self.bundle.digest,
            "sessions": self.sessions,
            "erased": self.erased,
            "decisions": self.decisions,
            "decisions_per_second_and_core": self.rate,
            "open_requests": self.open_requests.payload(),
            "table": [row.payload() for row in rows],
            "unacknowledged": [row.name for row in rows if row.open],
            "unneeded": unneeded(rows, accepted),
            "flips": [
                flip.payload() | {"then": past.then, "unknown": past.unknown}
                for _, past in sorted(self.pasts.items())
                for flip in past.flips
            ],
        }


def unneeded(rows: Iterable[FlipRow], accepted: Acceptance) -> list[str]:
    """What is accepted and did not loosen."""
    return accepted.unneeded([row.name for row in rows if row.loosens])


def judge_all(
    bundle: Bundle,
    store_url: str,
    since: datetime | None,
    agent: str | None,
    workers: int | None,
    told: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Every session of a store, judged again; a store that can't be read ends the command.

    How many are done, of how many, is `told` as it goes on.
    """
    from engine.whatif.store import listed, whatif_all

    done = Comparison(bundle)
    with reading(store_url) as open_past:
        sessions = trio.run(listed, open_past, since, agent)
        with progress("sessions", len(sessions)) as advance:
            for chunk in whatif_all(open_past, bundle.files, sessions, workers):
                done.add(chunk.pasts)
                done.loading += chunk.loading
                done.judging += chunk.judging
                advance(len(chunk.pasts))
                if told is not None:
                    told(done.sessions, len(sessions))
    return done


def _tell_progress(done: int, sessions: int) -> None:
    say(compact({"done": done, "sessions": sessions}))
    sys.stdout.flush()


def erased(done: Comparison) -> str:
    """How many of the sessions nobody can judge any more."""
    return f"{counted(done.erased, 'session')} {are(done.erased)} erased, and not judged"


# -- for people


def _show(done: Comparison, rows: list[FlipRow]) -> None:
    if rows:
        table(
            "what this bundle would have judged otherwise",
            ["rule", "flip", "loosens", "calls", "sessions", "money", "accepted"],
            [_cells(row) for row in rows],
        )
        if sys.stdout.isatty():
            for row in rows:
                _examples(done, row)
    _sum_up(done, rows)


def _cells(row: FlipRow) -> list[str]:
    loosens = "yes" if row.loosens else "no"
    accepted = "-" if not row.loosens else "yes" if row.accepted else "NO"
    return [row.rule, row.kind, loosens, str(row.calls), str(row.sessions), money(row.money), accepted]


def money(amounts: Mapping[str, Any]) -> str:
    """Amounts by unit, in one line."""
    return ", ".join(f"{line(amount)} {unit}" for unit, amount in amounts.items()) or "-"


def _examples(done: Comparison, row: FlipRow) -> None:
    say_lines(f"\n{row.name}")
    for flip in row.flips[:EXAMPLES]:
        say(f"  {flip_line(done, flip)}")
    if row.calls > EXAMPLES:
        say(f'  and {row.calls - EXAMPLES} more: --show "{row.name}"')


def flip_line(done: Comparison, flip: Flip) -> str:
    """One call that is judged otherwise, in one line."""
    past = done.pasts[flip.session_id]
    about = f" about {money(flip.money)}" if flip.money else ""
    values = "; ".join(f"{chain} = {_short(value)}" for chain, value in flip.values.items())
    supposed = "judged as it was recorded: whether it would have come to it is not known" if flip.supposed else ""
    which = " ".join(part for part in (flip.session_id, flip.call_id, flip.tool) if part)
    parts = [f"{which}{about}", values, flip.why, supposed]
    if not flip.later:
        parts += [past.then, f"unknown after: {past.unknown}" if past.unknown and past.unknown != flip.why else ""]
    return "; ".join(part for part in parts if part)


def _short(value: Any) -> str:
    return re.sub(r"(.{77}).+", r"\1...", line(value))


def _show_calls(done: Comparison, flips: list[Flip], name: str) -> None:
    for flip in flips:
        say(flip_line(done, flip))
    say(f"{len(flips)} calls: {name}", err=True)


def _sum_up(done: Comparison, rows: list[FlipRow]) -> None:
    differ = f"{len(done.pasts)} sessions would have gone otherwise"
    say(f"{done.sessions} sessions, {done.decisions} decisions judged again: {differ}")
    if told := done.open_requests.told():
        say(told)
    if done.erased:
        say(erased(done), err=True)
    say(f"{done.rate} decisions a second and core, {done.loading:.1f} s for loading", err=True)
    for row in rows:
        if row.open:
            say(f'it loosens, and nobody answers for it: --accept "{row.name}"', err=True)
