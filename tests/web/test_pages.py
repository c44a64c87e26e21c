"""The inbox as a reviewer's browser has it: log in, read, answer; and what another site's page can't do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2

from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service

HTML = {"accept": "text/html"}


class Browser:
    """Keeps a cookie, as a browser does for this machine's own address, and fills in forms."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookie = ""

    def get(self, path: str) -> httpx2.Response:
        with self.service.client() as client:
            return self._kept(client.get(path, headers={**HTML, **self._cookies()}))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
        with self.service.client() as client:
            return self._kept(client.post(path, data=fields, headers={**HTML, **self._cookies(), **headers}))

    def log_in(self, token: str) -> httpx2.Response:
        return self.post("/login", {"token": token, "next": "/inbox"})

    def _cookies(self) -> dict[str, str]:
        return {"cookie": self.cookie} if self.cookie else {}

    def _kept(self, response: httpx2.Response) -> httpx2.Response:
        told = response.headers.get("set-cookie", "")
        if told:
            assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(told.split("; ")), told
            self.cookie = told.partition(";")[0]
        return response


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the last form of a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def held(service: Service, account: str = "acct_1002", **more: Any) -> str:
    """A request that waits for a reviewer."""
    with service.client("ops", "operator") as ops:
        made = service.start(ops, account, **more)
        service.waits(ops, made["id"], "awaiting_human_review")
    return f"{made['id']}.1"


def reviewer(service: Service) -> Browser:
    browser = Browser(service)
    assert browser.log_in(service.token("dana", "reviewer")).status_code == 303
    return browser


def test_who_is_not_logged_in_is_asked_to(service: Service) -> None:
    browser = Browser(service)
    for path in ("/", "/inbox", "/inbox/ses_1.1"):
        page = browser.get(path)
        assert page.status_code == 401
        assert "Your token" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    wrong = browser.log_in("eng_live_nonsense")
    assert (wrong.status_code, "lets nobody in" in wrong.text) == (401, True)
    assert browser.get("/static/style.css").status_code == 200


def test_a_reviewer_reads_a_request_and_approves_it(service: Service) -> None:
    request = held(service)
    browser = reviewer(service)
    assert f'href="/inbox/{request}"' in browser.get("/inbox").text
    page = browser.get(f"/inbox/{request}").text
    assert "open_refund_case" in page
    assert "480" in page
    assert "Refunds above $250 require human approval" in page
    assert "charged twice" in page
    done = browser.post(f"/inbox/{request}/answer", fields_of(page) | {"answer": "approve", "note": "looks right"})
    assert (done.status_code, done.headers["location"]) == (303, f"/inbox/{request}")
    assert "approved by dana" in browser.get(f"/inbox/{request}").text
    with service.client("ops", "operator") as ops:
        assert service.waits(ops, request.rpartition(".")[0], "done")["outcome"] == "case_opened"
    again = browser.post(f"/inbox/{request}/answer", fields_of(page) | {"answer": "approve"})
    assert again.status_code == 409
    assert "Nothing was recorded" in again.text


def test_what_was_approved_is_told_beside_what_was_asked(service: Service) -> None:
    request, browser = held(service), reviewer(service)
    page = browser.get(f"/inbox/{request}").text
    typed = dict(re.findall(r'name="(field\.\w+)" value="([^"]*)"', page)) | {"field.amount_usd": "200"}
    told = fields_of(page) | typed | {"answer": "edit", "note": "the rest is theirs"}
    assert browser.post(f"/inbox/{request}/answer", told).status_code == 303
    with service.client("dana", "reviewer") as dana:
        service.waits(dana, request.rpartition(".")[0], "done")
        shown = dana.get(f"/v1/requests/{request}").json()
    assert (shown["input"]["amount_usd"], shown["answered"]["input"]["amount_usd"]) == (480, 200)
    assert (shown["answered"]["by"], shown["answered"]["note"]) == ("dana", "the rest is theirs")
    card = browser.get(f"/inbox/{request}").text
    assert "what was approved in the place of what was asked" in card
    assert "the rest is theirs" in card
    assert "<h1>Refund 480 USD" in card
    assert '"by":"dana"' in service.shell("review", "show", request).out.replace(" ", "")


def test_who_has_said_yes_already_is_told_that_another_person_has_to(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path / "bundle")
    policy = at / "policies" / "refunds.yaml"
    asked = "approvers: [refund-reviewers]"
    policy.write_text(policy.read_text("utf-8").replace(asked, f"{asked}\n    count: 2"))
    with open_service(Shell(at)) as service:
        first = held(service)
        second = f"{first.rpartition('.')[0]}.2"
        with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
            assert len(dana.get("/v1/requests?mine=1").json()["items"]) == 2
            said = {"answer": "approve", "digest": dana.get(f"/v1/requests/{first}").json()["digest"]}
            assert dana.post(f"/v1/requests/{first}/answers", json=said).status_code == 200
            assert dana.get("/v1/requests?mine=1").json()["items"] == []
            assert [one["id"] for one in lee.get("/v1/requests?mine=1").json()["items"]] == [second]
        browser = reviewer(service)
        assert second not in browser.get("/inbox?mine=1").text
        card = browser.get(f"/inbox/{second}").text
        assert "dana said yes to this call already: another person has to" in card
        assert ('value="approve"' in card, 'value="deny"' in card) == (False, True)
        told = fields_of(card) | {"answer": "deny", "note": "on second thoughts"}
        assert browser.post(f"/inbox/{second}/answer", told).status_code == 303


def test_a_question_is_answered_by_the_fields_of_its_schema(service: Service) -> None:
    request = held(service, "acct_1004", message="I want to talk to a human")
    browser = Browser(service)
    browser.log_in(service.token("mika", "reviewer"))
    page = browser.get(f"/inbox/{request}").text
    assert 'name="field.answer"' in page
    where = f"/inbox/{request}/answer"
    empty = browser.post(where, fields_of(page) | {"answer": "value", "field.answer": ""})
    assert (empty.status_code, "does not fit" in empty.text) == (409, True)
    told = {"answer": "value", "field.answer": "We have called you back"}
    assert browser.post(where, fields_of(page) | told).status_code == 303
    with service.client("ops", "operator") as ops:
        ended = service.waits(ops, request.rpartition(".")[0], "done", "failed")
    assert ended["state"] == "done"


def test_an_answer_to_another_call_than_was_shown_is_not_taken(service: Service) -> None:
    request = held(service)
    browser = reviewer(service)
    fields = fields_of(browser.get(f"/inbox/{request}").text)
    done = browser.post(f"/inbox/{request}/answer", fields | {"answer": "approve", "digest": "sha256:other"})
    assert (done.status_code, "another call" in done.text) == (409, True)


def test_no_other_sites_page_answers_for_a_reviewer(service: Service) -> None:
    request = held(service)
    browser = reviewer(service)
    fields = fields_of(browser.get(f"/inbox/{request}").text) | {"answer": "approve"}
    where = f"/inbox/{request}/answer"
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert browser.post(where, fields, **headers).status_code == 403
    assert browser.post(where, fields | {"key": "0" * 64}).status_code == 403
    assert browser.post(where, {k: v for k, v in fields.items() if k != "key"}).status_code == 403
    other = Browser(service)
    other.log_in(service.token("mika", "reviewer"))
    assert other.post(where, fields).status_code == 403
    assert "open" in browser.get(f"/inbox/{request}").text


def test_words_of_strangers_stay_words(service: Service) -> None:
    message = "I was charged twice <script>alert(1)</script> \u202e\u200b and your docs didn't help"
    request = held(service, message=message)
    page = reviewer(service).get(f"/inbox/{request}").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\u200b" not in page


def test_a_link_logs_in_once_and_only_by_a_click(service: Service) -> None:
    service.token("dana", "reviewer")
    made = service.shell("tokens", "link", "dana", "--url", service.url)
    assert made.code == 0, made.err
    path = made.out.strip().removeprefix(service.url)
    browser = Browser(service)
    for _ in range(2):
        assert "logs you in once" in browser.get(path).text
    assert browser.post(path, {}).status_code == 303
    assert browser.get("/inbox").status_code == 200
    assert Browser(service).post(path, {}).status_code == 401
    secret = path.rpartition("/")[2]
    stolen = Browser(service)
    stolen.cookie = f"__Host-engine={secret}"
    assert stolen.get("/inbox").status_code == 401


def test_a_login_ends_with_its_token_and_by_logging_out(service: Service) -> None:
    browser = Browser(service)
    browser.log_in(service.token("temp", "reviewer"))
    page = browser.get("/inbox")
    assert page.status_code == 200
    kept = browser.cookie
    assert browser.post("/logout", fields_of(page.text)).status_code == 303
    browser.cookie = kept
    assert browser.get("/inbox").status_code == 401
    browser.log_in(service.token("temp", "reviewer"))
    assert service.shell("tokens", "revoke", "temp").code == 0
    assert browser.get("/inbox").status_code == 401


def test_a_login_goes_on_to_a_page_of_ours_alone(service: Service) -> None:
    browser = Browser(service)
    for path in ("https://evil.example", "//evil.example", "/inbox//evil", "/inbox\\evil"):
        done = browser.post("/login", {"token": service.token("dana", "reviewer"), "next": path})
        assert done.headers["location"] == "/inbox"


def test_who_may_not_answer_is_told_so_and_sees_no_button(service: Service) -> None:
    request = held(service)
    browser = Browser(service)
    browser.log_in(service.token("eyes", "auditor"))
    page = browser.get(f"/inbox/{request}").text
    assert "answers no requests" in page
    assert "Approve" not in page
    fields = fields_of(page) | {"answer": "approve", "digest": "x"}
    assert browser.post(f"/inbox/{request}/answer", fields).status_code == 403


def test_a_long_inbox_is_shown_in_part_and_more_of_it_is_a_link(service: Service) -> None:
    for _ in range(4):
        held(service)
    browser = reviewer(service)
    page = browser.get("/inbox?rows=3&status=all").text
    assert page.count("<li data-request=") == 3
    whole = int(re.search(r"These are 3 of (\d+)\.", page)[1])  # type: ignore[index]
    hidden = int(re.search(r'data-hidden="(\d+)"', page)[1])  # type: ignore[index]
    assert hidden == whole - 3
    link = re.search(r'href="(/inbox\?[^"]*rows=200[^"]*)">Show more', page)
    assert link is not None
    assert "status=all" in link[1]
    assert browser.get(link[1].replace("&amp;", "&")).text.count("<li data-request=") == whole
    for wrong in ("0", "201", "many"):
        assert browser.get(f"/inbox?rows={wrong}").status_code == 422


def test_the_page_of_a_session_tells_what_it_used_and_whether_it_follows(service: Service) -> None:
    request, browser = held(service), Browser(service)
    session = request.rpartition(".")[0]
    browser.log_in(service.token("oversight", "operator", "--person", "olga"))
    page = browser.get(f"/sessions/{session}").text
    assert "3 of 15" in page
    assert "It was decided again from what came in, and every event of it follows." in page
    assert f'href="/inbox/{request}"' in page
    assert "Erase what it said" not in page, "it is not over"
    step = browser.get(f"/sessions/{session}?step=2").text
    assert "Step 2 was decided again from what came in" in step
    assert ("step started" in step, "session started" in step) == (True, False)
    assert browser.get(f"/sessions/{session}?step=0").status_code == 422
    with service.client("ops", "operator") as ops:
        ops.post(f"/v1/sessions/{session}/cancel", json={})
        service.waits(ops, session, "cancelled")
    over = browser.get(f"/sessions/{session}")
    assert "Erase what it said" in over.text
    where = f"/sessions/{session}/erase"
    assert browser.post(where, fields_of(over.text) | {"why": " "}).status_code == 422
    assert browser.post(where, fields_of(over.text) | {"why": "they asked us to"}).status_code == 303
    gone = browser.get(f"/sessions/{session}")
    assert (gone.status_code, "acct_1002" in gone.text) == (200, False)
    assert "Some of it is erased" in gone.text
    watching = Browser(service)
    watching.log_in(service.token("dana", "reviewer"))
    assert watching.post(where, fields_of(watching.get("/inbox").text) | {"why": "no"}).status_code == 403


def test_a_number_that_is_none_leaves_the_reviewer_at_the_card(service: Service) -> None:
    request, browser = held(service), reviewer(service)
    page = browser.get(f"/inbox/{request}").text
    typed = dict(re.findall(r'name="(field\.\w+)" value="([^"]*)"', page)) | {"field.amount_usd": "some"}
    told = browser.post(f"/inbox/{request}/answer", fields_of(page) | typed | {"answer": "edit"})
    assert (told.status_code, "Nothing was recorded" in told.text) == (422, True)
    assert "Refund 480 USD" in told.text


def test_what_was_asked_before_about_the_same_account_stands_on_the_card(service: Service) -> None:
    browser = reviewer(service)
    first = held(service, "acct_3047")
    assert "What was asked before about" not in browser.get(f"/inbox/{first}").text
    page = browser.get(f"/inbox/{first}").text
    assert browser.post(f"/inbox/{first}/answer", fields_of(page) | {"answer": "deny"}).status_code == 303
    second = held(service, "acct_3047")
    card = browser.get(f"/inbox/{second}").text
    assert "What was asked before about acct_3047" in card
    assert f'href="/inbox/{first}"' in card
    assert "answered" in card
