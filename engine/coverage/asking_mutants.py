"""Small mistakes in whom a rule asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.policy.rule import CUSTOMER

# what only a rule has that asks
ASKING = ("approvers", "count", "distinct", "note", "second", "settle_delay", "remind", "escalate")


def asking_anybody(plain: dict[str, Any]) -> dict[str, Any]:
    """What a rule needs to ask at all, for one that never matches: its own may rest on what its condition tells."""
    return {"approvers": [CUSTOMER]} if "approvers" in plain else {}


def fewer_people(plain: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A rule that asks fewer people: by which key, how it reads then, and what was changed."""
    if plain.get("count", 1) > 1:
        yield "count", {**plain, "count": plain["count"] - 1}, f"{plain['count']} people become {plain['count'] - 1}"
    if plain.get("distinct"):
        rest = {key: value for key, value in plain.items() if key != "distinct"}
        yield "distinct", rest, "who says yes may answer for other rules too"
    if plain.get("note") == "required":
        rest = {key: value for key, value in plain.items() if key != "note"}
        yield "note", rest, "a yes need not say why"
    if plain.get("settle_delay"):
        rest = {key: value for key, value in plain.items() if key != "settle_delay"}
        yield "settle_delay", rest, "a yes counts at once"
    approvers = plain.get("approvers", [])
    for group in approvers if len(approvers) > 1 else ():
        name = group["group"] if isinstance(group, dict) else group
        rest = {**plain, "approvers": [other for other in approvers if other != group]}
        yield "approvers", rest, f"`{name}` is no approver"
