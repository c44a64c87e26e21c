"""W615: tool can't be told strictly."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W615",
    title="tool can't be told strictly",
    what=(
        "A planner says `strict: true`, and a tool's input holds what no strict server takes: fields that are not "
        "named, a part without a type, or a keyword such as `oneOf` or `patternProperties`."
    ),
    why=(
        "The model is told a narrower schema than the tool has, or one that its server refuses.  The engine checks "
        "every input against the tool's own schema in any case."
    ),
    wrong="""\
planners:
  model: {kind: openai, model: gpt, strict: true}
# and in the tool
input: {type: object, properties: {data: {type: object}}}
""",
    right="""\
planners:
  model: {kind: openai, model: gpt, strict: true}
# and in the tool
input:
  type: object
  properties:
    data: {type: object, properties: {name: {type: string}}, additionalProperties: false}
  additionalProperties: false
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str, where: str, what: str) -> Diagnostic:
    """The planner's `strict`."""
    inner = f"input.{where}" if where else "input"
    return MANUAL.at(
        place,
        f"tool `{tool}` can't be told strictly: {what} in `{inner}`",
        help="say it in the tool's schema otherwise, or leave `strict` out",
    )
