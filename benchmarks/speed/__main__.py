"""`make bench`: everything in one run, the subjects in turn, least and median, written to RESULTS.md and the history.

`--check` measures anew, holds the ratios against the last kept run, keeps nothing, and exits 1 where one is worse.
"""

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

from benchmarks.speed import gate, history
from benchmarks.speed.figures import Figures
from benchmarks.speed.report import write
from benchmarks.whatif import judged

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = {
    "langgraph": ["langgraph==1.2.24", "langgraph-checkpoint-sqlite==3.1.2"],
    "dbos": ["dbos==3.4.0"],
}
# what each subject does in a round: its mode, sessions and steps; a slow one gets fewer, or a run takes an hour
CASES: dict[str, list[tuple[str, str, int, int]]] = {
    "ours": [
        ("many 100", "many", 100, 3),
        ("many 1000", "many", 1000, 3),
        ("many 10000", "many", 10_000, 3),
        ("one", "one", 150, 3),
        ("long 10", "long", 100, 10),
        ("long 1000", "long", 1, 1000),
        ("long 5000", "long", 1, 5000),
        ("resume 1000", "resume", 1, 1000),
        ("parked", "parked", 1000, 3),
    ],
    "floor": [("many 1000", "many", 1000, 3), ("one", "one", 150, 3)],
    "bare_floor": [("many 1000", "many", 1000, 3), ("one", "one", 150, 3)],
    "real": [("many", "many", 300, 1)],
    "langgraph": [("many 1000", "many", 1000, 3), ("one", "one", 60, 3)],
    "dbos": [("many 300", "many", 300, 3), ("one", "one", 20, 3)],
}


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
    """Microseconds for the conditions of twenty rules."""
    from benchmarks import policy

    names = {"engine, compiled": "ours", "python by hand (floor)": "floor", "simpleeval, parsed": "simpleeval"}
    return {short: policy.measure(policy.SUBJECTS[name]()) for name, short in names.items()}


def work(run: Run, subjects: list[str], tell: Callable[[str], None]) -> None:
    """All rounds, the subjects in turn within each."""
    for _ in range(run.rounds):
        for subject in subjects:
            for what, mode, sessions, steps in CASES[subject]:
                tell(f"{subject}, {what}")
                run.add(subject, what, measure(subject, mode, sessions, steps))
        tell("the gate")
        for number in (20, 1000):
            found = gate.measure(number)
            for subject, micros in found.items():
                run.add(subject, f"rules {number}", {"us": micros, "rules": number})
        tell("twenty conditions")
        for name, micros in rules().items():
            run.add(name, "rules", {"us": micros})
        tell("past sessions judged again")
        run.add("ours", "whatif", {"rate": judged()[0]["decisions_per_second_and_core"]})
        tell("start-up")
        run.add("ours", "help", {"cpu": started("--help")})
        run.add("ours", "validate", {"cpu": started("validate", ".")})
    tell("syncs")
    for subject in ("ours", "floor"):
        counted = syncs(subject)
        if counted is not None:
            run.add(subject, "syncs", {"n": counted})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CASES), help="subjects to run")
    parser.add_argument("--check", action="store_true", help="hold the ratios against the last kept run")
    arguments = parser.parse_args()
    before = history.last()
    if arguments.check and before is None:
        print(f"nothing is kept yet in {history.HISTORY.name}: run `make bench` first")
        return 1
    run = Run(arguments.rounds)
    steps = arguments.rounds * (sum(len(CASES[subject]) for subject in arguments.only) + 4) + 1
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
    if before is not None:
        table, good = history.compared(before["ratios"], history.ratios(run.figures))
        print(f"against the run at {before['commit']}:", *table, sep="\n")
        if arguments.check:
            return 0 if good else 1
    history.keep(history.ratios(run.figures), machine, versions)
    write(ROOT / "benchmarks" / "RESULTS.md", run.figures, run.rounds, machine, versions)
    print(f"written: benchmarks/RESULTS.md after {run.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
