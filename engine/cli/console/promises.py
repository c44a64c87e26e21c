"""What a bundle promises is proved before it goes live, by a process of its own: the solver holds much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from engine.cli.console.output import say
from engine.spec.bundle import Bundle

# how long that may keep a bundle from going live, in seconds
LONGEST = 60


def broken_promises(bundle: Bundle, root: Path) -> bool:
    """Whether a call breaks a guarantee of the bundle that lies there, which is told; so is that nobody knows."""
    if not makes_promises(bundle):
        return False
    command = [sys.executable, "-P", "-m", "engine", "prove", str(root), "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        say(f"engine: what the bundle promises was not proved within {LONGEST} seconds; see: engine prove", err=True)
        return False
    if not done.stdout.startswith("{"):
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("Error: ")
        say(f"engine: nobody knows whether what the bundle promises holds: {why}", err=True)
        return False
    findings = json.loads(done.stdout)["guarantees"]
    broken = {one["guarantee"]: one for one in findings if one["status"] == "refuted"}
    for name, one in sorted(broken.items()):
        say(f"engine: guarantee {name} ({one['place']}) does not hold: a call of {one['tool']} breaks it", err=True)
    if broken:
        say("engine: which call that is is shown by: engine prove", err=True)
    return bool(broken)


def makes_promises(bundle: Bundle) -> bool:
    """Whether a bundle has guarantees."""
    guards = [guard for agent in bundle.agents.values() for guard in agent.guards.values()]
    return any(policy.guarantees for guard in guards for policy in (*guard.policies, *guard.promising))
