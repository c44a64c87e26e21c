"""E520: it is not said what sealed keys of writes are compared with."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E520",
    title="several keys, and none to compare with",
    what=(
        "The key of the seals is being replaced: `sealed_with` has several. Writes of the agent are known by sensitive "
        "values, or its meters are, and `compared_with` is not given."
    ),
    why=(
        "Without it they are compared with the last of `sealed_with`. When that is left out later, the same write "
        "is not recognised any more, and is done again."
    ),
    wrong='sealed_with: ["${secret:SEAL_KEY_2}", "${secret:SEAL_KEY}"]',
    right=(
        'sealed_with: ["${secret:SEAL_KEY_2}", "${secret:SEAL_KEY}"]\n'
        "compared_with: ${secret:SEAL_KEY}  # stays when `sealed_with` is SEAL_KEY_2 alone"
    ),
)


def at(node: Node, tool: str, last: str) -> Diagnostic:
    """The keys; bundles that are stored already go on by the last of them."""
    return MANUAL.at(
        node.place,
        f"what is sensitive in the keys of `{tool}` is compared with the last of several keys, which will go away",
        help=f"name what stays: `compared_with: {last}`",
        on_entry=True,
    )
