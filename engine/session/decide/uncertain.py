"""Writes that nobody can vouch for: a probe finds out whether they happened, or a person says so."""

from __future__ import annotations

from engine.language.arithmetic import EvaluationError
from engine.language.value import jsonable
from engine.session.decide.draft import Draft
from engine.session.expression_names import Names, key_names
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Call, ResultStatus
from engine.spec.bundle import WRITE, Probe, Tool
from engine.spec.limits import BLOCK

PROBE = "probe:"


def mark_uncertain(draft: Draft, call: Call, reason: str, message: str) -> None:
    """Nobody can vouch for a write: say so, and find out."""
    draft.result(call, ResultStatus.UNKNOWN, reason, message)
    call, tool = draft.state.calls[call.id], draft.tool(call.name)
    if tool.probe is None or draft.state.ending or not _ask_probe(draft, call, tool.probe):
        ask_person(draft, call, reason)


def ask_person(draft: Draft, call: Call, reason: str) -> None:
    """Open the request in which somebody says whether it happened."""
    draft.ask_whether_it_happened(call, reason)


def give_up_cut_off(draft: Draft, call: Call, who: str) -> bool:
    """End a call that stopped `who` ran it as often as one may be tried again: it would stop the next one as well."""
    limit = draft.state.limits.retries_per_call
    if limit is None or call.attempt <= limit:
        return False
    draft.emit(
        EventKind.LIMIT_CROSSED,
        step=call.step,
        limit="retries_per_call",
        used=call.attempt - 1,
        allowed=limit,
        crossing=BLOCK,
        tool=call.name,
    )
    message = f"{who} stopped each of {call.attempt} times that it ran"
    if call.effect is WRITE:
        mark_uncertain(draft, call, "cut_off", message)
    else:
        draft.result(call, ResultStatus.TERMINAL_ERROR, "cut_off", message)
    return True


def _ask_probe(draft: Draft, call: Call, probe: Probe) -> bool:
    """Call for the read that finds out; False where it can't be made, or the budget has no read left."""
    limit = draft.state.limits.fact_reads
    if limit is not None and draft.state.used.fact_reads >= limit:
        return False
    names = key_names(draft.state, call.input)
    try:
        given = {name: jsonable(value.value(names)) for name, value in probe.input.items()}
    except EvaluationError:
        return False
    draft.emit(EventKind.PROBE_ASKED, step=call.step, call_id=call.id, tool=probe.tool, input=given)
    return True


def probed(draft: Draft, call_id: str, tool: Tool, gate: int, output: object, problem: str | None) -> None:
    """What the read brought: the write happened, it did not, or a person has to say."""
    call = draft.state.calls.get(call_id)
    if call is None or call.probing is None or call.probing["gate"] != gate:
        return
    draft.emit(
        EventKind.PROBE_READ,
        step=call.step,
        call_id=call.id,
        tool=tool.name,
        input=dict(call.probing["input"]),
        output=output,
        problem=problem,
    )
    found = _read_outcome(draft, call, output) if problem is None else None
    call = draft.state.calls[call.id]
    if isinstance(found, _Occurrence):
        draft.result(call, ResultStatus.OK, "", f"{tool.name} shows that it happened", found.result, settled=True)
    elif found is False:
        draft.result(
            call,
            ResultStatus.TERMINAL_ERROR,
            "did_not_happen",
            f"{tool.name} shows that it did not happen",
            settled=True,
        )
    else:
        ask_person(draft, call, call.result.reason if call.result is not None else "cut_off")


class _Occurrence:
    def __init__(self, result: object) -> None:
        self.result = result


def _read_outcome(draft: Draft, call: Call, output: object) -> _Occurrence | bool | None:
    """That it happened with its result, False, or None where the read does not tell."""
    tool = draft.tool(call.name)
    probe = tool.probe
    assert probe is not None, "only a tool with a probe is probed"
    names = Names(draft.state, {}, {"input": call.input, "session": draft.state.attributes, "output": output})
    try:
        if probe.happened.value(names) is not True:
            return False
        result = output
        if probe.result is not None:
            result = {name: jsonable(value.value(names)) for name, value in probe.result.items()}
    except EvaluationError:
        return None
    return None if tool.check_output(result) else _Occurrence(result)


def give_up_probes(draft: Draft) -> bool:
    """A session that ends waits for no read: a person says what it would have found."""
    for call in draft.state.probed_calls():
        asked = call.probing or {}
        draft.emit(
            EventKind.PROBE_READ,
            step=call.step,
            call_id=call.id,
            tool=asked["tool"],
            input=asked["input"],
            output=None,
            problem="the session ended before it was read",
        )
        ask_person(draft, draft.state.calls[call.id], "cut_off")
        return True
    return False


def probe_request(draft: Draft, key: str) -> tuple[str, str]:
    """The call and the reading tool that a probe's key names."""
    call = draft.state.calls.get(key.removeprefix(PROBE))
    return ("", "") if call is None or call.probing is None else (call.id, call.probing["tool"])


def is_probe(reply: inputs.FactReturned | inputs.FactFailed) -> bool:
    """Whether a read was a probe's."""
    return reply.key.startswith(PROBE)
