"""What an answer says as a decision."""

from __future__ import annotations

import json
import re
from typing import Any

from engine.language.value import NotJson, is_encodable, loads
from engine.planner.answer import FAR, Fault, ModelAnswer, RawCall, check_calls
from engine.planner.answer_format import TOOLS, AnswerForm
from engine.planner.finish import check_finish
from engine.planner.reply_text import decision_text, without_thoughts


def decision(answer: ModelAnswer, asked: AnswerForm, ask: int) -> dict[str, Any]:
    """The decision that an answer says, its calls numbered anew; raises Fault."""
    check_finish(answer.finish, answer.refusal[:FAR])
    return asked.read(_of_calls(answer, asked, ask) if asked.mode == TOOLS else _of_json(answer, ask))


def _of_json(answer: ModelAnswer, ask: int) -> dict[str, Any]:
    if answer.calls:
        answer.repair("calls beside the decision")
    bare = decision_text(without_thoughts(answer.text, answer.repair), answer.repair)
    found = _parsed(bare, "invalid_json", "the answer")
    if not isinstance(found, dict):
        raise Fault("invalid_json", "the answer is no JSON object")
    calls = found.get("tool_calls", [])
    if isinstance(calls, list):
        check_calls(len(calls))
        _note_equal([call.get("id") for call in calls if isinstance(call, dict)], answer)
        calls = [
            {**call, "id": f"call-{ask}-{number}"} if isinstance(call, dict) else call
            for number, call in enumerate(calls, 1)
        ]
    return {**found, "tool_calls": calls}


def _of_calls(answer: ModelAnswer, asked: AnswerForm, ask: int) -> dict[str, Any]:
    _note_equal([call.id for call in answer.calls], answer)
    text = without_thoughts(answer.text, answer.repair)
    calls: list[dict[str, Any]] = []
    for number, call in enumerate(answer.calls, 1):
        given = _call_input(call, answer)
        calls.append({"id": f"call-{ask}-{number}", "name": call.name, "input": given})
    names = [call.name for call in answer.calls]
    if names == [asked.finish]:
        last = calls[0]["input"].get("message", text)
        if not isinstance(last, str):
            raise Fault("broken_arguments", f"the message of `{asked.finish}` is no text")
        return {"message": last, "tool_calls": [], "done": True}
    if asked.finish in names:
        raise Fault("broken_arguments", f"`{asked.finish}` is called alone, when nothing else is to be done")
    return {"message": text, "tool_calls": calls, "done": False}


def _call_input(call: RawCall, answer: ModelAnswer) -> dict[str, Any]:
    """The input that a call gives; raises Fault."""
    name = call.name[:100]
    if call.broken:
        raise Fault("broken_arguments", f"the arguments of {name} can't be read: {call.broken}")
    found = _parsed(_arguments(call, answer), "broken_arguments", f"the arguments of {name}")
    if not isinstance(found, dict):
        raise Fault("broken_arguments", f"the arguments of {name} are no object")
    if not is_encodable(found):
        raise Fault("broken_arguments", f"the arguments of {name} hold half of a surrogate pair, which is no text")
    return found


def _arguments(call: RawCall, answer: ModelAnswer) -> str:
    """The arguments of a call as a text; those of a tool without fields may be left out, or blank.

    They are none then, also where the tool has fields that it has to be given: its schema refuses them.
    """
    bare = call.arguments.strip().removeprefix("\ufeff").strip()
    if bare != call.arguments.strip():
        answer.repair("a byte order mark")
    if not bare and call.arguments:
        answer.repair("blank arguments")
    return bare or "{}"


def _note_equal(ids: list[Any], answer: ModelAnswer) -> None:
    """Calls are numbered anew, so that equal ids do no harm."""
    told = [str(id_) for id_ in ids if id_ not in (None, "")]
    if len(set(told)) < len(told):
        answer.repair("two calls with one id")


def _parsed(text: str, status: str, what: str) -> Any:
    try:
        return loads(text)
    except NotJson as error:
        raise Fault(status, f"{what} can't be read: {error}") from None


_MESSAGE = re.compile(r'\A\s*\{\s*"message"\s*:\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')


def message_so_far(text: str) -> str:
    """As much of a decision's message as the beginning of its JSON text holds."""
    found = _MESSAGE.match(text)
    try:
        return str(json.loads(f'"{found[1]}"', strict=False)) if found else ""
    except ValueError:
        return ""
