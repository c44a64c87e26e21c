"""Uploads and deployments in memory: see `ports.deployments`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.ports.deployments import Deployment, DeploymentKind, Upload


class MemoryDeployments:
    """See `ports.DeploymentStore`; gone with the process."""

    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}
        self._deployments: list[Deployment] = []

    async def add_upload(self, upload: Upload) -> Upload:
        """See `ports.DeploymentStore`."""
        return self._uploads.setdefault(upload.bundle, upload)

    async def uploads(self) -> Mapping[str, Upload]:
        """See `ports.DeploymentStore`."""
        return dict(self._uploads)

    async def deploy(self, deployment: Deployment, after: int) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        if len(self._deployments) != after:
            return None
        made = replace(deployment, number=after + 1)
        self._deployments.append(made)
        return made

    async def deployments(self, limit: int = 200, before: int | None = None) -> list[Deployment]:
        """See `ports.DeploymentStore`."""
        return [one for one in reversed(self._deployments) if before is None or one.number < before][:limit]

    async def active(self) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        return next((one for one in reversed(self._deployments) if one.kind is DeploymentKind.ACTIVATE), None)
