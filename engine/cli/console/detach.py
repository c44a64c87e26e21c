"""Recording what somebody wants of a session and leaving it to a worker: the id is all that is printed."""

from __future__ import annotations

import click

from engine.cli.console.output import say
from engine.language.value import one_line

# a store that ends with its process has no worker
MEMORY = "memory:"


def check_store_for_worker(url: str, *, detach: bool = True) -> None:
    """Find that a worker can open the store of what is to be left to it; raises click.UsageError."""
    if detach and url == MEMORY:
        raise click.UsageError("--detach needs a store that a worker can open: --store sqlite:///PATH")


def leave_to_worker(session_id: str, output_format: str) -> None:
    """Print the id of a session that `engine worker` is to drive."""
    say(session_id if output_format == "text" else one_line({"session": session_id}))
    say(f"session {session_id} is left to a worker: engine worker", err=True)
