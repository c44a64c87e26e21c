"""A request as a person sees it: a sentence from the stored call, why it is asked, and whose words are whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.api.shapes import answer_shown, comments_shown, delayed_yes_shown, request_status
from engine.diagnostic.visible import block
from engine.diagnostic.visible import line as visible
from engine.language.value import jsonable, one_line
from engine.notify.due import escalations
from engine.policy.approvals import whom
from engine.ports.records import RequestRow
from engine.session.sealed_tokens import shown
from engine.session.state.state import State
from engine.spec.request_kind import RequestKind
from engine.web.pages.answer_form import FormField, fields_of
from engine.web.pages.evidence import RequestEvidence
from engine.web.pages.span import span_told

# of the words of strangers so many are shown at first
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class RequestWords:
    """What a request never changes of, in words."""

    sentence: str
    why: str
    groups: str
    problem: str


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One line of the inbox; `together` names those that it can be answered with, where there are others."""

    id: str
    session_id: str
    words: RequestWords
    status: str
    opened_at: datetime | None
    expires_at: datetime | None
    age: str
    left: str
    counts_in: str
    escalated: str
    claimed_by: str = ""
    together: str = ""
    away: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """All that is decided by, in the order in which it is read."""

    row: InboxRow
    kind: str
    tool: str
    fields: tuple[tuple[str, str], ...]
    reason: str
    rules: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    form: tuple[FormField, ...] | None
    difference: tuple[str, ...]
    messages: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    session_id: str
    digest: str
    open: bool
    answered: str
    evidence: RequestEvidence
    edits: tuple[FormField, ...] | None
    stands: str
    comments: tuple[tuple[str, str, str], ...] = ()
    note_required: bool = False
    # how long a yes can be taken back; who said one that does not count yet, and when it counts
    settle_delay: str = ""
    said_by: str = ""
    counts_at: str = ""
    said_note: str = ""
    said_input: tuple[tuple[str, str], ...] = ()
    # why it was answered so, when, and what of the call was changed by that
    answer_note: str = ""
    answered_at: str = ""
    changed: tuple[tuple[str, str], ...] = ()


def standing_of(row: RequestRow, state: State) -> str:
    """What a page that shows a request compares: another text says that something of it has changed."""
    request = state.requests.get(row.id)
    answered = request.answered["by"] if request is not None and request.answered is not None else ""
    return f"{request_status(row)} {request.digest if request is not None else ''} {visible(str(answered))}".strip()


def words_of(row: RequestRow, sentence: str = "") -> RequestWords:
    """A request in words; the `sentence` is its tool's, where it has one."""
    # a list is long: of each request no more is looked at than is told
    told = ("message", "reason", "groups", "names", *(() if sentence else ("tool", "input")))
    p = shown({name: row.payload[name] for name in told if name in row.payload})
    return RequestWords(
        sentence or _sentence(row.kind, p),
        visible(str(p.get("message") or p.get("reason") or "")),
        whom(p.get("groups") or (), p.get("names") or {}) or "anybody",
        visible(row.problem),
    )


def row_of(
    row: RequestRow, words: RequestWords, now: datetime, *, claimed_by: str = "", together: str = "", away: str = ""
) -> InboxRow:
    """A request as the inbox lists it at a moment."""
    return InboxRow(
        row.id,
        row.session_id,
        words,
        request_status(row),
        row.opened_at,
        row.expires_at,
        span_told(now - row.opened_at) if row.opened_at is not None else "",
        span_told(row.expires_at - now) if row.expires_at is not None else "",
        span_told(row.counts_at - now) if row.counts_at is not None and row.counts_at > now else "",
        _escalated(row, now),
        claimed_by,
        together,
        away,
    )


def _escalated(row: RequestRow, now: datetime) -> str:
    """Whom a question has gone to, or goes to, since nobody answers."""
    if row.opened_at is None or request_status(row) != "open":
        return ""
    since = now - row.opened_at
    told = []
    for group, after in escalations(row).items():
        left = span_told(after - since) if after > since else ""
        told.append(f"goes to {visible(group)} in {left}" if left else f"escalated to {visible(group)}")
    return ", ".join(told)


def card_of(row: RequestRow, state: State, now: datetime, evidence: RequestEvidence) -> Card:
    """A request with what is known of its session, and why it is asked."""
    p = shown(row.payload)
    request = state.requests.get(row.id)
    answered = request.answered if request is not None else None
    told = f"{_VERBS.get(answered['action'], 'answered')} by {answered['by']}" if answered is not None else ""
    told = visible(told)
    return Card(
        row_of(row, words_of(row, evidence.says), now),
        row.kind,
        p.get("tool") or "",
        _pairs(p.get("input") or {}),
        str(p.get("reason") or ""),
        tuple(map(str, p.get("rules") or ())),
        tuple(pair for seen in (p.get("values") or {}).values() for pair in _pairs(seen)),
        fields_of(p.get("schema")) if row.kind in (RequestKind.INPUT, RequestKind.CHOICE) else None,
        tuple(visible(_text(one)) for one in p.get("difference") or ()),
        tuple(_cut(block(str(text))) for text in shown(list(state.messages))),
        _pairs(shown(dict(state.attributes))),
        row.session_id,
        request.digest if request is not None else "",
        request is not None and request.open and request_status(row) == "open",
        told,
        evidence,
        fields_of(evidence.edits) if row.kind == RequestKind.APPROVAL else None,
        standing_of(row, state),
        tuple(
            (visible(str(one["by"])), one["at"][:16].replace("T", " "), block(str(one["text"])))
            for one in shown(comments_shown(state, row.id))
        ),
        p.get("note") == "required",
        str(p.get("settle_delay") or ""),
        *_said(state, row, now),
        *_answer(state, row),
    )


def _answer(state: State, row: RequestRow) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Why a request was answered so, when, and the fields of the call that it was approved with and not asked with."""
    told = shown(answer_shown(state, row.id))["answered"]
    if told is None:
        return "", "", ()
    asked, made = shown(row.payload).get("input"), told["input"]
    # what is sensitive as a whole has no fields
    both = isinstance(asked, Mapping) and isinstance(made, Mapping)
    changed = {name: value for name, value in made.items() if value != asked.get(name)} if both else {}
    return visible(str(told["note"])), str(told["at"] or "")[:19].replace("T", " "), _pairs(changed)


def _said(state: State, row: RequestRow, now: datetime) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    """Who said a yes that does not count yet, when it does, why, and what the call is to be by it if that changed."""
    request = state.requests.get(row.id)
    told = shown(delayed_yes_shown(state, row.id))
    if request is None or request.counts_at is None or told["said"] is None:
        return "", "", "", ()
    left = request.counts_at - now
    when = f"in {span_told(left)}" if left > timedelta(0) else "as soon as its session goes on"
    moment = f"{when} ({request.counts_at:%Y-%m-%d %H:%M:%S} UTC)"
    return visible(told["said_by"]), moment, visible(str(told["said"]["note"])), _pairs(told["said"]["input"] or {})


_VERBS: Mapping[str, str] = {"approve": "approved", "deny": "refused"}


def _sentence(kind: str, p: Mapping[str, Any]) -> str:
    """What is asked, from the stored call and nobody's words about it."""
    tool = p.get("tool")
    if not tool:
        return visible(f"{kind}: {p.get('message') or p.get('reason') or ''}")
    given = ", ".join(f"{name} {value}" for name, value in _pairs(p.get("input") or {}))
    return f"{visible(str(tool))}: {given}" if given else visible(str(tool))


def _pairs(values: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, Mapping):
        return (("", _cut(visible(_text(values)))),)  # what is sensitive as a whole
    return tuple((visible(str(name)), _cut(visible(_text(value)))) for name, value in values.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else one_line(jsonable(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"
