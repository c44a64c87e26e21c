"""Who belongs to what a request asks, as far as the session's own bundle knows."""

from __future__ import annotations

from collections.abc import Sequence

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import Right
from engine.api.answers import Approve, Deny
from engine.ports.access import AccessToken
from engine.ports.records import RequestRow, UnknownSession
from engine.runtime.errors import BundleUnavailable
from engine.session.sensitivity import HIDDEN
from engine.spec.bundle import Bundle
from engine.spec.request_kind import RequestKind
from engine.web.service import Service

# a token is made with one, which was made with one, and so on: so often at most
MOST_MAKERS = 20
# whose yes would count, of so many questions and people
MOST_KEPT = 4_000
# another person may say yes where somebody is refused for these
_NOT_BY_THEM = frozenset({"another_person", "needed_elsewhere", "own_request"})


async def may_answer(service: Service, principal: Principal, row: RequestRow) -> bool:
    """Whether somebody belongs to a group that is asked, as far as the session's own bundle knows."""
    if not principal.may(Right.ANSWER) or principal.person is None:
        return False
    bundle = await bundle_of(service, row)
    named = row.payload.get("names") or {}
    if any(principal.person in people or HIDDEN in people for people in named.values()):
        # whose name is not shown here the engine knows when they answer
        return True
    groups = [group for group in row.payload.get("groups") or [] if group != CUSTOMER and group not in named]
    if not groups:
        return not row.payload.get("groups")
    known = [bundle.reviewers[group] for group in groups if group in bundle.reviewers] if bundle is not None else []
    # whom an urgent bundle asks that one alone may know
    return len(known) < len(groups) or any(group.has(principal.person, principal.groups) for group in known)


async def asked_of(service: Service, principal: Principal, rows: Sequence[RequestRow]) -> list[RequestRow]:
    """Those of some requests that somebody belongs to, and whose yes would count now; a no to a delayed one does."""
    mine = [row for row in rows if await may_answer(service, principal, row)]
    heads = await service.store.heads([row.session_id for row in mine]) if mine else {}
    return [row for row in mine if await _counts(service, principal, row, heads.get(row.session_id, (0, 0))[0])]


async def _counts(service: Service, principal: Principal, row: RequestRow, seq: int) -> bool:
    """Whether a yes would count while a log is so long; that is found out once."""
    if row.kind not in (RequestKind.APPROVAL, RequestKind.BUDGET):
        return True
    key, kept = (row.id, principal.person or "", principal.groups), service.counted_yes
    if kept.get(key, (None, False))[0] != seq:
        refused = await refused_yes(service, principal, row)
        kept[key] = seq, not refused
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
    return kept[key][1]


async def refused_yes(service: Service, principal: Principal, row: RequestRow) -> str:
    """Why somebody's yes would not count, who belongs to whom is asked: another person has to; empty if it would."""
    if row.kind not in (RequestKind.APPROVAL, RequestKind.BUDGET) or row.counts_at is not None:
        return ""
    found = await service.engine.refusal(row.id, Approve(by=principal.person or ""), roles=principal.groups)
    return found[1] if found is not None and found[0] in _NOT_BY_THEM else ""


async def may_refuse(service: Service, principal: Principal, row: RequestRow) -> bool:
    """Whether somebody's no would count, whose yes would not."""
    return await service.engine.refusal(row.id, Deny(by=principal.person or ""), roles=principal.groups) is None


async def people_behind(service: Service, by: str) -> frozenset[str]:
    """Whose the token with an id is: a person's, or of a machine whom it stands for or who made it, and so on."""
    return frozenset(name for one in await makers_of(service, by) for name in (one.person, one.stands_for) if name)


async def makers_of(service: Service, token_id: str) -> list[AccessToken]:
    """The token with an id, the one that it was made with, and so on, however many there are."""
    found: dict[str, AccessToken] = {}
    token = await service.store.access.token_by_id(token_id)
    while token is not None and token.id not in found:
        found[token.id] = token
        token = await service.store.access.token_by_id(token.created_by)
    return list(found.values())


async def bundle_of(service: Service, row: RequestRow) -> Bundle | None:
    """The bundle that a request's session runs under; None where it can't be had."""
    try:
        return await service.engine.bundle(await service.logged.bundle_of(row.session_id))
    except (BundleUnavailable, UnknownSession):
        return None
