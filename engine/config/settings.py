"""The settings of a service, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.access.grants import Access
from engine.notify.notification import Notification, secrets_of
from engine.ports.resources import MissingSecret, Secrets
from engine.runtime.retention import RetentionRule
from engine.spec.secret_refs import references
from engine.telemetry.otlp import TraceTarget
from engine.web.schedule import Schedule
from engine.web.server.limits import ServerLimits
from engine.web.webhook import Webhook


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What a service runs with; `origins` tells by name where each value came from."""

    bundle: Path
    store: str
    host: str
    port: int
    workers: int
    url: str | None = None
    limits: ServerLimits = field(default_factory=ServerLimits)
    metrics: tuple[str, int] | None = None
    traces: TraceTarget | None = None
    log_format: str = "text"
    log_level: str = "info"
    takes_code: bool = False
    retention: tuple[RetentionRule, ...] = ()
    access: Access = field(default_factory=Access)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    notifications: tuple[Notification, ...] = ()
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def missing_secrets(self, secrets: Secrets) -> list[str]:
        """What is wrong with the secrets that these settings name."""
        named = {hook.secret for hook in self.webhooks.values()}
        if self.access.people is not None and self.access.people.client_secret is not None:
            named.add(self.access.people.client_secret)
        named |= {name for one in self.notifications for name in secrets_of(one)}
        if self.traces is not None:
            named |= {name for text in self.traces.headers.values() for name in references(text)}
        found = []
        for name in sorted(named):
            try:
                secrets.reveal(name)
            except MissingSecret as error:
                found.append(str(error))
        return found
