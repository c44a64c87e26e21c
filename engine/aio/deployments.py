"""Uploads and deployments, for asyncio programs: each call crosses over to the thread in which the store lives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from engine.aio.thread import ThreadContext
from engine.ports.deployments import Deployment, DeploymentStore, Upload
from engine.ports.store import Store


class ThreadDeployments:
    """See `ports.DeploymentStore`; `context` is where the store lives."""

    def __init__(self, context: ThreadContext[Store]) -> None:
        self._context = context

    @property
    def _deployments(self) -> DeploymentStore:
        return self._context.value.deployments

    async def add_upload(self, upload: Upload) -> Upload:
        """See `ports.DeploymentStore`."""
        return await self._context.call(partial(self._deployments.add_upload, upload))

    async def uploads(self) -> Mapping[str, Upload]:
        """See `ports.DeploymentStore`."""
        return await self._context.call(partial(self._deployments.uploads))

    async def deploy(self, deployment: Deployment, after: int) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        return await self._context.call(partial(self._deployments.deploy, deployment, after))

    async def deployments(self, limit: int = 200, before: int | None = None) -> list[Deployment]:
        """See `ports.DeploymentStore`."""
        return await self._context.call(partial(self._deployments.deployments, limit, before))

    async def active(self) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        return await self._context.call(partial(self._deployments.active))
