"""Tokens, creations and audit events in memory: see `ports.access`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from engine.ports.access import Absence, AccessToken, AuditEvent, ConfirmationLink, Creation, Login, RequestClaim
from engine.store.access import linked


class MemoryAccess:
    """See `ports.AccessStore`; gone with the process."""

    def __init__(self) -> None:
        self._tokens: dict[str, AccessToken] = {}
        self._logins: dict[str, Login] = {}
        self._creations: dict[tuple[str, str], Creation] = {}
        self._audit: list[AuditEvent] = []
        self._claims: dict[str, RequestClaim] = {}
        self._absences: dict[str, Absence] = {}
        self._links: dict[str, ConfirmationLink] = {}

    async def add_token(self, token: AccessToken) -> bool:
        """See `ports.AccessStore`."""
        known = [one for one in self._tokens.values() if one.name == token.name and one.revoked_at is None]
        if any(one.expires_at is None or one.expires_at > token.created_at for one in known):
            return False
        self._tokens[token.id] = token
        return True

    async def tokens(self) -> list[AccessToken]:
        """See `ports.AccessStore`."""
        return sorted(self._tokens.values(), key=lambda token: (token.created_at, token.id))

    async def token_of(self, secret_hash: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        return next((token for token in self._tokens.values() if token.secret_hash == secret_hash), None)

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """See `ports.AccessStore`."""
        token = self._tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self._tokens[token_id] = replace(token, revoked_at=at)
        return True

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """See `ports.AccessStore`."""
        if token_id in self._tokens:
            self._tokens[token_id] = replace(self._tokens[token_id], used_at=at)

    async def token_by_id(self, token_id: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        return self._tokens.get(token_id)

    async def add_login(self, login: Login) -> None:
        """See `ports.AccessStore`."""
        self._logins = {key: one for key, one in self._logins.items() if one.expires_at > login.created_at}
        self._logins[login.secret_hash] = login

    async def login_of(self, secret_hash: str) -> tuple[Login, AccessToken | None] | None:
        """See `ports.AccessStore`."""
        login = self._logins.get(secret_hash)
        return (login, self._tokens.get(login.token_id)) if login is not None else None

    async def end_login(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        return self._logins.pop(secret_hash, None) is not None

    async def reserve(self, creation: Creation) -> Creation:
        """See `ports.AccessStore`."""
        return self._creations.setdefault((creation.scope, creation.key), creation)

    async def creation(self, scope: str, key: str) -> Creation | None:
        """See `ports.AccessStore`."""
        return self._creations.get((scope, key))

    async def newest_creation(self, scope: str) -> Creation | None:
        """See `ports.AccessStore`."""
        return max(
            (one for one in self._creations.values() if one.scope == scope), key=lambda one: one.key, default=None
        )

    async def tenant_of(self, session_id: str) -> str | None:
        """See `ports.AccessStore`."""
        return next((one.tenant for one in self._creations.values() if one.session_id == session_id), None)

    async def sessions_of(self, tenant: str) -> Sequence[str]:
        """See `ports.AccessStore`."""
        return [one.session_id for one in self._creations.values() if one.tenant == tenant]

    async def started_by(self, owner: str, session_id: str) -> bool:
        """See `ports.AccessStore`."""
        return any(one.session_id == session_id and one.owner == owner for one in self._creations.values())

    async def record_audit(self, event: AuditEvent) -> AuditEvent:
        """See `ports.AccessStore`."""
        last = self._audit[-1] if self._audit else None
        self._audit.append(linked(event, last.number if last else 0, last.link if last else ""))
        return self._audit[-1]

    def forget_digests(self, session_id: str) -> None:
        """Let go of what was noted of a session's calls, which could be guessed."""
        self._audit = [
            replace(one, digest="", salt="")
            if one.about.rpartition(".")[0] == session_id or f"/{session_id}." in one.about
            else one
            for one in self._audit
        ]
        self._links = {key: one for key, one in self._links.items() if one.request_id.rpartition(".")[0] != session_id}

    async def audit_events(self, after: int = 0, limit: int = 200, tenant: str | None = None) -> list[AuditEvent]:
        """See `ports.AccessStore`."""
        found = [event for event in self._audit[after:] if tenant is None or event.tenant == tenant]
        return found[:limit]

    async def claim_request(self, claim: RequestClaim, at: datetime, *, take: bool = False) -> RequestClaim:
        """See `ports.AccessStore`."""
        other = self._claims.get(claim.request_id)
        if other is not None and other.person != claim.person and other.until > at and not take:
            return other
        self._claims[claim.request_id] = claim
        return claim

    async def release_request(self, request_id: str, person: str) -> bool:
        """See `ports.AccessStore`."""
        known = self._claims.get(request_id)
        if known is None or known.person != person:
            return False
        del self._claims[request_id]
        return True

    async def request_claims(self, at: datetime) -> Mapping[str, RequestClaim]:
        """See `ports.AccessStore`."""
        return {key: one for key, one in self._claims.items() if one.until > at}

    async def add_absence(self, absence: Absence, at: datetime) -> None:
        """See `ports.AccessStore`."""
        self._absences = {key: one for key, one in self._absences.items() if one.ends > at}
        self._absences[absence.id] = absence

    async def end_absence(self, absence_id: str) -> bool:
        """See `ports.AccessStore`."""
        return self._absences.pop(absence_id, None) is not None

    async def absences(self) -> Sequence[Absence]:
        """See `ports.AccessStore`."""
        return sorted(self._absences.values(), key=lambda one: (one.begins, one.id))

    async def add_confirmation_link(self, link: ConfirmationLink, at: datetime, most: int) -> bool:
        """See `ports.AccessStore`."""
        self._links = {key: one for key, one in self._links.items() if one.expires_at > at}
        if sum(one.request_id == link.request_id for one in self._links.values()) >= most:
            return False
        self._links[link.secret_hash] = link
        return True

    async def confirmation_link(self, secret_hash: str) -> ConfirmationLink | None:
        """See `ports.AccessStore`."""
        return self._links.get(secret_hash)

    async def end_confirmation_link(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        return self._links.pop(secret_hash, None) is not None
