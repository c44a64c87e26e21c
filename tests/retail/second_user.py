"""Conversations in which a second user turns up: nothing is told of them, and nothing is done for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.retail.conversation import STOPPED, Call, Conversation, Turn

_STOPPED_BY = {
    "find_user_id_by_email": "one-customer",
    "find_user_id_by_name_zip": "one-customer",
    "get_user_details": "own-profile",
    "modify_user_address": "own-profile",
    # by own-orders-only, or by known-orders-only once the first user's profile was read
    "get_order_details": "",
}


def second_users(told: list[Conversation], most: int) -> list[Conversation]:
    """Conversations that go on with what another user wanted."""
    pairs = zip(told, told[1:] + told[:1], strict=True)
    found = [_together(one, other) for one, other in pairs if one.user_id != other.user_id and _known(one)]
    return found[:: max(len(found) // most, 1)][:most]


def _known(told: Conversation) -> bool:
    """Whether the first user was found."""
    return any(turn.call.tool.startswith("find_user") and turn.call.error is None for turn in told.turns)


def _together(one: Conversation, other: Conversation) -> Conversation:
    return replace(one, name=f"{one.name}-and-{other.name}", turns=(*one.turns, *_strange(other)))


def _strange(other: Conversation) -> Iterator[Turn]:
    for turn in other.turns:
        call = _must_not(turn.call)
        yield Turn((call,), call if turn.yes is not None else None)


def _must_not(call: Call) -> Call:
    """What says nothing of a user may be read; an order or a user that does not exist, too."""
    if call.kind == "write":
        return replace(call, must=STOPPED, rule=_STOPPED_BY.get(call.tool, "own-order"))
    if call.tool in _STOPPED_BY and (call.error is None or call.tool == "get_user_details"):
        return replace(call, must=STOPPED, rule=_STOPPED_BY[call.tool])
    return call
