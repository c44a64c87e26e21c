"""Recording what somebody wants of a session and leaving it to a worker: the id is all that is printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from engine.cli.console.app import App, perform
from engine.cli.console.output import say
from engine.language.value import one_line

# a store that ends with its process has no worker
MEMORY = "memory:"


def act_and_detach(url: str, output_format: str, act: Callable[[App], Awaitable[str]], *, make: bool = False) -> int:
    """Do something with a session, print its id, and leave it to `engine worker`; raises click.UsageError."""
    if url == MEMORY:
        raise click.UsageError("--detach needs a store that a worker can open: --store sqlite:///PATH")

    async def body(work: App) -> int:
        session_id = await act(work)
        say(session_id if output_format == "text" else one_line({"session": session_id}))
        say(f"session {session_id} is left to a worker: engine worker", err=True)
        return 0

    return perform(url, body, make=make)
