"""What the service keeps, for asyncio programs: each call crosses over to the thread in which the store lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from engine.aio.thread import ThreadContext
from engine.ports.access import (
    Absence,
    AccessStore,
    AccessToken,
    AuditEvent,
    ConfirmationLink,
    Creation,
    Login,
    RequestClaim,
)
from engine.ports.store import Store


class ThreadAccess:
    """See `ports.AccessStore`; `context` is where the store lives."""

    def __init__(self, context: ThreadContext[Store]) -> None:
        self._context = context

    @property
    def _access(self) -> AccessStore:
        return self._context.value.access

    async def add_token(self, token: AccessToken) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.add_token, token))

    async def tokens(self) -> list[AccessToken]:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.tokens))

    async def token_of(self, secret_hash: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.token_of, secret_hash))

    async def token_by_id(self, token_id: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.token_by_id, token_id))

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.revoke_token, token_id, at))

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.touch_token, token_id, at))

    async def add_login(self, login: Login) -> None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.add_login, login))

    async def login_of(self, secret_hash: str) -> tuple[Login, AccessToken | None] | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.login_of, secret_hash))

    async def end_login(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.end_login, secret_hash))

    async def reserve(self, creation: Creation) -> Creation:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.reserve, creation))

    async def creation(self, scope: str, key: str) -> Creation | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.creation, scope, key))

    async def newest_creation(self, scope: str) -> Creation | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.newest_creation, scope))

    async def tenant_of(self, session_id: str) -> str | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.tenant_of, session_id))

    async def sessions_of(self, tenant: str) -> Sequence[str]:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.sessions_of, tenant))

    async def started_by(self, owner: str, session_id: str) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.started_by, owner, session_id))

    async def record_audit(self, event: AuditEvent) -> AuditEvent:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.record_audit, event))

    async def audit_events(self, after: int = 0, limit: int = 200, tenant: str | None = None) -> list[AuditEvent]:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.audit_events, after, limit, tenant))

    async def claim_request(self, claim: RequestClaim, at: datetime, *, take: bool = False) -> RequestClaim:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.claim_request, claim, at, take=take))

    async def release_request(self, request_id: str, person: str) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.release_request, request_id, person))

    async def request_claims(self, at: datetime) -> Mapping[str, RequestClaim]:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.request_claims, at))

    async def add_absence(self, absence: Absence, at: datetime) -> None:
        """See `ports.AccessStore`."""
        await self._context.call(partial(self._access.add_absence, absence, at))

    async def end_absence(self, absence_id: str) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.end_absence, absence_id))

    async def absences(self) -> Sequence[Absence]:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.absences))

    async def add_confirmation_link(self, link: ConfirmationLink, at: datetime, most: int) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.add_confirmation_link, link, at, most))

    async def confirmation_link(self, secret_hash: str) -> ConfirmationLink | None:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.confirmation_link, secret_hash))

    async def end_confirmation_link(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        return await self._context.call(partial(self._access.end_confirmation_link, secret_hash))
