"""Deliveries on their way: over HTTP to an address that may be asked, signed, or to a mail server."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
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

# how long one may take, in seconds
HTTP_TIME, MAIL_TIME = 15.0, 45.0
# conversations with mail servers at once; their threads are no others', which would wait for them
_CONVERSATIONS = trio.CapacityLimiter(4)
_THREADS = trio.CapacityLimiter(1000)


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
        longest = HTTP_TIME if isinstance(target, HttpTarget) else MAIL_TIME
        try:
            with trio.fail_after(longest):
                if isinstance(target, HttpTarget):
                    await self._post(target, delivery, row, link, now)
                else:
                    await self._mail(target, delivery, row, link, now)
        except trio.TooSlowError:
            raise NotTaken(f"it took longer than {longest:g} seconds") from None
        except MissingSecret as error:
            raise NotTaken(str(error)) from None

    async def _post(self, target: HttpTarget, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> None:
        url = target.url if target.url is not None else self.secrets.reveal(str(target.url_secret)).strip()
        host, port, name = _place(url)
        try:
            address = await allowed_address(host, port, private=target.allow_private)
        except AddressRefused as error:
            raise NotTaken(str(error), final=True) from None
        except NoAddress as error:
            raise NotTaken(str(error)) from None
        raw = one_line(jsonable(body(target.form, delivery, row, link, now))).encode()
        headers = {"content-type": "application/json", "host": name, "accept-encoding": "identity"}
        headers |= {"webhook-id": delivery.id, "webhook-timestamp": str(int(now.timestamp()))}
        if target.signing_secret is not None:
            headers |= signature(self.secrets.reveal(target.signing_secret), delivery.id, now, raw)
        asked = httpx2.URL(url).copy_with(host=f"[{address}]" if ":" in address else address, port=port)
        # the address that was judged is the one that is asked, under the name that its certificate is for; connections
        # are told apart by address, and would be shared between hosts
        told = {"sni_hostname": host}
        try:
            async with (
                httpx2.AsyncClient(timeout=None, trust_env=False, follow_redirects=False) as http,
                http.stream("POST", asked, content=raw, headers=headers, extensions=told) as answer,
            ):
                # what else is answered nobody reads
                status = answer.status_code
        except httpx2.HTTPError as error:
            raise NotTaken(f"{type(error).__name__}: {error}") from None
        if not 200 <= status < 300:
            raise NotTaken(f"it answered with {status}", final=status == 410)

    async def _mail(self, target: MailTarget, delivery: Delivery, row: RequestRow, link: str, now: datetime) -> None:
        password = self.secrets.reveal(target.password_secret) if target.password_secret is not None else None
        conversation = MailConversation(target, password, mail(target, delivery, row, link, now))
        try:
            async with _CONVERSATIONS:
                try:
                    await trio.to_thread.run_sync(conversation.run, abandon_on_cancel=True, limiter=_THREADS)
                finally:
                    # a thread that is given up ends with its socket
                    conversation.end()
        except (smtplib.SMTPException, OSError) as error:
            final = isinstance(error, smtplib.SMTPRecipientsRefused)
            raise NotTaken(f"{type(error).__name__}: {error}"[:300], final=final) from None


class MailConversation:
    """A mail on its way to a server, in a thread; it can be ended from another."""

    def __init__(self, target: MailTarget, password: str | None, told: EmailMessage) -> None:
        self._target = target
        self._password = password
        self._told = told
        self._context = ssl.create_default_context()
        self._server = (
            smtplib.SMTP_SSL(timeout=HTTP_TIME, context=self._context)
            if target.tls == "tls"
            else smtplib.SMTP(timeout=HTTP_TIME)
        )

    def run(self) -> None:
        """Send; raises SMTPException, OSError."""
        target, server = self._target, self._server
        # the name that a certificate has to be for
        server._host = target.host  # type: ignore[attr-defined]
        server.connect(target.host, target.port)
        if target.tls == "starttls":
            server.starttls(context=self._context)
        if target.user is not None:
            server.login(target.user, self._password or "")
        server.send_message(self._told)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()

    def end(self) -> None:
        """Close the connection, whatever is said on it."""
        held = self._server.sock
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()


def _place(url: str) -> tuple[str, int, str]:
    """The host of an address, its port, and its name as a request says it; raises NotTaken, and never tells of it.

    What it holds may be a secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        raise NotTaken("its address is no URL", final=True) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
        raise NotTaken("its address is no http(s) URL", final=True)
    return parts.hostname, port, parts.netloc.rpartition("@")[2]


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
