"""The settings of a service, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.access.grants import Access
from engine.runtime.retention import RetentionRule
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
    log_format: str = "text"
    log_level: str = "info"
    retention: tuple[RetentionRule, ...] = ()
    access: Access = field(default_factory=Access)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
