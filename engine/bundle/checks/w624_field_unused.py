"""W624: no statement uses this field."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W624",
    title="no statement uses this field",
    what=(
        "A sql tool takes a field that none of its statements, and none of their `parameters`, reads, although a "
        "column is called as it is, or although they read none of its fields at all."
    ),
    why=(
        "Whatever the field says, the tool does the same: with `WHERE order_id = order_id`, where a colon is "
        "forgotten, it does it to every order."
    ),
    wrong="""\
input: {type: object, properties: {order_id: {type: string}}}
adapter: {kind: sql, database: shop, sql: UPDATE orders SET state = 'cancelled' WHERE order_id = order_id}
""",
    right="""\
input: {type: object, properties: {order_id: {type: string}}}
adapter: {kind: sql, database: shop, sql: "UPDATE orders SET state = 'cancelled' WHERE order_id = :order_id"}
""",
    severity=Severity.WARNING,
)


def at(place: Place, name: str) -> Diagnostic:
    """The field of the input."""
    help_ = (
        f"write `:{name}` where it is meant, or say that it is there for policies: `# engine: allow W624 because ...`"
    )
    return MANUAL.at(place, f"no statement uses `{name}`: the tool does the same whatever it is", help=help_)
