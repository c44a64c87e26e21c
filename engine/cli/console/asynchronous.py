"""Commands that are told as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")


def asynchronous(command: Callable[P, Awaitable[int]]) -> Callable[P, None]:
    """Run the command and exit with the code that it returns; foreseen errors are told in one line."""

    @wraps(command)
    def run(*given: P.args, **named: P.kwargs) -> None:
        # the runtime is imported only now, so that `--help` is quick
        from engine.cli.console.app import run_app

        raise SystemExit(run_app(lambda: command(*given, **named)))

    return run
