"""A planner that asks a model: within its bounds, each request in the log, faults told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import trio

from engine.language.value import number_of
from engine.planner.answer import MAX_ANSWER, Fault, ModelAnswer, word
from engine.planner.answer_format import JSON_SCHEMA, TOOLS, AnswerForm
from engine.planner.decision import decision, message_so_far
from engine.planner.faults import mangled
from engine.planner.finish import FinishReason, meaning
from engine.planner.offer import overhead_tokens
from engine.planner.prompt import BadPrompt, Prompt, Prompter
from engine.planner.recorded_handles import value_of, with_values
from engine.planner.reply_text import said_so_far
from engine.planner.resources import PlannerContext
from engine.planner.usage import RequestTokens
from engine.planner.wires import Wire, wire_for
from engine.ports.external_work import outside
from engine.ports.planner import PlannerError, Proposal, Say
from engine.session.handles import inert, place_of_handle, texts
from engine.session.planner_view import PlannerView
from engine.session.sensitivity import HIDDEN, sensitive_values
from engine.session.state.event import Event
from engine.session.state.inputs import ModelCall
from engine.spec.bundle import Agent, Bundle
from engine.spec.planner_spec import ModelSpec, PlannerSpec, Usage

# how often partial text is told, in seconds
TELL_EVERY = 0.1

# how much of a fault's message is kept, and from how many characters on an answer is large
MESSAGE = 500
LARGE = 50_000

# how often a turn may pause and go on before it is given up
MOST_PAUSES = 5

OK, PAUSED, TIMEOUT, TOO_LARGE = "ok", "paused", "timeout", "too_large"


class ModelPlanner:
    """Proposes what a model answers."""

    def __init__(self, spec: PlannerSpec, context: PlannerContext) -> None:
        """`_hide` tells a recording which texts are sensitive; `_played` are answers of one."""
        assert spec.model is not None
        resources, traffic = context.resources, context.resources.traffic
        self._name = context.name
        self._kind = spec.kind
        self._spec = spec.model
        self._agent = context.agent
        self._bundle = context.bundle
        self._resources = resources
        self._hide = getattr(traffic, "hide", None) if context.agent.seal is not None else None
        self._played = traffic is not None and traffic.offline
        self._wire: Wire
        self._asked = asked_of(spec.model, context.agent, context.bundle)
        self._prompter: Prompter | None = None

    async def propose(self, view: PlannerView) -> Any:
        """See `ports.Planner`: a proposal without a history."""
        return await self.consider(view, (), lambda text: None)

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Proposal:
        """See `ports.Reader`."""
        try:
            with outside():
                prompt = await trio.to_thread.run_sync(self._prompt, view, log)
            self._wire = await wire_for(self._kind, self._spec, self._resources)
            if self._hide is not None and view.handles is not None:
                await self._hide({text: value_of(handle) for text, handle in view.handles.by_text.items()})
        except BadPrompt as error:
            raise PlannerError(str(error), final=True) from None
        question, attempt = _ModelQuestion(self, prompt, say), 1
        while not await question.ask(attempt, view.ask):
            fault = question.fault
            if fault is None:
                continue
            if question.delay is None:
                # a fault of the answer is the model's to repair, any other is the server's
                over = fault.final or fault.retryable
                raise PlannerError(
                    self._resources.secrets.masked(fault.message)[:MESSAGE],
                    question.usage,
                    tuple(question.notes),
                    final=over,
                )
            await trio.sleep(float(question.delay))
            attempt += 1
        decision = question.decision
        if self._played and view.handles is not None:
            decision = with_values(decision, view.handles)
        return Proposal(decision, question.usage, tuple(question.notes))

    def _prompt(self, view: PlannerView, log: Sequence[Event]) -> Prompt:
        if self._prompter is None:
            overhead = overhead_tokens(self._kind, self._asked, self._spec.extra_body)
            self._prompter = Prompter(self._agent, self._bundle, self._spec, overhead)
        return self._prompter.prompt(view, log, self._asked.rules)

    async def hidden(self, decided: Mapping[str, Any]) -> None:
        """Have hidden what a decision gives to fields that are marked."""
        if self._hide is None:
            return
        calls = decided["tool_calls"] if isinstance(decided["tool_calls"], list) else []
        found: list[str] = []
        for call in calls:
            tool = self._bundle.tools.get(str(call.get("name"))) if isinstance(call, dict) else None
            for value in sensitive_values(call.get("input"), tool.input_schema) if tool is not None else ():
                found += [text for text in texts(value) if not place_of_handle(text)]
        await self._hide(dict.fromkeys(found, HIDDEN))

    def fault_text(self, fault: Fault) -> str:
        """What is kept of a fault's message: secrets and handles are looked for before it is cut."""
        return inert(self._resources.secrets.masked(fault.message))[:MESSAGE]

    def delay(self, attempt: int, fault: Fault) -> Decimal | None:
        """How many seconds to wait after a fault; None if it is not asked again."""
        retry = self._spec.retry
        if not fault.retryable or attempt >= retry.attempts:
            return None
        own = Decimal(retry.delay_after(attempt, self._resources.dice()).total_seconds())
        told = Decimal(fault.retry_after or 0)
        return None if told > Decimal(retry.max_delay.total_seconds()) else _rounded(max(own, told))


class _ModelQuestion:
    """One question to the model, and what each request for it came to."""

    def __init__(self, planner: ModelPlanner, prompt: Prompt, say: Say) -> None:
        self._planner = planner
        self._spec = planner._spec
        self._prompt = prompt
        self._digest = prompt.digest
        self._say = say
        self._before = ""
        self._pauses = 0
        self.decision: Any = None
        self.fault: Fault | None = None
        self.delay: Decimal | None = None
        self.notes: list[ModelCall] = []

    async def ask(self, attempt: int, ask: int) -> bool:
        """Make one request; True if it brought the decision.  Without a `fault` the turn has paused, and goes on."""
        answer, began = ModelAnswer(), trio.current_time()
        asked = self._planner._asked
        fault: Fault | None = None

        told_at = began - TELL_EVERY

        def on_text() -> None:
            nonlocal told_at
            if answer.size > MAX_ANSWER:
                raise Fault(TOO_LARGE, f"the answer is longer than {MAX_ANSWER} characters")
            # as often as people can read: putting the pieces together each time would take too long
            if trio.current_time() - told_at >= TELL_EVERY:
                text = said_so_far(self._before + answer.text)
                text = text if asked.mode == TOOLS else message_so_far(text)
                if text:
                    told_at = trio.current_time()
                    self._say(text)

        try:
            with outside(), trio.fail_after(self._spec.timeout.total_seconds()):
                await self._planner._wire.ask(self._prompt, asked, answer, on_text)
            if not self._paused(answer, asked):
                self.decision = await self._decided(answer, asked, ask)
                await self._planner.hidden(self.decision)
                self._say(self.decision["message"] if isinstance(self.decision.get("message"), str) else "")
        except trio.TooSlowError:
            seconds = self._spec.timeout.total_seconds()
            fault = Fault(TIMEOUT, f"there was no answer within {seconds:g} s", retryable=True)
        except Fault as error:
            fault = error
        self.fault = fault
        self.delay = self._planner.delay(attempt, fault) if fault is not None else None
        self._note(answer, attempt, trio.current_time() - began, fault)
        return self.decision is not None

    def _paused(self, answer: ModelAnswer, asked: AnswerForm) -> bool:
        """Whether the server has only paused its turn: the next request goes on where it was; raises Fault."""
        if meaning(answer.finish) is not FinishReason.PAUSED:
            if self._before and asked.mode != JSON_SCHEMA:
                answer.pieces.insert(0, self._before)
            return False
        if answer.calls:
            raise mangled("a turn that only pauses calls a tool")
        self._pauses += 1
        if self._pauses > MOST_PAUSES or not answer.blocks:
            raise Fault("unfinished", f"the model has paused its turn {self._pauses} times, and never ends it")
        self._before += answer.text
        self._prompt = self._prompt.going_on(answer.blocks)
        try:
            self._prompt.check(self._spec.max_prompt_tokens)
        except BadPrompt as error:
            raise Fault(TOO_LARGE, f"the model has paused its turn, which can't go on: {error}") from None
        return True

    async def _decided(self, answer: ModelAnswer, asked: AnswerForm, ask: int) -> dict[str, Any]:
        """What the answer decides; a large one is read in a thread."""
        if answer.size < LARGE:
            return decision(answer, asked, ask)
        return await trio.to_thread.run_sync(decision, answer, asked, ask)

    def _note(self, answer: ModelAnswer, attempt: int, seconds: float, fault: Fault | None) -> None:
        taken = self._tokens_of(answer, fault)
        price = self._spec.price
        cost = price.of(taken.fresh, taken.out, taken.cached, taken.cache_write) if price else None
        status = fault.status if fault else OK if self.decision is not None else PAUSED
        self.notes.append(
            ModelCall(
                self._planner._name,
                self._spec.model,
                status,
                attempt,
                self._digest,
                answer.request_id,
                taken.read,
                taken.out,
                cost,
                _rounded(Decimal(seconds)),
                word(answer.finish),
                self._planner.fault_text(fault) if fault else "",
                self.delay,
                taken.cached,
                taken.cache_write,
                tuple(answer.repairs),
            )
        )

    def _tokens_of(self, answer: ModelAnswer, fault: Fault | None) -> RequestTokens:
        """The tokens that a request counts as; what a server does not tell counts as it was reserved."""
        reserved = RequestTokens(self._spec.max_prompt_tokens, out=self._spec.max_answer_tokens)
        if fault is not None and fault.free:
            reserved = RequestTokens()
        cached_apart = self._planner._wire.cached_apart
        return answer.counts.request_tokens(reserved, cached_apart=cached_apart, answered=answer.size > 0)

    @property
    def usage(self) -> Usage:
        taken = sum(note.tokens_in + note.tokens_out for note in self.notes)
        cost = sum((Decimal(note.cost_usd) for note in self.notes if note.cost_usd is not None), Decimal(0))
        return Usage(taken, number_of(cost))


def asked_of(spec: ModelSpec, agent: Agent, bundle: Bundle) -> AnswerForm:
    """How the model of an agent's planner is asked."""
    tools = tuple(bundle.tools[tool] for tool in agent.tools)
    strict = spec.strict and spec.answers == JSON_SCHEMA
    return AnswerForm(spec.answers, tools, agent.limits.calls_per_step or 8, spec.max_text, strict)


def _rounded(seconds: Decimal) -> Any:
    return number_of(seconds.quantize(Decimal("0.001")))
