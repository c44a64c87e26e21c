"""Webhooks that start sessions: a delivery is signed, is of now, and counts once.

Signed as Standard Webhooks has it: HMAC-SHA256 over id, time and body, under a secret that both sides know.  Who can't
sign is told nothing, and nothing of what they sent is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import RIGHTS, Role
from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.value import NotJson, jsonable, loads
from engine.web.bodies import NewSession
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import started
from engine.web.webhook import Webhook

# how far the time of a delivery may be from ours, in seconds
TOLERANCE = 300
LONGEST_ID = 200


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/webhooks`: those of the configuration, by name, and where their deliveries go."""
    own = [one for name, one in sorted(service.webhooks.items()) if principal.tenant in (None, one.tenant)]
    shown = [{"name": one.name, "path": f"/hooks/{one.name}", "agent": one.agent, "tenant": one.tenant} for one in own]
    return answered({"items": shown, "next_cursor": None})


async def deliver(service: Service, request: Request) -> Response:
    """`POST /hooks/{name}`: 202 with the session that the delivery started, now or before."""
    hook = service.webhooks.get(request.path_params["name"])
    raw = await request.body()
    delivery = _checked(service, hook, request, raw)
    assert hook is not None, "an unknown hook has no good signature"
    try:
        body = loads(raw.decode())
    except (UnicodeDecodeError, NotJson, ValueError, RecursionError) as error:
        raise HttpProblem(400, "malformed", f"the body is no JSON: {error}") from None
    wanted = NewSession(
        agent=hook.agent, message=_text(hook, body), attributes=_attributes(hook, body), external_id=delivery
    )
    principal = Principal(
        f"webhook:{hook.name}", hook.name, Role.CALLER, None, hook.tenant, "webhook", RIGHTS[Role.CALLER]
    )
    row, first = await started(service, principal, request, wanted, None)
    return answered({"id": row.id, "state": row.state, "seq": row.seq, "first": first}, 202)


def _checked(service: Service, hook: Webhook | None, request: Request, raw: bytes) -> str:
    """The id of a delivery that is signed and of now; raises HttpProblem 401 for any other, whatever is wrong."""
    headers = request.headers
    delivery, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    # of a hook that is not there the same work is done, and it tells the same
    secret = _secret(service, hook) if hook is not None else b"nothing"
    own = hmac.new(secret, b".".join((delivery.encode(), at.encode(), raw)), hashlib.sha256).digest()
    good = any(hmac.compare_digest(own, one) for one in _signatures(given))
    now = service.clock.now().timestamp()
    timely = at.isascii() and at.isdecimal() and len(at) <= 12 and abs(now - int(at)) <= TOLERANCE
    if hook is None or not good or not timely or not 1 <= len(delivery) <= LONGEST_ID:
        raise HttpProblem(401, "unsigned", "this delivery is not signed as it should be, or is not of now")
    return delivery


def _signatures(given: str) -> list[bytes]:
    found = []
    for part in given.split(" ")[:10]:
        version, _, text = part.partition(",")
        try:
            decoded = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if version == "v1":
            found.append(decoded)
    return found


def _secret(service: Service, hook: Webhook) -> bytes:
    """The secret's bytes; one that begins with `whsec_` is written in base64."""
    text = service.secrets.reveal(hook.secret)
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise HttpProblem(503, "not_available", "the secret of this webhook can't be read") from None


def _text(hook: Webhook, body: Any) -> str:
    found = _value(hook.message, body, "message")
    if not isinstance(found, str) or not found.strip():
        raise HttpProblem(422, "invalid", "the delivery has no message")
    return found


def _attributes(hook: Webhook, body: Any) -> dict[str, Any]:
    return {name: jsonable(_value(expression, body, name)) for name, expression in hook.attributes.items()}


def _value(expression: Expression, body: Any, what: str) -> Any:
    try:
        return expression.value({"body": body})
    except EvaluationError as error:
        raise HttpProblem(422, "invalid", f"`{what}` can't be told from the delivery: {error}") from None
