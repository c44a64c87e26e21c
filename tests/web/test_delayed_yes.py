"""A yes that can be taken back for a while: over the API, in the browser and on the command line."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.waiting import until
from tests.web.service import Service, open_service
from tests.web.test_pages import fields_of, held, reviewer


@contextmanager
def delaying(tmp_path: Path, delay: str) -> Iterator[Service]:
    at = copy_of_root(tmp_path / "bundle")
    policy = at / "policies" / "refunds.yaml"
    asked = "approvers: [refund-reviewers]"
    policy.write_text(policy.read_text("utf-8").replace(asked, f"{asked}\n    settle_delay: {delay}"))
    with open_service(Shell(at)) as service:
        yield service


def say(client: httpx2.Client, request: str, answer: str = "approve") -> httpx2.Response:
    digest = client.get(f"/v1/requests/{request}").json()["digest"]
    return client.post(f"/v1/requests/{request}/answers", json={"answer": answer, "digest": digest})


def test_a_yes_counts_after_its_time_and_the_session_goes_on_by_itself(tmp_path: Path) -> None:
    with delaying(tmp_path, "2s") as service:
        request = held(service)
        session = request.rpartition(".")[0]
        with service.client("dana", "reviewer") as dana:
            assert dana.get(f"/v1/requests/{request}").json()["settle_delay"] == "2s"
            done = say(dana, request)
            assert (done.status_code, done.json()["session"]["state"]) == (200, "awaiting_human_review")
            assert done.json()["counts_at"] is not None
            service.waits(dana, session, "done")
            kinds = [one["kind"] for one in dana.get(f"/v1/sessions/{session}/events?limit=200").json()["items"]]
            assert kinds.index("yes_delayed") < kinds.index("request_answered") < len(kinds)
            assert dana.get(f"/v1/requests/{request}").json()["counts_at"] is None
            late = dana.delete(f"/v1/requests/{request}/answers")
            assert (late.status_code, late.json()["code"]) == (409, "nothing_to_take_back")


def test_a_yes_is_taken_back_by_who_said_it_and_nobody_else(tmp_path: Path) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        with (
            service.client("dana", "reviewer") as dana,
            service.client("lee", "reviewer") as lee,
            service.client("ops", "operator") as ops,
        ):
            assert say(dana, request).status_code == 200
            shown = lee.get(f"/v1/requests/{request}").json()
            assert (shown["status"], shown["said_by"]) == ("delayed", "dana")
            assert [one["status"] for one in lee.get("/v1/requests").json()["items"]] == ["delayed"]
            assert (say(lee, request).status_code, say(lee, request).json()["code"]) == (409, "already_answered")
            path = f"/v1/requests/{request}/answers"
            refused = lee.delete(path)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
            assert ops.delete(path).status_code == 403
            assert dana.delete(path).status_code == 204
            assert lee.get(f"/v1/requests/{request}").json()["status"] == "open"
            assert dana.delete(path).status_code == 409
            assert dana.delete("/v1/requests/ses_none.1/answers").status_code == 404
            # a no of somebody else counts at once, while a yes waits
            assert say(dana, request).status_code == 200
            assert say(lee, request, "deny").status_code == 200
            service.waits(ops, request.rpartition(".")[0], "done")
        with service.client("auditor", "auditor") as auditor:
            events = auditor.get("/v1/audit?limit=200").json()["items"]
            acts = {(one["action"], one["result"]) for one in events if one["about"] == request}
            assert {("take_back", "taken_back"), ("answer", "deny")} <= acts


def test_the_card_tells_when_it_counts_and_takes_it_back(tmp_path: Path) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        browser = reviewer(service)
        page = browser.get(f"/inbox/{request}").text
        assert "for 1h you can take it back" in page
        fields = fields_of(page)
        done = browser.post(f"/inbox/{request}/answer", {**fields, "answer": "approve"})
        assert (done.status_code, done.headers["location"]) == (303, f"/inbox/{request}")
        page = browser.get(f"/inbox/{request}").text
        assert "dana said yes." in page
        assert "It counts in 59 min" in page
        assert "Take my yes back" in page
        assert 'value="approve"' not in page
        assert "a yes counts in 59 min" in browser.get("/inbox").text
        assert browser.post(f"/inbox/{request}/take-back", {"key": "wrong"}).status_code == 403
        done = browser.post(f"/inbox/{request}/take-back", {"key": fields_of(page)["key"]})
        assert done.status_code == 303
        page = browser.get(f"/inbox/{request}").text
        assert 'value="approve"' in page
        again = browser.post(f"/inbox/{request}/take-back", {"key": fields_of(page)["key"]})
        assert (again.status_code, "was taken back" in again.text) == (409, True)


def test_others_see_what_the_call_is_to_be_by_a_yes_that_waits(tmp_path: Path) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
            digest = dana.get(f"/v1/requests/{request}").json()["digest"]
            said = {"answer": "approve", "digest": digest, "edits": {"amount_usd": 1.5}, "note": "the rest is theirs"}
            assert dana.post(f"/v1/requests/{request}/answers", json=said).status_code == 200
            shown = lee.get(f"/v1/requests/{request}").json()
            assert (shown["said"]["note"], shown["said"]["input"]["amount_usd"]) == ("the rest is theirs", 1.5)
        page = reviewer(service).get(f"/inbox/{request}").text
        assert "what the call is to be by it" in page
        assert "1.5" in page
        assert "the rest is theirs" in page
        told = service.shell("review", "show", request).out
        assert "said_by       dana" in told


@pytest.mark.parametrize("here", [True, False])
def test_a_token_that_is_revoked_takes_what_was_said_with_it_back(tmp_path: Path, here: bool) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        with service.client("dana", "reviewer") as dana, service.client("ops", "operator") as ops:
            assert say(dana, request).status_code == 200
            if here:
                done = service.shell("tokens", "revoke", "dana")
                assert (done.code, f"a yes of dana to {request} did not count yet" in done.out) == (0, True)
            else:
                (token,) = [one["id"] for one in ops.get("/v1/tokens").json()["items"] if one["name"] == "dana"]
                assert ops.delete(f"/v1/tokens/{token}").status_code == 204
            assert ops.get(f"/v1/requests/{request}").json()["status"] == "open"
            events = service.shell("sessions", "events", request.rpartition(".")[0]).out
            assert "the yes of dana is taken back: token_revoked" in events


def test_a_token_that_is_revoked_takes_back_a_yes_that_waits_for_anothers(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path)
    policy = at / "policies/refunds.yaml"
    text = policy.read_text("utf-8")
    assert "approvers: [refund-reviewers]" in text
    policy.write_text(
        text.replace("approvers: [refund-reviewers]", "approvers: [refund-reviewers]\n    count: 2"), "utf-8"
    )
    with open_service(Shell(at)) as service:
        request = held(service)
        session = request.rpartition(".")[0]
        with (
            service.client("dana", "reviewer") as dana,
            service.client("lee", "reviewer") as lee,
            service.client("ops", "operator") as ops,
        ):
            assert say(dana, request).status_code == 200
            done = service.shell("tokens", "revoke", "dana")
            assert (done.code, f"a yes of dana to {request} did not count yet" in done.out) == (0, True), done.err
            assert say(lee, f"{session}.2").status_code == 200

            def open_now() -> list[str]:
                items = ops.get("/v1/requests").json()["items"]
                return [one["id"] for one in items if one["session_id"] == session]

            asked = [f"{session}.3", f"{session}.4"]
            until(lambda: open_now() == asked, "one yes is too few, and all are asked anew")


@pytest.mark.parametrize("page", [True, False])
def test_who_was_shut_out_while_they_sent_it_answers_nothing(tmp_path: Path, page: bool) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        with service.client("dana", "reviewer") as dana, service.client("ops", "operator") as ops:
            digest = dana.get(f"/v1/requests/{request}").json()["digest"]
            if page:
                browser = reviewer(service)
                fields = fields_of(browser.get(f"/inbox/{request}").text)
                body = urlencode({**fields, "answer": "approve", "note": ""}).encode()
                kind, path = "application/x-www-form-urlencoded", f"/inbox/{request}/answer"
                who = ("Cookie", browser.cookie)
            else:
                body = json.dumps({"answer": "approve", "digest": digest}).encode()
                kind, path = "application/json", f"/v1/requests/{request}/answers"
                who = ("Authorization", dana.headers["authorization"])
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Type: {kind}\r\n"
            head += f"{who[0]}: {who[1]}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            address = urlsplit(service.url)
            with socket.create_connection((address.hostname, address.port), timeout=600) as sent:
                sent.sendall(head.encode() + body[:5])
                assert service.shell("tokens", "revoke", "dana").code == 0
                sent.sendall(body[5:])
                told = b"".join(iter(lambda: sent.recv(65536), b""))
            assert told.startswith(b"HTTP/1.1 401"), told
            assert ops.get(f"/v1/requests/{request}").json()["status"] == "open"
            log = ops.get(f"/v1/sessions/{request.rpartition('.')[0]}/events?limit=200").json()["items"]
            assert "yes_delayed" not in [one["kind"] for one in log], "and nothing had to be taken back"


def test_a_session_that_nothing_can_be_said_of_keeps_no_other_waiting(tmp_path: Path) -> None:
    with delaying(tmp_path, "1h") as service:
        requests = [held(service), held(service)]
        with service.client("dana", "reviewer") as dana:
            for request in requests:
                assert say(dana, request).status_code == 200
        damaged, good = requests
        with closing(sqlite3.connect(service.shell.at / "store.db")) as store, store:
            whose = "session = (SELECT number FROM sessions WHERE id = ?)"
            assert store.execute(
                f"UPDATE segments SET body = x'00' WHERE {whose}", [damaged.rpartition(".")[0]]
            ).rowcount
        for told in ("is revoked", "was revoked before"):
            done = service.shell("tokens", "revoke", "dana")
            assert (done.code, told in done.out) == (1, True)
            assert f"a yes to {damaged} waits to count, and may be dana's: the log of" in done.err
            assert "take them back with: engine tokens revoke tok_" in done.err
            assert (f"a yes of dana to {good} did not count yet" in done.out) == (told == "is revoked")


def test_the_command_line_takes_it_back_here_and_there(tmp_path: Path) -> None:
    with delaying(tmp_path, "1h") as service:
        request = held(service)
        dana = service.token("dana", "reviewer")
        said = service.shell("review", "approve", request, ENGINE_TOKEN=dana)
        assert said.code == 3, said.err
        assert f"engine review take-back {request}" in said.err
        assert service.shell("review", "take-back", request, ENGINE_TOKEN=dana).code == 0
        there = Shell(tmp_path)
        said = there("--server", service.url, "review", "approve", request, ENGINE_TOKEN=dana)
        assert (said.code, f"engine review take-back {request}" in said.err) == (3, True), "it waits for nothing"
        assert "delayed" in service.shell("review", "list").out
        assert there("--server", service.url, "review", "take-back", request, ENGINE_TOKEN=dana).code == 0
        assert service.shell("review", "take-back", request, ENGINE_TOKEN=dana).code == 1
        assert "delayed" not in service.shell("review", "list").out
