"""What is said, in each form: names of tools, groups and rules, times and a link; no value of a call, no words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, assert_never

from engine.language.value import timestamp
from engine.notify.notification import MailTarget, MessageForm, Moment
from engine.ports.deliveries import Delivery
from engine.ports.records import RequestRow

_SAYS: Mapping[Moment, str] = {
    Moment.OPENED: "{what} waits for {whom}",
    Moment.REMINDED: "{what} still waits for {whom}",
    Moment.ESCALATED: "{what} has waited for {whom} for too long",
    Moment.ENDED: "{what} is {how}: it waits for {whom} no more",
}


def moment_of(delivery: Delivery) -> Moment:
    """What a delivery tells of."""
    return Moment(delivery.kind.partition(".")[0])


def sentence(delivery: Delivery, row: RequestRow) -> str:
    """What happened, in a sentence."""
    whom = ", ".join(map(str, row.payload.get("groups") or ())) or "somebody"
    what = str(row.payload.get("tool") or f"a request ({row.kind})")
    told = _SAYS[moment_of(delivery)].format(what=what, whom=whom, how=row.status)
    until = row.expires_at if row.status == "open" else None
    return f"{told} until {until:%Y-%m-%d %H:%M} UTC" if until is not None else told


def standard(delivery: Delivery, row: RequestRow, link: str, now: datetime) -> dict[str, Any]:
    """The body as Standard Webhooks has it: thin, for who reads the rest asks for it."""
    data = {
        "id": row.id, "session_id": row.session_id, "kind": row.kind, "status": row.status,
        "tool": row.payload.get("tool"), "groups": list(row.payload.get("groups") or ()),
        "rules": list(row.payload.get("rules") or ()),
        "expires_at": timestamp(row.expires_at) if row.expires_at is not None else None, "url": link,
    }  # fmt: skip
    return {"type": f"request.{moment_of(delivery).value}", "timestamp": timestamp(now), "data": data}


def body(form: MessageForm, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> dict[str, Any]:
    """What is posted."""
    match form:
        case MessageForm.STANDARD:
            return standard(delivery, row, link, now)
        case MessageForm.SLACK:
            return {"text": f"{_plain(sentence(delivery, row))}\n<{link}|Open it in the inbox>"}
        case MessageForm.TEAMS:
            return {"type": "message", "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": {
                    "type": "AdaptiveCard", "version": "1.4",
                    "body": [{"type": "TextBlock", "wrap": True, "text": sentence(delivery, row)}],
                    "actions": [{"type": "Action.OpenUrl", "title": "Open it in the inbox", "url": link}],
                },
            }]}  # fmt: skip
        case _:
            assert_never(form)


def mail(target: MailTarget, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> EmailMessage:
    """The mail; asked for again it has the same id."""
    told = EmailMessage()
    told["From"], told["To"] = target.sender, ", ".join(target.to)
    told["Subject"] = sentence(delivery, row).partition(" until ")[0]
    told["Date"], told["Message-ID"] = format_datetime(now), f"<{delivery.id}@steadyhand>"
    told["Auto-Submitted"] = "auto-generated"
    told.set_content(f"{sentence(delivery, row)}.\n\nRead it and answer in the inbox:\n{link}\n")
    return told


def _plain(text: str) -> str:
    """Text that Slack takes for nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
