"""Feed every target for a while: `python -m tests.fuzz --minutes 60`; what goes wrong is told with how to see it again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import click

from tests.fuzz.running import source
from tests.fuzz.targets import TARGETS


@dataclass
class Fed:
    """What became of a target."""

    target: str
    inputs: int = 0
    slowest: float = 0.0
    memory: int = 0
    faults: list[str] = field(default_factory=list)


def fed(target: str, seed: int, seconds: float) -> Fed:
    """Feed one target in processes, a new one behind each fault."""
    found, until = Fed(target), time.monotonic() + seconds
    while (left := until - time.monotonic()) > 1 and len(found.faults) < 20:
        command = [sys.executable, "-m", "tests.fuzz.running", target, str(seed), str(found.inputs), str(left)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told: dict[str, object] = {}
        for line in process.stdout:
            told |= json.loads(line)
        error = process.stderr.read() if process.stderr is not None else ""
        code = process.wait()
        number = int(str(told.get("number", found.inputs)))
        found.inputs = number + (code != 0)
        found.slowest = max(found.slowest, float(str(told.get("slowest", 0))))
        found.memory = max(found.memory, int(str(told.get("memory", 0))))
        if code:
            said = told.get("fault") or f"ended by {code} (a hang, if it is -27 or the stack follows)\n{error[-3000:]}"
            found.faults.append(f"{target} {seed} {number}\n{said}")
    return found


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1), default=60.0, show_default=True, help="In all, of all targets.")
@click.option("--seed", type=int, default=1, show_default=True, help="What decides the inputs.")
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)), help="Only these.")
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True, help="Targets at once.")
@click.option("--again", metavar="NUMBER", type=int, help="Feed this one input of a target once more, and no other.")
def main(minutes: float, seed: int, targets: tuple[str, ...], processes: int, again: int | None) -> None:
    """Feed every target for its share of the time."""
    names = targets or tuple(TARGETS)
    if again is not None:
        for name in names:
            with TARGETS[name]() as feed:
                feed(source(name, seed, again))
        return
    with ThreadPoolExecutor(processes) as pool:
        done = list(pool.map(lambda name: fed(name, seed, minutes * 60 / len(names)), names))
    for one in done:
        for fault in one.faults:
            click.echo(f"\n{fault}")
    click.echo(f"\n{'target':<12} {'inputs':>8} {'slowest s':>10} {'memory MB':>10} {'faults':>7}")
    for one in done:
        click.echo(
            f"{one.target:<12} {one.inputs:>8} {one.slowest:>10.2f} {one.memory / 1e6:>10.0f} {len(one.faults):>7}"
        )
    sys.exit(any(one.faults for one in done))


if __name__ == "__main__":
    main()
