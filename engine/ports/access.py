"""What the service keeps beside the sessions: tokens, who began which session, and what people did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What somebody identifies with; of its secret only the SHA-256 is known.

    It belongs to one `person` or, without one, to a machine, which `stands_for` a person where that was said; without a
    `tenant` it reaches those of all, and without `scopes` it may do all that its role may.
    """

    id: str
    name: str
    secret_hash: str
    role: str
    person: str | None
    tenant: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    stands_for: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an identity provider vouches for: nobody else has the `subject` at the `issuer`.

    The `name` is for people to read.  A machine is a `client`, a person none.
    """

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...] = ()
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A person's session in a browser: of its cookie only the SHA-256 is known.

    It stands for a token, and is good as long as that is, or without one for the `identity` that a provider vouched
    for.  A `once` one is a link that is yet to be opened, and is used up by that.
    """

    secret_hash: str
    token_id: str
    created_at: datetime
    expires_at: datetime
    once: bool = False
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A request to start a session: `digest` is that of what it asks for, `key` what tells it from another.

    The session's id is chosen before it begins, so that the same request again means the same session.  `owner` is who
    asked, by what no other principal has.
    """

    scope: str
    key: str
    digest: str
    session_id: str
    tenant: str | None
    at: datetime
    owner: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that a principal did, or was refused: `number` counts them, `link` is the hash of all up to it.

    The `digest` of a call could be guessed from what it says: the link is made of its `mark`, which is the hash of it
    behind a `salt`, and an erasure takes both away.  Of events of older versions, without a mark, it is made of itself.
    """

    number: int
    at: datetime
    actor: str
    means: str
    address: str
    tenant: str | None
    action: str
    about: str
    digest: str
    result: str
    link: str
    salt: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class RequestClaim:
    """Who is at a request, until when: told to others, who may answer all the same."""

    request_id: str
    person: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Absence:
    """When a person answers nothing, and who looks at what they are asked meanwhile, if somebody was named.

    It moves attention and no rights: whose answer counts stays what it was.  With a `tenant` it is told there alone.
    """

    id: str
    person: str
    begins: datetime
    ends: datetime
    delegate: str | None
    tenant: str | None
    created_by: str

    def holds(self, at: datetime) -> bool:
        """Whether the person is away at a moment."""
        return self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class ConfirmationLink:
    """What lets a customer answer one request about one call, once: of its secret only the SHA-256 is known.

    It is good no longer than the token that it was `made_by`, where that was one.
    """

    secret_hash: str
    request_id: str
    digest: str
    tenant: str | None
    expires_at: datetime
    made_by: str = ""


class AccessStore(Protocol):
    """Keeps what the service goes by; it survives a crash as the sessions do."""

    async def add_token(self, token: AccessToken) -> bool:
        """Keep a token; False where one of its name is good still."""
        ...

    async def tokens(self) -> list[AccessToken]:
        """All tokens, the oldest first."""
        ...

    async def token_of(self, secret_hash: str) -> AccessToken | None:
        """The token with a secret, whether it is good still or not."""
        ...

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """End a token for good; False where there is none such, or it was ended."""
        ...

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """Note that a token was used."""
        ...

    async def add_login(self, login: Login) -> None:
        """Keep a login; those that have expired are let go of."""
        ...

    async def login_of(self, secret_hash: str) -> tuple[Login, AccessToken | None] | None:
        """The login with a secret, and the token that it stands for if it does; whether they are good still or not."""
        ...

    async def end_login(self, secret_hash: str) -> bool:
        """Let go of a login; False where there is none, as for all but the first who use up a link."""
        ...

    async def token_by_id(self, token_id: str) -> AccessToken | None:
        """The token with an id, whether it is good still or not."""
        ...

    async def reserve(self, creation: Creation) -> Creation:
        """Keep the creation, or give the one that stands under the same scope and key."""
        ...

    async def creation(self, scope: str, key: str) -> Creation | None:
        """The one that stands under a scope and a key."""
        ...

    async def newest_creation(self, scope: str) -> Creation | None:
        """The one of a scope whose key is the last in order, such as the newest of times."""
        ...

    async def tenant_of(self, session_id: str) -> str | None:
        """The tenant that a session was started for at the service; None where it was not, or for none."""
        ...

    async def sessions_of(self, tenant: str) -> Sequence[str]:
        """The sessions that were started for a tenant."""
        ...

    async def started_by(self, owner: str, session_id: str) -> bool:
        """Whether a session was started by an owner."""
        ...

    async def record_audit(self, event: AuditEvent) -> AuditEvent:
        """Keep an event; its number and link are those that it gets."""
        ...

    async def audit_events(self, after: int = 0, limit: int = 200, tenant: str | None = None) -> list[AuditEvent]:
        """What was done behind a number, the oldest first; of one tenant, if that is meant."""
        ...

    async def claim_request(self, claim: RequestClaim, at: datetime, *, take: bool = False) -> RequestClaim:
        """Keep a claim, or give that of somebody else that holds at the moment `at`; `take` puts it in its place."""
        ...

    async def release_request(self, request_id: str, person: str) -> bool:
        """Let go of a person's claim; False where there is none."""
        ...

    async def request_claims(self, at: datetime) -> Mapping[str, RequestClaim]:
        """The claims that hold at a moment, by request."""
        ...

    async def add_absence(self, absence: Absence, at: datetime) -> None:
        """Keep an absence; those that were over at the moment `at` are let go of."""
        ...

    async def end_absence(self, absence_id: str) -> bool:
        """Let go of an absence; False where there is none."""
        ...

    async def absences(self) -> Sequence[Absence]:
        """All absences, the soonest first."""
        ...

    async def add_confirmation_link(self, link: ConfirmationLink, at: datetime, most: int) -> bool:
        """Keep a link, unless its request has so many that are good; those over at the moment `at` are let go of."""
        ...

    async def confirmation_link(self, secret_hash: str) -> ConfirmationLink | None:
        """The link with a secret, whether it is good still or not."""
        ...

    async def end_confirmation_link(self, secret_hash: str) -> bool:
        """Use a link up; False for all but the first who do."""
        ...
