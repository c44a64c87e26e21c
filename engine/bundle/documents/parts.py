"""Pieces that several kinds of document share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from engine.bundle.schema_check import ON_ENTRY as ON_ENTRY

# `$` would let a line end through, in Python as in ECMAScript's multi-line mode
_END = r"(?![\s\S])"
NAME = rf"^[A-Za-z][A-Za-z0-9_-]*{_END}"
TOOL_NAME = rf"^[a-z][a-z0-9_]*{_END}"
ZONE = rf"^(Z|UTC|[+-](0[0-9]|1[0-4]):[0-5][0-9]){_END}"
SECRET = rf"^\$\{{secret:[A-Za-z_][A-Za-z0-9_]*\}}{_END}"
# a bundle may leave the beginning of an address to the environment
WEB_ADDRESS = r"^(https?://|\$\{env:)"
SPAN = rf"^[0-9]{{1,6}}(\.[0-9]{{1,6}})?(ms|s|m|h|d){_END}"
# what is none when it is counted in microseconds
NO_SPAN = rf"^0+((\.0{{1,6}})?(ms|s|m|h|d)|\.000[0-9]{{0,3}}ms){_END}"
_DAY = r"(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"  # from 1900 to 2999: what is reckoned from it stays a date
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
MOMENT = rf"^{_DAY}T{_TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}}){_END}"

Name = Annotated[
    str,
    Field(pattern=NAME, max_length=80, description="Letters, digits, `_` and `-`."),
]
ToolName = Annotated[str, Field(pattern=TOOL_NAME, max_length=64, description="Small letters, digits and `_`.")]
Expression = Annotated[
    str | int | float | bool | None, Field(description="An expression of the policy language, or a constant.")
]
Condition = Annotated[str | bool, Field(description="An expression of the policy language that is true or false.")]
Text = Annotated[str, Field(description="Text that may hold `{{ expression }}`.")]
Span = Annotated[
    str,
    Field(pattern=SPAN, description="A duration such as `30s`, `24h` or `200ms`."),
]
SomeTime = Annotated[
    str,
    Field(
        pattern=SPAN,
        description="A duration of more than 0, such as `30s`, `24h` or `200ms`.",
        json_schema_extra={"not": {"pattern": NO_SPAN}, ON_ENTRY: ["not"]},
    ),
]
MomentText = Annotated[str, Field(pattern=MOMENT, description="With its zone, such as `2026-01-31T09:00:00Z`.")]
Path = Annotated[str, Field(min_length=1, description="A file of the bundle, named from its root.")]
Schema = Annotated[dict[str, Any], Field(description="A JSON Schema (2020-12).")]


SecretReference = Annotated[str, Field(pattern=SECRET, description="`${secret:NAME}`.")]
Zone = Annotated[
    str,
    Field(pattern=ZONE, description="An offset from UTC, such as `-05:00` or `Z`."),
]


class DocumentModel(BaseModel):
    """A map whose keys are all known."""

    model_config = ConfigDict(extra="forbid", regex_engine="python-re")
