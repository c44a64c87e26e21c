"""Who asks for something at the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.access.rights import OF_PEOPLE, Right, Role

# nobody may be called so: in the log it is the user of a session
CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, or a machine where `person` is None; `tenant` None reaches the sessions of all tenants.

    `id` tells it from all others, as the token's id does; `means` is how it has identified itself.  `groups` are those
    that it belongs to where it comes from, by which `roles` of a bundle's reviewers may know it.
    """

    id: str
    name: str
    role: Role
    person: str | None
    tenant: str | None
    means: str
    rights: frozenset[Right]
    groups: frozenset[str] = frozenset()
    expires_at: datetime | None = None

    def may(self, right: Right) -> bool:
        """Whether it may do something; a machine never answers or comments, whatever its role."""
        return right in self.rights and (right not in OF_PEOPLE or self.person is not None)

    @property
    def starter(self) -> str | None:
        """Whom a session names as its starter; None for the customer, whose words a caller hands on."""
        return self.person or (None if self.role is Role.CALLER else self.name)
