"""CPU time of commands that people wait for, as ratios to a bare interpreter and beside their budgets."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.large import write

ROOT = Path(__file__).resolve().parent.parent
RUNS = 7
LARGE = 5.0
COMMANDS = {
    "python -c pass": (["-c", "pass"], None),
    "engine --help": (["-m", "engine", "--help"], 0.35),
    "engine validate .": (["-m", "engine", "validate", "."], 0.60),
    "engine sessions list": (["-m", "engine", "sessions", "list", "--store", "memory:"], None),
}


def cpu(arguments: list[str]) -> float:
    """Seconds of user and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    floor = 0.0
    late = False
    print(f"{'command':<24}{'CPU s':>8}{'ratio':>8}{'budget s':>10}")
    for name, (arguments, budget) in COMMANDS.items():
        median = statistics.median(cpu(arguments) for _ in range(RUNS))
        floor = floor or median
        late = late or (budget is not None and median > budget)
        print(f"{name:<24}{median:>8.3f}{median / floor:>8.1f}{budget or '':>10}")
    large = _of_large()
    print(f"{'200 tools, 1,000 rules':<24}{large:>8.3f}{large / floor:>8.1f}{LARGE:>10}")
    return 1 if late or large > LARGE else 0


def _of_large() -> float:
    """Validating a bundle of that size, once."""
    with tempfile.TemporaryDirectory(prefix="engine-large-") as folder:
        write(Path(folder))
        return cpu(["-m", "engine", "validate", folder])


if __name__ == "__main__":
    sys.exit(main())
