"""Who may say yes: members of who is asked, never whoever asked for it, and never one person where two have to.

People are refused when they answer, while somebody is there to read why.  A yes is refused as well after which nobody
would be left for what is asked beside it, as where the one member of another group would give it away here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.language.arithmetic import EvaluationError
from engine.policy.rule import CUSTOMER
from engine.policy.verdict import Ask, Verdict
from engine.session.decide.draft import Draft
from engine.session.state.inputs import InputRefused, RequestAnswered
from engine.session.state.state import Call, Request, State
from engine.spec.bundle import ReviewerGroup
from engine.spec.request_kind import RequestKind


def is_member(draft: Draft, request: Request, by: str, roles: frozenset[str] = frozenset()) -> bool:
    """Whether a person, who identified with these roles, belongs to one of the groups that a request asks."""
    if by == CUSTOMER:
        return CUSTOMER in request.groups
    # an urgent bundle may ask people whom the session's own does not know; of a group of both, both have to know them;
    # a group that facts alone fill is known to none
    for group in request.groups:
        known = known_groups(draft, group)
        names = request.names.get(group)
        if (known if names is None else by in names) and all(one.has(by, roles) for one in known):
            return True
    return False


def nobody_to_ask(draft: Draft, verdict: Verdict) -> Ask | None:
    """An ask that fewer people could answer than it needs, by what facts say; None if there is none such.

    Of a group that is asked as a whole that is not looked at: its members may change while the question waits.
    """
    for ask in verdict.asks:
        if set(ask.approvers) <= set(ask.names):
            people = {
                person
                for group, of in ask.names.items()
                for person in of
                if all(one.roles or one.has(person) for one in known_groups(draft, group))
            }
            try:
                excluded = {*starters(draft.state), *_requesters(draft)}
            except EvaluationError:
                return ask
            if len(people - excluded) < ask.people:
                return ask
    return None


def known_groups(draft: Draft, group: str) -> list[ReviewerGroup]:
    """A group as the session's bundle and urgent ones have it."""
    return [bundle.reviewers[group] for bundle in (draft.bundle, *draft.overlays) if group in bundle.reviewers]


def starters(state: State) -> frozenset[str]:
    """Who started a session, and whom a machine that did stands for."""
    return frozenset((*([state.started_by] if state.started_by is not None else []), *state.stands_for))


def refused_requester(draft: Draft, reply: RequestAnswered) -> InputRefused | None:
    """Whoever started the session or asks for what it does is refused; everybody where nobody can say who that is."""
    if reply.by in starters(draft.state):
        how = "" if reply.by == draft.state.started_by else "made the token that "
        told = f"{reply.by} {how}started this session, and nobody approves what they asked for"
        return InputRefused("own_request", told)
    try:
        if reply.by in _requesters(draft):
            return InputRefused("own_request", f"{reply.by} asked for this, and nobody approves what they asked for")
    except EvaluationError as error:
        return InputRefused("own_request", f"who asked for this can't be told: {error}")
    return None


def _requesters(draft: Draft) -> frozenset[str]:
    """Who asks for what the session does, by its own bundle and by urgent ones; raises EvaluationError."""
    agents = [bundle.agents.get(draft.state.agent) for bundle in (draft.bundle, *draft.overlays)]
    asks = [agent.requester for agent in agents if agent is not None and agent.requester is not None]
    return frozenset(str(one.value({"session": dict(draft.state.attributes)})) for one in asks)


def refused_person(draft: Draft, request: Request, reply: RequestAnswered, digest: str) -> InputRefused | None:
    """A yes of somebody whose yes to the call counts already, or who is needed for something else about it."""
    call = draft.state.calls.get(request.call_id or "")
    if request.kind is not RequestKind.APPROVAL or call is None or reply.action != "approve":
        return None
    given = [_Yes(one.by, one.rules, one.distinct) for one in call.approvals if one.digest == digest]
    # who has said yes already is counted, though it may be taken back
    for one in draft.state.open_requests():
        if one.call_id == call.id and one.delayed is not None and one.delayed["digest"] == digest:
            given.append(_Yes(one.delayed["by"], frozenset(one.rules), one.distinct))
    mine = _Yes(reply.by, frozenset(request.rules), request.distinct)
    if any(one.by == mine.by and one.differs(mine) for one in given):
        told = f"{reply.by} said yes to this call already: another person has to"
        return InputRefused("another_person", told)
    if digest != call.digest:
        return None  # everything is asked anew
    left = [one for one in _open(draft, call) if one.id != request.id and one.delayed is None]
    if _can_be_met(draft, [request, *left], given) and not _can_be_met(draft, left, [*given, mine]):
        told = f"nobody would be left for what else is asked about this call: {reply.by} is needed there"
        return InputRefused("needed_elsewhere", told)
    return None


@dataclass(frozen=True, slots=True)
class _Yes:
    """A yes, given or thought of."""

    by: str
    rules: frozenset[str]
    distinct: bool

    def differs(self, other: _Yes) -> bool:
        """Whether another person has to give the other."""
        return self.distinct or other.distinct or bool(self.rules & other.rules)


def _open(draft: Draft, call: Call) -> list[Request]:
    asked = [one for one in draft.state.open_requests() if one.kind is RequestKind.APPROVAL]
    return [one for one in asked if one.call_id == call.id and one.digest == call.digest]


def _can_be_met(draft: Draft, left: Sequence[Request], given: Sequence[_Yes]) -> bool:
    """Whether some people could answer all that is open; of groups by roles nobody knows who is in them."""
    if not left:
        return True
    first, rest = left[0], left[1:]
    people = _candidates(draft, first)
    if people is None:
        return _can_be_met(draft, rest, given)
    for person in people:
        mine = _Yes(person, frozenset(first.rules), first.distinct)
        if any(one.by == person and one.differs(mine) for one in given):
            continue
        if _can_be_met(draft, rest, [*given, mine]):
            return True
    return False


def _candidates(draft: Draft, request: Request) -> list[str] | None:
    """Who may answer a request, by name; None where somebody may whose name is not known.

    Asked of an answer that was not refused for its requester: who that is could be told.
    """
    groups = [known_groups(draft, group) for group in request.groups if group not in request.names]
    if any(one.roles for known in groups for one in known):
        return None
    people = [person for known in groups for one in known for person in one.members]
    known = dict.fromkeys([*people, *(person for group in request.names.values() for person in group)])
    able = [person for person in known if is_member(draft, request, person)]
    excluded = {*starters(draft.state), *_requesters(draft)}
    return [*([CUSTOMER] if CUSTOMER in request.groups else []), *(one for one in able if one not in excluded)]
