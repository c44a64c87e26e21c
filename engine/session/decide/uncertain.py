"""Writes that nobody can vouch for: a probe finds out whether they happened, or a person says so."""

from __future__ import annotations

from engine.language.arithmetic import EvaluationError
from engine.language.value import jsonable
from engine.session.decide.draft import Draft
from engine.session.expression_names import Names, key_names
from engine.session.state import inputs as r
from engine.session.state.event import EventKind as K
from engine.session.state.state import Call, ResultStatus
from engine.spec.bundle import WRITE, Probe, Tool
from engine.spec.limits import BLOCK

PROBE = "probe:"


def mark_uncertain(d: Draft, call: Call, reason: str, message: str) -> None:
    """Nobody can vouch for a write: say so, and find out."""
    d.result(call, ResultStatus.UNKNOWN, reason, message)
    call, tool = d.state.calls[call.id], d.tool(call.name)
    if tool.probe is None or d.state.ending or not _ask_probe(d, call, tool.probe):
        ask_person(d, call, reason)


def ask_person(d: Draft, call: Call, reason: str) -> None:
    """Open the request in which somebody says whether it happened."""
    d.ask_whether_it_happened(call, reason)


def give_up_cut_off(d: Draft, call: Call, who: str) -> bool:
    """End a call that stopped `who` ran it as often as one may be tried again: it would stop the next one as well."""
    limit = d.state.limits.retries_per_call
    if limit is None or call.attempt <= limit:
        return False
    d.emit(
        K.LIMIT_CROSSED,
        step=call.step,
        limit="retries_per_call",
        used=call.attempt - 1,
        allowed=limit,
        crossing=BLOCK,
        tool=call.name,
    )
    message = f"{who} stopped each of {call.attempt} times that it ran"
    if call.effect is WRITE:
        mark_uncertain(d, call, "cut_off", message)
    else:
        d.result(call, ResultStatus.TERMINAL_ERROR, "cut_off", message)
    return True


def _ask_probe(d: Draft, call: Call, probe: Probe) -> bool:
    """Call for the read that finds out; False where it can't be made, or the budget has no read left."""
    limit = d.state.limits.fact_reads
    if limit is not None and d.state.used.fact_reads >= limit:
        return False
    names = key_names(d.state, call.input)
    try:
        given = {name: jsonable(value.value(names)) for name, value in probe.input.items()}
    except EvaluationError:
        return False
    d.emit(K.PROBE_ASKED, step=call.step, call_id=call.id, tool=probe.tool, input=given)
    return True


def probed(d: Draft, call_id: str, tool: Tool, gate: int, output: object, problem: str | None) -> None:
    """What the read brought: the write happened, it did not, or a person has to say."""
    call = d.state.calls.get(call_id)
    if call is None or call.probing is None or call.probing["gate"] != gate:
        return
    d.emit(
        K.PROBE_READ,
        step=call.step,
        call_id=call.id,
        tool=tool.name,
        input=dict(call.probing["input"]),
        output=output,
        problem=problem,
    )
    found = _read_outcome(d, call, output) if problem is None else None
    call = d.state.calls[call.id]
    if isinstance(found, _Occurrence):
        d.result(call, ResultStatus.OK, "", f"{tool.name} shows that it happened", found.result, settled=True)
    elif found is False:
        d.result(
            call,
            ResultStatus.TERMINAL_ERROR,
            "did_not_happen",
            f"{tool.name} shows that it did not happen",
            settled=True,
        )
    else:
        ask_person(d, call, call.result.reason if call.result is not None else "cut_off")


class _Occurrence:
    def __init__(self, result: object) -> None:
        self.result = result


def _read_outcome(d: Draft, call: Call, output: object) -> _Occurrence | bool | None:
    """That it happened with its result, False, or None where the read does not tell."""
    tool = d.tool(call.name)
    probe = tool.probe
    assert probe is not None, "only a tool with a probe is probed"
    names = Names(d.state, {}, {"input": call.input, "session": d.state.attributes, "output": output})
    try:
        if probe.happened.value(names) is not True:
            return False
        result = output
        if probe.result is not None:
            result = {name: jsonable(value.value(names)) for name, value in probe.result.items()}
    except EvaluationError:
        return None
    return None if tool.check_output(result) else _Occurrence(result)


def give_up_probes(d: Draft) -> bool:
    """A session that ends waits for no read: a person says what it would have found."""
    for call in d.state.probed_calls():
        asked = call.probing or {}
        d.emit(
            K.PROBE_READ,
            step=call.step,
            call_id=call.id,
            tool=asked["tool"],
            input=asked["input"],
            output=None,
            problem="the session ended before it was read",
        )
        ask_person(d, d.state.calls[call.id], "cut_off")
        return True
    return False


def probe_request(d: Draft, key: str) -> tuple[str, str]:
    """The call and the reading tool that a probe's key names."""
    call = d.state.calls.get(key.removeprefix(PROBE))
    return ("", "") if call is None or call.probing is None else (call.id, call.probing["tool"])


def is_probe(reply: r.FactReturned | r.FactFailed) -> bool:
    """Whether a read was a probe's."""
    return reply.key.startswith(PROBE)
