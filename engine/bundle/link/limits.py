"""An agent's budgets to limits: what it declares, and the documented defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.language.value import span
from engine.spec.limits import BLOCK, LIMITS, REVIEW, UNLIMITED, Extension, Form, Limits, default_crossings


def limits(budgets: Mapping[str, Any]) -> Limits:
    """The resolved limits of an agent: what it declares, and the documented defaults."""
    changes: dict[str, Any] = {}
    crossing, extensions = default_crossings(), dict[str, Extension]()
    for name, limit in LIMITS.items():
        declared = budgets.get(name)
        if declared is None or limit.form is Form.PER_TOOL:
            continue
        if isinstance(declared, Mapping):
            crossing[name] = declared["crossing"]
            extensions |= _extension(name, declared)
            declared = declared["limit"]
        changes[name] = _time(declared) if limit.form is Form.TIME else _count(declared)
    per_tool = {name: _count(limit) for name, limit in budgets.get("calls_per_tool", {}).items()}
    if "other" in per_tool:
        changes["calls_per_other_tool"] = per_tool.pop("other")
    defaults = Limits()
    expires = {**defaults.expires, **{kind: _time(time) for kind, time in budgets.get("expires", {}).items()}}
    meters = {name: meter["limit"] for name, meter in budgets.get("meters", {}).items()}
    for name, meter in budgets.get("meters", {}).items():
        extensions |= _extension(f"meters.{name}", meter)
    crossing |= {f"meters.{name}": meter.get("crossing", BLOCK) for name, meter in budgets.get("meters", {}).items()}
    return replace(
        defaults,
        **changes,
        calls_per_tool=per_tool,
        meters=meters,
        expires=expires,
        crossing=crossing,
        extensions=extensions,
    )


def _extension(name: str, declared: Mapping[str, Any]) -> dict[str, Extension]:
    if declared.get("crossing") != REVIEW or "extend_by" not in declared or "reviewers" not in declared:
        return {}
    return {name: Extension(declared["extend_by"], declared["reviewers"])}


def _count(value: Any) -> Any:
    return None if value == UNLIMITED else value


def _time(value: str) -> Any:
    return None if value == UNLIMITED else span(value)
