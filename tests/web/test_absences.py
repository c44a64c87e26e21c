"""Who is away is told to others, and nobody may answer because of it who might not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.web.service import Service
from tests.web.test_pages import fields_of, held, reviewer


def day(number: int) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).date().isoformat()


def says(client: httpx2.Client, **body: Any) -> httpx2.Response:
    return client.post("/v1/absences", json=body)


def test_who_is_away_says_so_and_takes_it_back(service: Service) -> None:
    request = held(service)
    with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
        said = says(dana, to=day(3), delegate="lee")
        assert said.status_code == 201, said.text
        assert (said.json()["person"], said.json()["delegate"]) == ("dana", "lee")
        assert [one["id"] for one in lee.get("/v1/absences").json()["items"]] == [said.json()["id"]]
        assert [one["person"] for one in lee.get(f"/v1/requests/{request}").json()["away"]] == ["dana"]
        refused = lee.delete(f"/v1/absences/{said.json()['id']}")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
        # it is attention that moves: who is away may answer still
        shown = dana.get(f"/v1/requests/{request}").json()
        done = dana.post(f"/v1/requests/{request}/answers", json={"answer": "deny", "digest": shown["digest"]})
        assert done.status_code == 200, done.text
        assert dana.delete(f"/v1/absences/{said.json()['id']}").status_code == 204
        assert dana.delete(f"/v1/absences/{said.json()['id']}").status_code == 404
        assert lee.get("/v1/absences").json()["items"] == []


def test_an_absence_that_is_yet_to_come_is_listed_and_changes_no_card(service: Service) -> None:
    request = held(service)
    with service.client("dana", "reviewer") as dana:
        made = says(dana, **{"from": day(2), "to": day(5)})
        assert made.status_code == 201, made.text
        assert dana.get(f"/v1/requests/{request}").json()["away"] == []
        assert dana.delete(f"/v1/absences/{made.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "soon"}, 422, "invalid"),
        ({"to": "2020-01-01"}, 422, "invalid"),
        ({"to": "9999-12-31"}, 422, "invalid"),
        ({"from": "9999-12-30", "to": "9999-12-31"}, 422, "invalid"),
        ({"to": "2030-W53-5"}, 422, "invalid"),
        ({"from": "0001-01-01", "to": "2030-01-01"}, 422, "invalid"),
        ({"to": "2020-01-01T10:00:00"}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"to": day(1), "until": day(2)}, 422, "invalid"),
        ({"to": day(1), "delegate": "dana"}, 422, "invalid"),
        ({"to": day(1), "delegate": "customer"}, 422, "invalid"),
        ({"to": day(1), "delegate": "a stranger"}, 422, "delegate_not_member"),
        ({"to": day(1), "person": "lee"}, 403, "not_yours"),
    ],
    ids=str,
)
def test_an_absence_that_makes_no_sense_is_refused(
    service: Service, body: dict[str, str], status: int, code: str
) -> None:
    with service.client("dana", "reviewer") as dana:
        refused = says(dana, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text


def test_an_operator_says_it_for_others_and_a_machine_has_none_of_its_own(service: Service) -> None:
    with service.client("machine", "operator") as ops:
        assert says(ops, to=day(2)).status_code == 422
        made = says(ops, person="lee", to=day(2))
        assert (made.status_code, made.json()["person"]) == (201, "lee")
        assert ops.delete(f"/v1/absences/{made.json()['id']}").status_code == 204


def test_a_tenants_absences_are_told_in_it_alone(service: Service) -> None:
    with (
        service.client("acme-dana", "reviewer", "--tenant", "acme", "--person", "dana") as dana,
        service.client("globex-gil", "reviewer", "--tenant", "globex", "--person", "gil") as gil,
    ):
        made = says(dana, to=day(2)).json()
        assert [one["person"] for one in dana.get("/v1/absences").json()["items"]] == ["dana"]
        assert gil.get("/v1/absences").json()["items"] == []
        assert gil.delete(f"/v1/absences/{made['id']}").status_code == 404
        assert dana.delete(f"/v1/absences/{made['id']}").status_code == 204


def test_the_pages_tell_who_is_away_and_take_it(service: Service) -> None:
    request = held(service)
    browser = reviewer(service)
    page = browser.get("/away").text
    refused = browser.post("/away", {"key": fields_of(page)["key"], "to": ""})
    assert (refused.status_code, "on which day you are back" in refused.text) == (422, True)
    done = browser.post("/away", {"key": fields_of(page)["key"], "to": day(3), "delegate": "lee", "from": ""})
    assert done.status_code == 303, done.text
    told = f"dana is away until {day(3)}, lee stands in"
    for path in ("/inbox", f"/inbox/{request}"):
        assert told in browser.get(path).text
    page = browser.get("/away").text
    (action,) = {part.split('"')[0] for part in page.split('action="/away/')[1:]}
    assert browser.post(f"/away/{action}", {"key": fields_of(page)["key"]}).status_code == 303
    assert told not in browser.get("/inbox").text


def test_nobody_says_so_often_that_others_have_no_room(service: Service) -> None:
    with service.client("mika", "reviewer") as mika, service.client("noor", "reviewer") as noor:
        made = [says(mika, to=day(2)) for _ in range(51)]
        assert [one.status_code for one in made] == [201] * 50 + [409]
        assert made[-1].json()["code"] == "too_many_absences"
        other = says(noor, to=day(2))
        assert other.status_code == 201
        for client, one in [(noor, other), *((mika, one) for one in made[:-1])]:
            assert client.delete(f"/v1/absences/{one.json()['id']}").status_code == 204


def test_who_looks_after_it_is_somebody_who_is_asked_and_is_there(service: Service) -> None:
    with service.client("dana", "reviewer") as dana, service.client("lee", "reviewer") as lee:
        with service.client("nova", "author", "--person", "nova") as nova:
            for delegate in ("<b>x</b>", "ask\u202emallory"):
                refused = says(nova, to=day(3), delegate=delegate)
                assert (refused.status_code, refused.json()["code"]) == (422, "delegate_not_member")
        made = says(dana, to=day(3), delegate="lee")
        circle = says(lee, to=day(2), delegate="dana")
        assert (circle.status_code, circle.json()["code"]) == (422, "away_too")
        assert dana.delete(f"/v1/absences/{made.json()['id']}").status_code == 204


def test_what_a_tenant_says_of_people_is_about_its_own_requests(service: Service) -> None:
    with (
        service.client("web-acme", "caller", "--tenant", "acme") as web,
        service.client("ops-globex", "operator", "--tenant", "globex") as other,
        service.client("ops-acme", "operator", "--tenant", "acme") as own,
        service.client("lee", "reviewer") as lee,
    ):
        session = service.start(web, "acct_1002")["id"]
        service.waits(own, session, "awaiting_human_review")
        for operator, away in ((other, []), (own, ["dana"])):
            made = says(operator, person="dana", to=day(3))
            assert made.status_code == 201, made.text
            assert [one["person"] for one in lee.get(f"/v1/requests/{session}.1").json()["away"]] == away
            assert operator.delete(f"/v1/absences/{made.json()['id']}").status_code == 204


def test_a_token_that_only_reads_says_nobody_away(service: Service) -> None:
    with service.client("reading", "reviewer", "--person", "lee", "--scope", "read_requests") as reading:
        refused = reading.post("/v1/absences", json={"to": "2027-01-05"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
