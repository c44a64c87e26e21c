"""Deliveries on their way: over HTTP to an address that may be asked, signed, or to a mail server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx2
import trio

from engine.language.value import jsonable, one_line
from engine.net.address import AddressRefused, NoAddress, allowed_address
from engine.notify.message import body, mail
from engine.notify.notification import HttpTarget, MailTarget
from engine.ports.deliveries import Delivery
from engine.ports.records import RequestRow
from engine.ports.resources import MissingSecret, Secrets

# in seconds
TIMEOUT = 15.0


class NotTaken(Exception):
    """A delivery that was not taken; `final` if no further attempt would be."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.final = final


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends without following redirects, and through no proxy; `url` is where people reach the service."""

    secrets: Secrets
    url: str

    async def send(self, target: HttpTarget | MailTarget, delivery: Delivery, row: RequestRow, now: datetime) -> None:
        """Deliver, or raise NotTaken."""
        link = f"{self.url}/inbox/{row.id}"
        try:
            with trio.fail_after(TIMEOUT):
                if isinstance(target, HttpTarget):
                    await self._post(target, delivery, row, link, now)
                else:
                    await self._mail(target, delivery, row, link, now)
        except trio.TooSlowError:
            raise NotTaken(f"it took longer than {TIMEOUT:g} seconds") from None
        except MissingSecret as error:
            raise NotTaken(str(error)) from None

    async def _post(self, target: HttpTarget, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> None:
        url = target.url if target.url is not None else self.secrets.reveal(str(target.url_secret)).strip()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotTaken("its address is no http(s) URL", final=True)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            address = await allowed_address(parts.hostname, port, private=target.allow_private)
        except AddressRefused as error:
            raise NotTaken(str(error), final=True) from None
        except NoAddress as error:
            raise NotTaken(str(error)) from None
        raw = one_line(jsonable(body(target.form, delivery, row, link, now))).encode()
        headers = {"content-type": "application/json", "host": parts.netloc.rpartition("@")[2]}
        if target.signing_secret is not None:
            headers |= signature(self.secrets.reveal(target.signing_secret), delivery.id, now, raw)
        literal = f"[{address}]" if ":" in address else address
        asked = httpx2.URL(url).copy_with(host=literal, port=port)
        # the address that was judged is the one that is asked, under the name that its certificate is for; connections
        # are told apart by address, and would be shared between hosts
        try:
            async with httpx2.AsyncClient(timeout=None, trust_env=False, follow_redirects=False) as http:
                done = await http.post(asked, content=raw, headers=headers, extensions={"sni_hostname": parts.hostname})
        except httpx2.HTTPError as error:
            raise NotTaken(f"{type(error).__name__}: {error}") from None
        if not 200 <= done.status_code < 300:
            raise NotTaken(f"it answered with {done.status_code}", final=done.status_code == 410)

    async def _mail(self, target: MailTarget, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> None:
        password = self.secrets.reveal(target.password_secret) if target.password_secret is not None else None
        told = mail(target, delivery, row, link, now)

        def send() -> None:
            context = ssl.create_default_context()
            secure = target.tls == "tls"
            opened = (
                smtplib.SMTP_SSL(target.host, target.port, timeout=TIMEOUT, context=context)
                if secure
                else smtplib.SMTP(target.host, target.port, timeout=TIMEOUT)
            )
            with opened as server:
                if target.tls == "starttls":
                    server.starttls(context=context)
                if target.user is not None:
                    server.login(target.user, password or "")
                server.send_message(told)

        try:
            await trio.to_thread.run_sync(send, abandon_on_cancel=True)
        except (smtplib.SMTPException, OSError) as error:
            final = isinstance(error, smtplib.SMTPRecipientsRefused)
            raise NotTaken(f"{type(error).__name__}: {error}"[:300], final=final) from None


def signature(secret: str, id_: str, now: datetime, raw: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; a secret that begins with `whsec_` is written in base64.

    Raises NotTaken for one that is not.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True) if secret.startswith("whsec_") else secret
    except (binascii.Error, ValueError):
        raise NotTaken("its signing secret begins with whsec_ and is no base64", final=True) from None
    at = str(int(now.timestamp()))
    told = b".".join((id_.encode(), at.encode(), raw))
    made = hmac.new(key if isinstance(key, bytes) else key.encode(), told, hashlib.sha256).digest()
    return {
        "webhook-id": id_, "webhook-timestamp": at, "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }  # fmt: skip
