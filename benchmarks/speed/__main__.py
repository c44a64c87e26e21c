"""`make bench`: everything in one run, the subjects in turn, medians with their spread, written to RESULTS.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from benchmarks.speed.report import Figures, write

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = {
    "langgraph": ["langgraph==1.2.24", "langgraph-checkpoint-sqlite==3.1.2"],
    "dbos": ["dbos==3.4.0"],
}
# sessions that each subject is given at once, and one after the other: a slow one gets fewer, or a run takes an hour
SESSIONS = {"ours": (1000, 150), "floor": (1000, 150), "langgraph": (1000, 60), "dbos": (300, 20)}


@dataclass(slots=True)
class Run:
    """What was measured: lists of figures by subject and what was done."""

    rounds: int
    found: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, subject: str, what: str, figures: dict[str, Any]) -> None:
        self.found.setdefault((subject, what), []).append(figures)

    def figures(self, subject: str, what: str, of: Callable[[dict[str, Any]], float]) -> Figures | None:
        values = [of(one) for one in self.found.get((subject, what), [])]
        return Figures(statistics.median(values), min(values), max(values)) if values else None


def peer(name: str) -> Path:
    """The Python of a peer's own environment, made if it is not there."""
    at = ROOT / ".engine" / "bench" / name
    python = at / "bin" / "python"
    if not (at / "ready").exists():
        shutil.rmtree(at, ignore_errors=True)
        venv.create(at, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
        (at / "ready").touch()
    return python


def measure(subject: str, mode: str, sessions: int, steps: int) -> dict[str, Any]:
    """One run of a subject in a process of its own."""
    python = peer(subject) if subject in PEERS else Path(sys.executable)
    module = f"benchmarks.speed.{'peer_' if subject in PEERS else ''}{subject}"
    done = subprocess.run(
        [python, "-m", module, mode, str(sessions), str(steps)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def syncs(subject: str, sessions: int = 40) -> float | None:
    """Syncs to the disk for each session, one after the other; None without strace."""
    if shutil.which("strace") is None:
        return None
    counts = []
    for number in (sessions, 2 * sessions):
        with tempfile.NamedTemporaryFile() as trace:
            command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", trace.name, sys.executable, "-m"]
            subprocess.run(
                [*command, f"benchmarks.speed.{subject}", "one", str(number), "3"], cwd=ROOT, check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            counts.append(sum("sync(" in line for line in Path(trace.name).read_text().splitlines()))
    return (counts[1] - counts[0]) / sessions


def started(*arguments: str) -> float:
    """CPU seconds of an engine command."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    )
    command = [sys.executable, "-c", code, str(Path(sys.executable).parent / "engine"), *arguments]
    return float(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)


def rules() -> dict[str, float]:
    """Microseconds for twenty rules."""
    from benchmarks import policy

    names = {"engine, compiled": "ours", "python by hand (floor)": "floor", "simpleeval, parsed": "simpleeval"}
    return {short: policy.measure(policy.SUBJECTS[name]()) for name, short in names.items()}


def work(run: Run, subjects: list[str], tell: Callable[[str], None]) -> None:
    """All rounds, the subjects in turn within each."""
    for _ in range(run.rounds):
        for subject in subjects:
            many, one = SESSIONS[subject]
            tell(f"{subject}, {many} at once")
            run.add(subject, "many", measure(subject, "many", many, 3))
            tell(f"{subject}, one at a time")
            run.add(subject, "one", measure(subject, "one", one, 3))
        for steps in (10, 1000):
            tell(f"ours, {steps} steps")
            run.add("ours", f"long {steps}", measure("ours", "long", 1000 // steps, steps))
        tell("ours, parked")
        run.add("ours", "parked", measure("ours", "parked", 1000, 3))
        tell("twenty rules")
        for name, micros in rules().items():
            run.add(name, "rules", {"us": micros})
        tell("start-up")
        run.add("ours", "help", {"cpu": started("--help")})
        run.add("ours", "validate", {"cpu": started("validate", ".")})
    tell("syncs")
    for subject in ("ours", "floor"):
        found = syncs(subject)
        if found is not None:
            run.add(subject, "syncs", {"n": found})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(SESSIONS), help="subjects to run")
    arguments = parser.parse_args()
    run = Run(arguments.rounds)
    steps = arguments.rounds * (2 * len(arguments.only) + 5) + 1
    with click.progressbar(
        length=steps, label="bench", file=sys.stderr, hidden=not sys.stderr.isatty(), item_show_func=lambda item: item
    ) as bar:
        work(run, arguments.only, lambda what: bar.update(1, what))
    versions = [
        f"Python {platform.python_version()}",
        f"trio {version('trio')}",
        *(pin for pins in PEERS.values() for pin in pins),
    ]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    write(ROOT / "benchmarks" / "RESULTS.md", run.figures, run.rounds, machine, versions)
    print(f"written: benchmarks/RESULTS.md after {run.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
