"""Past sessions judged again: the sessions of real customer messages, or of one message many times over.

The data is a JSON list of objects with `text`; it is not part of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("specs", "policies", "prompts")
ACCOUNTS = ("acct_1001", "acct_1002", "acct_1003", "acct_1005", "acct_1004", "acct_1006")
RATE, MOST_SECONDS = 20_000, 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("ENGINE_MESSAGES"))
    parser.add_argument("--limit", type=int, help="only so many messages")
    arguments = parser.parse_args()
    told, seconds = judged(_messages(arguments.data)[: arguments.limit])
    rate, flips = told["decisions_per_second_and_core"], len(told["flips"])
    print(f"{told['sessions']} sessions, {told['decisions']} decisions, {flips} flips: {seconds:.1f} s in all")
    print(f"{rate} decisions a second and core, loading apart (at least {RATE})")
    return 0 if rate >= RATE and seconds < MOST_SECONDS else 1


def judged(messages: list[str] | None = None) -> tuple[dict[str, Any], float]:
    """What judging sessions anew under a lower threshold tells, and in how many seconds; 500 refunds unless given."""
    with tempfile.TemporaryDirectory(prefix="engine-whatif-") as folder:
        return _measured(Path(folder), messages if messages is not None else _messages(None))


def _messages(data: Path | None) -> list[str]:
    if data is None or not Path(data).is_file():
        return ["I was charged twice and your docs didn't help."] * 500
    return [row["text"] for row in json.loads(Path(data).read_text("utf-8"))]


def _measured(folder: Path, messages: list[str]) -> tuple[dict[str, Any], float]:
    bundle, store = folder / "bundle", f"sqlite:///{folder}/engine.db"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, bundle / name, ignore=shutil.ignore_patterns("*.db*"))
    lines = folder / "lines.jsonl"
    about = [{"tenant": "acme", "account_id": ACCOUNTS[n % len(ACCOUNTS)]} for n in range(len(messages))]
    rows = [json.dumps({"message": m, "attributes": a}) + "\n" for m, a in zip(messages, about, strict=True)]
    lines.write_text("".join(rows), "utf-8")
    _engine("run", str(bundle), "--agent", "support-triage", "--batch", str(lines), "--store", store)
    policy = bundle / "policies/refunds.yaml"
    lowered = policy.read_text("utf-8").replace("refund_threshold_usd: 250", "refund_threshold_usd: 100")
    policy.write_text(lowered, "utf-8")
    began = time.monotonic()
    told: dict[str, Any] = json.loads(_engine("whatif", "--policy", str(bundle), "--store", store, "--format", "json"))
    return told, time.monotonic() - began


def _engine(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "engine", *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"engine {arguments[0]} exited {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
