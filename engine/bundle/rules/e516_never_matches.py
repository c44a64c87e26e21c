"""E516: rule can never match."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E516",
    title="rule can never match",
    what=(
        "The condition of a rule contradicts itself, or the types: no call can meet it. That is found where a part is "
        "`false`, where parts say the opposite of each other, and where the numbers that are written out for one value "
        "leave none; numbers of `params` may be changed, and are not counted."
    ),
    why=(
        "A rule that never matches protects nobody, although it reads as if it did. (Where a fact can't be read it "
        "counts against the call, as every rule that asks for one does.)"
    ),
    wrong="""\
when: order.state == 'open' and order.state != 'open'
""",
    right="""\
when: order.state == 'open'
""",
)


def at(place: Place, rule: str, help_: str = "") -> Diagnostic:
    """The condition."""
    return MANUAL.at(place, f"rule `{rule}` can never match", help=help_)


def contradicting(place: Place, rule: str) -> Diagnostic:
    """A condition whose parts exclude each other."""
    help_ = "its parts exclude each other, or one of them is `false`"
    return MANUAL.at(place, f"rule `{rule}` can never match", help=help_, on_entry=True)
