"""Documents of the kind Schedule to what the scheduler goes by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from engine.bundle.checks import e206_constraint, e301_duplicate_name
from engine.bundle.node import Node
from engine.bundle.schema_check import check_shape
from engine.diagnostic import Diagnostic
from engine.web.schedule import Misfire, Overlap, Schedule


def load_schedules(nodes: Sequence[Node], diagnostics: list[Diagnostic]) -> dict[str, Schedule]:
    """The schedules of some documents, by name; what is wrong with them is said."""
    found: dict[str, Schedule] = {}
    places: dict[str, Node] = {}
    for node in nodes:
        wrong = check_shape(node, "Schedule") or _check(node)
        diagnostics += wrong
        if wrong:
            continue
        plain = node.plain
        made = Schedule(
            plain["name"], plain["cron"], ZoneInfo(plain["zone"]), plain.get("agent"), plain.get("tenant"),
            plain["message"], plain.get("attributes", {}), Misfire(plain.get("misfire", "skip")),
            Overlap(plain.get("overlap", "skip")),
        )  # fmt: skip
        if made.name in found:
            diagnostics.append(e301_duplicate_name.at(node.at("name"), "schedule", places[made.name].place))
        found[made.name] = made
        places.setdefault(made.name, node.at("name"))
    return found


def _check(node: Node) -> list[Diagnostic]:
    """What the shape of a Schedule does not tell."""
    found: list[Diagnostic] = []
    zone = str(node.at("zone").value)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(e206_constraint.at(node.at("zone"), "zone", "is none that is known: such as `Europe/Berlin`"))
    cron = node.at("cron")
    try:
        next(CronSim(str(cron.value), datetime(2026, 1, 1)))
    except CronSimError as error:
        found.append(e206_constraint.at(cron, "cron", f"is no five fields of cron: {error}".lower()))
    except StopIteration:
        found.append(e206_constraint.at(cron, "cron", "never comes"))
    if len(str(cron.value).split()) != 5 and not found:
        found.append(e206_constraint.at(cron, "cron", "must have five fields: minute, hour, day, month, weekday"))
    return found
