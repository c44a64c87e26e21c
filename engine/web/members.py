"""Who belongs to what a request asks, as far as the session's own bundle knows."""

from __future__ import annotations

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import Right
from engine.ports.records import RequestRow, UnknownSession
from engine.runtime.errors import BundleUnavailable
from engine.session.sensitivity import HIDDEN
from engine.spec.bundle import Bundle
from engine.web.service import Service

# a token was made with a token, which was made with one, and so on; at most so many are looked at
MOST_MAKERS = 20


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


async def people_behind(service: Service, by: str) -> frozenset[str]:
    """Whose the token with an id is: a person's, or of a machine's whoever made it, and so on."""
    found = []
    for _ in range(MOST_MAKERS):
        token = await service.store.access.token_by_id(by)
        if token is None:
            break
        found.append(token.person)
        by = token.created_by
    return frozenset(person for person in found if person is not None)


async def bundle_of(service: Service, row: RequestRow) -> Bundle | None:
    """The bundle that a request's session runs under; None where it can't be had."""
    try:
        return await service.engine.bundle(await service.logged.bundle_of(row.session_id))
    except (BundleUnavailable, UnknownSession):
        return None
