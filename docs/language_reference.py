"""The constructs of the policy language, each with what it does, what is refused, and what is an error at run.

`constructs/` says what is to be shown; everything that is shown comes from the engine itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.bundle.files import BundleFiles
from engine.bundle.link.guarantees import GUARANTEED
from engine.bundle.load import LoadedBundle, load
from engine.bundle.yaml_reader import read
from engine.diagnostic import SourceFile
from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.expression import compile_expression
from engine.language.functions import FUNCTIONS, PROVENANCE
from engine.language.provenance.origins import Evidence, Origins
from engine.language.schema_types import of_schema
from engine.language.syntax import Kind, Problem, SyntaxProblem
from engine.language.value import jsonable, one_line, pretty, span
from engine.session.expression_names import ToolTypes, gate_scope, meters_type, planner_scope, stop_scope
from engine.session.judge import NOTHING_GIVEN, JudgedCall, PriorEvent, judge_after
from engine.spec.bundle import Meter

CONSTRUCTS = Path(__file__).resolve().parent / "constructs"

CODES: Mapping[Kind, str] = {
    Kind.SYNTAX: "E401",
    Kind.FIELD: "E402",
    Kind.COMPARISON: "E403",
    Kind.OPERAND: "E404",
    Kind.FUNCTION: "E405",
    Kind.TOO_LARGE: "E406",
    Kind.NULL: "E409",
    Kind.UNION: "E410",
    Kind.UNBOUNDED: "E411",
    Kind.NAME: "E305",
    Kind.PARAM: "E306",
    Kind.TOOL: "E302",
}


# -- expressions


@dataclass(frozen=True, slots=True)
class Shown:
    """An expression at work: its value, or the problem at load with the text it is about, or the error at run."""

    text: str
    value: Any = None
    problem: Problem | None = None
    error: str | None = None

    @property
    def about(self) -> str:
        """What the problem is shown at."""
        return "" if self.problem is None else self.text[self.problem.start : self.problem.end]


def show(text: str, given: Mapping[str, Any] | None = None, place: str = "gate") -> Shown:
    """Type and evaluate an expression over the sample, where it stands."""
    try:
        expression, problems = compile_expression(text, scope(place))
    except SyntaxProblem as error:
        return Shown(text, problem=error.problem)
    if problems:
        return Shown(text, problem=problems[0])
    names = sample(given or {})
    try:
        value = expression.value(names)
    except EvaluationError as error:
        return Shown(text, error=str(error))
    assert value == expression.reference(names), "both ways to evaluate agree"
    return Shown(text, value=value)


# a meter that sessions share
METER = Meter("refund_usd", {}, Decimal(1000), "block", {"refund": compile_expression("1", {})[0]})


def scope(place: str) -> dict[str, types.Type]:
    """The types of the sample's names in a rule, a guarantee, a `release_unless`, a stop condition or a table."""
    told = data("sample")
    tool_types = ToolTypes(of_schema(told["input_schema"]), of_schema(told["output_schema"]))
    params = types.Record({key: types.Field(types.of_value(value)) for key, value in _params().items()}, "param")
    session, tools = types.record("field", "", tenant=types.TEXT), {"refund": tool_types}
    rule = {**gate_scope(session, tools, "refund"), "params": params, "meters": meters_type([METER], "refund")}
    scopes: dict[str, dict[str, types.Type]] = {
        "gate": rule,
        "guarantee": {**rule, **GUARANTEED},
        "release": {**rule, "output": tool_types.output},
        "stop": stop_scope(session, tools),
        "planner": planner_scope(session, tools),
    }
    return scopes[place]


def sample(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the sample's names; `given` stand under `input` in the place of its own."""
    told = data("sample")
    now = datetime.fromisoformat(told["now"])
    done = {"input": told["input"], "output": {"id": "r1"}, "at": now - timedelta(hours=1)}
    read = {"input": told["input"], "output": {"id": "r0"}, "at": now - timedelta(hours=2)}
    open_call = {"id": "c2", "name": "refund", "input": told["input"], "status": "", "reason": ""}
    limit = {"used": 2, "limit": 12, "left": 10}
    return {
        "input": {**told["input"], **given},
        "params": _params(),
        "session": told["session"],
        "now": now,
        "messages": told["messages"],
        "call": {"name": "refund", "id": "c2", "proposed_at": now},
        "calls": {"refund": [done]},
        "seen": {"refund": [read, done]},
        "denied": {"refund": []},
        "step": {"number": 2, "calls": [open_call]},
        "budget": {"steps": limit},
        "meters": {
            "refund_usd": {
                "used": 480,
                "limit": 1000,
                "left": 520,
                "shared": {"used": 730, "limit": 1000, "left": 270},
            }
        },
        "verdict": "require_approval",
        "approvers": FUNCTIONS["set"].run(["leads"]),
        "output": done["output"],
        PROVENANCE: Origins([Evidence("session", told["session"]), Evidence("customer", told["messages"])]),
        "decision": {"message": "Bye", "tool_calls": [], "done": True},
        "results": {"refund": [{**done, "id": "c1", "status": "ok", "reason": "", "message": ""}]},
    }


def _params() -> dict[str, Any]:
    return {key: span(value) if key == "window" else value for key, value in data("sample")["params"].items()}


# -- documents


@dataclass(frozen=True, slots=True)
class Example:
    """A construct of a document in its bundle."""

    told: Mapping[str, Any]

    def files(self, *, wrong: bool = False) -> dict[str, str]:
        """The bundle's files; with `wrong`, changed as the entry says."""
        desk = data("desk")
        files = dict(desk["files"])
        files["policies/orders.yaml"] = desk["policy"] + self.told["policy"]
        if "vocabulary" in self.told:
            files["specs/vocabularies/shop.yaml"] = desk["vocabulary"] + self.told["vocabulary"]
        if wrong:
            change = self.told["wrong"]
            places = (
                [change["file"]] if "file" in change else [name for name in files if change["change"] in files[name]]
            )
            files[places[-1]] = files[places[-1]].replace(change["change"], change["to"], 1)
        return files

    def loaded(self, *, wrong: bool = False) -> LoadedBundle:
        """The bundle, or its diagnostics."""
        return load(BundleFiles({path: text.encode() for path, text in self.files(wrong=wrong).items()}))

    def judged(self, *, failing: bool = False) -> JudgedCall:
        """What the gate says of the call; `failing` under what the entry takes away or changes."""
        desk, bundle = data("desk"), self.loaded().bundle
        assert bundle is not None, self.told["form"]
        call = self.told.get("call", desk["call"])
        session, args, prior = dict(desk["session"]), call["args"], desk["prior"]
        if failing:
            session |= self.told.get("session", {})
            args = self.told.get("args", args)
            prior = [entry for entry in prior if entry["tool"] != self.told.get("without")]
        past = [PriorEvent(e["event"], e["tool"], e["args"], e["output"]) for e in prior]
        past += [PriorEvent(self.told["then"]["event"])] if "then" in self.told else []
        now = datetime.fromisoformat(desk["now"])
        output = call.get("output", NOTHING_GIVEN)
        return judge_after(bundle, bundle.agents["desk"], past, session, call["tool"], args, now, output)


# -- the page


def data(name: str) -> Any:
    """A file of `constructs/`, read as the engine reads YAML: numbers exact, durations text."""
    path = CONSTRUCTS / f"{name}.yaml"
    node = read(SourceFile(path.name, path.read_text("utf-8")), lambda diagnostic: None)
    assert node is not None, path
    return node.plain


def constructs(name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of a file with the heading that each stands under."""
    for heading, entries in data(name).items():
        for entry in entries:
            yield heading, entry


def page() -> str:
    """`docs/reference/language.md`."""
    told = data("sample")
    parts = [_HEAD.replace("{input}", pretty(told["input"])).replace("{params}", one_line(told["params"]))]
    heading = ""
    for found, entry in constructs("expressions"):
        if found != heading:
            heading = found
            parts.append(f"\n## {heading}\n")
        parts.append(_expression(entry))
    parts.append(_MIDDLE.format(bundle=_desk()))
    for found, entry in constructs("documents"):
        if found != heading:
            heading = found
            parts.append(f"\n### {heading}\n")
        parts.append(_document(entry))
    return "\n".join(parts).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _expression(entry: Mapping[str, Any]) -> str:
    example, wrong = shown_of(entry, "example"), shown_of(entry, "wrong")
    assert wrong.problem is not None, entry["form"]
    rows = [f"- `{entry['form']}`: {entry['says']}."]
    rows.append(f"  - `{entry['example']}` is `{one_line(jsonable(example.value))}`")
    code = CODES[wrong.problem.kind]
    rows.append(f"  - refused: `{entry['wrong']}` ([{code}](diagnostics/{code}.md)): {wrong.problem.message}")
    if "fails" in entry:
        failed = shown_of(entry, "fails")
        under = f" where `input.{next(iter(entry['given']))}` is `{_of(entry['given'])}`" if "given" in entry else ""
        rows.append(f"  - error: `{entry['fails']}`{under}: {failed.error}")
    else:
        rows.append(f"  - no error at run: {entry['never_fails']}")
    return "\n".join(rows)


def shown_of(entry: Mapping[str, Any], key: str) -> Shown:
    """What an entry shows under a key: its `example`, what is `wrong`, or what `fails`."""
    return show(entry[key], entry.get("given") if key == "fails" else None, entry.get("scope", "gate"))


def _of(given: Mapping[str, Any]) -> str:
    return one_line(next(iter(given.values())))


def _document(entry: Mapping[str, Any]) -> str:
    example = Example(entry)
    text = (f"# vocabulary\n{entry['vocabulary']}\n# policy\n" if "vocabulary" in entry else "") + entry["policy"]
    wrong = sorted(example.loaded(wrong=True).diagnostics, key=lambda d: d.code != entry["wrong"]["code"])[0]
    change = entry["wrong"]
    rows = [f"- `{entry['form']}`: {entry['says']}.\n", "  ```yaml", *_indented(text), "  ```\n"]
    rows.append(f"  - gives: {_verdict(example.judged())}")
    by = f"`{change['to']}` for `{change['change']}`" if change["to"] else f"without `{change['change'].strip(', ')}`"
    rows.append(f"  - refused: {by} ([{wrong.code}](diagnostics/{wrong.code}.md)): {wrong.message}")
    if "fails" in entry:
        rows.append(f"  - at run: {_under(entry)}: {_verdict(example.judged(failing=True))}")
    else:
        rows.append(f"  - no error at run: {entry['never_fails']}")
    return "\n".join(rows) + "\n"


def _under(entry: Mapping[str, Any]) -> str:
    if "without" in entry:
        return f"if `{entry['without']}` did not answer"
    given = entry.get("session", entry.get("args"))
    return f"given `{one_line(given)}`"


def _verdict(judged: JudgedCall) -> str:
    rules = f" by {', '.join(f'`{rule}`' for rule in judged.rules)}" if judged.rules else " (no rule allows it)"
    asked = f", asks {', '.join(f'`{group}`' for group in judged.ask_groups)}" if judged.ask_groups else ""
    errors = f"; {'; '.join(judged.errors)}" if judged.errors else ""
    return f"`{judged.verdict}`{rules}{asked}{errors}"


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.rstrip().splitlines()]


def _desk() -> str:
    desk = data("desk")
    history = "\n".join(f"- `{e['tool']}` {one_line(e['args'])} gave {one_line(e['output'])}" for e in desk["prior"])
    call = f"`{desk['call']['tool']}` {one_line(desk['call']['args'])}"
    session = f"in a session with\n{one_line(desk['session'])}"
    return f"{history}\n\nThe call is {call}, unless an example says otherwise, {session}."


_HEAD = """# The language, construct by construct

Each entry has an example with its value, one that is refused at load, and one that is an error at run. A rule whose
condition is an error counts as a match if it denies or asks, and as no match if it allows.

The examples read these names: `input` is

```json
{input}
```

where `note` is optional and absent, `open_list` says no `maxItems`, `any` no type, and `amount_usd` and `fee_eur` are
in USD and EUR. `params` is `{params}`. The refund `r1` was made an hour ago; the runtime read `r0` before.
"""

_MIDDLE = """
## Documents

The examples stand in a bundle with the tools `find_user`, `get_order`, `cancel_order`, `ship_order` and, for facts
only, `get_stock`. Before the call that is judged:

{bundle}
"""
