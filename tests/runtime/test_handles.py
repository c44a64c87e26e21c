"""What a planner gets in the place of a sensitive value: it can be passed on, and says and carries nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.planner.transport import RecordingTransport, replayed_from
from engine.ports.tool import ToolInvocation
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.planner_view import PlannerView
from engine.session.sensitivity import HANDLE
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.model import server as s
from tests.runtime.acting import Acting
from tests.session.play import call

KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
DONE = {"message": "bye", "done": True}
HIDDEN = "[sensitive]"

Propose = Callable[[PlannerView], Any]


def sealed(table: str = "", rules: str = ALLOW) -> Bundle:
    path, text = agent("[grant, find, mail, count]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}").replace(
        "required: [tenant]", "required: [tenant, user]"
    )
    if table:
        text = text.replace("script: {kind: scripted, decisions: [{message: hi, done: true}]}", table)
    user = "user: {type: string, x-sensitive: true}"
    found = f"{{type: object, properties: {{{user}, pin: {{type: integer, x-sensitive: true}}}}}}"
    return bundle(
        (path, text), policy(rules),
        tool("grant", "write", input=f"{{type: object, properties: {{{user}, why: {{type: string}}}}, required: [user]}}",
             more="idempotency: {key: [input.user], honoured_by: tool}"),
        tool("find", input=f"{{type: object, properties: {{{user}}}}}", output=found),
        tool("mail", "write", input="{type: object, properties: {to: {type: string}, tags: {type: array, items: {type: string}}}}"),
        tool("count", input="{type: object, properties: {pin: {type: integer, x-sensitive: true}}}"),
    )  # fmt: skip


class Asking:
    """A planner that proposes what functions make of what it is shown."""

    def __init__(self, *proposals: Propose) -> None:
        self.proposals: list[Propose] = [*proposals, lambda view: DONE]

    async def propose(self, view: PlannerView) -> Any:
        return self.proposals.pop(0)(view)


class Desk:
    """Sessions of a user whose name is sensitive, and what the tools were given."""

    def __init__(self, folder: Path) -> None:
        self.given: list[tuple[str, Any, str | None]] = []
        self.store = MemoryStore()

        async def act(run: ToolInvocation) -> Any:
            self.given.append((run.tool.name, run.input, run.idempotency_key))
            return {"user": "dana-5", "pin": 731} if run.tool.name == "find" else {}

        self.acting = Acting(folder / "runs.txt", dict.fromkeys(("grant", "find", "mail", "count"), act))

    async def run(self, *proposals: Propose, user: str = "ada-4411", message: str = "hi") -> State:
        planner = Asking(*proposals) if proposals else None
        return await self.run_under(sealed(), planner, user=user, message=message)

    async def run_under(self, made: Bundle, planner: Any, user: str = "ada-4411", message: str = "hi") -> State:
        engine = Runner(self.store, adapters=self.acting, planner=planner, secrets=HostSecrets(KEY))
        return await engine.run(made, Opening("bot", message, {"tenant": "acme", "user": user}), Path("."))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def acts(*calls: dict[str, Any], message: str = "") -> dict[str, Any]:
    return {"message": message, "tool_calls": list(calls)}


def user_of(view: PlannerView) -> Any:
    return view.names["session"]["user"]


def result(state: State, call_id: str) -> tuple[str, str]:
    found = state.calls[call_id].result
    assert found is not None
    return found.status, found.reason


async def test_a_planner_passes_a_value_on_that_it_is_not_shown(desk: Desk) -> None:
    shown: list[Any] = []

    def propose(view: PlannerView) -> Any:
        shown.append(user_of(view))
        return acts(call("a", "grant", user=user_of(view)))

    state = await desk.run(propose)
    assert result(state, "a") == ("ok", "")
    assert [(name, given) for name, given, _ in desk.given] == [("grant", {"user": "ada-4411"})]
    assert "ada-4411" not in repr(shown)


async def test_a_decision_table_passes_a_value_on_that_it_is_not_shown(desk: Desk) -> None:
    table = (
        "script:\n    kind: rules\n    rows:\n"
        "      - {when: step.number == 1, message: go, tool_calls: [{name: grant, input: {user: session.user}}]}\n"
        "      - {message: bye, done: true}"
    )
    await desk.run_under(sealed(table), None)
    assert [(name, given) for name, given, _ in desk.given] == [("grant", {"user": "ada-4411"})]


async def test_the_key_the_digest_and_the_gate_see_the_value_and_not_what_stands_for_it(desk: Desk) -> None:
    rules = "  - {id: own, tools: [grant], effect: allow, when: input.user == session.user}"

    async def keys(user: str) -> list[str | None]:
        before = len(desk.given)
        planner = Asking(lambda view: acts(call("a", "grant", user=user_of(view))))
        await desk.run_under(sealed(rules=rules), planner, user=user)
        return [key for _, _, key in desk.given[before:]]

    ada, bela, again = await keys("ada-4411"), await keys("bela-4412"), await keys("ada-4411")
    assert len(ada) == len(bela) == 1
    assert ada != bela
    # the same write of another session: the tool honours its key
    assert again in (ada, [])


async def test_what_a_call_brought_is_passed_on_as_well_whatever_its_kind(desk: Desk) -> None:
    state = await desk.run(
        lambda view: acts(call("a", "find")),
        lambda view: acts(
            call("b", "grant", user=view.names["results"]["find"][-1]["output"]["user"]),
            call("c", "count", pin=view.names["calls"]["find"][-1]["output"]["pin"]),
        ),
    )
    assert [result(state, one) for one in "abc"] == [("ok", "")] * 3
    assert ("grant", {"user": "dana-5"}) in [one[:2] for one in desk.given]
    assert ("count", {"pin": 731}) in [one[:2] for one in desk.given]


async def test_what_a_person_reads_in_its_place_is_never_a_value(desk: Desk) -> None:
    state = await desk.run(lambda view: acts(call("a", "grant", user=HIDDEN)))
    assert result(state, "a") == ("blocked", "invalid_input")
    assert desk.given == []


@pytest.mark.parametrize("form", ["{}", "mailto:{}", " {}", "{} ", "{}{}"])
@pytest.mark.parametrize(("name", "field"), [("mail", "to"), ("grant", "why")])
async def test_it_counts_nowhere_but_in_a_field_that_is_marked(desk: Desk, form: str, name: str, field: str) -> None:
    def propose(view: PlannerView) -> Any:
        stands = user_of(view)
        rest = {"user": stands} if name == "grant" else {}
        return acts(call("a", name, **rest, **{field: form.replace("{}", stands)}))

    state = await desk.run(propose)
    assert result(state, "a") == ("blocked", "invalid_input")
    assert desk.given == []


@pytest.mark.parametrize("form", ["mailto:{}", " {}", "{} ", "{}{}", "{}\n"])
async def test_it_counts_as_the_whole_of_a_field_only(desk: Desk, form: str) -> None:
    state = await desk.run(lambda view: acts(call("a", "grant", user=form.replace("{}", user_of(view)))))
    assert result(state, "a") == ("blocked", "invalid_input")
    assert desk.given == []


async def test_it_is_not_taken_out_of_lists_and_keys_that_are_not_marked(desk: Desk) -> None:
    state = await desk.run(
        lambda view: acts(call("a", "mail", tags=["x", user_of(view)]), call("b", "mail", **{user_of(view): "x"}))
    )
    assert [result(state, one) for one in "ab"] == [("blocked", "invalid_input")] * 2
    assert desk.given == []


async def test_that_of_another_session_stands_for_nothing(desk: Desk) -> None:
    kept: list[Any] = []

    def keep(view: PlannerView) -> Any:
        kept.append(user_of(view))
        return DONE

    await desk.run(keep, user="ada-4411")
    await desk.run(keep, user="ada-4411")
    assert kept[0] != kept[1]
    state = await desk.run(lambda view: acts(call("a", "grant", user=kept[0])), user="bela-4412")
    assert result(state, "a") == ("blocked", "invalid_input")
    assert desk.given == []


async def test_in_a_message_to_people_it_carries_nothing_out(desk: Desk) -> None:
    state = await desk.run(lambda view: {"message": f"You are {user_of(view)}", "done": True})
    assert "ada-4411" not in state.told


def keeps(kept: list[Any]) -> Propose:
    """A planner's first proposal, which keeps the handle that it was shown."""

    def propose(view: PlannerView) -> Any:
        kept.append(user_of(view))
        return {"message": "And now?"}

    return propose


async def test_in_the_words_of_a_customer_it_is_a_text_like_any_other(desk: Desk) -> None:
    kept: list[Any] = []
    engine = Runner(desk.store, adapters=desk.acting, secrets=HostSecrets(KEY), planner=Asking(
        keeps(kept),
        lambda view: acts(call("a", "grant", user=user_of(view), why=view.messages[-1])),
    ))  # fmt: skip
    opening = Opening("bot", "hi", {"tenant": "acme", "user": "ada-4411"})
    state = await engine.run(sealed(), opening, Path("."))
    await engine.send(state.session_id, f"I am {kept[0]}")
    state = await engine.drive(state.session_id)
    # what the planner repeats of it is the planner's: it is refused there, and resolved nowhere
    assert result(state, "a") == ("blocked", "invalid_input")
    assert "ada-4411" not in json.dumps(state.messages)


async def test_it_stands_for_the_same_value_after_another_process_has_taken_over(desk: Desk) -> None:
    kept: list[Any] = []
    first = Runner(desk.store, adapters=desk.acting, secrets=HostSecrets(KEY), planner=Asking(
        keeps(kept),
    ))  # fmt: skip
    state = await first.run(sealed(), Opening("bot", "hi", {"tenant": "acme", "user": "ada-4411"}), Path("."))
    await first.send(state.session_id, "go on")
    other = Runner(desk.store, adapters=desk.acting, secrets=HostSecrets(KEY), planner=Asking(
        lambda view: acts(call("a", "grant", user=kept[0])),
    ))  # fmt: skip
    state = await other.drive(state.session_id)
    assert result(state, "a") == ("ok", "")
    assert desk.given[0][1] == {"user": "ada-4411"}


async def test_it_can_not_be_made_from_the_value_by_who_has_no_key(desk: Desk) -> None:
    kept: list[Any] = []

    def keep(view: PlannerView) -> Any:
        kept.append(user_of(view))
        return DONE

    await desk.run(keep, user="1111")
    await desk.run(keep, user="2222")
    # as long for each, and of at least 96 bits
    assert len(kept[0]) == len(kept[1])
    assert len(set(kept[0].removeprefix(HIDDEN[:-1]))) > 8
    assert len(kept[0]) >= 24


async def test_what_was_recorded_of_one_session_is_answered_to_another_with_its_own_handles(tmp_path: Path) -> None:
    path, text = agent("[grant]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}")

    async def passes_on(exchange: s.Exchange) -> None:
        handle = re.search(HANDLE, json.dumps(exchange.asked.body))
        assert handle is not None
        await s.decides("Granting", ("grant", {"user": handle[0]}), done=False)(exchange)

    def planned_at(url: str, stream: str) -> Bundle:
        model = (
            f"  model: {{kind: openai, model: m, base_url: '{url}/v1', api_key: '${{secret:MODEL_KEY}}', "
            f"stream: {stream}}}\n"
        )
        asked = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{model}")
        prices = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")
        user = "{type: object, properties: {user: {type: string, x-sensitive: true}}, required: [user]}"
        return bundle((path, asked), policy(ALLOW), prices, tool("grant", "write", input=user))

    for stream in ("true", "false"):
        folder = tmp_path / stream
        secrets = HostSecrets({**KEY, "MODEL_KEY": "sk-canary-4711"})
        async with s.serving(passes_on, s.decides("Done.")) as server:
            made = planned_at(server.url, stream)
            recorded = RecordingTransport(folder, secrets.masked)
            async with Runner(MemoryStore(), secrets=secrets, traffic=recorded) as engine:
                opening = Opening("bot", "hi", {"tenant": "acme", "user": "ada-4411"})
                await engine.run(made, opening, Path("."))
        async with Runner(MemoryStore(), secrets=secrets, traffic=replayed_from(folder)) as engine:
            state = await engine.run(made, opening, Path("."))
        (granted,) = state.calls.values()
        assert granted.input == {"user": "ada-4411"}
        assert granted.ok


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_an_answer_that_repeats_a_known_value_is_recorded_with_its_handle_and_played_again(
    tmp_path: Path, stream: str
) -> None:
    path, text = agent("[grant]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}")
    user = "{type: object, properties: {user: {type: string, x-sensitive: true}}, required: [user]}"
    secrets, kept = HostSecrets({**KEY, "MODEL_KEY": "sk-canary-4711"}), tmp_path / "kept"
    guesses = s.decides("I guess that it is ada-4411.", ("grant", {"user": "ada-4411"}), done=False)

    async def run(made: Bundle, traffic: Any) -> State:
        async with Runner(MemoryStore(), secrets=secrets, traffic=traffic) as engine:
            opening = Opening("bot", "hi", {"tenant": "acme", "user": "ada-4411"})
            return await engine.run(made, opening, Path("."))

    async with s.serving(guesses, s.decides("Done.")) as server:
        model = (
            f"  model: {{kind: openai, model: m, base_url: '{server.url}/v1', api_key: '${{secret:MODEL_KEY}}', "
            f"stream: {stream}}}\n"
        )
        asked = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{model}")
        prices = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")
        made = bundle((path, asked), policy(ALLOW), prices, tool("grant", "write", input=user))
        first = await run(made, RecordingTransport(kept, secrets.masked))
    exchanges = [one.read_text() for one in sorted(kept.iterdir())]
    assert [one for one in exchanges if "4411" in "".join(_said(json.loads(one)["response"]["body"]))] == []
    again = await run(made, replayed_from(kept))
    for state in (first, again):
        assert [call.input for call in state.calls.values()] == [{"user": "ada-4411"}]
        assert state.status.value == "done"


def _said(body: str) -> list[str]:
    lines = [line[6:] for line in body.split("\n") if line.startswith("data: {")] or [body or "{}"]
    choices = [choice for line in lines for choice in json.loads(line).get("choices", ())]
    return [str((one.get("delta") or one.get("message") or {}).get("content") or "") for one in choices]
