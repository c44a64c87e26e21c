"""Documents of the kind Notification to what the notifier goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.bundle.checks import e203_missing_key, e206_constraint, e301_duplicate_name
from engine.bundle.node import Node
from engine.bundle.schema_check import check_shape
from engine.config.secret_names import PREFIX, secret_name
from engine.diagnostic import Diagnostic
from engine.language.value import span
from engine.notify.notification import HttpTarget, MailTarget, MessageForm, Moment, Notification


def load_notifications(nodes: Sequence[Node], diagnostics: list[Diagnostic]) -> tuple[Notification, ...]:
    """The notifications of some documents; what is wrong with them is said."""
    found: dict[str, Notification] = {}
    places: dict[str, Node] = {}
    for node in nodes:
        wrong = check_shape(node, "Notification") or _check(node)
        diagnostics += wrong
        if wrong:
            continue
        made = _notification(node.plain)
        if made.name in found:
            diagnostics.append(e301_duplicate_name.at(node.at("name"), "notification", places[made.name].place))
        found[made.name] = made
        places.setdefault(made.name, node.at("name"))
    return tuple(found.values())


def _check(node: Node) -> list[Diagnostic]:
    """What the shape of a Notification does not tell."""
    found: list[Diagnostic] = []
    webhook, mail = node.get("webhook"), node.get("mail")
    if webhook is None and mail is None:
        found.append(e203_missing_key.at(node, "webhook"))
    elif webhook is not None and mail is not None:
        found.append(e206_constraint.at(mail, "mail", "stands beside `webhook`: a notification goes to one place"))
    if mail is not None and (mail.get("user") is None) != (mail.get("password") is None):
        found.append(e206_constraint.at(mail, "mail", "has a `user` and a `password`, or neither"))
    if mail is not None and mail.get("user") is not None and mail.plain.get("tls") == "none":
        found.append(e206_constraint.at(mail.at("tls"), "tls", "is none, and a password would be sent in the clear"))
    return found


def _notification(plain: Mapping[str, Any]) -> Notification:
    escalate = plain.get("escalate")
    return Notification(
        plain["name"],
        _http(plain["webhook"]) if plain.get("webhook") is not None else _mail(plain["mail"]),
        frozenset(map(Moment, plain.get("tell", ["opened"]))),
        frozenset(plain.get("groups", ())),
        plain.get("tenant"),
        tuple(sorted({span(text) for text in plain.get("remind", ())})),
        span(escalate) if escalate is not None else None,
    )


def _http(plain: Mapping[str, Any]) -> HttpTarget:
    url = plain["url"]
    hidden = url.startswith(PREFIX)
    return HttpTarget(
        None if hidden else url,
        secret_name(url) if hidden else None,
        secret_name(plain["secret"]) if plain.get("secret") is not None else None,
        MessageForm(plain.get("form", "standard")),
        plain.get("allow_private", False),
    )


def _mail(plain: Mapping[str, Any]) -> MailTarget:
    password = plain.get("password")
    return MailTarget(
        plain["server"], plain.get("port", 587), plain["sender"], tuple(plain["to"]), plain.get("user"),
        secret_name(password) if password is not None else None, plain.get("tls", "starttls"),
    )  # fmt: skip
