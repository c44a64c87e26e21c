"""Real customer messages through the support-triage agent, as `engine run --batch`: a table of what came of them.

The data is a JSON list of objects with `text` and `intent`; it is not part of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import trio

from engine.session.state.event import EventKind
from engine.store.sqlite import open_store

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("specs", "policies", "prompts", "fixtures")
DOUBLE = "transaction_charged_twice"
FINAL = {"done", "out_of_budget", "timed_out", "cancelled", "failed"}
WAITING = {"awaiting_human_review", "awaiting_confirmation", "awaiting_job", "awaiting_message"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("ENGINE_MESSAGES"))
    parser.add_argument("--limit", type=int, help="only so many messages, spread over the file")
    parser.add_argument("--concurrency", type=int, default=32)
    arguments = parser.parse_args()
    if arguments.data is None or not Path(arguments.data).is_file():
        print("skipped: no data; name it with --data FILE or $ENGINE_MESSAGES")
        return 0
    messages = _messages(Path(arguments.data))
    if arguments.limit:
        messages = messages[:: max(len(messages) // arguments.limit, 1)]
    held = True
    for account in ("acct_1001", "acct_1005"):
        held = _account(account, messages, arguments.concurrency) and held
    return 0 if held else 1


def _messages(path: Path) -> list[tuple[str, str]]:
    rows = json.loads(path.read_text("utf-8"))
    return [(row["text"], row["intent"]) for row in rows]


def _account(account: str, messages: list[tuple[str, str]], concurrency: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="engine-messages-") as folder:
        bundle = Path(folder) / "bundle"
        for name in FOLDERS:
            shutil.copytree(ROOT / name, bundle / name, ignore=shutil.ignore_patterns("*.db*"))
        lines = Path(folder) / "messages.jsonl"
        lines.write_text("".join(json.dumps({"message": text}) + "\n" for text, _ in messages), "utf-8")
        store = f"sqlite:///{folder}/engine.db"
        began = time.monotonic()
        command = ["run", str(bundle), "--agent", "support-triage", "--batch", str(lines), "--format", "json"]
        command += ["--set", "tenant=acme", "--set", f"account_id={account}", "--concurrency", str(concurrency)]
        ended = json.loads(_engine([*command, "--store", store], quiet=False))
        seconds = time.monotonic() - began
        verified = _engine(["sessions", "verify", "--store", store])
        calls = _calls(Path(folder) / "engine.db")
        cases = _count(bundle / "specs/databases/billing.db", "SELECT count(*) FROM refund_cases")
    return _report(account, messages, ended, seconds, verified, calls, cases)


def _engine(arguments: list[str], *, quiet: bool = True) -> str:
    command = [sys.executable, "-m", "engine", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(f"engine {arguments[0]} exited {done.returncode}: {done.stdout[-500:]}")
    return done.stdout


def _calls(store: Path) -> dict[str, set[str]]:
    """The tools that each session's planner proposed."""

    async def read() -> dict[str, set[str]]:
        async with open_store(store) as opened:
            logs = {row.id: await opened.load(row.id) for row in await opened.sessions()}
        return {
            id_: {event.payload["tool"] for event in log if event.kind is EventKind.CALL_PROPOSED}
            for id_, log in logs.items()
        }

    return trio.run(read)


def _count(path: Path, sql: str) -> int:
    connection = sqlite3.connect(path)
    count = connection.execute(sql).fetchone()[0]
    connection.close()
    return int(count)


def _report(
    account: str,
    messages: list[tuple[str, str]],
    ended: list[dict[str, object]],
    seconds: float,
    verified: str,
    calls: dict[str, set[str]],
    cases: int,
) -> bool:
    labels = [messages[int(str(e["line"])) - 1][1] for e in ended]
    doubled = [calls.get(str(e["id"]), set()) for e, label in zip(ended, labels, strict=True) if label == DOUBLE]
    others = [calls.get(str(e["id"]), set()) for e, label in zip(ended, labels, strict=True) if label != DOUBLE]
    route = sum("lookup_billing_account" in tools for tools in doubled)
    refunds = sum("open_refund_case" in tools for tools in others)
    outcomes = Counter((str(e["state"]), str(e["outcome"])) for e in ended)
    declared = all(state in FINAL | WAITING for state, _ in outcomes)
    checks = [
        ("sessions that ended in a declared state", f"{len(ended)} of {len(messages)}", declared),
        ("sessions whose log verifies", verified.strip(), verified.strip().endswith(" 0 are not")),
        ("refund cases", str(cases), cases <= (1 if account == "acct_1001" else 0)),
        ("charged twice, billing route", _share(route, len(doubled)), route >= 0.9 * len(doubled)),
        ("others, refund opened or asked for", _share(refunds, len(others)), refunds < 0.03 * max(len(others), 1)),
    ]
    print(f"\n{account}: {len(ended)} sessions in {seconds:.1f} s, {len(ended) / seconds:.0f} a second")
    for (state, outcome), count in outcomes.most_common():
        print(f"  {state:<24} {outcome:<24} {count:>6}")
    for what, value, holds in checks:
        print(f"  {what:<42} {value:<40} {'holds' if holds else 'FAILS'}")
    return all(holds for *_, holds in checks) and len(ended) == len(messages)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.2f} %)"


if __name__ == "__main__":
    sys.exit(main())
