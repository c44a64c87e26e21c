"""Others are told of what people are asked: once, signed, without a value of a call, and until it was taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.waiting import until
from tests.web.service import Service, open_service
from tests.web.test_pages import held

SECRET = "a secret that both sides know"


@dataclass
class Listener:
    """A server that takes messages, or for some time does not."""

    url: str = ""
    codes: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def told(self) -> list[Any]:
        return [json.loads(raw) for _, raw in self.got]


@contextmanager
def listener() -> Iterator[Listener]:
    here = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            here.got.append(({name.lower(): text for name, text in self.headers.items()}, raw))
            self.send_response(here.codes.pop(0) if here.codes else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield here
        server.shutdown()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """A small SMTP server; what it was given."""
    mails: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().strip().upper():
                if line == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        text += part
                    mails.append(text.decode())
                self.wfile.write(b"221 bye\r\n" if line == b"QUIT" else b"250 fine\r\n")
                if line == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], mails
        server.shutdown()


CONFIG = "kind: Service\nport: 0\nstore: sqlite:///store.db\nurl: https://engine.example.org\ninclude: [{files}]\n"


@contextmanager
def notifying(at: Path, **documents: str) -> Iterator[Service]:
    """A service with notifications, each of a name and with what its document says."""
    copy_of_root(at) if not (at / "specs").exists() else at
    for name, text in documents.items():
        (at / f"{name}.yaml").write_text(f"kind: Notification\nname: {name}\n{text}\n", "utf-8")
    (at / "engine.yaml").write_text(CONFIG.format(files=", ".join(f"{name}.yaml" for name in documents)), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESK_SECRET", SECRET)
        with open_service(Shell(at), "--config", "engine.yaml") as opened:
            yield opened


def answered(service: Service, request: str, answer: str = "deny") -> None:
    with service.client("dana", "reviewer") as dana:
        digest = dana.get(f"/v1/requests/{request}").json()["digest"]
        assert (
            dana.post(f"/v1/requests/{request}/answers", json={"answer": answer, "digest": digest}).status_code == 200
        )


def test_what_is_opened_and_ended_is_told_signed_thin_and_until_it_is_taken(tmp_path: Path) -> None:
    with listener() as desk:
        desk.codes = [503]
        told = f"tell: [opened, ended]\nwebhook: {{url: '{desk.url}', secret: '${{secret:DESK_SECRET}}', allow_private: true}}"
        with notifying(tmp_path, desk=told) as service:
            request = held(service)
            until(lambda: len(desk.got) == 2, "the second attempt")
            (first, raw), (second, again) = desk.got
            # the second attempt is known by its id
            assert first["webhook-id"] == second["webhook-id"]
            for headers, content in ((first, raw), (second, again)):
                signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), content))
                made = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
                assert headers["webhook-signature"] == f"v1,{made}"
            body = json.loads(again)
            assert body["type"] == "request.opened"
            assert body["data"]["url"] == f"https://engine.example.org/inbox/{request}"
            assert (body["data"]["tool"], body["data"]["groups"]) == ("open_refund_case", ["refund-reviewers"])
            # no value of the call and nobody's words
            for secret in ("amount", "acct_1002", "charged twice", "ch_00010"):
                assert secret not in again.decode()
            answered(service, request)
            until(lambda: len(desk.got) == 3, "the end")
            assert desk.told()[2]["type"] == "request.ended"
            with service.client("ops", "operator") as ops:
                until(lambda: {one["state"] for one in ops.get("/v1/deliveries").json()["items"]} == {"delivered"})
                found = {one["kind"]: one["attempts"] for one in ops.get("/v1/deliveries").json()["items"]}
            assert found == {"opened": 2, "ended": 1}
            tokens = service.tokens
        # whoever starts again has told it already, and of what ended meanwhile nobody was told yet
        with notifying(tmp_path, desk=told) as service:
            service.tokens |= tokens
            other = held(service)
            until(lambda: len(desk.got) == 4, "the new one")
            assert desk.told()[3]["data"]["id"] == other


def test_people_are_reminded_and_others_told_that_it_waits_for_too_long(tmp_path: Path) -> None:
    with listener() as desk, listener() as boss, listener() as others:
        with notifying(
            tmp_path,
            desk=f"remind: [1s, 3s]\nwebhook: {{url: '{desk.url}', form: slack, allow_private: true}}",
            boss=f"tell: []\nescalate: 2s\nwebhook: {{url: '{boss.url}', form: teams, allow_private: true}}",
            others=f"groups: [somebody-else]\nwebhook: {{url: '{others.url}', allow_private: true}}",
            abroad=f"tenant: globex\nwebhook: {{url: '{others.url}', allow_private: true}}",
        ) as service:
            request = held(service)
            until(lambda: len(desk.got) > 1 and len(boss.got) == 1, "a reminder and an escalation")
            texts = [one["text"] for one in desk.told()]
            opened = [text for text in texts if "open_refund_case waits for refund-reviewers until" in text]
            still = [text for text in texts if "open_refund_case still waits" in text]
            assert (len(opened), len(opened) + len(still)) == (1, len(texts))
            assert all(f"<https://engine.example.org/inbox/{request}|" in text for text in texts)
            card = boss.told()[0]["attachments"][0]["content"]
            assert "for too long" in card["body"][0]["text"]
            assert card["actions"][0]["url"].endswith(request)
            answered(service, request)
        assert others.got == []


def test_one_that_can_not_be_reached_or_never_ends_keeps_no_other_waiting(tmp_path: Path) -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(50)
    hangs = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
    with silent, listener() as desk, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAD_URL", "http://user:p/w@[::1:99999/secret-path")
        with notifying(
            tmp_path,
            desk=f"webhook: {{url: '{desk.url}', allow_private: true}}",
            hangs=f"webhook: {{url: '{hangs}', allow_private: true}}",
            bad="webhook: {url: '${secret:BAD_URL}', allow_private: true}",
        ) as service:
            requests = {held(service) for _ in range(3)}
            until(lambda: {one["data"]["id"] for one in desk.told()} == requests, "all of the good one's")
            with service.client("ops", "operator") as ops:
                until(
                    lambda: len(ops.get("/v1/deliveries?state=dead").json()["items"]) == 3, "the bad ones are given up"
                )
                dead = ops.get("/v1/deliveries?state=dead").json()["items"]
            assert {(one["notification"], "secret-path" in one["problem"]) for one in dead} == {("bad", False)}


def test_who_was_answered_is_waited_for_no_more(tmp_path: Path) -> None:
    with listener() as desk:
        desk.codes = [503]
        with notifying(tmp_path, desk=f"webhook: {{url: '{desk.url}', allow_private: true}}") as service:
            request = held(service)
            until(lambda: len(desk.got) == 1, "the first attempt")
            answered(service, request)
            with service.client("ops", "operator") as ops:
                until(lambda: [one["state"] for one in ops.get("/v1/deliveries").json()["items"]] == ["dead"])
                assert "open no more" in ops.get("/v1/deliveries").json()["items"][0]["problem"]
        assert len(desk.got) == 1


def test_a_mail_is_sent_and_says_as_little(tmp_path: Path) -> None:
    with (
        mail_server() as (port, mails),
        notifying(
            tmp_path,
            desk=f"mail: {{server: localhost, port: {port}, tls: none, sender: engine@example.org, to: [dana@example.org]}}",
        ) as service,
    ):
        request = held(service)
        until(lambda: bool(mails), "a mail")
        assert "Subject: open_refund_case waits for refund-reviewers" in mails[0]
        assert f"https://engine.example.org/inbox/{request}" in mails[0]
        assert "acct_1002" not in mails[0]


def test_an_address_that_may_not_be_asked_is_not_and_that_is_told(tmp_path: Path) -> None:
    with listener() as desk, notifying(tmp_path, desk=f"webhook: {{url: '{desk.url}'}}") as service:
        held(service)
        with service.client("ops", "operator") as ops:
            until(
                lambda: [one["state"] for one in ops.get("/v1/deliveries").json()["items"]] == ["dead"],
                "it is given up",
            )
            (dead,) = ops.get("/v1/deliveries?state=dead").json()["items"]
            assert "not public" in dead["problem"]
            assert ops.post(f"/v1/deliveries/{dead['id']}/retry").status_code == 202
            until(lambda: ops.get("/v1/deliveries").json()["items"][0]["attempts"] == 2, "another attempt")
            assert ops.post("/v1/deliveries/msg_none/retry").status_code == 404
        assert desk.got == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tell: [opened]", "E203"),
        ("webhook: {url: 'https://x.example'}\nmail: {server: x, sender: a@b, to: [c@d]}", "E206"),
        ("webhook: {url: 'ftp://x.example'}", "E206"),
        ("webhook: {url: 'https://x.example', form: carrier-pigeon}", "E204"),
        ("mail: {server: x, sender: a@b, to: [c@d], tls: none, user: u, password: '${secret:P}'}", "E206"),
        ("remind: [soon]\nwebhook: {url: 'https://x.example'}", "E206"),
    ],
)
def test_what_can_not_be_told_is_said_with_its_place(tmp_path: Path, text: str, code: str) -> None:
    copy_of_root(tmp_path)
    (tmp_path / "desk.yaml").write_text(f"kind: Notification\nname: desk\n{text}\n", "utf-8")
    (tmp_path / "engine.yaml").write_text(CONFIG.format(files="desk.yaml"), "utf-8")
    done = Shell(tmp_path)("config", "show", "--config", "engine.yaml")
    assert done.code == 1
    assert code in done.err and "desk.yaml:" in done.err, done.err
