"""Requests that are answered together: about one tool, for the same rules of one bundle, each by its digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.rights import Right
from engine.api.answers import Approve, Deny
from engine.api.shapes import request_status
from engine.diagnostic.visible import line as visible
from engine.language.value import jsonable, one_line
from engine.ports.records import RequestRow
from engine.runtime.errors import NotAllowed
from engine.session.sealed_tokens import shown as unsealed
from engine.session.state.state import State
from engine.spec.request_kind import RequestKind
from engine.web.pages.browser import Visitor, form_of
from engine.web.pages.gather import sentence_of
from engine.web.pages.render import need, shown
from engine.web.problems import HttpProblem
from engine.web.requests import answer_by
from engine.web.service import Service

# so many are refused together, and so many approved
MOST, MOST_APPROVED = 40, 20
# a number that is so many times the median of its column, or so small a part of it, is marked
FAR = 3
DIGEST = "digest."


@dataclass(frozen=True, slots=True)
class TogetherRow:
    """A request in the table: its digest, and for each column a value and what is odd about it.

    `again` says what one above has to do with it.
    """

    id: str
    digest: str
    sentence: str
    again: str
    cells: tuple[tuple[str, str], ...]


def key_of(row: RequestRow, bundle: str) -> tuple[str, tuple[str, ...], str] | None:
    """What requests that can be answered together have in common; None for one that is answered alone."""
    if row.kind != RequestKind.APPROVAL or row.problem or request_status(row) != "open":
        return None
    return str(row.payload.get("tool")), tuple(map(str, row.payload.get("rules") or ())), bundle


async def show(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /inbox/together?id=...&id=...`: the requests in a table, to be answered with one click."""
    need(visitor, Right.ANSWER)
    ids = list(dict.fromkeys(request.query_params.getlist("id")))
    if not 2 <= len(ids) <= MOST:
        raise HttpProblem(422, "invalid", f"2 to {MOST} requests are looked at together")
    rows, states = [], []
    for one in ids:
        row = await service.logged.listed(await service.request(visitor.principal, one))
        state = await service.engine.look(row.session_id)
        rows.append(row)
        states.append(state)
    keys = {key_of(row, state.bundle) for row, state in zip(rows, states, strict=True)}
    if len(keys) != 1 or None in keys:
        raise HttpProblem(
            422, "invalid", "only open requests about one tool, for the same rules of the same bundle, go together"
        )
    columns = _columns(rows)
    table = _table(rows, states, columns, [await sentence_of(service, row) for row in rows])
    return shown(
        "together.html", visitor=visitor, rows=table, columns=columns, tool=visible(str(rows[0].payload["tool"])),
        rules=", ".join(map(str, rows[0].payload["rules"])), totals=_totals(_calls(rows)), calls=len(_calls(rows)),
        most=MOST_APPROVED,
    )  # fmt: skip


async def answer(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /inbox/together`: each answer is recorded by itself, and what came of each is told."""
    need(visitor, Right.ANSWER)
    fields = await form_of(request, visitor)
    said, note = fields.get("answer"), fields.get("note", "").strip()
    digests = {name.removeprefix(DIGEST): text for name, text in fields.items() if name.startswith(DIGEST)}
    if said not in ("approve", "deny") or not digests:
        raise HttpProblem(422, "invalid", "the form says neither yes nor no")
    if said == "approve" and len(digests) > MOST_APPROVED:
        raise HttpProblem(422, "invalid", f"{MOST_APPROVED} are approved together at most")
    kind = Approve if said == "approve" else Deny
    told = []
    # all of them are there before the first is answered
    rows = [(await service.request(visitor.principal, one), digest) for one, digest in digests.items()]
    for row, digest in rows:
        reply = kind(by=visitor.principal.person or "", note=note)
        try:
            await service.check_let_in(visitor.principal)
            await answer_by(service, visitor.principal, row, reply, digest)
            result, why = said, ""
        except NotAllowed as refused:
            result, why = refused.reason, str(refused)
        await service.note(request, visitor.principal, "answer", row.id, result, digest)
        listed = await service.logged.listed(row)
        told.append((row.id, await sentence_of(service, listed) or row.id, why))
    done = sum(not why for _, _, why in told)
    after = [await service.store.request(one) for one, _, why in told if not why]
    delayed = {row.id for row in after if row is not None and row.status == "open" and row.counts_at is not None}
    return shown("together_done.html", visitor=visitor, told=told, done=done, said=said, delayed=delayed)


def _columns(rows: Sequence[RequestRow]) -> list[str]:
    """The fields of the calls and the values that rules compared which are not the same in all of them."""
    seen: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in _values(row).items():
            seen.setdefault(name, []).append(value)
    return [name for name, found in seen.items() if len(found) < len(rows) or any(one != found[0] for one in found)]


def _values(row: RequestRow) -> dict[str, Any]:
    payload = unsealed(row.payload)
    found = {f"input.{name}": value for name, value in dict(payload.get("input") or {}).items()}
    for compared in dict(payload.get("values") or {}).values():
        found |= dict(compared) if isinstance(compared, Mapping) else {}
    return found


def _table(
    rows: Sequence[RequestRow], states: Sequence[State], columns: Sequence[str], sentences: Sequence[str]
) -> list[TogetherRow]:
    values = [_values(row) for row in rows]
    middles = {
        name: median(numbers)
        for name in columns
        if len(numbers := [one[name] for one in values if _is_number(one.get(name))]) > 2
    }
    made: list[TogetherRow] = []
    calls: set[tuple[str, Any]] = set()
    known: list[dict[str, Any]] = []
    for row, state, sentence, own in zip(rows, states, sentences, values, strict=True):
        cells = tuple((_text(own.get(name)), _odd(own.get(name), middles.get(name))) for name in columns)
        same = (row.session_id, row.payload.get("call_id"))
        again = "a further yes to a call above" if same in calls else "the same as one above" if own in known else ""
        calls.add(same)
        known.append(own)
        made.append(TogetherRow(row.id, state.requests[row.id].digest, sentence or row.id, again, cells))
    return made


def _calls(rows: Sequence[RequestRow]) -> list[RequestRow]:
    """One request for each call: several people may be asked about one."""
    return list({(row.session_id, row.payload.get("call_id")): row for row in rows}.values())


def _totals(rows: Sequence[RequestRow]) -> list[str]:
    """What is at stake in all: the sums of numbers of the calls that the rules compared."""
    compared = set.intersection(
        *(
            {name for seen in dict(row.payload.get("values") or {}).values() if isinstance(seen, Mapping)
             for name, value in seen.items() if str(name).startswith("input.") and _is_number(value)}
            for row in rows
        )
    )  # fmt: skip
    return [
        f"{sum(_values(row)[name] for row in rows):,} {name.removeprefix('input.')} in all" for name in sorted(compared)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _odd(value: Any, middle: Any) -> str:
    """What is odd about a number beside those of the others."""
    if middle is None or not middle or not _is_number(value):
        return ""
    times = Decimal(value) / Decimal(middle)
    if times >= FAR:
        return f"{times:.3g} times the median"
    return f"{times:.2g} of the median" if times * FAR <= 1 else ""


def _text(value: Any) -> str:
    return visible(value if isinstance(value, str) else one_line(jsonable(value)))[:200]
