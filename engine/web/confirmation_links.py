"""A link by which a customer says yes or no to what they are asked: opened by GET, used up by POST, about one call.

Whoever has the link is taken for the customer, as the backend that asks for it speaks for them; it carries the digest
of the call that it was made for, so that it is a yes to nothing else.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import RIGHTS, Role
from engine.access.tokens import hash_of, principal_of
from engine.api.answers import Approve, Deny
from engine.language.value import timestamp
from engine.ports.access import ConfirmationLink
from engine.random_bytes import random_hex
from engine.runtime.errors import NotAllowed
from engine.runtime.retention import is_erased
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import asked_of_customer, check_not_erased

# how long a link may be opened, where what it asks does not expire before
WAITS = timedelta(hours=24)
# how many of them one question may have that are good
MOST_LINKS = 5


async def create(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/confirmation-links`: 201 with a link to the oldest question of the customer's alone."""
    session = await service.own_session(principal, request.path_params["id"])
    await check_not_erased(service, session.id)
    asked = await asked_of_customer(session)
    now, secret = service.clock.now(), random_hex(32)
    expires = min(now + WAITS, asked.expires_at or now + WAITS)
    link = ConfirmationLink(hash_of(secret), asked.id, asked.digest, principal.tenant, expires, principal.id)
    if not await service.store.access.add_confirmation_link(link, now, MOST_LINKS):
        raise HttpProblem(
            429, "too_many_links", f"{asked.id} has {MOST_LINKS} links already that are good: send one of those"
        )
    await service.note(request, principal, "link_confirmation", asked.id, "made", asked.digest)
    told = {"request_id": asked.id, "url": f"{service.url}/confirm/{secret}", "expires_at": timestamp(expires)}
    return answered(told, 201)


async def link_of(service: Service, secret: str) -> ConfirmationLink | None:
    """The link with a secret, as long as it is good, and the token that made it."""
    link = await service.store.access.confirmation_link(hash_of(secret))
    if link is None or link.expires_at <= (now := service.clock.now()):
        return None
    token = await service.store.access.token_by_id(link.made_by)
    return link if token is None or principal_of(token, now) is not None else None


async def say(service: Service, secret: str, *, yes: bool, address: str) -> None:
    """Record what the customer says, and use the link up; raises HttpProblem for one that is good no more."""
    link = await link_of(service, secret)
    row = await service.store.request(link.request_id) if link is not None else None
    if link is None or row is None or row.status != "open" or await is_erased(service.store, row.session_id):
        raise HttpProblem(410, "used", "This link was used before, or its time is over.")
    reply = Approve(by=CUSTOMER) if yes else Deny(by=CUSTOMER)
    try:
        # an answer counts once, whatever comes at the same time; a store that is away leaves the link as it is
        await service.engine.answer(link.request_id, reply, digest=link.digest, drive=False)
    except NotAllowed as refused:
        await _note(service, link, refused.reason, address)
        raise HttpProblem(409, refused.reason, "This can't be answered here: nothing was recorded.") from None
    await service.store.access.end_confirmation_link(link.secret_hash)
    await _note(service, link, "yes" if yes else "no", address)


async def _note(service: Service, link: ConfirmationLink, result: str, address: str) -> None:
    id_ = f"link:{link.secret_hash[:16]}"
    customer = Principal(id_, CUSTOMER, Role.CALLER, None, link.tenant, "link", RIGHTS[Role.CALLER])
    await service.note_from(address, customer, "confirm", link.request_id, result, link.digest)
