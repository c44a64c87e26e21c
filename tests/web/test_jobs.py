"""Jobs over the API, by the ids that it gives: one that failed for good is tried again, and given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle_texts import ALLOW, agent, policy, tool
from tests.cli.shell import Shell
from tests.waiting import until
from tests.web.service import Service, open_service

DECISIONS = (
    "[{message: on it, tool_calls: [{id: c1, name: work, input: {n: 1}}], done: false}, {message: done, done: true}]"
)
FILES = (
    agent("[work]", policies="[rules]"),
    policy(ALLOW),
    tool("work", "write", more="mode: job\nidempotency: {key: [input.n], honoured_by: engine}"),
    ("specs/tools/code.py", "def act(**given):\n    raise ValueError('it can not be done')\n"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    at: Path = tmp_path_factory.mktemp("jobs")
    for name, text in FILES:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text.replace("[{message: hi, done: true}]", DECISIONS))
    with open_service(Shell(at)) as opened:
        yield opened


def test_a_dead_job_is_read_tried_again_and_given_up_by_its_id(service: Service) -> None:
    with service.client("ops", "operator") as ops:
        made = ops.post("/v1/sessions", json={"message": "go", "attributes": {"tenant": "acme"}})
        assert made.status_code == 201, made.text

        def dead() -> list[str]:
            return [row["id"] for row in ops.get("/v1/jobs?status=dead").json()["items"]]

        until(lambda: bool(dead()), "the job has failed for good")
        (job,) = dead()
        assert "/" in job
        shown = ops.get(f"/v1/jobs/{job}")
        assert (shown.status_code, shown.json()["id"]) == (200, job), shown.text
        assert ops.get(f"/v1/jobs/{job.replace('/', '%2F')}").json() == shown.json()
        again = ops.post(f"/v1/jobs/{job}/retry")
        assert again.status_code == 202, again.text
        until(lambda: len(dead()) == 2 or dead() != [job], "it has failed once more")
        assert ops.post(f"/v1/jobs/{job}/retry").status_code in (202, 409)
        assert ops.post(f"/v1/jobs/{dead()[-1]}/discard").status_code == 202
    with service.client("aud", "auditor", "--person", "aud") as auditor:
        assert auditor.get(f"/v1/jobs/{job}").status_code == 200
        assert auditor.post(f"/v1/jobs/{job}/retry").status_code == 403


def test_a_field_behind_a_path_that_is_not_known_is_refused(service: Service) -> None:
    with service.client("ops", "operator") as ops:
        refused = ops.get("/v1/jobs?stauts=dead")
    assert (refused.status_code, "stauts" in refused.text) == (422, True)


def test_an_erased_session_is_told_as_one(service: Service) -> None:
    with service.client("ops", "operator") as ops:
        made = ops.post("/v1/sessions", json={"message": "go", "attributes": {"tenant": "acme"}}).json()
        ops.post(f"/v1/sessions/{made['id']}/cancel")
        service.waits(ops, made["id"], "cancelled", "done", "failed")
        early = ops.post(f"/v1/sessions/{made['id']}/erasure", json={"why": "asked to"})
        assert early.status_code == 200, early.text
        shown = ops.get(f"/v1/sessions/{made['id']}")
        assert (shown.status_code, shown.json()["erased"], shown.json()["attributes"]) == (200, True, {})
        assert ops.get(f"/v1/sessions/{made['id']}/events").status_code == 200
    told = service.shell("sessions", "show", made["id"])
    assert (told.code, "is erased" in told.err) == (1, True), told.err
    assert "is erased" in service.shell("explain", made["id"]).err
