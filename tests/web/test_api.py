"""The HTTP API as its users have it: a real server, a real worker, tokens, and a refund that a reviewer decides on."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.waiting import until
from tests.web.service import Service, lines_of, opening

OPS = ("ops", "operator")
DANA = ("dana", "reviewer")
BACKEND = ("backend", "caller", "--tenant", "acme")


def test_what_anybody_may_ask_is_answered_without_a_token_and_all_else_with_401(service: Service) -> None:
    with service.client() as nobody:
        assert [nobody.get(path).status_code for path in ("/healthz", "/readyz", "/version")] == [200, 200, 200]
        for path in ("/", "/v1/sessions", "/v1/requests/ses_1.1", "/nowhere", "/v1/sessions/ses_1/events"):
            done = nobody.get(path)
            assert (done.status_code, done.headers["content-type"]) == (401, "application/problem+json")
            assert done.headers["www-authenticate"].startswith("Bearer")
        assert nobody.post("/v1/sessions", json=opening("acct_1001")).status_code == 401
        wrong = nobody.get("/v1/sessions", headers={"authorization": "Bearer eng_live_nonsense"})
        assert wrong.status_code == 401


def test_a_refund_is_started_seen_approved_by_its_digest_and_opens_one_case(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana:
        made = service.start(ops, "acct_1002")
        standing = service.waits(ops, made["id"], "awaiting_human_review")
        with ops.stream("GET", f"/v1/sessions/{made['id']}/events", headers={"accept": "text/event-stream"}) as stream:
            seen = lines_of(stream, standing["seq"])
        assert [int(event["id"]) for event in seen] == list(range(1, standing["seq"] + 1))
        assert seen[-1]["data"]["state"] == "awaiting_human_review"
        (request,) = [one for one in dana.get("/v1/requests").json()["items"] if one["session_id"] == made["id"]]
        shown = dana.get(f"/v1/requests/{request['id']}").json()
        assert shown["input"]["amount_usd"] == 480
        where = f"/v1/requests/{request['id']}/answers"
        assert dana.post(where, json={"answer": "approve"}).status_code == 428
        other = dana.post(where, json={"answer": "approve", "digest": "sha256:another"})
        assert (other.status_code, other.json()["code"], other.json()["digest"]) == (
            409,
            "request_changed",
            shown["digest"],
        )
        done = dana.post(where, json={"answer": "approve", "digest": shown["digest"]})
        assert (done.status_code, done.json()["by"]) == (200, "dana")
        assert dana.post(where, json={"answer": "approve", "digest": shown["digest"]}).status_code == 409
        ended = service.waits(ops, made["id"], "done")
        assert ended["outcome"] == "case_opened"
        assert [call["status"] for call in ended["calls"] if call["tool"] == "open_refund_case"] == ["ok"]


def test_the_same_request_again_is_the_same_session(service: Service) -> None:
    with service.client(*OPS) as ops:
        key = {"idempotency-key": "once"}
        first = ops.post("/v1/sessions", json=opening("acct_1001"), headers=key)
        again = ops.post("/v1/sessions", json=opening("acct_1001"), headers=key)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == again.json()["id"]
        other = ops.post("/v1/sessions", json=opening("acct_1005"), headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        named = [ops.post("/v1/sessions", json=opening("acct_1001") | {"external_id": "case-7"}) for _ in range(2)]
        assert [one.status_code for one in named] == [201, 200]
        taken = ops.post("/v1/sessions", json=opening("acct_1005") | {"external_id": "case-7"})
        assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")


def test_a_stream_goes_on_where_it_was_cut_and_ends_with_the_session(service: Service) -> None:
    with service.client(*OPS) as ops:
        made = service.start(ops, "acct_1001")
        ended = service.waits(ops, made["id"], "done")
        where, accept = f"/v1/sessions/{made['id']}/events", {"accept": "text/event-stream"}
        with ops.stream("GET", where, headers=accept | {"last-event-id": "3"}) as stream:
            seen = lines_of(stream, 10_000)
        assert [event.get("id") for event in seen[:-1]] == [str(seq) for seq in range(4, ended["seq"] + 1)]
        assert (seen[-1]["event"], seen[-1]["data"]["outcome"]) == ("end", ended["outcome"])
        assert ops.get(where, headers=accept | {"last-event-id": str(ended["seq"])}).status_code == 204
        page = ops.get(where, params={"after": 2, "limit": 3}).json()
        assert [one["seq"] for one in page["items"]] == [3, 4, 5]
        assert page["next_cursor"] == "5"


def test_sessions_are_listed_in_pages(service: Service) -> None:
    with service.client(*OPS) as ops:
        for _ in range(3):
            service.start(ops, "acct_1001")
        found, cursor = [], ""
        while cursor is not None:
            page = ops.get("/v1/sessions", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
            found += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert len(found) == len(set(found)) >= 3
        assert ops.get("/v1/sessions", params={"state": "nonsense"}).status_code == 422


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ({"content": b"a=b", "headers": {"content-type": "text/plain"}}, 415, "application/json"),
        ({"json": {"agent": "support-triage"}}, 422, "/message"),
        ({"json": opening("acct_1001") | {"nonsense": 1}}, 422, "/nonsense"),
        ({"json": opening("acct_1001") | {"agent": "nobody"}}, 422, "no agent"),
        ({"json": {"agent": "support-triage", "message": "hi", "attributes": {"tenant": 7}}}, 422, "tenant"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_told_where(
    service: Service, sent: dict[str, object], status: int, told: str
) -> None:
    with service.client(*OPS) as ops:
        done = ops.post("/v1/sessions", **sent)  # type: ignore[arg-type]
        assert (done.status_code, told in done.json()["detail"]) == (status, True), done.text


def test_who_may_not_is_refused_and_that_is_written_down(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana, service.client(*BACKEND) as backend:
        made = service.start(ops, "acct_1002")
        service.waits(ops, made["id"], "awaiting_human_review")
        (row,) = [one for one in dana.get("/v1/requests").json()["items"] if one["session_id"] == made["id"]]
        answer = {"answer": "approve", "digest": row["digest"]}
        for client in (ops, backend):
            done = client.post(f"/v1/requests/{row['id']}/answers", json=answer)
            assert (done.status_code, done.json()["code"]) == (403, "not_permitted")
        with service.client("mallory", "reviewer") as mallory:
            refused = mallory.post(f"/v1/requests/{row['id']}/answers", json=answer)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_a_member")
        assert dana.post("/v1/sessions", json=opening("acct_1001")).status_code == 403
        assert dana.post(f"/v1/sessions/{made['id']}/cancel").status_code == 403
        assert ops.post(f"/v1/sessions/{made['id']}/cancel").status_code == 202
        events = ops.get("/v1/audit", params={"limit": 200}).json()["items"]
        mine = [one for one in events if one["about"].endswith(row["id"]) or row["id"] in one["about"]]
        assert {"not_permitted", "not_a_member"} <= {one["result"] for one in mine}


def test_a_tenant_reaches_its_own_sessions_and_no_trace_of_others(service: Service) -> None:
    with (
        service.client(*OPS) as ops,
        service.client(*BACKEND) as acme,
        service.client("other", "caller", "--tenant", "globex") as globex,
    ):
        made = service.start(acme, "acct_1002")
        service.waits(acme, made["id"], "awaiting_human_review")
        request = f"{made['id']}.1"
        with service.client("eve", "reviewer", "--tenant", "globex") as eve:
            assert eve.get("/v1/requests").json()["items"] == []
            for client, routes in (
                (globex, ["/v1/sessions/{0}", "/v1/sessions/{0}/events"]),
                (eve, ["/v1/sessions/{0}", "/v1/sessions/{0}/events", "/v1/requests/{0}.1"]),
            ):
                for route in routes:
                    foreign, unknown = client.get(route.format(made["id"])), client.get(route.format("ses_none"))
                    assert (foreign.status_code, unknown.status_code) == (404, 404)
                    assert foreign.json()["detail"].replace(made["id"], "ses_none") == unknown.json()["detail"]
            assert (
                eve.post(f"/v1/requests/{request}/answers", json={"answer": "deny", "digest": "x"}).status_code == 404
            )
            assert eve.get("/v1/sessions").json()["items"] == []
        stolen = globex.post("/v1/sessions", json=opening("acct_1001", "acme"))
        assert (stolen.status_code, stolen.json()["code"]) == (403, "another_tenant")
        assert acme.get(f"/v1/sessions/{made['id']}").status_code == 200
        not_its_own = service.start(ops, "acct_1001")
        assert acme.get(f"/v1/sessions/{not_its_own['id']}").status_code == 404


def test_a_token_that_is_revoked_or_has_expired_lets_nobody_in(service: Service) -> None:
    with service.client("leaver", "auditor") as leaver:
        assert leaver.get("/v1/sessions").status_code == 200
        assert service.shell("tokens", "revoke", "leaver").code == 0
        assert leaver.get("/v1/sessions").status_code == 401
    with service.client("brief", "auditor", "--expires", "200ms") as brief:
        until(lambda: brief.get("/v1/sessions").status_code == 401, "its expiry")


def test_a_stream_ends_with_the_token_that_asked_for_it(service: Service) -> None:
    with service.client(*OPS) as ops, service.client("watcher", "auditor") as watcher:
        made = service.start(ops, "acct_1002")
        service.waits(ops, made["id"], "awaiting_human_review")
        where = f"/v1/sessions/{made['id']}/events"
        with watcher.stream("GET", where, headers={"accept": "text/event-stream"}) as stream:
            assert service.shell("tokens", "revoke", "watcher").code == 0
            assert lines_of(stream, 10_000)[-1]["event"] != "end"
        assert ops.head(where, headers={"accept": "text/event-stream"}).status_code == 200


def test_streams_are_bounded_and_each_gives_its_place_back(service: Service) -> None:
    with service.client(*OPS) as ops, service.client("many", "auditor") as many:
        made = service.start(ops, "acct_1002")
        service.waits(ops, made["id"], "awaiting_human_review")
        where, accept = f"/v1/sessions/{made['id']}/events", {"accept": "text/event-stream"}
        with ExitStack() as open_:
            streams = [open_.enter_context(many.stream("GET", where, headers=accept)) for _ in range(51)]
            assert [one.status_code for one in streams] == [200] * 50 + [429]
        for _ in range(60):
            # gone before a line was read
            with socket.create_connection((many.base_url.host, many.base_url.port or 80)) as raw:
                told = f"GET {where} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
                raw.sendall(f"{told}Authorization: {many.headers['authorization']}\r\n\r\n".encode())

        def free() -> bool:
            with many.stream("GET", where, headers=accept) as stream:
                return stream.status_code == 200

        until(free, "a place for one more stream")


def test_the_same_request_many_times_at_once_is_one_session_that_one_of_them_started(service: Service) -> None:
    with service.client(*OPS) as ops:
        before = ops.get("/v1/audit").json()["items"]

        def post(number: int) -> tuple[int, str]:
            done = ops.post("/v1/sessions", json=opening("acct_1001"), headers={"idempotency-key": "at-once"})
            return done.status_code, done.json()["id"]

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(post, range(6)))
        assert len({id_ for _, id_ in found}) == 1
        assert sorted(code for code, _ in found) == [200] * 5 + [201]
        after = ops.get("/v1/audit", params={"after": before[-1]["number"]}).json()["items"]
        assert [event["action"] for event in after].count("start") == 1
        both = {"idempotency-key": "x"}
        assert (
            ops.post("/v1/sessions", json=opening("acct_1001") | {"external_id": "y"}, headers=both).status_code == 422
        )


def test_an_external_id_of_one_principal_is_none_of_another(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*BACKEND) as backend:
        body = opening("acct_1001") | {"external_id": "shared"}
        first, second = ops.post("/v1/sessions", json=body), backend.post("/v1/sessions", json=body)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"]


def test_a_page_of_requests_goes_on_behind_one_that_was_answered(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana:
        for _ in range(3):
            made = service.start(ops, "acct_1002")
            service.waits(ops, made["id"], "awaiting_human_review")
        page = dana.get("/v1/requests", params={"limit": 1}).json()
        (row,) = page["items"]
        rest = {one["id"] for one in dana.get("/v1/requests").json()["items"]} - {row["id"]}
        answer = {"answer": "deny", "digest": row["digest"]}
        assert dana.post(f"/v1/requests/{row['id']}/answers", json=answer).status_code == 200
        behind = dana.get("/v1/requests", params={"cursor": page["next_cursor"]}).json()
        assert {one["id"] for one in behind["items"]} == rest
        assert dana.get("/v1/requests", params={"cursor": "ses_none.1"}).status_code == 404


def test_odd_bodies_end_nothing(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana:
        made = service.start(ops, "acct_1002")
        service.waits(ops, made["id"], "awaiting_human_review")
        where, json_ = f"/v1/requests/{made['id']}.1/answers", {"content-type": "application/json"}
        half = b'{"answer": "approve", "digest": "x\\ud800"}'
        assert dana.post(where, content=half, headers=json_).status_code == 422
        assert dana.post(where, json={"answer": "approve", "digest": "x" * 300}).status_code == 422
        fields = "{" + ",".join(f'"{n}":0' for n in range(1000)) + "}"
        for body in (fields.encode(), b"[" + b"[]," * 65 + b'"' + b'\\"' * 200_000):
            done = ops.post("/v1/sessions", content=body, headers=json_)
            assert (done.status_code, len(done.content) < 2000) in ((400, True), (422, True))
        assert ops.request("FOO", "/v1/sessions").status_code == 405
        with service.client() as nobody:
            assert nobody.request("FOO", "/v1/sessions").status_code == 401
            assert nobody.post("/login", data={"token": "x"}, headers={"origin": "http://["}).status_code == 403


def test_what_is_refused_is_an_audit_event_that_a_tenant_sees_of_its_own(service: Service) -> None:
    with service.client(*OPS) as ops, service.client("initech", "operator", "--tenant", "initech") as other:
        assert other.post("/v1/sessions", json=opening("acct_1001", "acme")).status_code == 403
        mine = other.get("/v1/audit").json()
        assert [(event["action"], event["result"]) for event in mine["items"]] == [("start", "another_tenant")]
        assert "number" not in mine["items"][0]
        assert any(event["result"] == "another_tenant" for event in ops.get("/v1/audit").json()["items"])


def test_a_scope_is_a_part_of_what_a_role_may(service: Service) -> None:
    with service.client("narrow", "operator", "--scope", "read", "--scope", "read_own") as narrow:
        assert narrow.get("/v1/sessions").status_code == 200
        assert narrow.post("/v1/sessions", json=opening("acct_1001")).status_code == 403
    assert service.shell("tokens", "create", "--name", "wide", "--role", "caller", "--scope", "cancel").code == 2
    assert service.shell("tokens", "create", "--name", "nobody", "--role", "caller", "--tenant", "").code == 2
    assert service.shell("tokens", "create", "--name", "two\nlines", "--role", "caller").code == 2


def test_a_further_message_and_a_long_poll(service: Service) -> None:
    with service.client(*OPS) as ops:
        made = service.start(ops, "acct_1001")
        later = ops.get(f"/v1/sessions/{made['id']}", params={"wait": 25, "after": made["seq"]}).json()
        assert later["seq"] > made["seq"]
        ended = service.waits(ops, made["id"], "done")
        refused = ops.post(f"/v1/sessions/{made['id']}/messages", json={"text": "one more thing"})
        assert (refused.status_code, refused.json()["code"]) == (409, "session_over")
        assert ops.get(f"/v1/sessions/{made['id']}/verify").json()["problems"] == []
        assert ended["state"] == "done"


def test_what_is_done_to_a_session_that_has_gone_on_since_it_was_seen_is_not_done(service: Service) -> None:
    with service.client("app", "caller", "--tenant", "acme") as app:
        made = service.start(app, "acct_1002")
        service.waits(app, made["id"], "awaiting_human_review")
        path = f"/v1/sessions/{made['id']}"
        tag = app.get(path).headers["etag"]
        assert app.post(f"{path}/messages", json={"text": "one"}, headers={"if-match": tag}).status_code == 202
        late = app.post(f"{path}/messages", json={"text": "two"}, headers={"if-match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
        assert app.post(f"{path}/messages", json={"text": "x"}, headers={"if-match": "no tag"}).status_code == 412
        said = app.post(f"{path}/confirmations", json={"answer": "yes"}, headers={"if-match": tag})
        assert said.status_code in (409, 412), "it asks the customer nothing"
        with service.client("ops", "operator") as ops:
            assert ops.post(f"{path}/cancel", json={}, headers={"if-match": tag}).status_code == 412
            assert "two" not in ops.get(path).json()["messages"]
        assert app.post(f"{path}/messages", json={"text": "three"}, headers={"if-match": "*"}).status_code == 202


def test_nothing_is_done_with_a_session_that_is_erased(service: Service) -> None:
    with service.client(*OPS) as ops:
        made = service.start(ops, "acct_1001")
        service.waits(ops, made["id"], "done")
        path = f"/v1/sessions/{made['id']}"
        assert ops.post(f"{path}/erasure", json={"why": "asked to"}).status_code == 200
        for act, body in (("messages", {"text": "x"}), ("confirmations", {"answer": "yes"}), ("cancel", {})):
            refused = ops.post(f"{path}/{act}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "erased"), act
        assert service.shell("sessions", "events", made["id"], "--format", "json").code == 0


def test_every_answer_has_the_headers_that_protect_a_browser(service: Service) -> None:
    with service.client(*OPS) as ops, service.client() as nobody:
        for done in (ops.get("/v1/sessions"), nobody.get("/v1/sessions"), nobody.get("/healthz")):
            assert done.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in done.headers["content-security-policy"]
            assert done.headers["cache-control"] == "no-store"


def test_who_is_asked_lists_what_is_theirs_alone(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana, service.client("mallory", "reviewer") as mallory:
        for _ in range(2):
            service.waits(ops, service.start(ops, "acct_1002")["id"], "awaiting_human_review")
        every = [one["id"] for one in dana.get("/v1/requests?limit=200").json()["items"]]
        first = dana.get("/v1/requests?mine=1&limit=1").json()
        rest = dana.get("/v1/requests", params={"mine": "1", "limit": 200, "cursor": first["next_cursor"]}).json()
        assert [one["id"] for one in (*first["items"], *rest["items"])] == every
        assert mallory.get("/v1/requests?mine=1").json() == {"items": [], "next_cursor": None}
        assert dana.get("/v1/requests?mine=yes").status_code == 422


def test_the_verdicts_of_a_session_are_told_with_what_rules_saw(service: Service) -> None:
    with service.client(*OPS) as ops, service.client(*DANA) as dana:
        session = service.start(ops, "acct_1002")["id"]
        service.waits(ops, session, "awaiting_human_review")
        told = ops.get(f"/v1/sessions/{session}/verdicts").json()["items"]
        (asked,) = [one for one in told if one["verdict"] == "require_approval"]
        assert (asked["tool"], asked["rule"]) == ("open_refund_case", "refund-threshold")
        (rule,) = [one for one in asked["rules"] if one["rule"] == "refund-threshold"]
        assert rule["values"]["input.amount_usd"] == 480
        assert "open_refund_case" in asked["text"]
        assert dana.get(f"/v1/sessions/{session}/verdicts").status_code == 403


def test_a_field_that_there_is_not_is_told_with_the_nearest_one(service: Service) -> None:
    with service.client("ops", "operator") as ops:
        refused = ops.post("/v1/sessions", json={"agnt": "support-triage", "message": "hello"})
        assert refused.status_code == 422
        assert "/agnt: there is no such field: did you mean `agent`?" in refused.json()["detail"]
        wrong = ops.get("/v1/sessions", headers={"authorization": "Bearer eng_live_wrong"})
        assert "it is mistyped, revoked or has expired" in wrong.json()["detail"]
