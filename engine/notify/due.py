"""Which deliveries there have to be, by how requests stand: the same however often it is asked.

When people are reminded, and who is told only later, is said by a notification, by the rule that asks, or by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta

from engine.language.value import digest, duration
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
        if row.opened_at is not None and not over:
            yield from _of_open(notification, row, now, now - row.opened_at)
    if Moment.ENDED in notification.moments:
        for row in ended:
            if row.opened_at is not None and _is_meant(notification, _told(row, now - row.opened_at)):
                yield _delivery(notification, Moment.ENDED, row, now)


def _of_open(notification: Notification, row: RequestRow, now: datetime, open_for: timedelta) -> Iterator[Delivery]:
    later = escalations(row)
    tells = Moment.OPENED in notification.moments
    if _is_meant(notification, _asked(row) - later.keys()) and tells:
        yield _delivery(notification, Moment.OPENED, row, now)
    spans = sorted({*notification.remind, *(_reminders(row) if tells else ())})
    # of several that are due at once, as after a time in which nobody looked, the last is told; who is told later is
    # reminded from then on
    passed = [
        number for number, one in enumerate(spans, 1) if one <= open_for and _is_meant(notification, _told(row, one))
    ]
    if passed:
        yield _delivery(notification, Moment.REMINDED, row, now, passed[-1])
    if notification.escalate is not None and notification.escalate <= open_for and _is_meant(notification, _asked(row)):
        yield _delivery(notification, Moment.ESCALATED, row, now)
    for number, (group, after) in enumerate(sorted(later.items()), 1):
        if after <= open_for and tells and _is_meant(notification, {group}):
            yield _delivery(notification, Moment.ESCALATED, row, now, number)


def escalations(row: RequestRow) -> dict[str, timedelta]:
    """By group that is told only later, how long after the request was opened."""
    told = row.payload.get("escalate") or {}
    return {str(group): after for group, text in told.items() if (after := duration(str(text))) is not None}


def _reminders(row: RequestRow) -> list[timedelta]:
    told = row.payload.get("remind") or ()
    return [after for text in told if (after := duration(str(text))) is not None]


def _asked(row: RequestRow) -> Set[str]:
    return set(map(str, row.payload.get("groups") or ()))


def _told(row: RequestRow, open_for: timedelta) -> Set[str]:
    """The groups that were told of a request before it was open for so long."""
    return _asked(row) - {group for group, after in escalations(row).items() if after >= open_for}


def _is_meant(notification: Notification, groups: Set[str]) -> bool:
    return not notification.groups or bool(notification.groups & groups)


def _delivery(notification: Notification, moment: Moment, row: RequestRow, now: datetime, number: int = 0) -> Delivery:
    kind = f"{moment.value}" if not number else f"{moment.value}.{number}"
    id_ = f"msg_{digest([notification.name, kind, row.id])[:24]}"
    return Delivery(id_, notification.name, kind, row.id, now, now)
