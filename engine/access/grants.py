"""What an identity that a provider vouches for may do: grants, the first of which that fits counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.access.principal import Principal
from engine.access.rights import RIGHTS, Role
from engine.ports.access import Identity


@dataclass(frozen=True, slots=True)
class Grant:
    """The roles of whoever is in a `group`, has a `subject`, or is a `client`: exactly one of these is said."""

    roles: tuple[Role, ...]
    group: str | None = None
    subject: str | None = None
    client: str | None = None
    tenant: str | None = None

    def is_for(self, identity: Identity) -> bool:
        """Whether somebody is meant; a client is a machine, a subject a person."""
        if self.client is not None:
            return identity.client == self.client
        if self.subject is not None:
            return identity.client is None and identity.subject == self.subject
        return self.group in identity.groups


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: whom its tokens are for, and the claims that groups and names stand in.

    `client_secret` is the name of a secret; None of a public client, and of a provider for machines alone.
    """

    issuer: str
    audience: str
    client_secret: str | None = None
    scopes: tuple[str, ...] = ("openid",)
    groups_claim: str = "groups"
    name_claim: str = "name"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in beside those who have tokens; `persons` are names of people by their subject."""

    people: Provider | None = None
    machines: Provider | None = None
    grants: tuple[Grant, ...] = ()
    persons: Mapping[str, str] = field(default_factory=dict)

    def principal(self, identity: Identity, means: str) -> Principal | None:
        """Whom an identity is at the service; None for whoever no grant is for.

        People are told apart by issuer and subject: a name that a provider lets them choose, or an address of mail,
        makes nobody a member of a group.
        """
        grant = next((one for one in self.grants if one.is_for(identity)), None)
        if grant is None:
            return None
        unique = f"{identity.issuer}#{identity.subject}"
        person = None if identity.client is not None else self.persons.get(identity.subject, unique)
        rights = frozenset().union(*(RIGHTS[role] for role in grant.roles))
        return Principal(
            unique, identity.name, grant.roles[0], person, grant.tenant, means, rights, frozenset(identity.groups)
        )
