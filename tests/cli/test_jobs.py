"""Jobs over processes: one hands over, another works, is killed half-way or asked to stop, a third goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cli.shell import Shell
from tests.cli.test_sessions import wait_for
from tests.waiting import until

DISPUTE = "I dispute the second charge: please check the ledger."


def slow_ledger(shell: Shell) -> Path:
    """The ledger's job as a Python write whose first run lingers; every run is a line in a file."""
    ran = shell.at / "ran"
    (shell.at / "specs/tools/reconcile.py").write_text(
        "import os, time\n"
        "def reconcile(account_id, charge_id, idempotency_key):\n"
        f"    with open({str(ran)!r}, 'a') as file:\n"
        "        file.write(idempotency_key + '\\n'); file.flush(); os.fsync(file.fileno())\n"
        f"    time.sleep(30 if len(open({str(ran)!r}).readlines()) == 1 else 0)\n"
        "    return {'reconciliation_id': 'rec_1', 'charge_id': charge_id, 'postings': 3597, 'unmatched': 3,\n"
        "            'difference_usd': 120, 'finding': 'debited_without_credit'}\n"
    )
    tool = shell.at / "specs/tools/reconcile_ledger.yaml"
    text = tool.read_text()
    adapter = "adapter: {kind: python, file: specs/tools/reconcile.py, function: reconcile}\n"
    tool.write_text(text[: text.index("adapter:")] + adapter)
    return ran


def test_a_second_process_finishes_what_the_first_handed_over(shell: Shell) -> None:
    parked = shell.triage("acct_1001", message=DISPUTE)
    assert parked.code == 3
    assert "engine worker" in parked.err
    (job,) = shell("jobs", "list", "--format", "json").json
    assert (job["status"], job["tool"]) == ("queued", "reconcile_ledger")
    assert shell("worker", "--until-idle").out == "1 job run, 1 session driven\n"
    (row,) = shell("sessions", "list", "--format", "json").json
    assert (row["state"], row["outcome"]) == ("done", "answered")
    assert shell("jobs", "list", "--status", "done").out.splitlines()[1].startswith(job["id"])
    shown = shell("jobs", "show", job["id"], "--format", "json").json
    assert [e["kind"] for e in shown["events"] if e["kind"].startswith("job")] == ["job_enqueued", "job_leased"]
    assert "reconcile_ledger" in shell("jobs", "show", job["id"]).out
    assert shell("sessions", "verify").code == 0


def test_a_worker_that_is_killed_half_way_leaves_the_job_to_another(shell: Shell) -> None:
    ran = slow_ledger(shell)
    assert shell.triage("acct_1001", message=DISPUTE).code == 3
    first = shell.start("worker")
    wait_for(ran)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=600)
    assert shell("worker", "--until-idle").out == "0 jobs run, 0 sessions driven\n", "its lease is still live"
    second = shell.start("worker")
    until(lambda: shell("sessions", "list", "--format", "json").json[0]["state"] == "done", "its end")
    second.send_signal(signal.SIGTERM)
    out, _ = second.communicate(timeout=600)
    assert (second.returncode, out) == (0, "1 job run, 1 session driven\n")
    keys = ran.read_text().split("\n")
    assert keys[0] == keys[1], "the second attempt ran under the same key"
    assert shell("sessions", "verify").code == 0


def test_a_worker_that_is_asked_to_stop_gives_back_what_it_can_not_end_in_time(shell: Shell) -> None:
    ran = slow_ledger(shell)
    assert shell.triage("acct_1001", message=DISPUTE).code == 3
    worker = shell.start("worker", "--grace", "0.5")
    wait_for(ran)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=600)
    (job,) = shell("jobs", "list", "--format", "json").json
    assert job["status"] == "queued", "another worker need not wait for a lease"
    assert shell("worker", "--until-idle").out == "1 job run, 1 session driven\n"


def test_a_dead_job_is_tried_again_or_given_up(shell: Shell) -> None:
    slow_ledger(shell)
    (shell.at / "specs/tools/reconcile.py").write_text("def reconcile(**given):\n    raise RuntimeError('closed')\n")
    shell.triage("acct_1001", message=DISPUTE)
    shell("worker", "--until-idle")
    (job,) = shell("jobs", "list", "--status", "dead", "--format", "json").json
    assert shell("jobs", "retry", "none", "--as", "dana").code == 2
    assert shell("jobs", "retry", job["id"], "--as", "dana").code == 0
    assert shell("jobs", "retry", job["id"], "--as", "dana").code == 1
    again = shell("jobs", "list", "--status", "queued", "--format", "json").json[0]
    assert again["call_id"] == job["call_id"] + "~1"
    assert shell("jobs", "discard", again["id"], "--as", "dana").code == 0
    assert shell("jobs", "discard", job["id"], "--as", "dana").code == 0
    assert {row["status"] for row in shell("jobs", "list", "--format", "json").json} == {"discarded"}
    assert shell("jobs", "show", "none").code == 2
    assert shell("jobs", "list", "--status", "queued").err == "no jobs\n"


def test_an_owner_that_is_stopped_past_its_lease_lets_go_when_it_goes_on(shell: Shell) -> None:
    """SIGSTOP, another takes over, SIGCONT: one effect, and the old owner leaves."""
    ran = shell.at / "ran"
    (shell.at / "specs/tools/linger.py").write_text(
        "import os, time\n"
        "def linger(file):\n"
        "    with open(file, 'a') as out:\n"
        "        out.write('run\\n'); out.flush(); os.fsync(out.fileno())\n"
        "    time.sleep(1)\n"
        "    return {'done': True}\n"
        "def ponder(file):\n"
        "    open(file + '.read', 'a').write('run\\n')\n"
        "    time.sleep(4)\n"
        "    return {'done': True}\n"
    )
    for name, effect in (("ponder", "read"), ("linger", "write")):
        (shell.at / f"specs/tools/{name}.yaml").write_text(
            f"kind: Tool\nname: {name}\ndescription: takes a while\neffect: {effect}\n"
            "input: {type: object, properties: {file: {type: string}}, required: [file], additionalProperties: false}\n"
            "output: {type: object}\n"
            + ("idempotency: none\n" if effect == "write" else "")
            + f"adapter: {{kind: python, file: specs/tools/linger.py, function: {name}}}\n"
        )
    (shell.at / "policies/linger.yaml").write_text(
        "kind: Policy\nname: linger\nrules:\n  - {id: linger, tools: [linger], effect: allow}\n"
    )
    agent = shell.at / "specs/agents/support-triage.yaml"
    text = agent.read_text().replace("reconcile_ledger]\n", "reconcile_ledger, ponder, linger]\n", 1)
    text = text.replace("escalation, ledger]", "escalation, ledger, linger]").replace(
        "step_time: 15s", "step_time: 30s"
    )
    calls = f'{{id: NAME, name: NAME, input: {{file: "{ran}"}}}}'
    text += (
        "  slow:\n    kind: scripted\n    decisions:\n"
        f"      - {{message: a, tool_calls: [{calls.replace('NAME', 'ponder')}]}}\n"
        f"      - {{message: b, tool_calls: [{calls.replace('NAME', 'linger')}]}}\n"
        "      - {message: done, done: true}\n"
    )
    agent.write_text(text)
    first = shell.start(
        "run", ".", "--agent", "support-triage", "--planner", "slow", "-m", "hi", "--set", "tenant=acme", "--set",
        "account_id=acct_1001",
    )  # fmt: skip
    wait_for(Path(f"{ran}.read"))
    first.send_signal(signal.SIGSTOP)
    (row,) = shell("sessions", "list", "--format", "json").json
    # the one who waits for the lease takes over when it has run out
    second = shell("resume", row["id"])
    assert second.code == 0, second.err
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=600)
    assert ran.read_text() == "run\n"
    assert first.returncode == 1
    assert "was taken over by another driver" in err
    assert shell("sessions", "verify").code == 0
