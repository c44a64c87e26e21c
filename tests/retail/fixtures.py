"""The runner's cases as fixture files, each with just the rows of the shop that it needs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from engine.language.value import canonical, one_line
from engine.spec.bundle import Bundle
from tests.retail.conversation import ALLOWED, Conversation, conversation
from tests.retail.data import Data
from tests.retail.shop import statements
from tests.retail.violations import violations

OWN = Path(__file__).parent.parent / "bundles" / "retail" / "fixtures"


def write_fixtures(bundle: Bundle, data: Data, folder: Path) -> int:
    """Write the bundle's own fixtures, and one for each conversation and each violation; say how many."""
    told = [conversation(episode) for episode in data.episodes]
    wrong = [one for several in violations(data.db, told).values() for one in several]
    folder.mkdir(parents=True, exist_ok=True)
    agent = next(iter(bundle.agents))
    for each in (*told, *wrong):
        document = fixture(agent, data.db, each)
        text = yaml.safe_dump(json.loads(one_line(document)), sort_keys=False, allow_unicode=True, width=110)
        (folder / f"{each.name}.yaml").write_text(text, "utf-8")
    own = sorted(OWN.glob("*.yaml"))
    for path in own:
        shutil.copyfile(path, folder / path.name)
    return len(told) + len(wrong) + len(own)


def fixture(agent: str, db: Mapping[str, Mapping[str, Any]], told: Conversation) -> dict[str, Any]:
    """A conversation as a fixture: before each write that the customer confirms the agent asks for it."""
    decisions: list[dict[str, Any]] = []
    then: list[dict[str, Any]] = []
    for number, turn in enumerate(told.turns):
        if turn.yes is not None:
            decisions.append({"message": f"Shall I do this: {turn.yes.tool}?", "tool_calls": [], "done": False})
            then += [{"confirmed": {"tool": turn.yes.tool, "input": dict(turn.yes.args)}}, {"send": "yes"}]
        calls = [
            {"id": f"turn-{number}-{place}", "name": call.tool, "input": dict(call.args)}
            for place, call in enumerate(turn.calls)
        ]
        decisions.append({"message": "", "tool_calls": calls, "done": False})
        if turn.call.rule == "customer-said-yes":
            then.append({"confirm": False})
    decisions.append({"message": "That was all.", "tool_calls": [], "done": True})
    return {
        "kind": "Fixture",
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", told.name)[:80],
        "agent": agent,
        "message": told.message,
        "decisions": decisions,
        "setup": [{"database": "retail", "run": statements(_needed(db, told))}],
        "then": then,
        "expect": _expected(told),
    }


def _expected(told: Conversation) -> dict[str, Any]:
    """The session ends well; right writes ran, and the last call was stopped by its rule."""
    writes = [call for _, call in told.writes()]
    tools = sorted({call.tool for call in writes})
    ran = {tool: sum(call.tool == tool and call.must == ALLOWED for call in writes) for tool in tools}
    expected: dict[str, Any] = {"state": "done"}
    if any(ran.values()):
        expected["ran"] = [{"tool": tool, "times": times} for tool, times in ran.items() if times]
    if not all(ran.values()):
        expected["never_ran"] = [tool for tool, times in ran.items() if not times]
    last = told.turns[-1].calls[-1] if told.turns else None
    if last is not None and last.rule and last.rule != "customer-said-yes":
        expected["calls"] = [{"tool": last.tool, "status": "blocked"}]
    return expected


def _needed(db: Mapping[str, Mapping[str, Any]], told: Conversation) -> dict[str, dict[str, Any]]:
    """What the conversation may touch: users, orders and products that it names, and all that these name."""
    named = canonical([[dict(call.args) for call in turn.calls] for turn in told.turns])
    users = {told.user_id} | {id_ for id_, user in db["users"].items() if id_ in named or user["email"] in named}
    users |= {order["user_id"] for id_, order in db["orders"].items() if id_ in named}
    users |= {id_ for id_, user in db["users"].items() if any(method in named for method in user["payment_methods"])}
    orders = {id_: order for id_, order in db["orders"].items() if order["user_id"] in users}
    items = set(_products(orders, db, named))
    return {
        "users": {id_: db["users"][id_] for id_ in sorted(users & db["users"].keys())},
        "products": {id_: db["products"][id_] for id_ in sorted(items)},
        "orders": orders,
    }


def _products(orders: Mapping[str, Any], db: Mapping[str, Mapping[str, Any]], named: str) -> Iterator[str]:
    for order in orders.values():
        yield from (item["product_id"] for item in order["items"])
    for id_, product in db["products"].items():
        if id_ in named or any(item in named for item in product["variants"]):
            yield id_
