"""A webhook as an operator has configured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.language.expression import Expression


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a delivery becomes: a message and attributes for an agent, told by expressions over its `body`."""

    name: str
    secret: str
    agent: str | None
    tenant: str | None
    message: Expression
    attributes: Mapping[str, Expression]
