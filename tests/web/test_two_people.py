"""What takes two people: what reviewers read, what nobody stands for, what was agreed to long ago."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service
from tests.web.test_deployments import THRESHOLD, active, brought, files, with_threshold
from tests.web.test_pages import Browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("people")))) as opened:
        yield opened


ABOVE = "input.amount_usd > params.refund_threshold_usd"


def changed(service: Service, *pairs: tuple[str, str]) -> dict[str, Any]:
    """The bundle of the service with other texts in its policy about refunds."""
    found = files(service.shell.at)
    for was, now in pairs:
        assert was in found["policies/refunds.yaml"], was
        found["policies/refunds.yaml"] = found["policies/refunds.yaml"].replace(was, now)
    return {"files": found}


@pytest.mark.parametrize(
    "pairs",
    [
        (
            (THRESHOLD, "refund_threshold_usd: 9000"),
            (ABOVE, "input.amount_usd > 250 and params.refund_threshold_usd > 0"),
        ),
        ((ABOVE, f"{ABOVE} and 'checked by the fraud team' != ''"),),
    ],
)
def test_what_reviewers_read_is_made_another_by_two_people_alone(
    served: Service, pairs: tuple[tuple[str, str], ...]
) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        refused = mona.post("/v1/deployments", json={"bundle": brought(mona, changed(served, *pairs))})
        assert (refused.status_code, refused.json()["code"]) == (403, "another_person"), refused.text
        assert "what no proof speaks of" in refused.json()["detail"]


def test_what_a_machine_brought_that_nobody_stands_for_loosens_nothing(served: Service) -> None:
    loose, other = (changed(served, ("is not verified", text)) for text in ("is lost", "is gone"))
    with (
        served.client("robot", "operator") as robot,
        served.client("monas", "operator", "--for", "mona") as monas,
        served.client("mona", "operator", "--person", "mona") as mona,
        served.client("nils", "operator", "--person", "nils") as nils,
    ):
        digest = brought(robot, loose)
        refused = nils.post("/v1/deployments", json={"bundle": digest})
        assert (refused.status_code, refused.json()["code"]) == (403, "another_person"), refused.text
        assert "nobody stands for the machine that brought it" in refused.json()["detail"]
        digest = brought(monas, other)
        assert mona.post("/v1/deployments", json={"bundle": digest}).status_code == 403
        before = active(nils)
        assert nils.post("/v1/deployments", json={"bundle": digest}).status_code == 201
        assert nils.post("/v1/deployments", json={"bundle": before}).status_code == 201


def test_what_was_agreed_long_ago_is_agreed_anew(tmp_path: Path) -> None:
    with (
        open_service(Shell(copy_of_root(tmp_path))) as service,
        service.client("mona", "operator", "--person", "mona") as mona,
        service.client("nils", "operator", "--person", "nils") as nils,
    ):
        first = active(mona)
        for usd in (81, 71):
            digest = brought(mona, with_threshold(service, usd))
            made = mona.post("/v1/deployments", json={"bundle": digest})
            assert made.status_code == 201, made.text
        refused = nils.post("/v1/deployments", json={"bundle": first})
        assert (refused.status_code, refused.json()["code"]) == (403, "agreed_long_ago"), refused.text
        anew = brought(
            mona,
            changed(
                service,
                ("description: When a refund case may be o", "description: As in spring. When a refund case may be o"),
            ),
        )
        assert mona.post("/v1/deployments", json={"bundle": anew}).status_code == 403
        assert nils.post("/v1/deployments", json={"bundle": anew}).status_code == 201


def test_a_service_that_starts_again_leaves_what_anothers_files_have_made_active(tmp_path: Path) -> None:
    one, other = copy_of_root(tmp_path / "one"), copy_of_root(tmp_path / "other")
    policy = other / "policies/refunds.yaml"
    policy.write_text(policy.read_text("utf-8").replace(THRESHOLD, "refund_threshold_usd: 240"), "utf-8")
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with open_service(Shell(one), "--store", store):
        pass
    with open_service(Shell(other), "--store", store):
        pass
    with open_service(Shell(one), "--store", store) as again:
        made = again.shell("tokens", "create", "--name", "ops", "--role", "operator", "--store", store).out.strip()
        with httpx2.Client(base_url=again.url, headers={"authorization": f"Bearer {made}"}, timeout=600) as ops:
            assert [one["note"] for one in ops.get("/v1/deployments").json()["items"]] == [
                f"the files in {other}", f"the files in {one}"
            ]  # fmt: skip


def test_a_card_shows_the_rule_of_the_urgent_bundle_that_asks(tmp_path: Path) -> None:
    with (
        open_service(Shell(copy_of_root(tmp_path))) as service,
        service.client("mona", "operator", "--person", "mona") as mona,
    ):
        urgent = changed(service, ("kind: Policy\n", "kind: Policy\nurgent: tighten\n"),
                         (ABOVE, f"{ABOVE} or input.amount_usd < 300"))  # fmt: skip
        digest = brought(mona, urgent)
        assert mona.post("/v1/deployments", json={"bundle": digest}).status_code == 201
        session = service.start(mona, "acct_1003")["id"]
        service.waits(mona, session, "awaiting_human_review")
        browser = Browser(service)
        browser.log_in(service.token("dana", "reviewer"))
        page = browser.get(f"/inbox/{session}.1").text
        assert f"the urgent bundle {digest[:12]}" in page
        assert "input.amount_usd &lt; 300" in page
