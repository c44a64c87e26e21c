"""Who is told of what, as an operator has configured it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import assert_never


class Moment(StrEnum):
    """What happens to a request that others may be told of."""

    OPENED = "opened"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    ENDED = "ended"


class MessageForm(StrEnum):
    """What a message is made for."""

    STANDARD = "standard"
    SLACK = "slack"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """An address that takes messages; it, or a part of it, may be a secret by `url_secret`."""

    url: str | None
    url_secret: str | None
    signing_secret: str | None
    form: MessageForm
    allow_private: bool


@dataclass(frozen=True, slots=True)
class MailTarget:
    """Whom a mail goes to, and the server that takes it."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    user: str | None
    password_secret: str | None
    tls: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What is told where: of requests that some `groups` are asked, or of all, and of one tenant or of all."""

    name: str
    target: HttpTarget | MailTarget
    moments: frozenset[Moment]
    groups: frozenset[str] = frozenset()
    tenant: str | None = None
    remind: tuple[timedelta, ...] = ()
    escalate: timedelta | None = None


def secrets_of(notification: Notification) -> list[str]:
    """The names of the secrets that a notification needs."""
    target = notification.target
    match target:
        case HttpTarget():
            named = [target.url_secret, target.signing_secret]
        case MailTarget():
            named = [target.password_secret]
        case _:
            assert_never(target)
    return [name for name in named if name is not None]
