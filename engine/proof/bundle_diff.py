"""What two bundles have beside their rules: limits, guarantees, and who may say yes; and what of it loosens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.language.value import duration, duration_text, jsonable, one_line
from engine.policy.flip_names import ALLOW, DENY, PROMISED, REMOVED
from engine.policy.rule import Attention, Effect
from engine.proof.policy_texts import dial_conditions, policy_texts
from engine.proof.prove import Finding, standing
from engine.spec.bundle import Agent, Bundle, Meter, ReviewerGroup
from engine.spec.limits import BLOCK, FINISH, LIMITS, REVIEW, STOP

# what more of lets more happen; times and numbers
_BOUNDS = frozenset({*LIMITS, "meters", "expires"})

# what crossing a limit does, from what lets least happen to what lets most
_CROSSINGS = (STOP, FINISH, BLOCK, REVIEW)

_NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class BundleDifference:
    """One change: of what, what it was and is, what there is to say, and the name of the loosening that it is."""

    kind: str
    of: str
    before: Any
    after: Any
    text: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.text}, loosens" if self.name else self.text

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "of": self.of,
            "before": self.before,
            "after": self.after,
            "said": self.text,
            "loosens": bool(self.name),
            "name": self.name,
        }


def bundle_differences(
    old: Bundle, new: Bundle, before: Iterable[Finding], after: Iterable[Finding]
) -> list[BundleDifference]:
    """All of them; the findings are what was proved of each bundle's guarantees."""
    return [
        *changed_limits(old, new),
        *changed_guarantees(standing(old, before), standing(new, after)),
        *changed_reviewers(old, new),
        *changed_requesters(old, new),
        *changed_asking(old, new),
        *changed_meters(old, new),
        *changed_tools(old, new),
        *changed_comparing(old, new),
        *changed_words(old, new),
        *changed_texts(old, new),
    ]


def by_kind(found: Iterable[BundleDifference]) -> dict[str, list[dict[str, Any]]]:
    """As JSON."""
    told: dict[str, list[dict[str, Any]]] = {
        kind: [] for kind in ("limits", "guarantees", "reviewers", "meters", "tools", "words", "conditions")
    }
    for one in found:
        told[one.kind].append(one.payload())
    return told


def changed_limits(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The limits of agents that are others; those of tools as they hold for each."""
    for name in sorted(old.agents.keys() & new.agents.keys()):
        before, after = (_limits(bundle.agents[name]) for bundle in (old, new))
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key, _NOTHING), after.get(key, _NOTHING)
            if was != now and _comparable(key, old.agents[name], new.agents[name]):
                loosens = f"limits.{key}:{DENY}→{ALLOW}" if _looser(key, was, now) else ""
                said = f"{name}: limit {key}: {_shown(was)} becomes {_shown(now)}"
                yield BundleDifference("limits", f"{name}.{key}", _plain(was), _plain(now), said, loosens)


def _limits(agent: Agent) -> dict[str, Any]:
    found = _flat({key: value for key, value in agent.limits.payload().items() if "calls_per_" not in key})
    found["calls_per_step"] = agent.limits.calls_per_step
    return found | {f"calls_per_tool.{tool}": agent.limits.per_tool(tool) for tool in agent.tools}


def _comparable(key: str, old: Agent, new: Agent) -> bool:
    """What is about a tool that only one of them has is no change of a limit."""
    family, _, tool = key.partition(".")
    return family != "calls_per_tool" or (tool in old.tools and tool in new.tools)


def _flat(limits: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in limits.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _looser(key: str, was: Any, now: Any) -> bool:
    family = key.split(".")[0]
    if family == "crossing" and {was, now} <= set(_CROSSINGS):
        return _CROSSINGS.index(now) > _CROSSINGS.index(was)
    if family == "extensions":
        return now != _NOTHING and (key.endswith(".reviewers") or was == _NOTHING or bool(_size(now) > _size(was)))
    if family not in _BOUNDS or was is None or was == _NOTHING:
        return False
    if now is None or now == _NOTHING:
        return True
    return bool(_size(now) > _size(was))


def _size(value: Any) -> Any:
    spelt = duration(value) if isinstance(value, str) else None
    return spelt if isinstance(spelt, timedelta) else value


def _shown(value: Any) -> str:
    return "none" if value == _NOTHING else "unlimited" if value is None else _line(value)


def _line(value: Any) -> str:
    return value if isinstance(value, str) else one_line(jsonable(value))


def _plain(value: Any) -> Any:
    return None if value == _NOTHING else "unlimited" if value is None else value


Standing = Mapping[str, tuple[str, str]]


def changed_guarantees(old: Standing, new: Standing) -> Iterator[BundleDifference]:
    """The guarantees that are gone, new, of another text, or kept by the rules no more."""
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if now is None:
            assert was is not None, "it is in one of them"
            said = f"guarantee {name} is promised no more (it was {was[1]})"
        elif was is None:
            said = f"guarantee {name} is new: {now[1]}"
        else:
            other = "" if was[0] == now[0] else "says something else: "
            said = f"guarantee {name} {other}{was[1]} becomes {now[1]}"
        loosens = f"{name}:{PROMISED}→{REMOVED}" if now is None else ""
        before, after = ({"never": one[0], "stands": one[1]} if one is not None else None for one in (was, now))
        yield BundleDifference("guarantees", name, before, after, said, loosens)


def changed_reviewers(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The groups that have other members: who is in one may say yes where it is asked."""
    for group in sorted(old.reviewers.keys() & new.reviewers.keys()):
        was, now = _members(old.reviewers[group]), _members(new.reviewers[group])
        if was != now:
            signs = [*(f"+{one}" for one in now if one not in was), *(f"-{one}" for one in was if one not in now)]
            yield BundleDifference("reviewers", group, was, now, f"reviewers {group}: {', '.join(signs)}")


def _members(group: ReviewerGroup) -> list[str]:
    return [*sorted(set(group.members)), *(f"role {role}" for role in sorted(group.roles))]


def changed_requesters(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The agents that say otherwise who asks for what a session does; to say nothing, or another, lets them approve."""
    for name in sorted(old.agents.keys() & new.agents.keys()):
        was, now = (agent.requester.text if agent.requester else None for agent in (old.agents[name], new.agents[name]))
        if was != now:
            said = f"agent {name}: requester {was or 'nobody'} becomes {now or 'nobody'}"
            loosens = f"{name}:{PROMISED}→{REMOVED}" if was is not None else ""
            yield BundleDifference("requester", name, was, now, said, loosens)


def changed_asking(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The rules by which a yes has to say why no more, or now, counts later, and takes a second person more often.

    It says what a change of verdicts is about: whether that loosens is told there, call by call.
    """
    before, after = _asking(old), _asking(new)
    for rule in sorted(before.keys() & after.keys()):
        (noted, share, delay, told), (notes, shares, later, tells) = before[rule], after[rule]
        if noted != notes:
            said = f"rule {rule}: a yes {'has to' if notes else 'need not'} say why"
            yield BundleDifference("reviewers", rule, noted, notes, said)
        if share != shares:
            said = f"rule {rule}: a second person for {shares} % of calls instead of {share} %"
            yield BundleDifference("reviewers", rule, share, shares, said)
        if delay != later:
            said = f"rule {rule}: a yes counts after {duration_text(later)} instead of {duration_text(delay)}"
            yield BundleDifference("reviewers", rule, duration_text(delay), duration_text(later), said)
        if told != tells:
            yield BundleDifference("reviewers", rule, told, tells, f"rule {rule}: {tells or 'nobody is told later'}")


def _asking(bundle: Bundle) -> dict[str, tuple[bool, Decimal, timedelta, str]]:
    guards = [guard for agent in bundle.agents.values() for guard in agent.guards.values()]
    rules = [rule for guard in guards for policy in guard.policies for rule in policy.rules]
    asking = (rule for rule in rules if rule.effect is Effect.REQUIRE_APPROVAL)
    return {rule.id: (rule.note, rule.second, rule.settle_delay, _attention_text(rule.attention)) for rule in asking}


def _attention_text(attention: Attention | None) -> str:
    if attention is None:
        return ""
    reminded = [f"people are reminded after {duration_text(one)}" for one in attention.remind]
    return ", ".join([*reminded, *(f"{group} is told after {duration_text(one)}" for group, one in attention.escalate)])


def changed_meters(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The meters that count otherwise; whether that is more or less is not known, so that somebody has to answer."""
    for name in sorted(old.agents.keys() & new.agents.keys()):
        before, after = ({m.name: _counts(m) for m in bundle.agents[name].meters} for bundle in (old, new))
        for meter in sorted(before.keys() & after.keys()):
            for part in before[meter]:
                was, now = before[meter][part], after[meter][part]
                if was != now:
                    said = f"{name}: meter {meter}: {part} {_line(was)} becomes {_line(now)}"
                    yield BundleDifference(
                        "meters", f"{name}.{meter}", was, now, said, f"meters.{meter}:{DENY}→{ALLOW}"
                    )


def _counts(meter: Meter) -> dict[str, Any]:
    return {
        "sum": {tool: amount.text for tool, amount in meter.amount.items()},
        "per": {tool: key.text for tool, key in meter.per.items()},
        "window": duration_text(meter.window) if meter.window is not None else None,
    }


def changed_tools(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """What else of tools and of sessions the rules go by: what they may give, and whom they speak for."""
    for name in sorted(old.tools.keys() & new.tools.keys()):
        was, now = old.tools[name], new.tools[name]
        if was.output_schema != now.output_schema:
            said = f"tool {name}: what it gives has another schema"
            yield BundleDifference("tools", name, was.output_schema, now.output_schema, said)
        if was.effect != now.effect:
            yield BundleDifference(
                "tools", name, was.effect.value, now.effect.value, f"tool {name}: a {was.effect} becomes a {now.effect}"
            )
        if was.trust != now.trust:
            yield BundleDifference("tools", name, was.trust, now.trust, f"tool {name}: {was.trust} becomes {now.trust}")
    for name in sorted(old.agents.keys() & new.agents.keys()):
        attributes = old.agents[name].attributes, new.agents[name].attributes
        if attributes[0] != attributes[1]:
            yield BundleDifference(
                "tools", name, *attributes, f"{name}: the attributes of its sessions have another schema"
            )


def changed_comparing(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """The agents whose sealed idempotency keys are compared under another key: a write of before is not recognised."""
    for name in sorted(old.agents.keys() & new.agents.keys()):
        was, now = old.agents[name].seal, new.agents[name].seal
        if was is not None and now is not None and was.comparing != now.comparing:
            said = f"{name}: sealed keys of writes are compared with {now.comparing} instead of {was.comparing}"
            told = f"{said}, and what was written before is not recognised as the same"
            yield BundleDifference(
                "tools", name, was.comparing, now.comparing, told, f"compared_with.{name}:{DENY}→{ALLOW}"
            )


def changed_words(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """What the time is, in which zone, and how old facts may be, for each policy."""
    before, after = _words(old), _words(new)
    for name in sorted(before.keys() & after.keys()):
        for what in before[name].keys() & after[name].keys():
            was, now = before[name][what], after[name][what]
            if was != now:
                yield BundleDifference(
                    "words", f"{name}.{what}", was, now, f"policy {name}: {what}: {was} becomes {now}"
                )


def changed_texts(old: Bundle, new: Bundle) -> Iterator[BundleDifference]:
    """What policies say to people and to models, and what they read: see `policy_texts`.

    What compares the numbers that they show is a kind of its own.
    """
    yield from _other_texts("words", policy_texts(old.files), policy_texts(new.files))
    yield from _other_texts("conditions", dial_conditions(old.files), dial_conditions(new.files))


def _other_texts(
    kind: str, before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> Iterator[BundleDifference]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, {}), after.get(name, {})
        for part in sorted(was.keys() | now.keys()):
            old_text, new_text = was.get(part), now.get(part)
            if old_text != new_text:
                told = f"{_quoted(old_text)} becomes {_quoted(new_text)}"
                yield BundleDifference(kind, f"{name}.{part}", old_text, new_text, f"policy {name}: {part}: {told}")


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else one_line(text)


def _words(bundle: Bundle) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for agent in bundle.agents.values():
        for guard in agent.guards.values():
            for policy in (*guard.policies, *guard.promising):
                told = found.setdefault(policy.name, {})
                told["time.zone"] = str(policy.time.zone)
                told["time.now"] = policy.time.now.text if policy.time.now is not None else "the log's own"
                told |= {f"max_age of {fact.name}": duration_text(fact.max_age) for fact in policy.facts.values()}
    return found
