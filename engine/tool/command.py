"""The `command` adapter: a program with a list of arguments and no shell; JSON in, JSON out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import trio

from engine.language.value import NotJson, canonical
from engine.ports.external_work import outside
from engine.ports.resources import OWN_NAMES, Secrets
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.spec.bundle import READ
from engine.spec.secret_refs import filled
from engine.tool.fill import parsed, text
from engine.tool.program import ProgramResult, TooMuchOutput, run_program

KEY = "IDEMPOTENCY_KEY"


class CommandAdapter:
    """Acts for the command tools of one bundle; files come from the stored bundle."""

    def __init__(self, resources: AdapterResources) -> None:
        self._files = resources.bundle.files
        self._secrets = resources.secrets

    async def run(self, run: ToolInvocation) -> Any:
        """What the program writes; raises ToolError."""
        settings = run.tool.adapter.settings
        names = run.names
        argv = [text(template, names) for template in settings["argv"]]
        environment = environment_of(settings.get("environment", {}), self._secrets)
        if run.idempotency_key is not None:
            environment[KEY] = run.idempotency_key
        if not all(_can_be_given(one) for one in (*argv, *environment.values())):
            raise ToolError("bad_argument", "an argument holds what no argument can", acted=False)
        given = canonical(dict(run.input)).encode() if settings.get("stdin", "input") == "input" else b""
        with outside():
            if settings.get("directory") is not None:
                directory = os.path.join(run.root, settings["directory"])
                ended = await self._ended(run, argv, environment, directory, given)
            else:
                ended = await self._in_fresh_folder(run, argv, environment, given)
            return await _output(run, ended)

    async def _in_fresh_folder(
        self, run: ToolInvocation, argv: list[str], environment: Mapping[str, str], given: bytes
    ) -> ProgramResult:
        folder = await trio.to_thread.run_sync(partial(tempfile.mkdtemp, prefix="engine-tool-"))
        try:
            await trio.to_thread.run_sync(self._lay_out, run.tool.adapter.settings["files"], folder)
            return await self._ended(run, argv, environment, folder, given)
        finally:
            with trio.CancelScope(shield=True):
                # what still writes there is none of the result's business
                await trio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))

    async def _ended(
        self, run: ToolInvocation, argv: list[str], environment: Mapping[str, str], directory: str, given: bytes
    ) -> ProgramResult:
        most = run.tool.adapter.settings.get("max_output", 1_000_000)
        try:
            return await run_program(argv, environment=environment, directory=directory, given=given, most=most)
        except OSError as error:
            raise ToolError("cannot_start", f"{argv[0]} can't be started: {error.strerror}", acted=False) from None
        except TooMuchOutput:
            acted = run.tool.effect is not READ
            raise ToolError("output_too_large", f"it wrote more than {most} bytes", acted=acted, lost=acted) from None

    def _lay_out(self, files: tuple[str, ...], folder: str) -> None:
        for path in files:
            place = Path(folder, *PurePosixPath(path).parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._files[path])
            place.chmod(0o700)


def environment_of(declared: Mapping[str, str | None], secrets: Secrets) -> dict[str, str]:
    """What a program's environment holds: the way to programs, and what is declared."""
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    for name, told in declared.items():
        found = os.environ.get(name) if told is None else filled(told, secrets.reveal)
        if found is not None and name not in OWN_NAMES:
            environment[name] = found
    return environment


def _can_be_given(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


async def _output(run: ToolInvocation, ended: ProgramResult) -> Any:
    settings, writes = run.tool.adapter.settings, run.tool.effect is not READ
    if ended.code:
        said = run.failure_text(ended.stderr_tail, 500, end=True) or "it said nothing"
        again = ended.code in settings.get("retryable_codes", ())
        raise ToolError(
            f"exit_{ended.code}" if ended.code > 0 else "killed",
            f"it ended with {ended.code}: {said}",
            retryable=again,
            acted=writes and not again,
            lost=writes and ended.code < 0,
        )
    if settings.get("stdout", "json") == "text":
        return {"text": ended.output.decode("utf-8", "replace")}
    try:
        return await parsed(ended.output) if ended.output.strip() else {}
    except NotJson as error:
        raise ToolError("invalid_output", f"what it wrote is not JSON: {error}", acted=writes, lost=writes) from None
