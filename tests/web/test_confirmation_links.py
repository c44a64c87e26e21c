"""A customer says yes or no by a link: opened as often as one likes, used once, about one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service
from tests.web.test_pages import HTML, held

ASKS_CUSTOMER = ("approvers: [refund-reviewers]", "approvers: [customer]")
PROMISE = "'refund-reviewers' not in approvers"


def asking_customers(at: Path) -> Path:
    """A bundle whose large refunds the customer confirms."""
    policy = copy_of_root(at) / "policies" / "refunds.yaml"
    text = policy.read_text("utf-8").replace(*ASKS_CUSTOMER).replace(PROMISE, "'customer' not in approvers")
    policy.write_text(text, "utf-8")
    return at


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service whose large refunds the customer confirms."""
    at = asking_customers(tmp_path_factory.mktemp("links"))
    with open_service(Shell(at)) as service:
        yield service


BACKEND = ("backend", "caller", "--tenant", "acme")


def waiting(service: Service) -> str:
    with service.client(*BACKEND) as backend:
        session: str = service.start(backend, "acct_1002")["id"]
        service.waits(backend, session, "awaiting_confirmation")
    return session


def ends_with(service: Service, session: str) -> str:
    with service.client(*BACKEND) as backend:
        return str(service.waits(backend, session, "done", "failed")["outcome"])


def made(service: Service, session: str) -> dict[str, str]:
    with service.client(*BACKEND) as backend:
        done = backend.post(f"/v1/sessions/{session}/confirmation-links", json={})
    assert done.status_code == 201, done.text
    found: dict[str, str] = done.json()
    return found


def test_a_customer_says_yes_by_a_link_that_counts_once(asked: Service) -> None:
    session = waiting(asked)
    link = made(asked, session)
    assert link["request_id"] == f"{session}.1"
    assert link["url"].startswith(f"{asked.url}/confirm/")
    with asked.client() as customer:
        for _ in range(3):  # programs that look at mails open it, too
            page = customer.get(link["url"], headers=HTML)
            assert page.status_code == 200
            assert "480" in page.text
            assert "cookie" not in page.headers
        assert customer.post(link["url"], data={"answer": "perhaps"}, headers=HTML).status_code == 422
        foreign = customer.post(link["url"], data={"answer": "yes"}, headers={**HTML, "origin": "https://evil.example"})
        assert foreign.status_code == 403
        done = customer.post(link["url"], data={"answer": "yes"}, headers=HTML)
        assert (done.status_code, "your yes is recorded" in done.text) == (200, True)
        for again in (
            customer.post(link["url"], data={"answer": "no"}, headers=HTML),
            customer.get(link["url"], headers=HTML),
        ):
            assert (again.status_code, "used before" in again.text) == (410, True)
    assert ends_with(asked, session) == "case_opened"
    with asked.client("aud", "auditor") as auditor:
        acts = [one for one in auditor.get("/v1/audit").json()["items"] if one["about"] == f"{session}.1"]
        assert [(one["action"], one["result"], one["means"]) for one in acts] == [
            ("link_confirmation", "made", "token"), ("confirm", "yes", "link"),
        ]  # fmt: skip
        assert all(len(one["digest"]) == 64 for one in acts)


def test_a_no_by_a_link_is_a_no(asked: Service) -> None:
    session = waiting(asked)
    link, other = made(asked, session), made(asked, session)
    with asked.client() as customer:
        done = customer.post(link["url"], data={"answer": "no"}, headers=HTML)
        assert (done.status_code, "will not be done" in done.text) == (200, True)
        late = customer.post(other["url"], data={"answer": "yes"}, headers=HTML)
        assert late.status_code == 410
        assert customer.get(other["url"], headers=HTML).status_code == 410
    assert ends_with(asked, session) != "case_opened"


def test_of_an_erased_session_nothing_is_asked(asked: Service) -> None:
    session = waiting(asked)
    link = made(asked, session)
    with asked.client("ops", "operator") as ops:
        assert ops.post(f"/v1/sessions/{session}/cancel", json={}).status_code == 202
        asked.waits(ops, session, "cancelled")
        assert ops.post(f"/v1/sessions/{session}/erasure", json={"why": "asked to"}).status_code == 200
    with asked.client() as customer:
        assert customer.get(link["url"], headers=HTML).status_code == 410
        assert customer.post(link["url"], data={"answer": "yes"}, headers=HTML).status_code == 410


def test_only_who_speaks_for_the_customer_gets_a_link_and_only_to_what_the_customer_is_asked(
    asked: Service, service: Service
) -> None:
    session = waiting(asked)
    with asked.client("other", "caller", "--tenant", "acme") as other, asked.client("dana", "reviewer") as dana:
        path = f"/v1/sessions/{session}/confirmation-links"
        assert other.post(path, json={}).status_code == 404
        assert dana.post(path, json={}).status_code == 403
    request = held(service)
    with service.client("ops", "operator") as ops:
        refused = ops.post(f"/v1/sessions/{request.rpartition('.')[0]}/confirmation-links", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_asked")
    with asked.client() as nobody:
        for secret in ("x", "0" * 64):
            assert nobody.get(f"/confirm/{secret}", headers=HTML).status_code == 410
            assert nobody.post(f"/confirm/{secret}", data={"answer": "yes"}, headers=HTML).status_code == 410


def test_the_secret_of_a_link_is_in_no_log_and_no_file(tmp_path: Path) -> None:
    at = asking_customers(tmp_path / "bundle")
    with open_service(Shell(at)) as service:
        session = waiting(service)
        link = made(service, session)
        with service.client() as customer:
            customer.get(link["url"], headers=HTML)
            customer.post(link["url"], data={"answer": "yes"}, headers=HTML)
        service.process.terminate()
        _, told = service.process.communicate(timeout=600)
    secret = link["url"].rpartition("/")[2]
    assert "/confirm/..." in told
    assert secret not in told
    assert all(secret.encode() not in file.read_bytes() for file in at.glob("store.db*") if file.is_file())


def test_a_link_is_good_no_longer_than_the_token_that_made_it(tmp_path: Path) -> None:
    at = asking_customers(tmp_path / "bundle")
    with open_service(Shell(at)) as service:
        session = waiting(service)
        links = [made(service, session) for _ in range(5)]
        with service.client(*BACKEND) as backend:
            further = backend.post(f"/v1/sessions/{session}/confirmation-links", json={})
            assert (further.status_code, further.json()["code"]) == (429, "too_many_links")
        with service.client() as customer:
            assert customer.get(links[0]["url"], headers=HTML).status_code == 200
            assert service.shell("tokens", "revoke", "backend").code == 0
            for link in links:
                assert customer.get(link["url"], headers=HTML).status_code == 410
                assert customer.post(link["url"], data={"answer": "yes"}, headers=HTML).status_code == 410
        with service.client("ops", "operator") as ops:
            assert ops.get(f"/v1/sessions/{session}").json()["state"] == "awaiting_confirmation"
