"""The other side of a python write: reads a task from stdin, calls the function, prints its answer."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from engine.policy.value import canonical, exact, loads

KEY = "idempotency_key"


def define(source: str, file: str, name: str) -> Callable[..., Any]:
    """The function that a file defines; raises whatever its top level raises."""
    namespace: dict[str, Any] = {"__name__": f"bundle:{file}", "__file__": file}
    exec(compile(source, file, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def call(task: dict[str, Any]) -> dict[str, Any]:
    """The answer to a task: its output, or the error that its function raised."""
    try:
        function = define(task["source"], task["file"], task["function"])
        given = dict(task["input"])
        if KEY in inspect.signature(function).parameters:
            given[KEY] = task[KEY]
        return {"output": exact(function(**given))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer one task."""
    task = loads(sys.stdin.buffer.read())
    with contextlib.redirect_stdout(sys.stderr):
        answer = call(task)
    sys.stdout.write(canonical(answer))


if __name__ == "__main__":
    main()
