"""`engine sessions`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import format_option, store_option
from engine.cli.out import are, counted, say
from engine.cli.printing import line, print_json, table
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.cli.work import Work
    from engine.session.state import Request, State
    from engine.stored import Head, SessionRow


@click.group("sessions")
def command() -> None:
    """List, show and verify sessions."""


@command.command("list", epilog="Example: engine sessions list --state awaiting_human_review --format json")
@click.option("--state", metavar="STATE", help="Only sessions in this state.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all unless given.")
@format_option("text", "json")
@store_option
def list_(state: str | None, limit: int | None, output_format: str, store_url: str) -> None:
    """List sessions, newest first."""

    async def body(work: Work) -> int:
        rows = await work.store.sessions(limit, state)
        if output_format == "json":
            print_json([_row(row) for row in rows])
        else:
            table(
                "sessions",
                ["id", "agent", "state", "outcome", "started", "events"],
                [[r.id, r.agent, r.state, r.outcome, _moment(r.created_at), str(r.seq)] for r in rows],
            )
        return OK

    _do(store_url, body)


@command.command("show", epilog="Example: engine sessions show ses_1234")
@click.argument("session_id", metavar="ID")
@format_option("text", "json")
@store_option
def show(session_id: str, output_format: str, store_url: str) -> None:
    """Show how a session stands: attributes, calls, requests, what it used of its budget."""

    async def body(work: Work) -> int:
        state = await work.engine.look(session_id)
        found = _standing(state)
        if output_format == "json":
            print_json(found)
        else:
            _show(found)
        return OK

    _do(store_url, body)


@command.command("events", epilog="Example: engine sessions events ses_1234 --format jsonl")
@click.argument("session_id", metavar="ID")
@click.option("--after", type=click.IntRange(0), default=0, help="Only events after this number.")
@format_option("text", "json", "jsonl")
@store_option
def events(session_id: str, after: int, output_format: str, store_url: str) -> None:
    """Print a session's log."""

    async def body(work: Work) -> int:
        from engine.session.trace import entries, entry, headline

        log = await work.store.load(session_id, after)
        if output_format == "json":
            print_json(entries(log))
            return OK
        for event in log:
            e = entry(event)
            text = line(e) if output_format == "jsonl" else f"{e['seq']:>4}  {e['at']}  {e['kind']:<18} {headline(e)}"
            say(text)
        return OK

    _do(store_url, body)


@command.command("verify", epilog="Example: engine sessions verify")
@click.argument("session_ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `engine sessions heads` printed before: each of them has to stand in its log still.",
)
@format_option("text", "json")
@store_option
def verify(session_ids: tuple[str, ...], heads_file: Path | None, output_format: str, store_url: str) -> None:
    """Check sessions, all unless named: their chain, what stands beside the log, seals; exits 1 if one is not whole.

    With the log's key in $ENGINE_LOG_KEY, or in the file that $ENGINE_LOG_KEY_FILE names, a head without its seal is
    a fault.  Only heads that were exported, and are kept elsewhere, find a store that was put back, or a session that
    is gone.
    """
    known = _known_heads(heads_file) if heads_file is not None else {}

    async def body(work: Work) -> int:
        ids = session_ids or tuple(dict.fromkeys((*await work.store.session_ids(), *known)))
        found = {session_id: await _verified(work, session_id, known.get(session_id)) for session_id in ids}
        broken = {session_id: problems for session_id, problems in found.items() if problems}
        if output_format == "json":
            print_json([{"id": i, "whole": not problems, "problems": problems} for i, problems in found.items()])
        else:
            for session_id, problems in broken.items():
                for problem in problems:
                    say(f"{session_id}: {problem}")
            whole = len(found) - len(broken)
            say(f"{counted(whole, 'session')} {are(whole)} whole, {len(broken)} {are(len(broken))} not")
        return FAILED if broken else OK

    _do(store_url, body)


@command.command("heads", epilog="Example: engine sessions heads > heads-2026-01-31.jsonl")
@store_option
def heads(store_url: str) -> None:
    """Print where each session's chain ends, as JSON Lines: kept elsewhere, for `engine sessions verify --heads`."""

    async def body(work: Work) -> int:
        for head in await work.store.chain_heads():
            say(line({"session_id": head.session_id, "seq": head.seq, "hash": head.hash, "hmac": head.hmac}))
        return OK

    _do(store_url, body)


@command.command("seal", epilog="Example: ENGINE_LOG_KEY_FILE=/run/secrets/log-key engine sessions seal")
@click.argument("session_ids", metavar="[ID]...", nargs=-1)
@store_option
def seal(session_ids: tuple[str, ...], store_url: str) -> None:
    """Seal heads that have no seal yet, of all sessions unless named: from now on the log's key vouches for them.

    For a store from before there was a key, or after a key was replaced by a new one in front of it.  A head whose
    seal is wrong is not sealed again; exits 1 if one was not sealed.
    """

    async def body(work: Work) -> int:
        ids = session_ids or tuple(await work.store.session_ids())
        found = {session_id: await work.store.seal(session_id) for session_id in ids}
        not_sealed = {session_id: problems for session_id, problems in found.items() if problems}
        for session_id, problems in not_sealed.items():
            for problem in problems:
                say(f"{session_id}: {problem}", err=True)
        done = len(found) - len(not_sealed)
        say(f"{counted(done, 'head')} {are(done)} sealed, {len(not_sealed)} {are(len(not_sealed))} not")
        return FAILED if not_sealed else OK

    _do(store_url, body)


@command.command("stats", epilog="Example: engine sessions stats --format json")
@format_option("text", "json")
@store_option
def stats(output_format: str, store_url: str) -> None:
    """Count sessions by agent, state and outcome."""

    async def body(work: Work) -> int:
        counts = Counter((r.agent, r.state, r.outcome) for r in await work.store.sessions())
        rows = [(*key, count) for key, count in counts.most_common()]
        if output_format == "json":
            print_json([dict(zip(("agent", "state", "outcome", "sessions"), row, strict=True)) for row in rows])
        else:
            table("sessions", ["agent", "state", "outcome", "sessions"], [[str(cell) for cell in row] for row in rows])
        return OK

    _do(store_url, body)


async def _verified(work: Work, session_id: str, known: Head | None) -> list[str]:
    from engine.stored import UnknownSession

    try:
        return await work.store.verify(session_id, known)
    except UnknownSession:
        if known is None:
            raise
        return ["it is gone: the store has no such session"]


def _known_heads(path: Path) -> dict[str, Head]:
    """The heads of a file by session, the newest of each; raises click.UsageError."""
    from engine.stored import Head

    known: dict[str, Head] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            told = json.loads(text)
            head = Head(told["session_id"], told["seq"], told["hash"], told["hmac"])
        except (ValueError, LookupError, TypeError, RecursionError):
            head = None
        if (
            head is None
            or type(head.seq) is not int
            or not all(isinstance(t, str) for t in (head.session_id, head.hash))
        ):
            raise click.UsageError(f"{path}:{number} is no head, as `engine sessions heads` prints them")
        if head.session_id not in known or known[head.session_id].seq < head.seq:
            known[head.session_id] = head
    if not known:
        raise click.UsageError(f"{path} holds no heads; write them with: engine sessions heads > {path}")
    return known


def _do(store_url: str, body: Callable[[Work], Awaitable[int]]) -> None:
    from engine.cli.work import perform

    raise SystemExit(perform(store_url, body))


def _moment(at: Any) -> str:
    return str(at.strftime("%Y-%m-%d %H:%M:%S")) if at is not None else "damaged"


def _row(row: SessionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "agent": row.agent,
        "state": row.state,
        "outcome": row.outcome,
        "bundle": row.bundle,
        "events": row.seq,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _standing(state: State) -> dict[str, Any]:
    return {
        "id": state.session_id,
        "agent": state.agent,
        "state": state.status.value,
        "outcome": state.outcome,
        "message": state.told,
        "waiting_for": list(state.waiting_for),
        "attributes": dict(state.attributes),
        "started_by": state.started_by or "customer",
        "bundle": state.bundle,
        "messages": list(state.messages),
        "calls": [
            {
                "id": call.id,
                "step": call.step,
                "tool": call.name,
                "input": dict(call.input),
                "phase": call.phase.value,
                "status": call.result.status if call.result else None,
                "reason": call.result.reason if call.result else None,
            }
            for call in state.calls.values()
        ],
        "requests": [
            {"id": r.id, "kind": r.kind, "groups": list(r.groups), "open": r.open, "status": how_it_stands(r)}
            for r in state.requests.values()
        ],
        "cancelled_by": state.cancel_by,
        "used": {
            "steps": state.used.steps,
            "calls": state.used.calls,
            "calls_per_tool": dict(state.used.calls_per_tool),
            "fact_reads": state.used.fact_reads,
            "retries": state.used.retries,
            "repairs": state.used.repairs,
            "model_tokens": state.used.model_tokens,
            "model_cost_usd": state.used.model_cost_usd,
            "meters": {name: metered.total for name, metered in state.used.meters.items()},
            "wall_clock": state.used.active,
        },
        "limits": state.limits.payload(),
        "events": state.seq,
    }


def how_it_stands(request: Request) -> str:
    """What became of a request: `open`, `expired`, `answered` or how it was closed."""
    if request.answered is not None:
        return f"answered by {request.answered['by']}"
    if request.closed is not None:
        return request.closed
    return "expired" if is_over(request.expires_at) else "open"


def is_over(expires_at: datetime | None) -> bool:
    """Whether a request's time is over, whether its session knows that yet or not."""
    return expires_at is not None and expires_at <= datetime.now(UTC)


def _show(found: dict[str, Any]) -> None:
    from engine.policy.value import jsonable

    names = ["id", "agent", "state", "outcome", "message", "started_by", "attributes", "used"]
    if found["cancelled_by"] is not None:
        names.insert(5, "cancelled_by")
    for name in names:
        value = jsonable(found[name])
        say(f"{name:<11} {value if isinstance(value, str) else line(value)}")
    for message in found["messages"]:
        say(f"{'user':<11} {message}")
    for call in found["calls"]:
        status = " ".join(part for part in (call["status"] or call["phase"], call["reason"]) if part)
        say(f"{'call':<11} step {call['step']} {call['tool']} {line(call['input'])}: {status}")
    for request in found["requests"]:
        say(
            f"{'request':<11} {request['id']} {request['kind']} ({request['status']}) of {', '.join(request['groups'])}"
        )
