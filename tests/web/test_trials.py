"""A bundle on trial: a share of new sessions begins with it, or it judges past sessions and decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api.trials import trials_of
from engine.bundle.load import load_directory
from engine.ports.deployments import Deployment, DeploymentKind
from engine.testing.log_events import START
from engine.web.canary import Canary
from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service, opening
from tests.web.test_deployments import brought, with_threshold

ROOT = Path(__file__).resolve().parent.parent.parent
K = DeploymentKind


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("trials")))) as opened:
        yield opened


def deployed(*what: tuple[DeploymentKind, str]) -> list[Deployment]:
    return [Deployment(number, kind, bundle, START, "x") for number, (kind, bundle) in enumerate(what, 1)][::-1]


@pytest.mark.parametrize(
    ("what", "canary", "shadow"),
    [
        ([(K.ACTIVATE, "a")], None, None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.SHADOW, "c")], "b", "c"),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.CANARY, "c")], "c", None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.LIFT, "b")], None, None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.CANARY, "c"), (K.LIFT, "c")], None, None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.CANARY, "c"), (K.LIFT, "b")], "c", None),
        ([(K.SHADOW, "b"), (K.CANARY, "b"), (K.SHADOW, "c"), (K.LIFT, "c")], "b", None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.LIFT, "b"), (K.CANARY, "b")], "b", None),
        ([(K.CANARY, "b"), (K.SHADOW, "c"), (K.ACTIVATE, "b")], None, None),
        ([(K.ACTIVATE, "a"), (K.CANARY, "b"), (K.URGE, "u"), (K.LIFT, "u")], "b", None),
    ],
)
def test_a_trial_ends_with_the_next_activation_or_when_it_is_lifted(
    what: list[tuple[DeploymentKind, str]], canary: str | None, shadow: str | None
) -> None:
    found = trials_of(deployed(*what))
    assert [one.bundle if one is not None else None for one in (found.canary, found.shadow)] == [canary, shadow]


def test_a_share_is_taken_by_a_stable_hash_of_the_attribute() -> None:
    bundle = load_directory(ROOT).bundle
    assert bundle is not None
    canary = Canary(bundle, Decimal(5), "account_id")
    taken = [n for n in range(4000) if canary.takes({"account_id": f"acct_{n}", "tenant": n % 3})]
    assert 120 <= len(taken) <= 280
    assert taken == [n for n in range(4000) if canary.takes({"account_id": f"acct_{n}"})]
    # who has a share of 5 % has one of 50 % too
    wider = Canary(bundle, Decimal(50), "account_id")
    assert all(wider.takes({"account_id": f"acct_{n}"}) for n in taken)
    assert not canary.takes({"tenant": "acme"})


def test_a_canary_begins_its_share_of_sessions_until_it_is_lifted(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        before = mona.get("/v1/deployments").json()["items"][0]["bundle"]
        digest = brought(mona, with_threshold(served, 60))
        nearly_all = {"bundle": digest, "canary": {"share": 99.9999, "by": "account_id"}}
        made = mona.post("/v1/deployments", json=nearly_all)
        assert made.status_code == 201, made.text
        assert (made.json()["kind"], made.json()["attribute"]) == ("canary", "account_id")

        def begins() -> str:
            return str(mona.get(f"/v1/sessions/{served.start(mona, 'acct_1002')['id']}").json()["bundle"])

        assert begins() == digest
        other = mona.post("/v1/sessions", json=opening("acct_1002") | {"attributes": {"tenant": "acme"}})
        assert other.status_code == 422, "the active bundle asks for it too"
        # the same share by another attribute is another canary
        nobody = {"bundle": digest, "canary": {"share": 99.9999, "by": "acount_id"}}
        refused = mona.post("/v1/deployments", json=nobody)
        assert (refused.status_code, "did you mean `account_id`?" in refused.json()["detail"]) == (422, True)
        assert begins() == digest
        lifted = mona.post("/v1/deployments", json={"bundle": digest, "lift": True})
        assert (lifted.status_code, lifted.json()["kind"]) == (201, "lift"), lifted.text
        assert begins() == before


def test_a_canary_whose_agent_asks_for_more_refuses_nobody(served: Service) -> None:
    with (
        served.client("mona", "operator", "--person", "mona") as mona,
        served.client("olga", "operator", "--person", "olga") as olga,
    ):
        (before,) = [one["digest"] for one in mona.get("/v1/bundles").json()["items"] if one["active"]]
        body = with_threshold(served, 65)
        agent = "specs/agents/support-triage.yaml"
        stricter = body["files"][agent].replace(
            "required: [tenant, account_id]", "required: [tenant, account_id, region]"
        )
        body["files"][agent] = stricter.replace("  properties:\n", "  properties:\n    region: {type: string}\n", 1)
        body["files"] = {path: text for path, text in body["files"].items() if not path.startswith("fixtures/")}
        digest = brought(mona, body)
        made = olga.post("/v1/deployments", json={"bundle": digest, "canary": {"share": 99.9999, "by": "account_id"}})
        assert made.status_code == 201, made.text
        session = mona.get(f"/v1/sessions/{served.start(mona, 'acct_1002')['id']}").json()
        assert session["bundle"] == before
        assert olga.post("/v1/deployments", json={"bundle": digest, "lift": True}).status_code == 201


@pytest.mark.parametrize(
    "more",
    [
        {"canary": {"share": 0, "by": "account_id"}},
        {"canary": {"share": 100, "by": "account_id"}},
        {"canary": {"share": 5}},
        {"canary": {"share": 5, "by": "account_id"}, "shadow": True},
        {"lift": True, "shadow": True},
    ],
)
def test_what_is_no_trial_is_refused(served: Service, more: dict[str, object]) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        digest = brought(mona, with_threshold(served, 70))
        assert mona.post("/v1/deployments", json={"bundle": digest, **more}).status_code == 422


def test_the_shadow_tells_what_it_would_have_judged_otherwise(served: Service, tmp_path: Path) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona, served.client("lee", "auditor") as lee:
        digest = brought(mona, with_threshold(served, 20))
        made = mona.post("/v1/deployments", json={"bundle": digest, "shadow": True})
        assert made.status_code == 201, made.text
        session = served.start(mona, "acct_1001")["id"]
        served.waits(mona, session, "done")
        told = lee.get("/v1/shadow").json()
        assert (told["bundle"], told["sessions"]) == (digest, 1), told
        assert [(row["flip"], row["loosens"], row["calls"]) for row in told["table"]] == [("allow→approval", False, 1)]
        said = Shell(tmp_path)("--server", served.url, "shadow", "report", ENGINE_TOKEN=served.token("lee", "auditor"))
        assert (said.code, "allow→approval" in said.out) == (0, True), said.err
        here = served.shell("shadow", "report")
        assert (here.code, here.out, here.err) == (said.code, said.out, said.err)
        assert mona.post("/v1/deployments", json={"bundle": digest, "lift": True}).status_code == 201
        assert lee.get("/v1/shadow").status_code == 404


def test_a_canary_that_loosens_takes_two(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona, served.client("ops", "operator") as ops:
        tight, digest = brought(mona, with_threshold(served, 30)), brought(mona, with_threshold(served, 200))
        assert mona.post("/v1/deployments", json={"bundle": tight}).status_code == 201
        body = {"bundle": digest, "canary": {"share": 1, "by": "account_id"}}
        assert mona.post("/v1/deployments", json=body).json()["code"] == "another_person"
        assert ops.post("/v1/deployments", json=body).json()["code"] == "another_person"
        # in the shadow it decides nothing
        assert ops.post("/v1/deployments", json={"bundle": digest, "shadow": True}).status_code == 201


def test_a_canary_with_more_agents_takes_nothing_from_who_names_none(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path / "bundle")
    (at / "engine.yaml").write_text("kind: Service\nbundles: {code: allow}\n")
    with open_service(Shell(at), "--config", "engine.yaml") as service:
        body = with_threshold(service, 60)
        path = "specs/agents/support-triage.yaml"
        text = body["files"][path].replace("name: support-triage", "name: support-two", 1)
        body["files"]["specs/agents/support-two.yaml"] = text
        with service.client("mona", "operator", "--person", "mona") as mona:
            before = mona.get("/v1/bundles").json()["items"][0]["digest"]
            key = {"idempotency-key": "k-77"}
            wanted = {name: value for name, value in opening("acct_1001").items() if name != "agent"}
            first = mona.post("/v1/sessions", json=wanted, headers=key)
            assert first.status_code == 201, first.text
            digest = brought(mona, body)
        with service.client("pete", "operator", "--person", "pete") as pete:
            canary = {"bundle": digest, "canary": {"share": 99.9999, "by": "account_id"}}
            assert pete.post("/v1/deployments", json=canary).status_code == 201
        with service.client("mona", "operator") as mona:
            again = mona.post("/v1/sessions", json=wanted, headers=key)
            assert (again.status_code, again.json()["id"]) == (200, first.json()["id"]), again.text
            new = mona.post("/v1/sessions", json=wanted)
            assert new.status_code == 201, new.text
            rows = {row["id"]: row for row in mona.get("/v1/sessions").json()["items"]}
            assert rows[new.json()["id"]]["agent"] == "support-triage"
            assert {rows[first.json()["id"]]["bundle"], rows[new.json()["id"]]["bundle"]} == {before, digest}
