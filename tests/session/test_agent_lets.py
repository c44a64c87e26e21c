"""What an agent lets names stand for: its rows, its stop conditions and its texts read them, and nobody else."""

from __future__ import annotations

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.language.arithmetic import EvaluationError
from engine.session.expression_names import stop_names
from engine.session.planner_view import planner_view
from engine.spec.planner_spec import Row
from tests.bundle_texts import CODE, agent, bundle, tool
from tests.session.play import Play, call

OUTPUT = "{type: object, required: [n], properties: {n: {type: integer}}}"
STOP = "stop:\n  - {outcome: acted, when: enough, message: 'Done {{ far }}.'}\n  - {outcome: answered, message: '{{ bye }}'}\n"


def files(lets: str, *, rows: str = "", stop: str = STOP, more: str = "") -> list[tuple[str, str]]:
    path, text = agent("[look]", more=f"{stop}let: {lets}\n{more}")
    table = f"{{kind: rules, rows: [{rows}{{message: hi, done: true}}]}}"
    text = text.replace("{kind: scripted, decisions: [{message: hi, done: true}]}", table)
    return [(path, text), tool("look", output=OUTPUT), ("specs/tools/code.py", CODE)]


def errors(lets: str, *, rows: str = "", stop: str = STOP, more: str = "") -> list[tuple[str, str]]:
    loaded = load(BundleFiles({path: text.encode() for path, text in files(lets, rows=rows, stop=stop, more=more)}))
    return [(one.code, str(one.place)) for one in loaded.diagnostics if one.severity == "error"]


GOOD = """\
{bye: said, enough: looked and far > 2, far: "len(results.look)", looked: far > 0, said: "lower(messages[-1])"}"""


def test_a_let_reads_other_lets_in_whichever_order_they_are_written() -> None:
    rows = (
        "{when: enough, message: 'more than {{ far - 1 }}', done: true},"
        " {when: not looked, message: '{{ said }}', tool_calls: [{name: look, input: {n: far, to: said}}]},"
    )
    made = bundle(*files(GOOD, rows=rows))
    play = Play(made)
    names = planner_view(play.state, made).names
    first, second, _ = made.agents["bot"].planners["script"].rows
    assert first.when is not None and first.when.value(names) is False
    assert second.when is not None and second.when.value(names) is True
    assert second.message.render(names) == "hello"
    assert [value.value(names) for value in second.tool_calls[0].input.values()] == [0, "hello"]
    assert {"far", "said", "results"} <= set(names) and len(names) == len(set(names))


def test_a_stop_condition_and_its_text_read_lets() -> None:
    play = Play(bundle(*files(GOOD)))
    play.plan(call("a", "look"), call("b", "look"), call("c", "look"))
    for one in "abc":
        play.returns(one, {"n": 1})
    play.plan(message="", done=True)
    assert (play.state.outcome, play.state.told) == ("acted", "Done 3.")
    other = Play(bundle(*files(GOOD)))
    other.plan(message="", done=True)
    assert (other.state.outcome, other.state.told) == ("answered", "hello")


def test_the_text_of_an_end_reads_lets() -> None:
    play = Play(bundle(*files(GOOD, more="ends: {failed: {message: 'Stopped, {{ said }}'}}\n")))
    while not play.state.final:
        play.plan_raw("no decision")
    assert play.state.told == "Stopped, hello"


def test_what_a_let_tests_is_known_in_the_row_and_in_its_text() -> None:
    found = "{found: \"len(results.look) > 0 and results.look[-1].status == 'ok'\"}"
    stop = "stop: [{outcome: answered, message: bye}]\n"
    row = "{WHENmessage: '{{ results.look[-1].output.n }}', done: true},"
    assert errors(found, rows=row.replace("WHEN", "when: found, "), stop=stop) == []
    assert [code for code, _ in errors(found, rows=row.replace("WHEN", "when: step.number > 1, "), stop=stop)] != []


def test_a_let_that_has_no_value_fails_who_reads_it_with_its_reason() -> None:
    made = bundle(*files("{far: 1 / (step.number - step.number), enough: false, bye: \"''\"}"))
    play = Play(made)
    for names in (planner_view(play.state, made).names, stop_names(play.state, made.agents["bot"])):
        row: Row = bundle(*files(GOOD, rows="{when: far > 0, message: a},")).agents["bot"].planners["script"].rows[0]
        assert row.when is not None
        with pytest.raises(EvaluationError, match="`far` has no value: division by zero"):
            row.when.value(names)


@pytest.mark.parametrize(
    ("lets", "codes"),
    [
        ("{enough: decision.done, far: 1, bye: \"''\"}", ["E404"]),
        ("{enough: far > 'a', far: 1, bye: \"''\"}", ["E403"]),
        ("{enough: true, far: lower(1), bye: \"''\"}", ["E404"]),
        ("{enough: far > 1, far: 2 if enough else 1, bye: \"''\"}", ["E513"]),
        ("{enough: enough, far: 1, bye: \"''\"}", ["E513"]),
        ("{session: 1, lower: 2, enough: true, far: 1, bye: \"''\"}", ["E312", "E312"]),
        ("{far: 1, bye: \"''\"}", ["E305"]),
        ("{enough: 1, far: 1, bye: \"''\"}", ["E404"]),
        ("{enough: 'far >', far: 1, bye: \"''\"}", ["E401"]),
    ],
)
def test_what_is_wrong_with_a_let_is_told_once_and_where_it_is_written(lets: str, codes: list[str]) -> None:
    assert [code for code, _ in errors(lets)] == codes


def test_lets_that_double_each_other_are_linked_in_bounded_time() -> None:
    chain = ", ".join(f'w{n}: "record(a=w{n - 1}, b=w{n - 1})"' for n in range(1, 40))
    assert errors(f"{{w0: step.number, {chain}, enough: true, far: 1, bye: \"''\"}}") == []
