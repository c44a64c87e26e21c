"""Several reviewers at one inbox: who is at what is told, and what is alike is answered together, each by its digest."""

from __future__ import annotations

import re

from tests.waiting import until
from tests.web.service import Service, open_service
from tests.web.test_pages import Browser, fields_of, held, reviewer


def together(browser: Browser, ids: list[str]) -> str:
    return browser.get("/inbox/together?" + "&".join(f"id={one}" for one in ids)).text


def digests_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(digest\.[^"]+)" value="([^"]*)">', page))


def test_a_claim_is_told_to_others_and_keeps_nobody_from_answering(service: Service) -> None:
    request = held(service)
    path = f"/v1/requests/{request}"
    with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
        mine = dana.post(f"{path}/claim", json={})
        assert (mine.status_code, mine.json()["claimed_by"]) == (200, "dana")
        assert lee.get(path).json()["claimed_by"] == "dana"
        taken = lee.post(f"{path}/claim", json={})
        assert (taken.status_code, taken.json()["code"], taken.json()["claimed_by"]) == (409, "claimed", "dana")
        assert lee.delete(f"{path}/claim").status_code == 409
        assert lee.post(f"{path}/claim", json={"take": True}).json()["claimed_by"] == "lee"
        assert {row["claimed_by"] for row in dana.get("/v1/requests").json()["items"] if row["id"] == request} == {
            "lee"
        }
        digest = dana.get(path).json()["digest"]
        assert dana.post(f"{path}/answers", json={"answer": "approve", "digest": digest}).status_code == 200
        late = lee.post(f"{path}/claim", json={})
        assert (late.status_code, late.json()["code"]) == (409, "not_open")


def test_a_claim_is_made_and_let_go_of_on_the_page(service: Service) -> None:
    request = held(service)
    dana, lee = reviewer(service), Browser(service)
    lee.log_in(service.token("lee", "reviewer"))
    page = dana.get(f"/inbox/{request}").text
    assert dana.post(f"/inbox/{request}/claim", {"key": fields_of(page)["key"], "claim": "claim"}).status_code == 303
    assert "claimed by dana" in lee.get("/inbox").text
    assert "dana is looking at this now" in lee.get(f"/inbox/{request}").text
    page = dana.get(f"/inbox/{request}").text
    assert "I let go of it" in page
    dana.post(f"/inbox/{request}/claim", {"key": fields_of(page)["key"], "claim": "release"})
    assert "looking at this now" not in lee.get(f"/inbox/{request}").text
    assert "claimed by dana" not in lee.get("/inbox").text


def test_who_claimed_something_at_another_service_of_the_store_is_told_in_a_moment(service: Service) -> None:
    request = held(service)
    with open_service(service.shell) as other, service.client("lee", "reviewer") as here:
        other.tokens |= service.tokens
        there = other.client("dana", "reviewer")

        def claimed_by(person: str | None) -> bool:
            rows = here.get("/v1/requests").json()["items"]
            return any(row["id"] == request and row["claimed_by"] == person for row in rows)

        assert claimed_by(None)
        assert there.post(f"/v1/requests/{request}/claim", json={}).status_code == 200
        until(lambda: claimed_by("dana"), "the claim is told")
        assert there.delete(f"/v1/requests/{request}/claim").status_code == 204
        until(lambda: claimed_by(None), "that it was let go of is told")
        there.close()


def test_what_is_alike_is_approved_together_and_each_is_recorded_by_itself(service: Service) -> None:
    ids = [held(service, account) for account in ("acct_1002", "acct_3013", "acct_1002")]
    dana = reviewer(service)
    inbox = dana.get("/inbox").text
    assert all(f'name="id" value="{one}"' in inbox for one in ids)
    page = together(dana, ids)
    assert "3 requests about open_refund_case" in page
    assert "amount_usd in all" in page
    assert page.count("the same as one above") == 1
    digests = digests_of(page)
    assert list(digests) == [f"digest.{one}" for one in ids]
    # of one that was answered meanwhile that is told, and the others are answered
    with service.client("dana", "reviewer") as api:
        digest = api.get(f"/v1/requests/{ids[0]}").json()["digest"]
        api.post(f"/v1/requests/{ids[0]}/answers", json={"answer": "deny", "digest": digest})
    done = dana.post(
        "/inbox/together", {"key": fields_of(page)["key"], "answer": "approve", "note": "looked", **digests}
    )
    assert "2 of 3 approved" in done.text
    assert "was answered by dana" in done.text
    with service.client("ops", "operator") as ops:
        for one in ids[1:]:
            session = service.waits(ops, one.rpartition(".")[0], "done")
            assert [call["status"] for call in session["calls"] if call["tool"] == "open_refund_case"] == ["ok"]
        acts = [(one["about"], one["result"]) for one in ops.get("/v1/audit?limit=200").json()["items"]]
        assert {(ids[1], "approve"), (ids[2], "approve"), (ids[0], "already_answered")} <= set(acts)


def test_another_digest_than_was_shown_is_not_answered_together_either(service: Service) -> None:
    ids = [held(service), held(service)]
    dana = reviewer(service)
    page = together(dana, ids)
    digests = digests_of(page) | {f"digest.{ids[0]}": "0" * 64}
    done = dana.post("/inbox/together", {"key": fields_of(page)["key"], "answer": "deny", **digests}).text
    assert "1 of 2 refused" in done
    assert "another call than was shown" in done


def test_what_is_not_alike_or_too_much_is_not_answered_together(service: Service) -> None:
    one = held(service)
    with service.client("ops", "operator") as ops:
        made = service.start(ops, "acct_1002", message="I want to talk to a human")
        service.waits(ops, made["id"], "awaiting_human_review", "done")
    dana = reviewer(service)
    for ids in ([one], [one, one], [one, f"{made['id']}.1"], [f"{one}{n}" for n in range(41)]):
        answer = dana.get("/inbox/together?" + "&".join(f"id={id_}" for id_ in ids))
        assert answer.status_code in (404, 422), ids
    key = fields_of(dana.get(f"/inbox/{one}").text)["key"]
    many = {f"digest.ses_{n}.1": "x" for n in range(21)}
    assert dana.post("/inbox/together", {"key": key, "answer": "approve", **many}).status_code == 422
    assert dana.post("/inbox/together", {"key": "no", "answer": "deny", **many}).status_code == 403
