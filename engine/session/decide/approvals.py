"""Whose yes a call needs: it is asked for, and held against what the rules say when the call is judged again.

A yes is to a call as it stood: its digest, the rules that asked, and the values that they saw.  Of one person one yes
counts for a rule, and none for another rule where either is distinct.  So a call that two people have to approve never
starts on one person's word: an answer that would do so is refused, and what is in the log is counted once more here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.value import duration_text
from engine.policy.rule import CUSTOMER, Attention, Effect
from engine.policy.verdict import Ask, Verdict
from engine.session import customer_texts as texts
from engine.session.decide.draft import Draft
from engine.session.state.event import EventKind
from engine.session.state.state import Approval, Call, ResultStatus
from engine.spec.request_kind import RequestKind


def use_prior_yes(draft: Draft, call: Call, verdict: Verdict) -> Call:
    """A yes that the customer gave to this very call before it was proposed counts for what asks them, once."""
    rules = [ask.rule for ask in _for_customer(verdict)]
    given: frozenset[str] = frozenset().union(*(a.rules for a in call.approvals if a.digest == call.digest))
    if call.digest in draft.state.confirmed and set(rules) - given:
        draft.emit(EventKind.CONFIRMATION_USED, step=call.step, call_id=call.id, digest=call.digest, rules=rules)
    return draft.state.calls[call.id]


def _for_customer(verdict: Verdict) -> list[Ask]:
    """What one yes of the customer is to: all plain asks, or a single one that only they can answer and is distinct."""
    # a yes beforehand has no note, and counts at once
    asking = [ask for ask in verdict.asks if CUSTOMER in ask.approvers and not ask.note and not ask.settle_delay]
    alone = [ask for ask in asking if ask.distinct and ask.approvers == (CUSTOMER,)]
    return alone[:1] or [ask for ask in asking if not ask.distinct] or asking[:1]


def is_satisfied(draft: Draft, call: Call, verdict: Verdict) -> bool:
    """Whether people said yes to this very call, for every rule that asks, and nothing they went by has changed."""
    people = _people(call, verdict)
    if any(len(people[ask.rule]) < ask.people for ask in verdict.asks):
        return False
    return call.asked is None or _asked_of(draft, call) != call.digest or not difference_of(call.asked, verdict)


def _asked_of(draft: Draft, call: Call) -> str:
    """The digest of the call as people were last asked about it; another one was made of it by an edit since."""
    asked = [
        one.digest
        for one in draft.state.requests.values()
        if one.call_id == call.id and one.kind is RequestKind.APPROVAL
    ]
    return asked[-1] if asked else ""


def _people(call: Call, verdict: Verdict) -> dict[str, frozenset[str]]:
    """Whose yes to the call as it stands counts for each rule: of who said yes to others, none for a distinct one."""
    valid = [a for a in call.approvals if a.digest == call.digest]
    said = {ask.rule: frozenset(a.by for a in valid if _is_met(ask, a)) for ask in verdict.asks}
    others = {
        ask.rule: frozenset().union(*(said[other.rule] for other in verdict.asks if other is not ask))
        for ask in verdict.asks
    }
    return {ask.rule: said[ask.rule] - others[ask.rule] if ask.distinct else said[ask.rule] for ask in verdict.asks}


def _is_met(ask: Ask, yes: Approval) -> bool:
    """Whether a yes is one to that ask: a rule of an urgent bundle may have the same name and ask others, or more."""
    asked = CUSTOMER in ask.approvers if yes.prior else yes.groups == frozenset(ask.approvers)
    said = (yes.noted or not ask.note) and yes.settle_delay >= ask.settle_delay
    return ask.rule in yes.rules and asked and said and _is_named(ask, yes)


def _is_named(ask: Ask, yes: Approval) -> bool:
    """Whether who said yes is asked still: facts may name others by now, or of the call as somebody has edited it.

    Who was asked as a member of a whole group, and by no name, is.
    """
    if not ask.names or yes.by in {person for people in ask.names.values() for person in people}:
        return True
    return not set(ask.approvers) <= set(ask.names) and yes.by not in yes.names


def difference_of(asked: Mapping[str, Any], verdict: Verdict) -> list[dict[str, Any]]:
    """What is not as it was when people were asked: verdict, rules that ask, values they saw; time aside."""
    found: list[dict[str, Any]] = []
    if verdict.effect.value != asked["verdict"]:
        found.append({"what": "verdict", "before": asked["verdict"], "after": verdict.effect.value})
    before = asked["asks"]
    after = {ask.rule: ask.values for ask in verdict.asks}
    if verdict.effect is Effect.DENY:
        before, after = _by_rule(asked["rules"]), _by_rule(verdict.payload()["rules"])
    elif set(before) != set(after):
        found.append({"what": "rules", "before": sorted(before), "after": sorted(after)})
    for rule in sorted(set(before) & set(after)):
        # a condition that now reads something else does so because of a value that it reads in both
        for chain in sorted(set(before[rule]) & set(after[rule])):
            old, new = before[rule][chain], after[rule][chain]
            if old != new and chain.split(".")[0] not in _MOVING:
                found.append({"what": chain, "rule": rule, "before": old, "after": new})
    return found


# what changes by itself while people think
_MOVING = ("now", "budget", "step")


def _by_rule(traces: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {trace["rule"]: trace["values"] for trace in traces}


def hold(draft: Draft, call: Call, verdict: Verdict, difference: list[dict[str, Any]]) -> None:
    """Tell the planner's side that the call is blocked for now, and ask everyone who has to be asked.

    One yes is asked for all rules with the same approvers, by name too, and one more for each further person that a
    rule needs.
    """
    told = verdict.reason, verdict.message
    draft.result(call, ResultStatus.BLOCKED, *told, rule=verdict.rule, final=False, difference=difference)
    together: dict[tuple[tuple[str, ...], Named, str, int], list[Ask]] = {}
    given = _people(call, verdict)
    # somebody is asked in any case: what is held and asks nobody would be judged for ever
    nobody = all(len(given[ask.rule]) >= ask.people for ask in verdict.asks)
    for ask in verdict.asks:
        for further in range(ask.people - (0 if nobody else len(given[ask.rule]))):
            apart = ask.rule if ask.distinct else ""
            together.setdefault((ask.approvers, tuple(sorted(ask.names.items())), apart, further), []).append(ask)
    for (groups, named, apart, _), asks in sorted(together.items()):
        draft.open_request(
            RequestKind.APPROVAL,
            call=call,
            groups=groups,
            rules=tuple(ask.rule for ask in asks),
            digest=call.digest,
            reason=asks[0].reason,
            message=_asked_in_words(draft, groups, [ask.message for ask in asks if ask.message]),
            expires=draft.state.limits.expires["approval"],
            values={ask.rule: ask.values for ask in asks},
            difference=difference,
            **({"distinct": True} if apart else {}),
            **({"note": "required"} if any(ask.note for ask in asks) else {}),
            **({"settle_delay": duration_text(delay)} if (delay := max(ask.settle_delay for ask in asks)) else {}),
            **_attention(asks),
            **({"names": {group: list(people) for group, people in named}} if named else {}),
        )


def _attention(asks: list[Ask]) -> dict[str, Any]:
    """When people are told of what is asked for several rules: at all reminders, and each group as early as any says.

    A rule that says nothing of a group tells it at once.
    """
    found = [ask.attention or Attention() for ask in asks]
    remind = sorted({moment for one in found for moment in one.remind})
    first, *others = (dict(one.escalate) for one in found)
    later = {group: min(after, *(one[group] for one in others)) if others else after
             for group, after in sorted(first.items()) if all(group in one for one in others)}  # fmt: skip
    told: dict[str, Any] = {"remind": [duration_text(one) for one in remind]} if remind else {}
    return told | ({"escalate": {group: duration_text(after) for group, after in later.items()}} if later else {})


# of which groups which people are asked
Named = tuple[tuple[str, tuple[str, ...]], ...]


def _asked_in_words(draft: Draft, groups: tuple[str, ...], messages: list[str]) -> str:
    """What people are asked; a customer in words that are meant for one."""
    if CUSTOMER in groups:
        return texts.of_request(draft.agent, draft.state.attributes, messages)
    return " ".join(messages)
