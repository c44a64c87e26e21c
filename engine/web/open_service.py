"""A service with what it asks of others: opened, and closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
import trio

from engine.access.grants import Access
from engine.api.engine import Engine
from engine.ports.resources import Secrets
from engine.ports.store import Store
from engine.spec.bundle import Bundle
from engine.store.urls import listening_at
from engine.web.openid import OpenIdProvider
from engine.web.schedule import Schedule
from engine.web.service import Service
from engine.web.webhook import Webhook


@asynccontextmanager
async def open_service(
    engine: Engine,
    store: Store,
    bundle: Bundle,
    secrets: Secrets,
    *,
    url: str,
    access: Access,
    webhooks: Mapping[str, Webhook],
    schedules: Mapping[str, Schedule] | None = None,
    takes_code: bool = False,
    past: str | None = None,
) -> AsyncIterator[Service]:
    """The service on a store, which others read at the URL `past`; None of one that is in this process alone.

    It asks providers over a client of its own; no proxy or cookie of anybody's comes in between.
    """
    client = httpx2.AsyncClient(timeout=None, trust_env=False, follow_redirects=False)
    async with client as http, listening_at(past or "memory:") as wakes:
        people, machines = (
            OpenIdProvider(one, http, store.clock, secrets) if one is not None else None
            for one in (access.people, access.machines)
        )
        yield Service(
            engine,
            store,
            bundle,
            trio.Event(),
            url=url,
            access=access,
            people=people,
            machines=machines,
            webhooks=webhooks,
            schedules=schedules or {},
            past=past,
            takes_code=takes_code,
            secrets=secrets,
            wakes=wakes,
        )
