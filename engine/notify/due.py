"""Which deliveries there have to be, by how requests stand: the same however often it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from engine.language.value import digest
from engine.notify.notification import Moment, Notification
from engine.ports.deliveries import Delivery
from engine.ports.records import RequestRow


def due_deliveries(
    notification: Notification, rows: Iterable[RequestRow], ended: Iterable[RequestRow], now: datetime
) -> Iterator[Delivery]:
    """What is to be told at a moment of requests that are open (`rows`), and of some that are not any more."""
    for row in rows:
        # a yes that was said before the end counts, and nobody is wanted meanwhile
        over = row.counts_at is not None or (row.expires_at is not None and row.expires_at <= now)
        if not _is_meant(notification, row) or row.opened_at is None or over:
            continue
        if Moment.OPENED in notification.moments:
            yield _delivery(notification, Moment.OPENED, row, now)
        # of several that are due at once, as after a time in which nobody looked, the last is told
        passed = [number for number, span in enumerate(notification.remind, 1) if row.opened_at + span <= now]
        if passed:
            yield _delivery(notification, Moment.REMINDED, row, now, passed[-1])
        if notification.escalate is not None and row.opened_at + notification.escalate <= now:
            yield _delivery(notification, Moment.ESCALATED, row, now)
    if Moment.ENDED in notification.moments:
        for row in ended:
            if _is_meant(notification, row):
                yield _delivery(notification, Moment.ENDED, row, now)


def _is_meant(notification: Notification, row: RequestRow) -> bool:
    return not notification.groups or bool(notification.groups & set(map(str, row.payload.get("groups") or ())))


def _delivery(notification: Notification, moment: Moment, row: RequestRow, now: datetime, number: int = 0) -> Delivery:
    kind = f"{moment.value}" if not number else f"{moment.value}.{number}"
    id_ = f"msg_{digest([notification.name, kind, row.id])[:24]}"
    return Delivery(id_, notification.name, kind, row.id, now, now)
