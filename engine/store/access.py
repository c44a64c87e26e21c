"""Tokens, creations and audit events in the tables of a store: see `ports.access`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from engine.language.value import digest, timestamp
from engine.ports.access import (
    Absence,
    AccessToken,
    AuditEvent,
    ConfirmationLink,
    Creation,
    Identity,
    Login,
    RequestClaim,
)
from engine.random_bytes import random_hex
from engine.store.database import SqlConnection, SqlDatabase

_TOKEN = (
    "id, name, secret_hash, role, person, tenant, created_at, created_by, expires_at, revoked_at, used_at, scopes,"
    " member_of, stands_for"
)
_LOGIN = "secret_hash, token_id, created_at, expires_at, once, identity"
_CREATION = "scope, key, digest, session_id, tenant, at, owner"
_CLAIM = "request_id, person, until"
_ABSENCE = "id, person, begins, ends, delegate, tenant, created_by"
_LINK = "secret_hash, request_id, digest, tenant, expires_at, made_by"
_AUDIT = "number, at, actor, means, address, tenant, action, about, digest, result, link, salt, mark"


class SqlAccess:
    """See `ports.AccessStore`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def add_token(self, token: AccessToken) -> bool:
        """See `ports.AccessStore`."""

        def add(connection: SqlConnection) -> bool:
            if _token_by_id(connection, token.id) == token:
                return True  # it was not known whether that had become durable
            known = (
                "SELECT 1 FROM tokens WHERE name = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"
            )
            if connection.execute(known, (token.name, timestamp(token.created_at))).fetchone():
                return False
            values = (
                token.id, token.name, token.secret_hash, token.role, token.person, token.tenant,
                timestamp(token.created_at), token.created_by, _text(token.expires_at), None, None,
                " ".join(token.scopes), json.dumps(token.groups), token.stands_for,
            )  # fmt: skip
            connection.execute(f"INSERT INTO tokens ({_TOKEN}) VALUES ({', '.join('?' * len(values))})", values)
            return True

        return await self._database.write(add, "tokens")

    async def tokens(self) -> list[AccessToken]:
        """See `ports.AccessStore`."""
        rows = await self._database.read(
            lambda c: c.execute(f"SELECT {_TOKEN} FROM tokens ORDER BY created_at, id").fetchall()
        )
        return [_token(row) for row in rows]

    async def token_of(self, secret_hash: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        sql = f"SELECT {_TOKEN} FROM tokens WHERE secret_hash = ?"
        row = await self._database.read(lambda c: c.execute(sql, (secret_hash,)).fetchone())
        return _token(row) if row else None

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """See `ports.AccessStore`."""
        sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        return await self._database.write(lambda c: c.execute(sql, (timestamp(at), token_id)).rowcount > 0)

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """See `ports.AccessStore`."""
        sql = "UPDATE tokens SET used_at = ? WHERE id = ?"
        await self._database.write(lambda c: c.execute(sql, (timestamp(at), token_id)))

    async def token_by_id(self, token_id: str) -> AccessToken | None:
        """See `ports.AccessStore`."""
        found: AccessToken | None = await self._database.read(lambda c: _token_by_id(c, token_id))
        return found

    async def add_login(self, login: Login) -> None:
        """See `ports.AccessStore`."""

        def add(connection: SqlConnection) -> None:
            connection.execute("DELETE FROM logins WHERE expires_at <= ?", (timestamp(login.created_at),))
            values = (
                login.secret_hash, login.token_id, timestamp(login.created_at), timestamp(login.expires_at),
                int(login.once), json.dumps(asdict(login.identity)) if login.identity is not None else None,
            )  # fmt: skip
            connection.execute(f"INSERT INTO logins ({_LOGIN}) VALUES (?, ?, ?, ?, ?, ?)", values)

        await self._database.write(add)

    async def login_of(self, secret_hash: str) -> tuple[Login, AccessToken | None] | None:
        """See `ports.AccessStore`."""

        def look(connection: SqlConnection) -> tuple[Login, AccessToken | None] | None:
            sql = f"SELECT {_LOGIN} FROM logins WHERE secret_hash = ?"
            row = connection.execute(sql, (secret_hash,)).fetchone()
            return (_login(row), _token_by_id(connection, row[1])) if row else None

        found: tuple[Login, AccessToken | None] | None = await self._database.read(look)
        return found

    async def end_login(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        sql = "DELETE FROM logins WHERE secret_hash = ?"
        return await self._database.write(lambda c: c.execute(sql, (secret_hash,)).rowcount > 0)

    async def reserve(self, creation: Creation) -> Creation:
        """See `ports.AccessStore`."""

        def reserve(connection: SqlConnection) -> Creation:
            sql = f"SELECT {_CREATION} FROM creations WHERE scope = ? AND key = ?"
            row = connection.execute(sql, (creation.scope, creation.key)).fetchone()
            if row is not None:
                return _creation(row)
            values = (
                creation.scope, creation.key, creation.digest, creation.session_id, creation.tenant,
                timestamp(creation.at), creation.owner,
            )  # fmt: skip
            connection.execute(f"INSERT INTO creations ({_CREATION}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            return creation

        return await self._database.write(reserve, f"creation:{creation.scope}:{creation.key}")

    async def creation(self, scope: str, key: str) -> Creation | None:
        """See `ports.AccessStore`."""
        sql = f"SELECT {_CREATION} FROM creations WHERE scope = ? AND key = ?"
        row = await self._database.read(lambda c: c.execute(sql, (scope, key)).fetchone())
        return _creation(row) if row is not None else None

    async def newest_creation(self, scope: str) -> Creation | None:
        """See `ports.AccessStore`."""
        sql = f"SELECT {_CREATION} FROM creations WHERE scope = ? ORDER BY key DESC LIMIT 1"
        row = await self._database.read(lambda c: c.execute(sql, (scope,)).fetchone())
        return _creation(row) if row is not None else None

    async def tenant_of(self, session_id: str) -> str | None:
        """See `ports.AccessStore`."""
        sql = "SELECT tenant FROM creations WHERE session_id = ?"
        row = await self._database.read(lambda c: c.execute(sql, (session_id,)).fetchone())
        return row[0] if row else None

    async def sessions_of(self, tenant: str) -> Sequence[str]:
        """See `ports.AccessStore`."""
        sql = "SELECT session_id FROM creations WHERE tenant = ?"
        return [id_ for (id_,) in await self._database.read(lambda c: c.execute(sql, (tenant,)).fetchall())]

    async def started_by(self, owner: str, session_id: str) -> bool:
        """See `ports.AccessStore`."""
        sql = "SELECT 1 FROM creations WHERE session_id = ? AND owner = ?"
        return bool(await self._database.read(lambda c: c.execute(sql, (session_id, owner)).fetchone()))

    async def record_audit(self, event: AuditEvent) -> AuditEvent:
        """See `ports.AccessStore`."""

        def record(connection: SqlConnection) -> AuditEvent:
            last = connection.execute("SELECT number, link FROM audit_events ORDER BY number DESC LIMIT 1").fetchone()
            made = linked(event, *(last or (0, "")))
            values = (
                made.number, timestamp(made.at), made.actor, made.means, made.address, made.tenant, made.action,
                made.about, made.digest, made.result, made.link, made.salt, made.mark,
            )  # fmt: skip
            connection.execute(f"INSERT INTO audit_events ({_AUDIT}) VALUES ({', '.join('?' * len(values))})", values)
            return made

        return await self._database.write(record, "audit")

    async def audit_events(self, after: int = 0, limit: int = 200, tenant: str | None = None) -> list[AuditEvent]:
        """See `ports.AccessStore`."""
        sql = (
            f"SELECT {_AUDIT} FROM audit_events WHERE number > ?1 AND (tenant = ?3 OR ?3 IS NULL)"
            " ORDER BY number LIMIT ?2"
        )
        rows = await self._database.read(lambda c: c.execute(sql, (after, limit, tenant)).fetchall())
        return [AuditEvent(row[0], datetime.fromisoformat(row[1]), *row[2:]) for row in rows]

    async def claim_request(self, claim: RequestClaim, at: datetime, *, take: bool = False) -> RequestClaim:
        """See `ports.AccessStore`."""

        def put(connection: SqlConnection) -> RequestClaim:
            connection.execute("DELETE FROM request_claims WHERE until <= ?", (timestamp(at),))
            sql = f"SELECT {_CLAIM} FROM request_claims WHERE request_id = ? AND person != ?"
            other = connection.execute(sql, (claim.request_id, claim.person)).fetchone()
            if other is not None and not take:
                return _claim(other)
            values = (claim.request_id, claim.person, timestamp(claim.until))
            kept = "ON CONFLICT (request_id) DO UPDATE SET person = excluded.person, until = excluded.until"
            connection.execute(f"INSERT INTO request_claims ({_CLAIM}) VALUES (?, ?, ?) {kept}", values)
            return claim

        return await self._database.write(put, f"claim:{claim.request_id}")

    async def release_request(self, request_id: str, person: str) -> bool:
        """See `ports.AccessStore`."""
        sql = "DELETE FROM request_claims WHERE request_id = ? AND person = ?"
        return await self._database.write(lambda c: c.execute(sql, (request_id, person)).rowcount > 0)

    async def request_claims(self, at: datetime) -> Mapping[str, RequestClaim]:
        """See `ports.AccessStore`."""
        sql = f"SELECT {_CLAIM} FROM request_claims WHERE until > ?"
        rows = await self._database.read(lambda c: c.execute(sql, (timestamp(at),)).fetchall())
        return {row[0]: _claim(row) for row in rows}

    async def add_absence(self, absence: Absence, at: datetime) -> None:
        """See `ports.AccessStore`."""

        def add(connection: SqlConnection) -> None:
            connection.execute("DELETE FROM absences WHERE ends <= ?", (timestamp(at),))
            values = (
                absence.id, absence.person, timestamp(absence.begins), timestamp(absence.ends), absence.delegate,
                absence.tenant, absence.created_by,
            )  # fmt: skip
            connection.execute(f"INSERT INTO absences ({_ABSENCE}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)

        await self._database.write(add)

    async def end_absence(self, absence_id: str) -> bool:
        """See `ports.AccessStore`."""
        sql = "DELETE FROM absences WHERE id = ?"
        return await self._database.write(lambda c: c.execute(sql, (absence_id,)).rowcount > 0)

    async def absences(self) -> Sequence[Absence]:
        """See `ports.AccessStore`."""
        rows = await self._database.read(
            lambda c: c.execute(f"SELECT {_ABSENCE} FROM absences ORDER BY begins, id").fetchall()
        )
        return [_absence(*row) for row in rows]

    async def add_confirmation_link(self, link: ConfirmationLink, at: datetime, most: int) -> bool:
        """See `ports.AccessStore`."""

        def add(connection: SqlConnection) -> bool:
            connection.execute("DELETE FROM confirmation_links WHERE expires_at <= ?", (timestamp(at),))
            known = "SELECT count(*) FROM confirmation_links WHERE request_id = ?"
            if connection.execute(known, (link.request_id,)).fetchone()[0] >= most:
                return False
            until = timestamp(link.expires_at)
            values = link.secret_hash, link.request_id, link.digest, link.tenant, until, link.made_by
            connection.execute(f"INSERT INTO confirmation_links ({_LINK}) VALUES (?, ?, ?, ?, ?, ?)", values)
            return True

        return await self._database.write(add, f"links:{link.request_id}")

    async def confirmation_link(self, secret_hash: str) -> ConfirmationLink | None:
        """See `ports.AccessStore`."""
        sql = f"SELECT {_LINK} FROM confirmation_links WHERE secret_hash = ?"
        row = await self._database.read(lambda c: c.execute(sql, (secret_hash,)).fetchone())
        if row is None:
            return None
        hash_, request_id, asked, tenant, expires, by = row
        return ConfirmationLink(hash_, request_id, asked, tenant, datetime.fromisoformat(expires), by)

    async def end_confirmation_link(self, secret_hash: str) -> bool:
        """See `ports.AccessStore`."""
        sql = "DELETE FROM confirmation_links WHERE secret_hash = ?"
        return await self._database.write(lambda c: c.execute(sql, (secret_hash,)).rowcount > 0)


def _absence(id_: str, person: str, begins: str, ends: str, *more: Any) -> Absence:
    return Absence(id_, person, datetime.fromisoformat(begins), datetime.fromisoformat(ends), *more)


def _claim(row: Sequence[Any]) -> RequestClaim:
    return RequestClaim(row[0], row[1], datetime.fromisoformat(row[2]))


def linked(event: AuditEvent, number: int, link: str) -> AuditEvent:
    """An event behind another one: its link holds for all that came before it."""
    salt = random_hex(8) if event.digest else ""
    mark = digest([salt, event.digest]) if event.digest else ""
    told = [
        number + 1, timestamp(event.at), event.actor, event.means, event.address, event.tenant, event.action,
        event.about, mark, event.result,
    ]  # fmt: skip
    return replace(event, number=number + 1, link=digest([link, told]), salt=salt, mark=mark)


def _text(at: datetime | None) -> str | None:
    return timestamp(at) if at is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _creation(row: Any) -> Creation:
    scope, key, asked, session_id, tenant, at, owner = row
    return Creation(scope, key, asked, session_id, tenant, datetime.fromisoformat(at), owner)


def _token(row: Sequence[Any]) -> AccessToken:
    id_, name, hash_, role, person, tenant, created, by, expires, revoked, used, scopes, groups, stands_for = row
    moments = _moment(expires), _moment(revoked), _moment(used)
    made, held = datetime.fromisoformat(created), tuple(json.loads(groups))
    return AccessToken(
        id_, name, hash_, role, person, tenant, made, by, *moments, tuple(scopes.split()), held, stands_for
    )


def _token_by_id(connection: SqlConnection, token_id: str) -> AccessToken | None:
    row = connection.execute(f"SELECT {_TOKEN} FROM tokens WHERE id = ?", (token_id,)).fetchone()
    return _token(row) if row else None


def _login(row: Sequence[Any]) -> Login:
    hash_, token_id, created, expires, once, identity = row
    moments = datetime.fromisoformat(created), datetime.fromisoformat(expires)
    return Login(hash_, token_id, *moments, bool(once), _identity(identity))


def _identity(text: str | None) -> Identity | None:
    if text is None:
        return None
    told = json.loads(text)
    return Identity(**{**told, "groups": tuple(told["groups"])})
