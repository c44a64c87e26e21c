"""The same calls by `engine judge`, under bundles whose rules and files stand in another order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.session.judge import NOTHING_GIVEN, JudgedCall, PriorEvent, judge_after
from engine.spec.bundle import Bundle
from tests.retail.conversation import ALLOWED, Call, Conversation
from tests.retail.run import START


@dataclass(frozen=True, slots=True)
class Case:
    """A call after a history; `output` is what a read gave."""

    id: str
    past: list[PriorEvent]
    call: Call
    output: Any

    def judged(self, bundle: Bundle) -> JudgedCall:
        """What the gate of the bundle's agent says."""
        agent = next(iter(bundle.agents.values()))
        return judge_after(bundle, agent, self.past, {}, self.call.tool, self.call.args, START, self.output)

    def holds(self, bundle: Bundle) -> bool:
        """Whether that is what must come out."""
        found = self.judged(bundle)
        if self.call.must == ALLOWED:
            return found.verdict in ("allow", "require_approval") and not found.ask_groups
        by_name = not self.call.rule or self.call.rule in found.rules
        return by_name and (found.verdict == "deny" or bool(found.ask_groups))


def cases(db: Mapping[str, Mapping[str, Any]], told: list[Conversation]) -> Iterator[Case]:
    """Every call of which something is demanded, alone in its turn."""
    for conversation in told:
        for number, turn in enumerate(conversation.turns):
            if turn.call.must is None or len(turn.calls) > 1:
                continue
            yield Case(f"{conversation.name}-{number}", conversation.past_of(number), turn.call, _gives(db, turn.call))


def _gives(db: Mapping[str, Mapping[str, Any]], call: Call) -> Any:
    if call.tool == "get_order_details":
        return db["orders"].get(call.args["order_id"])
    if call.tool.startswith("find_user"):
        return call.output or next(u["user_id"] for u in db["users"].values() if u["email"] == call.args.get("email"))
    return NOTHING_GIVEN


def shuffled(bundle: Bundle, seed: int) -> Bundle:
    """The bundle with its rules, the lists of its agent and the names of its policy files in another order."""
    dice = random.Random(seed)
    files: dict[str, bytes] = {}
    for path, content in bundle.files.items():
        document = yaml.safe_load(content) if path.endswith(".yaml") else None
        if document is None or document["kind"] not in ("Policy", "Agent"):
            files[path] = content
            continue
        for key in ("rules", "tools", "policies"):
            dice.shuffle(document.get(key, []))
        folder, _, name = path.rpartition("/")
        text = yaml.safe_dump(document, sort_keys=dice.random() < 0.5, allow_unicode=True)
        files[f"{folder}/{dice.randrange(10**6)}-{name}"] = text.encode()
    loaded = load(BundleFiles(files))
    assert loaded.bundle is not None, [d.message for d in loaded.diagnostics]
    return loaded.bundle
