"""Random sessions on the pure core: whatever comes in which order, the promises hold after every event."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.language.value import canonical, loads
from engine.session.decide.decide import decide
from engine.session.state import inputs
from engine.session.state.effects import AskPlanner, ReadFact, RunTool
from engine.session.state.event import EventKind
from engine.session.state.evolve import fold
from engine.session.state.snapshot import restored, snapshot
from engine.session.state.state import Phase
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play

RULES = """
  - {id: open, tools: [write, keyed, ask], effect: allow, when: fact.ok or not fact.ok}
  - {id: never, tools: all, effect: deny, when: input.n == 3}
  - {id: bad, tools: [keyed], effect: deny, when: not fact.ok}
  - id: large
    tools: [write, keyed]
    effect: require_approval
    when: input.n != null and input.n > 4
    approvers: [leads]
"""
RETRY = "retry: {attempts: 3, on: [retryable, timeout], delay: 1s}"
LIMITS = (
    "{steps: 6, calls: 9, calls_per_step: 4, calls_per_tool: {write: 2}, fact_reads: 7, repairs: 2, concurrency: 2, "
    "retries_per_session: 3, meters: {n: {sum: 'input.n if input.n != null else 0', over: [write, keyed], limit: 8}}}"
)
MADE = bundle(
    agent("[look, slow, write, keyed, ask]", policies="[rules]", budgets=LIMITS),
    policy(RULES, facts="{fact: {tool: state, input: {n: input.n}}}"),
    tool("look"),
    tool("slow", more=f"on_failure: cancel_siblings\n{RETRY}"),
    tool("write", "write"),
    tool("keyed", "write", more=f"idempotency: {{key: [input.n], honoured_by: tool}}\n{RETRY}"),
    tool("ask", "write", more="adapter: {kind: handoff, reviewers: leads, question: 'and?'}"),
    tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
    reviewers("leads", "[ana, bo]"),
)

calls = st.lists(
    st.tuples(st.sampled_from(["look", "slow", "write", "keyed", "ask", "nothing"]), st.integers(0, 7)), max_size=5
)
indices = st.integers(0, 5)


class Session(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.play = Play(MADE)
        self.ids = 0
        self.over: str | None = None

    @property
    def running(self) -> list[RunTool]:
        return [effect for effect in self.play.effects if isinstance(effect, RunTool)]

    @rule(proposed=calls, done=st.booleans(), seconds=st.sampled_from([0, 1, 2.5, 9]))
    def the_planner_proposes(self, proposed: list[tuple[str, int]], done: bool, seconds: float) -> None:
        self.play.pass_time(seconds)
        made = []
        for name, n in proposed:
            self.ids += 1
            made.append({"id": f"c{self.ids}", "name": name, "input": {"n": n}})
        self.play.plan(*made, message="x" if done or not made else "", done=done and not made)

    @rule(raw=st.sampled_from(["nonsense", {}, {"message": "x", "done": True, "tool_calls": [{"id": "z"}]}]))
    def the_planner_breaks_its_contract(self, raw: Any) -> None:
        self.play.plan_raw(raw)

    @precondition(lambda self: self.running)
    @rule(
        index=indices,
        how=st.sampled_from(["ok", "ok", "ok", "bad", "error", "retryable", "timeout"]),
        acted=st.booleans(),
    )
    def a_tool_ends(self, index: int, how: str, acted: bool) -> None:
        effect = self.running[index % len(self.running)]
        if how in ("ok", "bad"):
            self.play.returns(effect.call_id, {} if how == "ok" else "no object")
        else:
            self.play.fails(effect.call_id, how, acted=acted)

    @rule(index=indices, output=st.sampled_from([{"ok": True}, {"ok": False}, "broken", None]))
    def a_fact_is_read(self, index: int, output: Any) -> None:
        reads = [effect for effect in self.play.effects if isinstance(effect, ReadFact)]
        if reads:
            one = reads[index % len(reads)]
            now = self.play.now
            reply: inputs.Input = (
                inputs.FactFailed(one.fact_key, one.gate, "down", now, now)
                if output is None
                else inputs.FactReturned(one.fact_key, one.gate, output, now, now)
            )
            self.play.say(reply)

    @rule(seconds=st.sampled_from([0, 1, 0.333, 61, 400.5, 90_000]))
    def time_passes(self, seconds: float) -> None:
        self.play.tick(seconds)

    @rule()
    def cancelled_calls_report_back(self) -> None:
        for call in list(self.play.state.calls.values()):
            if call.phase is Phase.STARTED and call.cancelled is not None:
                self.play.fails(call.id, "cancelled")

    @rule()
    def another_driver_takes_over(self) -> None:
        self.play.claim()

    @rule()
    def the_driver_lets_go_and_comes_back(self) -> None:
        self.play.say(inputs.SessionReleased("me", self.play.now))
        started = len(self.play.started())
        for effect in self.running:
            self.play.returns(effect.call_id)
        assert len(self.play.started()) == started, "nothing new begins for a driver that leaves"
        assert not self.play.effects
        self.play.claim()

    @precondition(lambda self: self.running)
    @rule(index=indices)
    def a_tool_can_not_begin_where_it_is_driven(self, index: int) -> None:
        effect = self.running[index % len(self.running)]
        attempt = self.play.call(effect.call_id).attempt
        self.play.say(inputs.SessionReleased("me", self.play.now))
        self.play.say(inputs.ToolNotBegun(effect.call_id, attempt, "a secret is missing", self.play.now))
        assert all(one.call_id != effect.call_id for one in self.running)
        self.play.claim()

    @rule(
        index=indices,
        yes=st.booleans(),
        by=st.sampled_from(["ana", "bo", "zoe"]),
        edit=st.sampled_from([None, {"n": 5}, {"n": 3}]),
    )
    def a_person_answers(self, index: int, yes: bool, by: str, edit: dict[str, int] | None) -> None:
        open_ = self.play.state.open_requests()
        if not open_:
            return
        request = open_[index % len(open_)]
        if request.kind == "approval":
            reply = inputs.RequestAnswered(
                request.id, "approve" if yes else "deny", by, "", None, edit if yes else None, self.play.now
            )
        else:
            value = "did_not_happen" if request.kind == "settle" else {}
            reply = inputs.RequestAnswered(request.id, "answer", by, "", value, None, self.play.now)
        answered = decide(self.play.state, reply, MADE)
        if not isinstance(answered, inputs.InputRefused):
            self.play.say(reply)

    @rule()
    def the_user_writes_again(self) -> None:
        if not self.play.state.final:
            self.play.say(inputs.MessageSent("and?", self.play.now))

    @rule(sure=st.integers(0, 9))
    def somebody_cancels(self, sure: int) -> None:
        if sure == 0 and not self.play.state.final:
            self.play.say(inputs.CancelRequested("me", self.play.now))

    # -- what must hold

    @invariant()
    def refolding_gives_the_same_state(self) -> None:
        assert [event.seq for event in self.play.log] == list(range(1, len(self.play.log) + 1))
        assert fold(self.play.log) == self.play.state
        assert restored(snapshot(self.play.state)) == self.play.state
        for event in self.play.log[-12:]:
            assert loads(canonical(event.payload)) == event.payload

    @invariant()
    def budgets_are_never_exceeded(self) -> None:
        state = self.play.state
        started = {e.payload["call_id"]: e.payload["tool"] for e in self.play.log if e.kind is EventKind.CALL_STARTED}
        per_tool = Counter(started.values())
        assert len(started) <= 9
        assert all(count <= (2 if name == "write" else 8) for name, count in per_tool.items())
        steps = {e.payload["call_id"]: e.step for e in self.play.log if e.kind is EventKind.CALL_STARTED}
        assert all(count <= 4 for count in Counter(steps.values()).values())
        assert state.used.steps <= 6
        assert state.used.repairs <= 3
        assert state.used.retries <= 3
        assert state.used.meter("n") <= 8
        happened = sum(c.input["n"] for c in state.calls.values() if c.ok and c.name in ("write", "keyed"))
        assert happened <= state.used.meter("n")
        assert sum(e.kind is EventKind.FACT_READ and e.payload["started"] is not None for e in self.play.log) <= 7
        assert len(state.running_calls()) <= 2

    @invariant()
    def nothing_starts_that_was_not_allowed_just_before(self) -> None:
        verdicts: dict[str, Any] = {}
        for event in self.play.log:
            if event.kind is EventKind.VERDICT:
                verdicts[event.payload["call_id"]] = event
            elif event.kind is EventKind.CALL_STARTED and event.payload["attempt"] == 1:
                said = verdicts[event.payload["call_id"]]
                assert said.payload["verdict"] == "allow" or said.payload["satisfied"]
                assert event.seq == said.seq + 1

    @invariant()
    def writes_never_overlap_nor_overtake(self) -> None:
        state = self.play.state
        writes = [c for c in (*state.running_calls(), *state.retrying_calls()) if c.effect == "write"]
        assert len(writes) <= 1
        for call in writes:
            before = [c for c in self.play.state.step_calls() if c.effect == "write"]
            assert all(c.ok for c in before[: before.index(call)])

    @invariant()
    def a_result_is_final_once(self) -> None:
        final = Counter(
            e.payload["call_id"] for e in self.play.log
            if e.kind is EventKind.TOOL_RESULT and e.payload["final"] and not e.payload["settled"]
        )  # fmt: skip
        assert all(count == 1 for count in final.values())

    @invariant()
    def an_ended_session_stays_ended(self) -> None:
        state = self.play.state
        if self.over is not None:
            assert state.status.value == self.over
        if state.final:
            self.over = state.status.value
            assert self.play.effects == ()
            assert not state.running_calls()

    @invariant()
    def a_running_session_has_something_to_wait_for(self) -> None:
        state = self.play.state
        cancelling = any(call.cancelled for call in state.running_calls())
        if not state.final and state.status.value == "running":
            waits = bool(state.retrying_calls())
            assert self.play.effects or cancelling or waits or state.unseen or state.cancel_by or _answered(state)

    @invariant()
    def effects_are_told_apart_by_their_keys(self) -> None:
        keys = [effect.key for effect in self.play.effects]
        assert len(keys) == len(set(keys))
        assert sum(isinstance(effect, AskPlanner) for effect in self.play.effects) <= 1


def _answered(state: Any) -> bool:
    """Somebody answered, and no driver has drawn the conclusion yet."""
    return any(request.answered is not None for request in state.requests.values())


TestSession = Session.TestCase
TestSession.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
