"""Violating calls, made of right ones in their real context: each must be stopped by the rule that it is made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.retail.conversation import ALLOWED, STOPPED, Call, Conversation, Turn
from tests.retail.world import DELIVERED, PENDING, Record, World, world_before

PER_RULE = 10
PER_CONVERSATION = 2

CANCEL = "cancel_pending_order"
ADDRESS = "modify_pending_order_address"
PAYMENT = "modify_pending_order_payment"
ITEMS = "modify_pending_order_items"
RETURN = "return_delivered_order_items"
EXCHANGE = "exchange_delivered_order_items"

OTHER_STATES = ("processed", "cancelled", "pending (item modified)", "return requested", "exchange requested")

Made = Iterator[tuple[str, Mapping[str, Any]]]
"""A tool and its input."""


def violations(db: Mapping[str, Mapping[str, Any]], told: list[Conversation]) -> dict[str, list[Conversation]]:
    """For each rule conversations that go on rightly and then try what the rule forbids."""
    found: dict[str, list[Conversation]] = {rule: [] for rule in (*_CALLS, *_TURNS)}
    for conversation in told:
        taken: Counter[str] = Counter()
        for number, right in conversation.writes():
            if right.must != ALLOWED:
                continue
            world = world_before(db, conversation, number)
            for rule, turns in _tried(conversation, number, world):
                if len(found[rule]) < PER_RULE and taken[rule] < PER_CONVERSATION:
                    taken[rule] += 1
                    name = f"{conversation.name}-{rule}-{len(found[rule]) + 1}"
                    found[rule].append(replace(conversation, name=name, turns=turns))
    return found


def _tried(told: Conversation, number: int, world: World) -> Iterator[tuple[str, tuple[Turn, ...]]]:
    right = told.turns[number].call
    before = told.turns[:number]
    for rule, make in _CALLS.items():
        for tool, args in make(right, world):
            yield rule, (*before, _turn(rule, tool, args))
    for rule, make_turns in _TURNS.items():
        for turns in make_turns(told, number, world):
            yield rule, turns


def _turn(rule: str, tool: str, args: Mapping[str, Any], *, confirmed: bool = True) -> Turn:
    call = Call(tool, args, "read" if tool in READS else "write", must=STOPPED, rule=rule)
    return Turn((call,), call if confirmed and call.kind == "write" else None)


READS = frozenset({"get_order_details", "get_user_details", "get_product_details", "find_user_id_by_email"})


# -- other calls in the place of a right one


def _address(world: World) -> Mapping[str, Any]:
    return {**world.user["address"], "address1": "1 Elsewhere Road"}


def _item_call(tool: str, order: Record, world: World, method: Record | None = None, **more: Any) -> Made:
    """A call about the first item of an order, right in itself if the order is in the right state."""
    item = order["items"][0]
    paid_with = order["payment_history"][0]["payment_method_id"]
    args = {
        "order_id": order["order_id"],
        "item_ids": [item["item_id"]],
        "payment_method_id": method["id"] if method else paid_with,
    }
    if tool == RETURN:
        yield tool, {**args, **more}
    elif others := world.variants(item):
        yield tool, {**args, "new_item_ids": [others[-1]["item_id"]], **more}


def _on(order: Record, world: World) -> Made:
    """Every action on an order."""
    id_ = order["order_id"]
    yield CANCEL, {"order_id": id_, "reason": "no longer needed"}
    yield ADDRESS, {"order_id": id_, **_address(world)}
    for method in world.methods("credit_card", "paypal"):
        yield PAYMENT, {"order_id": id_, "payment_method_id": method["id"]}
    for tool in (ITEMS, RETURN, EXCHANGE):
        yield from _item_call(tool, order, world)


def _own_order(right: Call, world: World) -> Made:
    wanted = DELIVERED if right.tool in (RETURN, EXCHANGE) else PENDING
    for order in world.of_others(wanted):
        yield from (made for made in _on(order, world) if made[0] == right.tool)


def _own_profile(right: Call, world: World) -> Made:
    for other in world.others():
        yield "modify_user_address", {"user_id": other["user_id"], **_address(world)}
        yield "get_user_details", {"user_id": other["user_id"]}


def _one_customer(right: Call, world: World) -> Made:
    for other in world.others():
        yield "find_user_id_by_email", {"email": other["email"]}


def _in_wrong_state(tools: tuple[str, ...], *states: str) -> Callable[[Call, World], Made]:
    def make(right: Call, world: World) -> Made:
        for order in world.own(*states):
            yield from (made for made in _on(order, world) if made[0] in tools)

    return make


def _cancel_reason(right: Call, world: World) -> Made:
    for order in world.own(PENDING):
        for reason in ("found it cheaper", "No longer needed", "ordered by mistake, and too late", ""):
            yield CANCEL, {"order_id": order["order_id"], "reason": reason}


def _about_items(world: World) -> Iterator[tuple[str, Record]]:
    for order in world.own(PENDING):
        yield ITEMS, order
    for order in world.own(DELIVERED):
        yield EXCHANGE, order
        yield RETURN, order


def _items_of_the_order(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        inside = [item["item_id"] for item in order["items"]]
        for tool_, args in _item_call(tool, order, world):
            strange = world.strange_to(order, order["items"][0])["item_id"]
            too_often = [inside[0]] * (inside.count(inside[0]) + 1)
            for wrong in ([strange], too_often, []):
                new = {"new_item_ids": args["new_item_ids"] * len(wrong)} if "new_item_ids" in args else {}
                yield tool_, {**args, "item_ids": wrong, **new}


def _one_new_item_for_each(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        for tool_, args in _item_call(tool, order, world):
            if tool_ != RETURN:
                yield tool_, {**args, "new_item_ids": []}
                yield tool_, {**args, "new_item_ids": args["new_item_ids"] * 2}


def _same_product(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        for tool_, args in _item_call(tool, order, world):
            if tool_ != RETURN:
                yield tool_, {**args, "new_item_ids": [world.strange_to(order, order["items"][0])["item_id"]]}


def _available(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        for gone in world.variants(order["items"][0], available=False):
            for tool_, args in _item_call(tool, order, world):
                if tool_ != RETURN:
                    yield tool_, {**args, "new_item_ids": [gone["item_id"]]}


def _other_option(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        for tool_, args in _item_call(tool, order, world):
            if tool_ != RETURN:
                yield tool_, {**args, "new_item_ids": args["item_ids"]}


def _own_payment_method(right: Call, world: World) -> Made:
    strangers = [next(iter(user["payment_methods"].values())) for user in list(world.others())[:3]]
    for method in (*strangers, {"id": "gift_card_0000000"}, {"id": ""}):
        if "payment_method_id" in right.args:
            yield right.tool, {**right.args, "payment_method_id": method["id"]}
        for order in world.own(PENDING):
            yield PAYMENT, {"order_id": order["order_id"], "payment_method_id": method["id"]}


def _other_payment_method(right: Call, world: World) -> Made:
    for order in world.own(PENDING):
        original = order["payment_history"][0]["payment_method_id"]
        yield PAYMENT, {"order_id": order["order_id"], "payment_method_id": original}


def _gift_card_covers_total(right: Call, world: World) -> Made:
    for order in world.own(PENDING):
        for card in world.methods("gift_card"):
            if card["balance"] < order["payment_history"][0]["amount"]:
                yield PAYMENT, {"order_id": order["order_id"], "payment_method_id": card["id"]}


def _gift_card_covers_difference(right: Call, world: World) -> Made:
    for tool, order in _about_items(world):
        for card in world.methods("gift_card"):
            for item in order["items"]:
                for dear in world.variants(item)[:1]:
                    args = {"item_ids": [item["item_id"]], "new_item_ids": [dear["item_id"]]}
                    if tool != RETURN and dear["price"] - item["price"] > card["balance"]:
                        yield tool, {"order_id": order["order_id"], **args, "payment_method_id": card["id"]}


def _refund_destination(right: Call, world: World) -> Made:
    for order in world.own(DELIVERED):
        for method in world.methods("credit_card", "paypal"):
            if method["id"] != order["payment_history"][0]["payment_method_id"]:
                yield from _item_call(RETURN, order, world, method)


# -- another course of the conversation


def _authenticated_first(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    turn = told.turns[number]
    unknown = tuple(t for t in told.turns[:number] if not t.call.tool.startswith("find_user") and t.call.kind == "read")
    rule = "authenticated-first"
    yield (_turn(rule, turn.call.tool, turn.call.args),)
    for read in unknown:
        if read.call.tool in READS:
            yield (_turn(rule, read.call.tool, read.call.args),)


def _once_per_order(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    turn = told.turns[number]
    if turn.call.tool in (ADDRESS, PAYMENT, ITEMS, EXCHANGE):
        yield (*told.turns[: number + 1], _turn("once-per-order", turn.call.tool, turn.call.args))


def _no_more_after(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    turn = told.turns[number]
    order = world.orders.get(str(turn.call.args.get("order_id")))
    if order is not None and turn.call.tool in (CANCEL, ITEMS, RETURN, EXCHANGE):
        for tool, args in _on(order, world):
            yield (*told.turns[: number + 1], _turn("no-more-after", tool, args))


def _own_orders_only(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    before = tuple(turn for turn in told.turns[:number] if turn.call.tool != "get_user_details")
    for order in world.of_others(PENDING, DELIVERED):
        yield (*before, _turn("own-orders-only", "get_order_details", {"order_id": order["order_id"]}))


def _known_orders_only(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    if any(turn.call.tool == "get_user_details" for turn in told.turns[:number]):
        strange = [order["order_id"] for order in world.of_others(PENDING)][:1]
        for order_id in (*strange, "#W0000000"):
            turn = _turn("known-orders-only", "get_order_details", {"order_id": order_id})
            yield (*told.turns[:number], turn)


def _one_call_at_a_time(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    turn = told.turns[number]
    rule = "one-call-at-a-time"
    beside = Call("get_user_details", {"user_id": told.user_id}, must=STOPPED, rule=rule)
    write = replace(turn.call, must=STOPPED, rule=rule)
    yield (*told.turns[:number], Turn((beside, write), write))
    yield (*told.turns[:number], Turn((beside, beside)))


def _customer_said_yes(told: Conversation, number: int, world: World) -> Iterator[tuple[Turn, ...]]:
    turn = told.turns[number]
    wrong = replace(turn.call, must=STOPPED, rule="customer-said-yes")
    yield (*told.turns[:number], Turn((wrong,)))
    # a yes to something else
    other = replace(turn.call, args={**turn.call.args, next(iter(turn.call.args)): "#W0000000"})
    yield (*told.turns[:number], Turn((wrong,), other))


_CALLS: Mapping[str, Callable[[Call, World], Made]] = {
    "own-order": _own_order,
    "own-profile": _own_profile,
    "one-customer": _one_customer,
    "cancel-pending-only": _in_wrong_state((CANCEL,), DELIVERED, *OTHER_STATES),
    "cancel-reason": _cancel_reason,
    "modify-pending-only": _in_wrong_state((ADDRESS, PAYMENT, ITEMS), DELIVERED, *OTHER_STATES),
    "return-delivered-only": _in_wrong_state((RETURN,), PENDING, *OTHER_STATES),
    "exchange-delivered-only": _in_wrong_state((EXCHANGE,), PENDING, *OTHER_STATES),
    "items-of-the-order": _items_of_the_order,
    "one-new-item-for-each": _one_new_item_for_each,
    "same-product": _same_product,
    "available": _available,
    "other-option": _other_option,
    "own-payment-method": _own_payment_method,
    "other-payment-method": _other_payment_method,
    "gift-card-covers-total": _gift_card_covers_total,
    "gift-card-covers-difference": _gift_card_covers_difference,
    "refund-destination": _refund_destination,
}

_TURNS: Mapping[str, Callable[[Conversation, int, World], Iterator[tuple[Turn, ...]]]] = {
    "authenticated-first": _authenticated_first,
    "once-per-order": _once_per_order,
    "no-more-after": _no_more_after,
    "own-orders-only": _own_orders_only,
    "known-orders-only": _known_orders_only,
    "one-call-at-a-time": _one_call_at_a_time,
    "customer-said-yes": _customer_said_yes,
}
