"""Signed deliveries start sessions, once each; what is not signed, or not of now, does nothing and is told nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.shell import CHARGED, Shell, copy_of_root
from tests.web.service import Service, open_service

KEY = b"a secret that both sides know"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
HOOK = """\
kind: Webhook
name: tickets
secret: ${secret:TICKETS_SECRET}
tenant: acme
message: body.ticket.text
attributes: {account_id: "body.ticket.account"}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    at: Path = copy_of_root(tmp_path_factory.mktemp("hooks"))
    (at / "engine.yaml").write_text("kind: Service\ninclude: [hook.yaml]\n")
    (at / "hook.yaml").write_text(HOOK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TICKETS_SECRET", SECRET)
        with open_service(Shell(at), "--config", "engine.yaml") as opened:
            yield opened


def ticket(account: str = "acct_1001", text: str = CHARGED) -> bytes:
    return json.dumps({"ticket": {"text": text, "account": account}}).encode()


def deliver(
    service: Service, body: bytes, *, id_: str = "msg_1", at: int | None = None, key: bytes = KEY, name: str = "tickets",
    **more: str,
) -> httpx2.Response:  # fmt: skip
    moment = str(int(time.time()) if at is None else at)
    signed = hmac.new(key, f"{id_}.{moment}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": id_, "webhook-timestamp": moment, "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        "content-type": "application/json", **more,
    }  # fmt: skip
    with service.client() as client:
        return client.post(f"/hooks/{name}", content=body, headers=headers)


def test_a_delivery_starts_a_session_and_the_same_again_is_the_same_one(service: Service) -> None:
    first = deliver(service, ticket(), id_="msg_a")
    assert first.status_code == 202, first.text
    again = deliver(service, ticket(), id_="msg_a")
    assert (again.status_code, again.json()["id"], again.json()["first"]) == (202, first.json()["id"], False)
    other = deliver(service, ticket(), id_="msg_b")
    assert other.json()["id"] != first.json()["id"]
    with service.client("ops", "operator") as ops:
        session = service.waits(ops, first.json()["id"], "done")
    assert session["attributes"] == {"account_id": "acct_1001", "tenant": "acme"}
    assert (session["messages"], session["started_by"]) == ([CHARGED], "customer")


@pytest.mark.parametrize(
    "more",
    [
        {"key": b"another"}, {"at": 1}, {"at": int(time.time()) + 3600}, {"name": "nothing"}, {"id_": ""}, {"id_": "x" * 201},
        {"webhook-signature": "v1,"}, {"webhook-signature": "v2,AAAA"}, {"webhook-signature": "v1,not base64"},
        {"webhook-timestamp": "now"}, {"webhook-id": "msg_other"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_signed_or_not_of_now_is_refused_with_one_answer(service: Service, more: dict[str, Any]) -> None:
    refused = deliver(service, ticket(), **more)
    assert (refused.status_code, refused.json()["code"]) == (401, "unsigned")


def test_one_of_several_signatures_is_enough_as_while_a_secret_is_rotated(service: Service) -> None:
    body, at = ticket(), str(int(time.time()))
    good = base64.b64encode(hmac.new(KEY, f"msg_r.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    old = base64.b64encode(b"x" * 32).decode()
    both: dict[str, Any] = {"webhook-signature": f"v1,{old} v1a,zzz v1,{good}"}
    told = deliver(service, body, id_="msg_r", at=int(at), **both)
    assert told.status_code == 202, told.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"ticket": {"text": "", "account": "a"}}', 422),
        (b'{"ticket": {"text": 5, "account": "a"}}', 422), (b'{"ticket": {"text": "hi", "account": 5}}', 422),
        (b"\xff", 400), (b"[" * 100_000, 400),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_signed_delivery_that_says_nothing_starts_nothing(service: Service, body: bytes, status: int) -> None:
    refused = deliver(service, body, id_=f"msg_{hashlib.sha256(body).hexdigest()[:8]}")
    assert refused.status_code == status, refused.text


def test_a_delivery_id_means_one_body(service: Service) -> None:
    assert deliver(service, ticket(), id_="msg_c").status_code == 202
    assert deliver(service, ticket("acct_1002"), id_="msg_c").status_code == 409


def test_what_is_wrong_with_a_webhook_is_told_at_start(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path / "bundle")
    (at / "engine.yaml").write_text("kind: Service\ninclude: [hook.yaml]\n")
    for was, becomes, code in (
        ("body.ticket.text", "body.ticket.", "E401"), ("${secret:TICKETS_SECRET}", "plain", "E206"),
        ("body.ticket.text", "ticket.text", "E4"), ("kind: Webhook", "kind: Webhok", "E207"),
    ):  # fmt: skip
        (at / "hook.yaml").write_text(HOOK.replace(was, becomes))
        done = Shell(at)("config", "show", "--config", "engine.yaml")
        assert (done.code, f"error[{code}" in done.err) == (1, True), done.err


def test_webhooks_are_listed_without_their_secrets_for_who_may_see_their_tenant(service: Service) -> None:
    told = {"name": "tickets", "path": "/hooks/tickets", "agent": None, "tenant": "acme"}
    with service.client("ops", "operator") as ops, service.client("other", "operator", "--tenant", "globex") as other:
        assert ops.get("/v1/webhooks").json() == {"items": [told], "next_cursor": None}
        assert other.get("/v1/webhooks").json()["items"] == []
