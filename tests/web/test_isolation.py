"""Every route, asked by every role of another tenant: nothing is told, nothing is done, and no trace shows that it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from engine.access.rights import RIGHTS, Right, Role
from engine.bundle.load import load_directory
from engine.web.table import TABLE, RouteRow
from tests.web.service import Service, opening

BODIES: dict[str, Any] = {
    "/v1/sessions": opening("acct_1001", "acme"),
    "/v1/sessions/batch": {"items": [opening("acct_1001", "acme")]},
    "/v1/sessions/{id}/messages": {"text": "hello"},
    "/v1/sessions/{id}/confirmations": {"answer": "yes"},
    "/v1/sessions/{id}/proposals": {"after": 1, "done": True},
    "/v1/sessions/{id}/erasure": {"why": "asked to"},
    "/v1/requests/{id}/answers": {"answer": "approve", "digest": "x"},
    "/v1/requests/{id}/comments": {"text": "hello"},
    "/v1/absences": {"person": "dana", "to": "2020-01-01"},
    "/v1/whatif": {"bundle": "none"},
    "/v1/bundles": {"files": {"specs/x.yaml": "kind: Tool"}},
    "/v1/deployments": {"bundle": "none"},
    "/v1/tokens": {"name": "spy", "role": "operator", "tenant": "acme"},
}


@dataclass(frozen=True)
class Theirs:
    """What belongs to the tenant acme, by the first part of its path."""

    ids: dict[str, str]
    seq: int

    def path(self, row: RouteRow) -> str:
        return row.path.replace("{id}", self.ids.get(row.path.split("/")[2], ""))


@pytest.fixture(scope="module")
def theirs(service: Service) -> Theirs:
    with service.client("acme-ops", "operator", "--tenant", "acme") as ops:
        made = service.start(ops, "acct_1002")
        session = service.waits(ops, made["id"], "awaiting_human_review")
        token = next(row["id"] for row in ops.get("/v1/tokens").json()["items"])
    bundle = load_directory(service.shell.at).bundle
    assert bundle is not None
    # no job of the example's bundle waits: an id that is none is answered as one of somebody else's
    ids = {"sessions": made["id"], "requests": f"{made['id']}.1", "jobs": f"{made['id']}.call-1-1", "tokens": token,
           "bundles": bundle.digest, "deliveries": "msg_none", "schedules": "none", "absences": "abs_none", "whatif": "wif_none"}  # fmt: skip
    return Theirs(ids, session["seq"])


def ask(client: httpx2.Client, row: RouteRow, path: str) -> httpx2.Response:
    body = BODIES.get(row.path, {} if row.method == "POST" else None)
    return client.request(row.method, path, json=body)


@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.path}")
def test_another_tenant_is_told_nothing(service: Service, theirs: Theirs, row: RouteRow, role: Role) -> None:
    more = ("--tenant", "globex", *(["--person", f"globex-{role}"] if role is not Role.CALLER else []))
    with service.client(f"globex-{role}", role, *more) as client:
        answer = ask(client, row, theirs.path(row))
        nothing = ask(client, row, row.path.replace("{id}", "ses_0000000000000000.1"))
    if row.right not in RIGHTS[role]:
        assert answer.status_code == 403, answer.text
    elif row.path == "/v1/shadow":
        assert (answer.status_code, answer.json()["code"]) == (404, "no_shadow")
    elif "{id}" in row.path:
        assert answer.status_code == 404, answer.text
        # what is another's and what is not there are told apart by nothing
        assert {k: v for k, v in answer.json().items() if k != "detail"} == {
            k: v for k, v in nothing.json().items() if k != "detail"
        }
    elif row.path == "/v1/absences" and row.method == "POST":
        # for an operator the day is refused, which is over, before anything is kept
        assert answer.status_code in (403, 422), answer.text
    elif row.method == "POST":
        assert answer.status_code == 403 or all(one["status"] == 403 for one in answer.json()["items"]), answer.text
    else:
        assert answer.status_code == 200, answer.text
        if row.path == "/v1/audit":
            # what they asked for themselves stands there, and nobody else's acts
            assert {one["tenant"] for one in answer.json()["items"]} <= {"globex"}
            return
        for mine in theirs.ids.values():
            assert mine not in answer.text


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.path}")
def test_who_is_nobody_is_told_nothing(service: Service, theirs: Theirs, row: RouteRow) -> None:
    with service.client() as client:
        for headers in ({}, {"authorization": "Bearer eng_live_x"}, {"authorization": "Basic eDp5"}):
            client.headers = httpx2.Headers(headers)
            assert ask(client, row, theirs.path(row)).status_code == 401


def test_nothing_of_it_was_done(service: Service, theirs: Theirs) -> None:
    with service.client("acme-ops", "operator") as ops:
        assert service.waits(ops, theirs.ids["sessions"], "awaiting_human_review")["seq"] == theirs.seq
        assert all(token["name"] != "spy" for token in ops.get("/v1/tokens").json()["items"])
        assert all(token["state"] == "good" for token in ops.get("/v1/tokens").json()["items"])


def test_every_right_is_asked_for_by_a_route_or_goes_with_one() -> None:
    assert {row.right for row in TABLE} == set(Right)
