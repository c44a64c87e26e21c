"""W609: no fixture reaches an outcome."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W609",
    title="no fixture reaches an outcome",
    what="The bundle has fixtures of the agent, and none of them expects this outcome.",
    why="An outcome that no fixture reaches is one that nobody has seen; the next edit may take it away.",
    wrong="""\
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
# and no fixture has: expect: {outcome: refunded}
""",
    right="""\
# fixtures/refunded.yaml
expect: {outcome: refunded}
""",
    severity=Severity.WARNING,
)


def at(place: Place, outcome: str) -> Diagnostic:
    """The outcome."""
    return MANUAL.at(
        place,
        f"no fixture expects the outcome `{outcome}`",
        help="write one that does",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each outcome of an agent that has fixtures."""
    for document, _ in whole.each_agent():
        fixtures = [d.plain for d in whole.of_kind("Fixture") if d.plain.get("agent") == document.name]
        expected = {fixture["expect"].get("outcome") for fixture in fixtures}
        said: set[str] = set()
        for item in (document.node.at("stop").items or ()) if fixtures else ():
            outcome = str(item.at("outcome").value)
            if outcome not in expected and outcome not in said:
                yield at(item.at("outcome").place, outcome)
            said.add(outcome)
