"""Which bundle new sessions begin with, since when and by whom; and who brought which bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol


class DeploymentKind(StrEnum):
    """What a deployment does: new sessions begin with a bundle, or an urgent one judges beside others, or no more.

    On trial a share of new sessions begins with one (`canary`), or past sessions are judged by it (`shadow`).
    """

    ACTIVATE = "activate"
    URGE = "urge"
    LIFT = "lift"
    CANARY = "canary"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Upload:
    """A bundle that was brought over the API: `by` whom, as the audit names them, and which person that is, if any."""

    bundle: str
    at: datetime
    by: str
    person: str | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A decision about a bundle, by its digest; `report` is what was known then of the change, as JSON.

    `number` counts them.  Where the bundle was read from the service's own files nobody decided it but who configures
    the service: `by` is then `FILES`.  A canary has a `share` of new sessions, in percent, by an attribute.
    """

    number: int
    kind: DeploymentKind
    bundle: str
    at: datetime
    by: str
    person: str | None = None
    note: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    share: Decimal | None = None
    attribute: str = ""


# who deploys what the service's configuration names
FILES = "files"


class DeploymentStore(Protocol):
    """Keeps them; they survive a crash as the sessions do."""

    async def add_upload(self, upload: Upload) -> Upload:
        """Keep who brought a bundle, or give who brought it first."""
        ...

    async def uploads(self) -> Mapping[str, Upload]:
        """Who brought which bundle, by its digest."""
        ...

    async def deploy(self, deployment: Deployment, after: int) -> Deployment | None:
        """Keep a deployment with the number behind `after`; None where another was kept meanwhile."""
        ...

    async def deployments(self, limit: int = 200, before: int | None = None) -> list[Deployment]:
        """The newest first; those with numbers below one, if that is meant."""
        ...

    async def active(self) -> Deployment | None:
        """The newest that activated a bundle."""
        ...
