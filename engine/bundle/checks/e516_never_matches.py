"""E516: rule can never match."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E516",
    title="rule can never match",
    what=(
        "The condition of a rule contradicts itself, or the types: no call can meet it. That is found where a part is "
        "`false`, where parts say the opposite of each other, and where the constants that are written out for one "
        "value leave none; numbers of `params` may be changed, and are not counted. The same is told of a guarantee "
        "that no call can break, and of a `release_unless` that always holds: it withholds nothing."
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


def promising_nothing(place: Place, guarantee: str) -> Diagnostic:
    """The condition of a guarantee whose parts exclude each other."""
    help_ = "say what must never be: its parts exclude each other, or one of them is `false`"
    return MANUAL.at(
        place, f"guarantee `{guarantee}` promises nothing: no call can break it", help=help_, on_entry=True
    )


def withholding_nothing(place: Place, rule: str) -> Diagnostic:
    """The `release_unless` that holds of every result."""
    help_ = "say over `output` which results may go to the planner"
    message = f"rule `{rule}` withholds nothing: its `release_unless` always holds"
    return MANUAL.at(place, message, help=help_, on_entry=True)
