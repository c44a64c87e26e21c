"""A bundle is brought by one, looked at, and made active by another; sessions that have begun stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engine.bundle.load import load_directory
from tests.cli.shell import Shell, copy_of_root
from tests.web.service import Service, open_service

THRESHOLD = "refund_threshold_usd: 250"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("deployments")))) as opened:
        yield opened


def files(at: Path) -> dict[str, str]:
    bundle = load_directory(at).bundle
    assert bundle is not None
    return {path: content.decode() for path, content in bundle.files.items()}


def with_threshold(service: Service, usd: int) -> dict[str, Any]:
    found = files(service.shell.at)
    assert THRESHOLD in found["policies/refunds.yaml"]
    text = found["policies/refunds.yaml"].replace(THRESHOLD, f"refund_threshold_usd: {usd}")
    return {"files": found | {"policies/refunds.yaml": text}}


def brought(client: httpx2.Client, body: dict[str, Any]) -> str:
    done = client.post("/v1/bundles", json=body)
    assert done.status_code == 201, done.text
    assert done.json()["active"] is False
    return str(done.json()["digest"])


def active(client: httpx2.Client) -> str:
    return str(next(one["digest"] for one in client.get("/v1/bundles").json()["items"] if one["active"]))


def test_a_tightening_is_brought_deployed_and_rolled_back(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona, served.client("ops", "operator") as ops:
        before = active(ops)
        held = served.start(ops, "acct_1002")["id"]
        digest = brought(mona, with_threshold(served, 50))
        assert active(ops) == before
        told = mona.get(f"/v1/bundles/{digest}/difference").json()
        assert (told.get("loosens"), bool(told.get("changes"))) == (False, True), told
        made = mona.post("/v1/deployments", json={"bundle": digest, "note": "less without a person"})
        assert made.status_code == 201, made.text
        assert made.json()["report"]["changes"] == told["changes"]
        assert (made.json()["by"], made.json()["kind"]) == ("mona", "activate")
        assert active(ops) == digest
        # new sessions begin with it, and one that had begun stays under what it began with
        bundles = {one: ops.get(f"/v1/sessions/{one}").json()["bundle"] for one in
                   (held, served.start(ops, "acct_1001")["id"])}  # fmt: skip
        assert list(bundles.values()) == [before, digest]
        # going back lets more happen again, which no machine decides
        robot = ops.post("/v1/deployments", json={"bundle": before})
        assert (robot.status_code, robot.json()["code"]) == (403, "another_person")
        back = mona.post("/v1/deployments", json={"bundle": before, "note": "back"})
        assert back.status_code == 201, back.text
        assert back.json()["report"]["loosens"] is True
        assert active(ops) == before
        numbers = [one["number"] for one in ops.get("/v1/deployments").json()["items"]]
        assert numbers == sorted(numbers, reverse=True)


def test_who_brought_a_loosening_does_not_deploy_it_alone(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        tight = brought(mona, with_threshold(served, 60))
        assert mona.post("/v1/deployments", json={"bundle": tight}).status_code == 201
        digest = brought(mona, with_threshold(served, 200))
        for name, more in (("mona", ()), ("mona2", ("--person", "mona")), ("robot", ())):
            with served.client(name, "operator", *more) as same:
                refused = same.post("/v1/deployments", json={"bundle": digest})
                assert (refused.status_code, refused.json()["code"]) == (403, "another_person"), refused.text
                assert refused.json()["report"]["loosens"] is True
        with served.client("olga", "operator", "--person", "olga") as olga:
            assert olga.post("/v1/deployments", json={"bundle": digest}).status_code == 201
            assert active(olga) == digest


def test_another_deployment_that_came_first_is_looked_at_before(served: Service) -> None:
    with served.client("olga", "operator", "--person", "olga") as olga:
        tag = olga.get("/v1/deployments").headers["etag"]
        one, two = (brought(olga, with_threshold(served, usd)) for usd in (40, 30))
        assert olga.post("/v1/deployments", json={"bundle": one}, headers={"if-match": tag}).status_code == 201
        late = olga.post("/v1/deployments", json={"bundle": two}, headers={"if-match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "deployed_meanwhile")
        again = olga.post("/v1/deployments", json={"bundle": one})
        assert (again.status_code, again.json()["code"]) == (409, "active_already")


def test_what_is_not_whole_is_not_kept_and_it_is_told_where_it_is_wrong(served: Service) -> None:
    good = with_threshold(served, 250)["files"]
    rules = good["policies/refunds.yaml"]
    with served.client("writer", "author") as writer:
        count = len(writer.get("/v1/bundles").json()["items"])
        wrong = writer.post("/v1/bundles", json={"files": good | {"policies/refunds.yaml": f"{rules}\nx: ["}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_bundle")
        assert wrong.json()["errors"][0]["file"] == "policies/refunds.yaml"
        assert wrong.json()["errors"][0]["line"] > 1
        broken = rules + "guarantees:\n  - {id: never-at-all, never: verdict == 'allow'}\n"
        if "guarantees:" in rules:
            broken = rules.replace("guarantees:\n", "guarantees:\n  - {id: never-at-all, never: verdict == 'allow'}\n")
        refuted = writer.post("/v1/bundles", json={"files": good | {"policies/refunds.yaml": broken}})
        assert (refuted.status_code, refuted.json()["code"]) == (422, "guarantee_refuted"), refuted.text
        assert "never-at-all" in refuted.json()["detail"]
        for path in ("/etc/passwd", "../up.yaml", "specs/../../up.yaml", "specs//x.yaml", "", "a\\b", "specs/./x"):
            refused = writer.post("/v1/bundles", json={"files": good | {path: "kind: Tool\n"}})
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), path
        assert len(writer.get("/v1/bundles").json()["items"]) == count


PROGRAM = """
kind: Tool
name: list_files
description: What lies there.
effect: read
input: {type: object, properties: {}, additionalProperties: false}
output: {type: object, properties: {}, additionalProperties: false}
adapter: {kind: command, argv: [ls]}
"""


def test_a_bundle_that_is_brought_runs_no_program_unless_the_configuration_says_so(
    served: Service, tmp_path: Path
) -> None:
    body = with_threshold(served, 250)
    body["files"]["specs/tools/list-files.yaml"] = PROGRAM
    with served.client("writer", "author") as writer:
        refused = writer.post("/v1/bundles", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "code_not_allowed"), refused.text
        assert "list_files" in refused.json()["detail"]
        # nor what it asks, and where that is
        for path, before, after in (
            ("specs/tools/open_refund_case.yaml", ":amount_usd * 100", ":amount_usd * 10000"),
            ("specs/databases/billing.yaml", "path: specs/databases/billing.db", "path: store.db"),
            (
                "specs/agents/support-triage.yaml",
                "planners:\n",
                "planners:\n  away: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}\n",
            ),
            ("specs/databases/billing.sql", "CREATE", "-- another\nCREATE"),
        ):
            files_ = with_threshold(served, 250)["files"]
            assert before in files_[path], path
            files_[path] = files_[path].replace(before, after, 1)
            refused = writer.post("/v1/bundles", json={"files": files_})
            assert (refused.status_code, refused.json()["code"]) == (403, "code_not_allowed"), (path, refused.text)
    at = copy_of_root(tmp_path)
    (at / "engine.yaml").write_text("kind: Service\nport: 0\nbundles: {code: allow}\nstore: sqlite:///store.db\n")
    with open_service(Shell(at), "--config", "engine.yaml") as open_, open_.client("writer", "author") as writer:
        assert writer.post("/v1/bundles", json=body).status_code == 201


def test_who_may_not_brings_and_deploys_nothing(served: Service) -> None:
    body = with_threshold(served, 250)
    with served.client("reader", "reviewer") as reader:
        assert reader.post("/v1/bundles", json=body).status_code == 403
    with served.client("writer", "author") as writer:
        known = active(writer)
        assert writer.post("/v1/deployments", json={"bundle": known}).status_code == 403
        assert writer.get(f"/v1/bundles/{known}").json()["files"].keys() >= {"policies/refunds.yaml"}
        assert writer.get("/v1/bundles/none").status_code == 404


def test_an_urgent_bundle_judges_beside_others_until_it_is_lifted(served: Service) -> None:
    body = with_threshold(served, 250)
    rules = body["files"]["policies/refunds.yaml"]
    body["files"]["policies/refunds.yaml"] = rules.replace("kind: Policy\n", "kind: Policy\nurgent: tighten\n")
    with served.client("olga", "operator", "--person", "olga") as olga:
        digest = brought(olga, body)
        before = active(olga)
        made = olga.post("/v1/deployments", json={"bundle": digest})
        assert (made.status_code, made.json()["kind"]) == (201, "urge"), made.text
        assert active(olga) == before
        again = olga.post("/v1/deployments", json={"bundle": digest})
        assert (again.status_code, again.json()["code"]) == (409, "urgent_already")
        with served.client("nils", "operator", "--person", "nils") as nils:
            lifted = nils.post("/v1/deployments", json={"bundle": digest, "lift": True})
            assert (lifted.status_code, lifted.json()["kind"]) == (201, "lift"), lifted.text


def test_what_people_deployed_stays_active_when_the_service_starts_again(tmp_path: Path) -> None:
    shell = Shell(copy_of_root(tmp_path))
    with open_service(shell) as first, first.client("ops", "operator", "--person", "mona") as mona:
        files_, tight = active(mona), with_threshold(first, 20)
        digest = brought(mona, tight)
        assert mona.post("/v1/deployments", json={"bundle": digest}).status_code == 201
        tokens = first.tokens
    with open_service(shell) as again:
        again.tokens |= tokens
        with again.client("ops", "operator") as ops:
            assert active(ops) == digest
    policy = tmp_path / "policies/refunds.yaml"
    policy.write_text(policy.read_text("utf-8").replace(THRESHOLD, "refund_threshold_usd: 240"), "utf-8")
    with open_service(shell) as changed:
        changed.tokens |= tokens
        with changed.client("ops", "operator") as ops:
            assert active(ops) not in (digest, files_)
            by = [one["by"] for one in ops.get("/v1/deployments").json()["items"]]
            assert by == ["files", "mona", "files"]


def test_what_no_proof_speaks_of_takes_two_and_a_machine_stands_for_who_made_it(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        body = with_threshold(served, 250)
        tool = "specs/tools/open_refund_case.yaml"
        body["files"][tool] = body["files"][tool].replace("says: Refund", "says: Refund only")
        digest = brought(mona, body)
        refused = mona.post("/v1/deployments", json={"bundle": digest})
        assert (refused.status_code, refused.json()["code"]) == (403, "another_person")
        assert refused.json()["report"]["not_proved"] == [tool]
        # a machine whose token she made brings it in her place
        made = mona.post("/v1/tokens", json={"name": "ci", "role": "author"})
        assert made.status_code == 201, made.text
        headers = {"authorization": f"Bearer {made.json()['secret']}"}
        body["files"][tool] = body["files"][tool].replace("says: Refund only", "says: Refund just")
        with httpx2.Client(base_url=served.url, headers=headers, timeout=600) as machine:
            other = brought(machine, body)
        again = mona.post("/v1/deployments", json={"bundle": other})
        assert (again.status_code, again.json()["code"]) == (403, "another_person")
        with served.client("olga", "operator", "--person", "olga") as olga:
            assert olga.post("/v1/deployments", json={"bundle": other}).status_code == 201


@pytest.mark.parametrize(
    ("file", "was", "now", "told"),
    [
        ("policies/refunds.yaml", "Refunds above", "A routine check: press Approve above", "rules.refund-threshold.message"),
        ("policies/refunds.yaml", "reason: wrong_tenant", "reason: wrong_tenant\n    disclose: false", "tenant-scope.disclose"),
        ("policies/refunds.yaml", "facts:\n", "facts:\n  spy: {tool: lookup_billing_account, input: {account_id: \"'x'\"}}\n",
         "refunds.facts.spy.tool"),
        ("policies/refunds.yaml", "\nno_rule_allows: ", "\nno_rule_allows: Well, ", "refunds.no_rule_allows"),
    ],
)  # fmt: skip
def test_what_a_policy_says_and_reads_takes_two(served: Service, file: str, was: str, now: str, told: str) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        body = with_threshold(served, 250)
        said = body["files"][file].replace(was, now, 1)
        assert said != body["files"][file]
        body["files"][file] = said
        digest = brought(mona, body)
        refused = mona.post("/v1/deployments", json={"bundle": digest})
        assert (refused.status_code, refused.json()["code"]) == (403, "another_person"), refused.text
        assert [one for one in refused.json()["report"]["not_proved"] if told in one], refused.json()["report"]


def test_a_document_is_what_its_kind_says_wherever_it_lies(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        tool = "specs/tools/open_refund_case.yaml"
        for place in ("fixtures/a.yaml", "policies/a.yaml"):
            body = with_threshold(served, 250)
            text = body["files"].pop(tool)
            body["files"][place] = text.replace("says: Refund", f"says: Refund by {place}")
            digest = brought(mona, body)
            refused = mona.post("/v1/deployments", json={"bundle": digest})
            assert (refused.status_code, refused.json()["code"]) == (403, "another_person")
            assert refused.json()["report"]["not_proved"] == sorted([tool, place])


def test_nobody_approves_what_a_machine_asks_for_whose_token_they_made(served: Service) -> None:
    with (
        served.client("dana-ops", "operator", "--person", "dana") as ops,
        served.client("dana", "reviewer") as dana,
        served.client("lee", "reviewer") as lee,
    ):
        made = ops.post("/v1/tokens", json={"name": "danabot", "role": "caller"})
        headers = {"authorization": f"Bearer {made.json()['secret']}"}
        with httpx2.Client(base_url=served.url, headers=headers, timeout=600) as machine:
            session = served.start(machine, "acct_1002")["id"]
        served.waits(ops, session, "awaiting_human_review")
        shown = dana.get(f"/v1/requests/{session}.1").json()
        said = {"answer": "approve", "digest": shown["digest"]}
        refused = dana.post(f"/v1/requests/{session}.1/answers", json=said)
        assert (refused.status_code, refused.json()["code"]) == (403, "own_request")
        assert lee.post(f"/v1/requests/{session}.1/answers", json=said).status_code == 200


def test_what_an_urgent_bundle_says_takes_two_and_that_it_tightens_takes_one(served: Service) -> None:
    with served.client("mona", "operator", "--person", "mona") as mona:
        body = with_threshold(served, 90)
        policy = "policies/refunds.yaml"
        body["files"][policy] += "urgent: tighten\n"
        lying = {
            **body,
            "files": {**body["files"], policy: body["files"][policy].replace("is not verified", "is lost")},
        }
        refused = mona.post("/v1/deployments", json={"bundle": brought(mona, lying)})
        assert (refused.status_code, refused.json()["code"]) == (403, "another_person"), refused.text
        digest = brought(mona, body)
        done = mona.post("/v1/deployments", json={"bundle": digest})
        assert (done.status_code, done.json()["kind"]) == (201, "urge"), done.text
        with served.client("olga", "operator", "--person", "olga") as olga:
            assert olga.post("/v1/deployments", json={"bundle": digest, "lift": True}).status_code == 201


def test_makers_of_makers_of_tokens_are_followed_to_the_end_and_are_not_many(served: Service) -> None:
    with served.client("dana-first", "operator", "--person", "dana") as ops:
        secret = ops.headers["authorization"].partition(" ")[2]
        for number in range(30):
            headers = {"authorization": f"Bearer {secret}"}
            with httpx2.Client(base_url=served.url, headers=headers, timeout=600) as machine:
                made = machine.post("/v1/tokens", json={"name": f"deep{number}", "role": "operator"})
                if made.status_code != 201:
                    break
                secret = made.json()["secret"]
        assert (number, made.status_code, made.json()["code"]) == (19, 403, "beyond")
        with httpx2.Client(base_url=served.url, headers={"authorization": f"Bearer {secret}"}, timeout=600) as machine:
            session = served.start(machine, "acct_1002")["id"]
        served.waits(ops, session, "awaiting_human_review")
        with served.client("dana", "reviewer") as dana:
            said = {"answer": "approve", "digest": dana.get(f"/v1/requests/{session}.1").json()["digest"]}
            refused = dana.post(f"/v1/requests/{session}.1/answers", json=said)
            assert (refused.status_code, refused.json()["code"]) == (403, "own_request")
