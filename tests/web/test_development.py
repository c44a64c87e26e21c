"""`engine serve --dev`: whoever writes a bundle has links to log in, sessions to look at, and their last change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.shell import Shell, copy_of_root
from tests.waiting import until
from tests.web.service import Service, open_service, opening
from tests.web.test_pages import Browser

THRESHOLD = "refund_threshold_usd: 250"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    at: Path = tmp_path_factory.mktemp("development")
    shell = Shell(copy_of_root(at))
    seed = [{key: opening(account)[key] for key in ("message", "attributes")} for account in ("acct_1001", "acct_1002")]
    (at / "seed.jsonl").write_text("\n".join(json.dumps(one) for one in seed), "utf-8")
    with open_service(shell, "--dev", "--seed", "seed.jsonl") as opened:
        yield opened


def links(service: Service) -> dict[str, str]:
    """The link of each person, as they were printed."""
    assert service.process.stdout is not None
    found: dict[str, str] = {}
    while "noor" not in found:
        name, role, link = service.process.stdout.readline().rstrip("\n").split("\t")
        found |= {name: link} if role != "role" else {}
    return found


def test_each_link_logs_in_whom_it_is_for_and_the_seed_is_there_to_be_looked_at(service: Service) -> None:
    found = links(service)
    assert {"operator", "dana", "lee"} <= set(found)
    browser = Browser(service)
    assert browser.post(found["dana"].removeprefix(service.url), {}).status_code == 303
    until(lambda: "acct_1002" in browser.get("/inbox").text, "what the seed asks dana")
    with service.client("ops", "operator") as ops:
        driven = {"done", "awaiting_human_review"}
        until(
            lambda: {row["state"] for row in ops.get("/v1/sessions").json()["items"]} == driven,
            "two sessions that the worker drove",
        )


def test_the_last_change_is_served_and_one_with_errors_is_not(service: Service) -> None:
    policy = service.shell.at / "policies/refunds.yaml"
    text = policy.read_text("utf-8")
    assert THRESHOLD in text
    lines: list[str] = []
    Thread(target=lambda: lines.extend(service.process.stderr or ()), daemon=True).start()

    def told(pattern: str) -> None:
        until(lambda: re.search(pattern, "".join(lines)) is not None, f"{pattern} on stderr")
        lines.clear()

    with service.client("ops", "operator") as ops:
        policy.write_text(text.replace(THRESHOLD, "refund_threshold_usd: 5000"), "utf-8")
        told("new sessions begin with bundle")
        service.waits(ops, service.start(ops, "acct_1002")["id"], "done")
        policy.write_text(text.replace("effect:", "efect:"), "utf-8")
        told(r"(?s)error\[E\d+\].*served as it was")
        service.waits(ops, service.start(ops, "acct_1002")["id"], "done")
        policy.write_text(text, "utf-8")
        told("new sessions begin with bundle")
        service.waits(ops, service.start(ops, "acct_1002")["id"], "awaiting_human_review")


def test_no_other_machine_is_served(shell: Shell) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        refused = shell("serve", ".", "--dev", "--host", host)
        assert refused.code == 2
        assert "--dev serves this machine alone" in refused.err
    alone = shell("serve", ".", "--seed", "specs/agents/support-triage.yaml")
    assert (alone.code, "--seed and --agent go with --dev" in alone.err) == (2, True)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path))
