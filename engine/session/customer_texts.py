"""What a customer is told of what ended a session, or of what became of a call: a text of the agent's, or one of these.

What really happened stands in the log with its reason and its words, for a planner and for those who look after the
sessions: nobody else is told of limits, rules, people and tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.blank_text import says_something
from engine.policy import gate
from engine.policy.rule_function import has_no_value
from engine.spec.bundle import Agent

# what is told where there is nothing to tell, and what a customer is asked who is to say yes to something unsaid
NO_MESSAGE, CONFIRM = "no_message", "confirm"

# by the state that a session ends in, unless the agent says something of its own under `ends`
ENDS: Mapping[str, str] = {
    "out_of_budget": "This could not be finished with what was set aside for it.",
    "timed_out": "This took too long and was ended.",
    "cancelled": "This was cancelled.",
    "failed": "This could not be finished.",
}

# by reason: of ends, and of calls that did not do what was asked; those of calls have no full stop, as the messages of
# rules have none, so that a text can go on behind them
TEXTS: Mapping[str, str] = {
    NO_MESSAGE: "This conversation has ended.",
    CONFIRM: "Please say whether this is to be done.",
    "planner_unavailable": "This can't be answered right now. Please try again later.",
    "repairs": "This could not be understood well enough to be finished.",
    "abandoned": "Nobody can say whether it was done",
    "approval_expired": "Nobody decided about it in time",
    "asked_after_end": "It needs somebody's yes, and came too late for one",
    "choice_expired": "Nobody answered in time",
    "cut_off": "It was interrupted",
    "denied_by_reviewer": "It was declined",
    "did_not_happen": "It was not done",
    "discarded": "It was given up",
    "earlier_write_not_done": "Something that has to come before it was not done",
    "finishing": "It came too late to be done",
    "idempotency_conflict": "The same was asked for before, with other details",
    "idempotency_erased": "The same was done before, and its result is not kept any more",
    "idempotency_in_flight": "The same is being done already",
    "idempotency_unknown": "Nobody can say whether the same was done before",
    "input_expired": "Nobody answered in time",
    "invalid_input": "Its details are not complete, or do not fit",
    "invalid_output": "What came of it can't be used",
    "limit_of_calls": "No more of it can be done for now",
    "meter_error": "It can't be done with these details",
    "meter_full": "It goes beyond what may be done for now",
    "never_settled": "Nobody could say in time whether it was done",
    "no_rule_allows": "It is not allowed",
    "nobody_to_ask": "It needs somebody's yes, and nobody is there to give it",
    "not_offered": "It is not offered any more",
    "policy_error": "It can't be said whether it is allowed",
    "result_withheld": "What came of it can't be shown",
    "session_cancelled": "It was cancelled before it was done",
    "session_ended": "It was ended before it was done",
    "sibling_failed": "Something that belongs to it could not be done",
    "step_deadline": "It took too long",
    # by status, for all other reasons: those of tools, and of rules that say nothing
    "blocked": "It can't be done",
    "retryable_error": "It could not be done right now",
    "terminal_error": "It could not be done",
    "unknown": "Nobody can say yet whether it was done",
}


# results that are a rule's, and whose message is not
_UNSAID = frozenset({gate.POLICY_ERROR, "result_withheld"})


def of_end(agent: Agent, attributes: Mapping[str, Any], state: str, reason: str) -> str:
    """What is told of a session's end that no message of the agent's tells."""
    return _declared(agent, attributes, reason, NO_MESSAGE) or TEXTS.get(reason) or ENDS.get(state, TEXTS[NO_MESSAGE])


def of_call(agent: Agent, attributes: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What is told of a call's result: what a rule's author says, or the text of its reason; nothing of a success."""
    status, reason, message = result["status"], result["reason"], result["message"]
    if status == "ok":
        return ""
    ruled = result.get("rule") is not None and reason not in _UNSAID
    if (ruled or reason == gate.NO_RULE_ALLOWS) and says_something(message) and not has_no_value(message):
        return str(message)
    return _declared(agent, attributes, reason, status) or TEXTS.get(reason) or TEXTS.get(status, TEXTS["blocked"])


def of_request(agent: Agent, attributes: Mapping[str, Any], messages: list[str]) -> str:
    """What a customer is asked, by the messages of the rules that ask."""
    said = " ".join(message for message in messages if says_something(message) and not has_no_value(message))
    return said or _declared(agent, attributes, CONFIRM) or TEXTS[CONFIRM]


def _declared(agent: Agent, attributes: Mapping[str, Any], *keys: str) -> str:
    """The agent's own text for the first of some reasons that it has one for; empty where there is none."""
    for key in keys:
        if key in agent.texts:
            try:
                text = agent.texts[key].render({"session": attributes})
            except EvaluationError:
                continue
            if says_something(text):
                return text
    return ""
