"""One target fed in a process of its own: `python -m tests.fuzz.running TARGET SEED FIRST SECONDS`, a line for each 100."""

from __future__ import annotations

import faulthandler
import json
import resource
import signal
import sys
import time
import traceback
from random import Random

from tests.fuzz.targets import TARGETS

# of one input: CPU seconds, and seconds in all, which a busy machine may stretch
CPU, WALL = 5.0, 300.0
MOST_MEMORY = 1_000_000_000


def source(target: str, seed: int, number: int) -> Random:
    """The chance that decides one input."""
    return Random(f"{target}:{seed}:{number}")


def main(target: str, seed: int, first: int, seconds: float) -> int:
    """Feed until the time is over, or something nobody has foreseen happens."""
    until, slowest, number = time.monotonic() + seconds, 0.0, first
    with TARGETS[target]() as feed:
        while time.monotonic() < until:
            say(number=number, slowest=round(slowest, 3), memory=memory())
            faulthandler.dump_traceback_later(WALL, exit=True)
            # what does not even hear of the signal is ended by it
            signal.setitimer(signal.ITIMER_PROF, CPU)
            began = time.process_time()
            try:
                feed(source(target, seed, number))
            except BaseException:
                say(number=number, fault=traceback.format_exc()[-4000:])
                return 1
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                faulthandler.cancel_dump_traceback_later()
            slowest = max(slowest, time.process_time() - began)
            if memory() > MOST_MEMORY:
                say(number=number, fault=f"{memory():,} bytes of memory")
                return 1
            number += 1
    say(number=number, slowest=round(slowest, 3), memory=memory())
    return 0


def memory() -> int:
    """The most that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def say(**told: object) -> None:
    """A line for who watches."""
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
