"""The other side of a python write: reads a task, calls the function, and writes the answer into a file of its own.

Nothing that the function prints, and no process that it leaves behind, can get between.
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from engine.language.value import NotJson, canonical, exact, loads

KEY = "idempotency_key"
# what a whole answer ends with: one that was broken off has none
END = b"\n"


def define(source: str, file: str, name: str) -> Callable[..., Any]:
    """The function that a file defines; raises whatever its top level raises."""
    # stdout is for data, and a tool's file is no place to know what is printed there
    quiet = {**vars(builtins), "print": partial(print, file=sys.stderr)}
    namespace: dict[str, Any] = {"__name__": f"bundle:{file}", "__file__": file, "__builtins__": quiet}
    exec(compile(source, file, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def call(task: dict[str, Any]) -> dict[str, Any]:
    """The answer to a task: its output, what makes that unfit, or the error that the function raised."""
    try:
        function = define(task["source"], task["file"], task["function"])
        given = dict(task["input"])
        if KEY in inspect.signature(function).parameters:
            given[KEY] = task[KEY]
        output = function(**given)
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"}
    try:
        return {"output": exact(output)}
    except NotJson as error:
        return {"unfit": f"the output is not JSON: {error}"}


def main() -> None:
    """Answer the task that stands on the standard input, in the file whose descriptor is named."""
    told = int(sys.argv[1])
    os.set_inheritable(told, False)
    task = loads(sys.stdin.buffer.read())
    # a function that asks finds nothing
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    answer = call(task)
    with open(told, "wb") as file:
        file.write(canonical(answer).encode("ascii") + END)


if __name__ == "__main__":
    main()
