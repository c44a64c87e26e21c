"""What a bundle would have done is found beside the service, told as it goes on, and shown on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.waiting import until
from tests.web.service import Service, open_service
from tests.web.test_deployments import brought, with_threshold
from tests.web.test_pages import Browser, fields_of, held


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("whatif")))) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_one(served: Service) -> str:
    """A request of 480 USD that waits."""
    return held(served)


def raised(served: Service, usd: int) -> dict[str, Any]:
    """The bundle with a higher threshold, and a promise that goes with it."""
    body = with_threshold(served, usd)
    text = body["files"]["policies/refunds.yaml"]
    body["files"]["policies/refunds.yaml"] = text.replace("input.amount_usd > 250", f"input.amount_usd > {usd}")
    return body


def found_out(client: httpx2.Client, id_: str) -> dict[str, Any]:
    told: dict[str, Any] = {}

    def over() -> bool:
        told.update(client.get(f"/v1/whatif/{id_}").json())
        return told["state"] in ("done", "failed")

    until(over, "a comparison is made")
    return told


@pytest.mark.usefixtures("open_one")
def test_what_a_bundle_would_have_done_is_told_with_what_is_open(served: Service) -> None:
    with served.client("author", "author", "--person", "ann") as ann:
        digest = brought(ann, raised(served, 490))
        asked = ann.post("/v1/whatif", json={"bundle": digest, "since": "7d"})
        assert asked.status_code == 202, asked.text
        assert asked.headers["location"] == f"/v1/whatif/{asked.json()['id']}"
        told = found_out(ann, asked.json()["id"])
        assert (told["state"], told["problem"]) == ("done", "")
        assert told["done"] == told["of"] == told["result"]["sessions"] > 0
        assert told["result"]["open_requests"]["would_run"] == told["result"]["open_requests"]["open"] == 1
        assert any(row["loosens"] for row in told["result"]["table"])
        other = ann.post("/v1/whatif", json={"bundle": digest, "since": "1d"}).json()
        assert other["id"] != ann.post("/v1/whatif", json={"bundle": digest, "since": "2d"}).json()["id"]
        nothing = ann.post("/v1/whatif", json={"bundle": digest, "since": "2100-01-01"}).json()
        assert found_out(ann, nothing["id"])["result"]["sessions"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [({"bundle": "none"}, 404), ({"bundle": "own", "since": "soon"}, 422), ({"bundle": "own", "since": "99999999d"}, 422),
     ({}, 422)],
    ids=str,
)  # fmt: skip
def test_what_can_not_be_asked_is_refused(served: Service, body: dict[str, str], status: int) -> None:
    with served.client("author", "author", "--person", "ann") as ann:
        own = next(one["digest"] for one in ann.get("/v1/bundles").json()["items"] if one["active"])
        given = {name: own if value == "own" else value for name, value in body.items()}
        assert ann.post("/v1/whatif", json=given).status_code == status
        assert ann.get("/v1/whatif/wif_none").status_code == 404


def test_who_brings_no_bundles_asks_for_none(served: Service) -> None:
    with served.client("rita", "reviewer") as rita:
        assert rita.post("/v1/whatif", json={"bundle": "x"}).status_code == 403


@pytest.mark.usefixtures("open_one")
def test_the_page_tells_how_far_it_is_and_what_came_out(served: Service) -> None:
    browser = Browser(served)
    browser.log_in(served.token("author", "author", "--person", "ann"))
    with served.client("author", "author") as ann:
        digest = brought(ann, raised(served, 485))
    page = browser.get("/bundles").text
    long = {"key": fields_of(page)["key"], "bundle": digest, "since": "x" * 60}
    assert browser.post("/bundles/whatif", long).status_code == 422
    assert digest in page
    assert "Brought, and not deployed" in page
    asked = browser.post("/bundles/whatif", {"key": fields_of(page)["key"], "bundle": digest, "since": ""})
    assert asked.status_code == 303, asked.text
    shown: list[str] = []

    def over() -> bool:
        shown[:] = [browser.get(asked.headers["location"]).text]
        return 'http-equiv="refresh"' not in shown[0]

    until(over, "the page tells what came out")
    assert "Of 1 open request: 1 would no longer ask." in shown[0]
    assert re.search(r"refund-threshold.*loosens", shown[0], re.DOTALL)


def test_the_command_line_tells_in_lines_how_far_it_is(served: Service) -> None:
    done = served.shell("whatif", "--policy", ".", "--format", "jsonl")
    *progress, last = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0, done.err
    assert progress[-1] == {"done": last["result"]["sessions"], "sessions": last["result"]["sessions"]}
    assert set(last["result"]["open_requests"]) == {
        "open", "would_run", "would_be_denied", "would_ask_otherwise", "not_known", "unreadable",
    }  # fmt: skip
