"""What people tell each other about a request: over the API, in the browser and on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, lines_of, open_service
from tests.web.test_pages import fields_of, held, reviewer

HOSTILE = "<script>alert(1)</script> \u202e see https://evil.example"


def test_a_comment_is_told_to_the_others_and_answers_nothing(service: Service) -> None:
    request = held(service)
    with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
        before = lee.get(f"/v1/requests/{request}").json()
        said = dana.post(f"/v1/requests/{request}/comments", json={"text": "the shop calls back"})
        assert (said.status_code, said.json()["by"]) == (201, "dana")
        after = lee.get(f"/v1/requests/{request}").json()
        assert [(one["by"], one["text"]) for one in after["comments"]] == [("dana", "the shop calls back")]
        assert (after["status"], after["digest"]) == ("open", before["digest"])
        # what was shown before it still counts
        done = lee.post(f"/v1/requests/{request}/answers", json={"answer": "deny", "digest": before["digest"]})
        assert done.status_code == 200, done.text


def test_a_machine_comments_nothing_and_a_caller_reads_none(service: Service) -> None:
    request = held(service)
    with service.client("ops", "operator") as machine, service.client("backend", "caller") as caller:
        for client, told in ((machine, "a machine"), (caller, "caller")):
            refused = client.post(f"/v1/requests/{request}/comments", json={"text": "hello"})
            assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
            assert told in refused.json()["detail"]
    with service.client("dana", "reviewer") as dana:
        for text, status in (("", 422), (" ", 422), ("x" * 2001, 422)):
            assert dana.post(f"/v1/requests/{request}/comments", json={"text": text}).status_code == status
        assert dana.post("/v1/requests/ses_none.1/comments", json={"text": "x"}).status_code == 404


def test_what_reviewers_tell_each_other_is_not_in_the_events_that_a_caller_reads(service: Service) -> None:
    with service.client("backend", "caller") as caller, service.client("dana", "reviewer") as dana:
        session = service.start(caller, "acct_1002")["id"]
        service.waits(caller, session, "awaiting_human_review")
        path = f"/v1/sessions/{session}/events"
        dana.post(f"/v1/requests/{session}.1/comments", json={"text": "between us"})
        seen, whole = caller.get(path).json(), dana.get(path).json()
        assert "between us" in str(whole)
        assert "between us" not in str(seen)
        assert len(whole["items"]) == len(seen["items"]) + 1
        headers = {"accept": "text/event-stream", "last-event-id": "0"}
        with caller.stream("GET", path, headers=headers) as stream:
            found = lines_of(stream, len(seen["items"]))
        assert [int(one["id"]) for one in found] == [one["seq"] for one in seen["items"]]


def test_the_card_shows_comments_as_inert_text_and_takes_one(service: Service) -> None:
    request = held(service)
    browser = reviewer(service)
    page = browser.get(f"/inbox/{request}").text
    done = browser.post(f"/inbox/{request}/comment", {"key": fields_of(page)["key"], "text": HOSTILE})
    assert done.status_code == 303
    page = browser.get(f"/inbox/{request}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert 'href="https://evil.example' not in page
    long = {"key": fields_of(page)["key"], "text": "a\r\n" * 1000}
    assert browser.post(f"/inbox/{request}/comment", long).status_code == 303, "a line's end is one character"
    more = browser.post(f"/inbox/{request}/comment", long | {"text": "b" * 2001})
    assert (more.status_code, "b" * 2001 in more.text) == (409, True), "what was typed is there still"
    refused = browser.post(f"/inbox/{request}/comment", {"key": fields_of(page)["key"], "text": "  "})
    assert (refused.status_code, "must say something" in refused.text) == (409, True)
    assert browser.post(f"/inbox/{request}/comment", {"text": "no key"}).status_code == 403


def test_the_command_line_comments_here_and_there_and_erasing_takes_it_away(service: Service, tmp_path: Path) -> None:
    request = held(service)
    dana = service.token("dana", "reviewer")
    here = service.shell("review", "comment", request, "said here", ENGINE_TOKEN=dana)
    there = Shell(tmp_path)("--server", service.url, "review", "comment", request, "said there", ENGINE_TOKEN=dana)
    assert (here.code, there.code) == (0, 0), here.err + there.err
    shown = service.shell("review", "show", request)
    assert "said here" in shown.out
    assert "said there" in shown.out
    assert "dana says: said here" in service.shell("sessions", "events", request.rpartition(".")[0]).out
    session = request.rpartition(".")[0]
    with service.client("ops", "operator") as ops:
        assert ops.post(f"/v1/sessions/{session}/cancel", json={}).status_code == 202
        service.waits(ops, session, "cancelled")
        assert ops.post(f"/v1/sessions/{session}/erasure", json={"why": "asked to"}).status_code == 200
    assert "said" not in service.shell("sessions", "events", session, "--format", "jsonl").out


def test_a_yes_without_a_needed_note_is_refused_and_the_card_asks_for_one(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path / "bundle")
    policy = at / "policies" / "refunds.yaml"
    text = policy.read_text("utf-8")
    policy.write_text(
        text.replace("approvers: [refund-reviewers]", "approvers: [refund-reviewers]\n    note: required")
    )
    with open_service(Shell(at)) as service:
        request = held(service)
        with service.client("dana", "reviewer") as dana:
            shown = dana.get(f"/v1/requests/{request}").json()
            assert shown["note"] == "required"
            path, said = f"/v1/requests/{request}/answers", {"answer": "approve", "digest": shown["digest"]}
            refused = dana.post(path, json=said)
            assert (refused.status_code, refused.json()["code"]) == (422, "note_required"), refused.text
            page = reviewer(service).get(f"/inbox/{request}").text
            assert 'id="note" name="note" maxlength="500" autocomplete="off" required' in page
            assert dana.post(path, json=said | {"note": "the shop agrees"}).status_code == 200
