"""Bundles around a stub server, and the command line over them (helper of the tests of section F)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.diagnostic import Diagnostic
from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, tool
from tests.cli.shell import Done, Shell

STUB = Path(__file__).with_name("stub_server.py")
OBJECT: dict[str, Any] = {"type": "object"}


def listed(name: str, schema: Any = OBJECT, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": schema, **more}


def command(at: Path, tools: list[Any], results: Any = None) -> list[str]:
    at.mkdir(parents=True, exist_ok=True)
    (at / "stub.json").write_text(json.dumps({"tools": tools, "results": results or {}}), "utf-8")
    return [sys.executable, str(STUB), str(at / "stub.json")]


class Importing:
    """A bundle on the disk with one server `s`, whose tools are imported and checked."""

    def __init__(self, at: Path, *tools: Any, server: str | None = None) -> None:
        self.at = at
        self.tools(*tools)
        argv = command(at, list(tools))
        self.write("specs/servers/s.yaml", server or f"kind: Server\nname: s\ncommand: {json.dumps(argv)}\n")
        self.write(*agent("[]"))
        self.shell = Shell(at)

    def tools(self, *tools: Any) -> None:
        command(self.at, list(tools))

    def write(self, path: str, text: str) -> None:
        file = self.at / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def imported(self, *more: str) -> Done:
        return self.shell("tools", "import", ".", "--server", "s", *more)

    @property
    def documents(self) -> dict[str, str]:
        return {path.stem: path.read_text("utf-8") for path in sorted((self.at / "specs/tools").glob("*.yaml"))}

    @property
    def loaded(self) -> Bundle:
        from engine.bundle.load import load_directory
        from engine.diagnostic.render import full

        found = load_directory(self.at)
        assert found.bundle is not None, full(found.diagnostics, found.sources)
        return found.bundle


def loaded(*documents: tuple[str, str]) -> tuple[Bundle | None, list[Diagnostic]]:
    files = {path: text.encode() for path, text in documents}
    files.setdefault("specs/tools/code.py", CODE.encode())
    found = load(BundleFiles(files))
    return found.bundle, list(found.diagnostics)


def with_input(schema: str, output: str = "{type: object}") -> tuple[Bundle | None, list[Diagnostic]]:
    """A bundle with a tool of this input, or what is said of it."""
    return loaded(agent("[act]"), tool("act", input=schema, output=output))


def errors(found: list[Diagnostic]) -> list[str]:
    return [f"{one.message} {one.help or ''}" for one in found if one.code.startswith("E")]


def about(found: list[Diagnostic], word: str) -> list[str]:
    """Every complaint, a warning or an error, that names a word."""
    told = [f"{one.message} {one.help or ''}" for one in found]
    return [one for one in told if word in one]
