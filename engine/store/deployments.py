"""Uploads and deployments in the SQLite store: see `ports.deployments`."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.language.value import jsonable, loads, one_line, timestamp
from engine.ports.deployments import Deployment, DeploymentKind, Upload
from engine.store.writer import CommitWriter

Read = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]

_UPLOAD = "bundle, at, uploaded_by, person"
_DEPLOYMENT = "number, kind, bundle, at, deployed_by, person, note, report, share, attribute"


class SqliteDeployments:
    """See `ports.DeploymentStore`."""

    def __init__(self, writer: CommitWriter, read: Read) -> None:
        self._writer = writer
        self._read = read

    async def add_upload(self, upload: Upload) -> Upload:
        """See `ports.DeploymentStore`."""

        def add(connection: sqlite3.Connection) -> Upload:
            values = (upload.bundle, timestamp(upload.at), upload.by, upload.person)
            connection.execute(f"INSERT INTO uploads ({_UPLOAD}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
            row = connection.execute(f"SELECT {_UPLOAD} FROM uploads WHERE bundle = ?", (upload.bundle,)).fetchone()
            return _upload(row)

        return await self._writer.do(add)

    async def uploads(self) -> Mapping[str, Upload]:
        """See `ports.DeploymentStore`."""
        rows = await self._read(lambda c: c.execute(f"SELECT {_UPLOAD} FROM uploads").fetchall())
        return {row[0]: _upload(row) for row in rows}

    async def deploy(self, deployment: Deployment, after: int) -> Deployment | None:
        """See `ports.DeploymentStore`."""

        def deploy(connection: sqlite3.Connection) -> Deployment | None:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM deployments").fetchone()
            if last != after:
                return None
            made = replace(deployment, number=after + 1)
            values = (
                made.number, made.kind.value, made.bundle, timestamp(made.at), made.by, made.person, made.note,
                one_line(jsonable(made.report)), str(made.share) if made.share is not None else None, made.attribute,
            )  # fmt: skip
            connection.execute(f"INSERT INTO deployments ({_DEPLOYMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            return made

        return await self._writer.do(deploy)

    async def deployments(self, limit: int = 200, before: int | None = None) -> list[Deployment]:
        """See `ports.DeploymentStore`."""
        sql = f"SELECT {_DEPLOYMENT} FROM deployments WHERE ? IS NULL OR number < ? ORDER BY number DESC LIMIT ?"
        rows = await self._read(lambda c: c.execute(sql, (before, before, limit)).fetchall())
        return [_deployment(row) for row in rows]

    async def active(self) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        sql = f"SELECT {_DEPLOYMENT} FROM deployments WHERE kind = ? ORDER BY number DESC LIMIT 1"
        row = await self._read(lambda c: c.execute(sql, (DeploymentKind.ACTIVATE.value,)).fetchone())
        return _deployment(row) if row else None


def _upload(row: tuple[Any, ...]) -> Upload:
    bundle, at, by, person = row
    return Upload(bundle, datetime.fromisoformat(at), by, person)


def _deployment(row: tuple[Any, ...]) -> Deployment:
    number, kind, bundle, at, by, person, note, report, share, attribute = row
    moment, part = datetime.fromisoformat(at), Decimal(share) if share is not None else None
    return Deployment(
        number, DeploymentKind(kind), bundle, moment, by, person, note, loads(report), part, attribute
    )  # fmt: skip
