"""W620: policy is not used."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W620",
    title="policy is not used",
    what="No agent lists the policy.",
    why="Whoever reads it believes that something is guarded, and none of its rules ever judges a call.",
    wrong="""\
# policies/no-refunds.yaml is in no agent's policies
""",
    right="""\
policies: [refunds, no-refunds]
""",
    severity=Severity.WARNING,
)


def at(place: Place, policy: str) -> Diagnostic:
    """The name of the policy."""
    return MANUAL.at(
        place, f"no agent lists the policy `{policy}`", help="list it in an agent's `policies`, or drop it"
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each policy that no agent lists."""
    for policy in whole.of_kind("Policy"):
        if not whole.listing(policy):
            yield at(policy.node.at("name").place, policy.name)
