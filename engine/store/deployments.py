"""Uploads and deployments in the tables of a store: see `ports.deployments`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.language.value import jsonable, loads, one_line, timestamp
from engine.ports.deployments import Deployment, DeploymentKind, Upload
from engine.store.database import SqlConnection, SqlDatabase

_UPLOAD = "bundle, at, uploaded_by, person"
_DEPLOYMENT = "number, kind, bundle, at, deployed_by, person, note, report, share, attribute"


class SqlDeployments:
    """See `ports.DeploymentStore`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def add_upload(self, upload: Upload) -> Upload:
        """See `ports.DeploymentStore`."""

        def add(connection: SqlConnection) -> Upload:
            values = (upload.bundle, timestamp(upload.at), upload.by, upload.person)
            connection.execute(f"INSERT INTO uploads ({_UPLOAD}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
            row = connection.execute(f"SELECT {_UPLOAD} FROM uploads WHERE bundle = ?", (upload.bundle,)).fetchone()
            return _upload(row)

        return await self._database.write(add)

    async def uploads(self) -> Mapping[str, Upload]:
        """See `ports.DeploymentStore`."""
        rows = await self._database.read(lambda c: c.execute(f"SELECT {_UPLOAD} FROM uploads").fetchall())
        return {row[0]: _upload(row) for row in rows}

    async def deploy(self, deployment: Deployment, after: int) -> Deployment | None:
        """See `ports.DeploymentStore`."""

        def deploy(connection: SqlConnection) -> Deployment | None:
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

        return await self._database.write(deploy, "deployments")

    async def deployments(self, limit: int = 200, before: int | None = None) -> list[Deployment]:
        """See `ports.DeploymentStore`."""
        sql = f"SELECT {_DEPLOYMENT} FROM deployments WHERE (number < ?1 OR ?1 IS NULL) ORDER BY number DESC LIMIT ?2"
        rows = await self._database.read(lambda c: c.execute(sql, (before, limit)).fetchall())
        return [_deployment(row) for row in rows]

    async def active(self) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        sql = f"SELECT {_DEPLOYMENT} FROM deployments WHERE kind = ? ORDER BY number DESC LIMIT 1"
        row = await self._database.read(lambda c: c.execute(sql, (DeploymentKind.ACTIVATE.value,)).fetchone())
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
