"""Everything that is shown of the retail bundle, counted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import trio

from engine.spec.bundle import Bundle
from tests.retail.conversation import ALLOWED, Conversation, conversation, without_yes
from tests.retail.data import Data
from tests.retail.judging import cases, shuffled
from tests.retail.run import DATABASE, Outcome, run
from tests.retail.second_user import second_users
from tests.retail.shop import content, fill
from tests.retail.violations import violations

SHUFFLES = 5
SECOND_USERS = 20
AT_ONCE = 4

OnDone = Callable[[], None]


@dataclass(slots=True)
class Count:
    """How many of how many came out as they must, and what did not."""

    held: int = 0
    all: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, held: bool, what: str) -> None:
        """Count one."""
        self.all += 1
        self.held += held
        if not held:
            self.wrong.append(what)

    def __str__(self) -> str:
        return f"{self.held}/{self.all}"


@dataclass(slots=True)
class Proof:
    """What was shown; `rules` is the violations by the rule that has to stop them."""

    tasks: int = 0
    right: Count = field(default_factory=Count)
    contrary: Count = field(default_factory=Count)
    reads: Count = field(default_factory=Count)
    rules: dict[str, Count] = field(default_factory=dict)
    unconfirmed: Count = field(default_factory=Count)
    second_user: Count = field(default_factory=Count)
    judged: Count = field(default_factory=Count)
    shuffled: Count = field(default_factory=Count)
    seconds: float = 0

    def counts(self) -> list[Count]:
        """All of them."""
        several = [self.right, self.contrary, self.reads, self.unconfirmed, self.second_user]
        return [*several, self.judged, self.shuffled, *self.rules.values()]

    @property
    def holds(self) -> bool:
        """Whether nothing came out otherwise, and there was something of each."""
        return all(count.held == count.all > 0 for count in self.counts())

    def line(self) -> str:
        """The summary."""
        stopped = sum(count.held for count in self.rules.values())
        of = sum(count.all for count in self.rules.values())
        by_rule = ", ".join(f"{rule} {count}" for rule, count in sorted(self.rules.items()))
        return (
            f"retail: {self.tasks} tasks, right writes allowed {self.right}, contrary ones stopped {self.contrary}, "
            f"reads as recorded {self.reads}, violations stopped {stopped}/{of} ({by_rule}), "
            f"without a yes none of the writes {self.unconfirmed}, for a second user nothing {self.second_user}, "
            f"judged alike {self.judged}, shuffled alike {self.shuffled}, {self.seconds:.1f} s"
        )


def prove(bundle: Bundle, data: Data, tell: OnDone = lambda: None) -> Proof:
    """Run and judge everything; `tell` is called once for each conversation."""
    began = time.monotonic()
    told = [conversation(episode) for episode in data.episodes]
    wrong = violations(data.db, told)
    proof = Proof(tasks=len(told), rules={rule: Count() for rule in wrong})
    silent = [without_yes(one) for one in told]
    strange = second_users(told, SECOND_USERS)
    with tempfile.TemporaryDirectory(prefix="retail-") as folder:
        shop = Path(folder) / "shop.db"
        fill(shop, bundle.files["specs/databases/retail.sql"].decode(), data.db)
        before = content(shop)

        def untouched(outcome: Outcome) -> bool:
            return content(Path(folder) / outcome.told.name / DATABASE) == before

        async def all_of(conversations: Iterable[Conversation], count: Callable[[Outcome], None]) -> None:
            limit = trio.CapacityLimiter(AT_ONCE)

            async def one(each: Conversation) -> None:
                async with limit:
                    count(await run(bundle, each, shop, Path(folder) / each.name))
                    tell()

            async with trio.open_nursery() as nursery:
                for each in conversations:
                    nursery.start_soon(one, each)

        async def everything() -> None:
            await all_of(told, lambda outcome: _count_task(proof, outcome))
            for rule, conversations in wrong.items():
                await all_of(conversations, lambda o, rule=rule: _count(proof.rules[rule], o))  # type: ignore[misc]
            await all_of(silent, lambda o: _count_silent(proof, o, untouched(o)))
            await all_of(strange, lambda o: _count(proof.second_user, o))

        trio.run(everything)
    _judge(proof, bundle, data, [*told, *silent, *(one for several in wrong.values() for one in several)])
    proof.seconds = time.monotonic() - began
    return proof


def how_many(data: Data) -> int:
    """How many conversations `prove` runs."""
    told = [conversation(episode) for episode in data.episodes]
    wrong = sum(len(several) for several in violations(data.db, told).values())
    return 2 * len(told) + wrong + len(second_users(told, SECOND_USERS))


def _count_task(proof: Proof, outcome: Outcome) -> None:
    for came in outcome.came:
        what = f"{outcome.told.name}: {came.call.tool} {dict(came.call.args)}: {came.status}"
        if came.call.must is not None:
            (proof.right if came.call.must == ALLOWED else proof.contrary).add(came.as_it_must, what)
        elif came.call.kind == "read":
            proof.reads.add(came.as_recorded, what)


def _count(count: Count, outcome: Outcome) -> None:
    """The calls after the last right one: those that have to be stopped."""
    for came in outcome.came:
        if came.call.must is not None and came.call.must != ALLOWED:
            stopped = f"{came.status}, stopped by {', '.join(sorted(came.stopped_by)) or 'nobody'}"
            what = f"{outcome.told.name}: {came.call.tool} {dict(came.call.args)}: {stopped}"
            count.add(came.as_it_must and not came.ran_as_write, what)


def _count_silent(proof: Proof, outcome: Outcome, untouched: bool) -> None:
    _count(proof.unconfirmed, outcome)
    if not untouched and not any(came.call.tool == "transfer_to_human_agents" for came in outcome.came):
        proof.unconfirmed.add(False, f"{outcome.told.name}: the database is not as it was")


def _judge(proof: Proof, bundle: Bundle, data: Data, told: list[Conversation]) -> None:
    every = list(cases(data.db, told))
    found = [case.judged(bundle) for case in every]
    for case in every:
        proof.judged.add(case.holds(bundle), f"{case.id}: {case.judged(bundle)}")
    for seed in range(SHUFFLES):
        other = shuffled(bundle, seed)
        for case, before in zip(every, found, strict=True):
            after = case.judged(other)
            proof.shuffled.add(after == before, f"{case.id} under shuffle {seed}: {after}, before {before}")
