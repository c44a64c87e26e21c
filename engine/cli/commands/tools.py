"""`engine tools`: tools of servers, taken into a bundle and compared with what the servers list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.files import write as save
from engine.cli.console.options import bundle_argument
from engine.cli.console.output import say
from engine.diagnostic import did_you_mean
from engine.session.exit_code import FAILED, OK, USAGE
from engine.spec.bundle import Bundle, Server, Tool

if TYPE_CHECKING:
    from engine.bundle.document_set import DocumentSet
    from engine.tool.mcp import Link
    from engine.tool.tool_list import ToolList


@click.group(
    "tools",
    epilog="""\b
Examples:
  engine tools import --server files
  engine tools import --server files --tool read_text_file --tool list_directory
  engine tools check""",
)
def command() -> None:
    """Take tools of servers into a bundle, and compare them."""


@command.command("import")
@bundle_argument
@click.option("--server", "name", metavar="NAME", required=True, help="A server of the bundle.")
@click.option("--tool", "only", metavar="NAME", multiple=True, help="As the server calls it; all unless given.")
@click.option("--overwrite", is_flag=True, help="Write documents anew that are there already.")
def import_tools(bundle: Path, name: str, only: tuple[str, ...], overwrite: bool) -> None:
    """Write a tool document for each tool that a server lists, pinned to how it lists it now."""
    server, documents = _server(bundle, name)

    async def write(link: Link) -> int:
        for missing in [tool for tool in only if tool not in link.tools and tool not in link.unlisted]:
            raise click.UsageError(f"server {name} has no tool `{missing}`; {did_you_mean(missing, link.tools)}")
        return _write(bundle, server, documents, link, only, overwrite=overwrite)

    raise SystemExit(_with_server(server, write))


def _write(
    root: Path, server: Server, documents: DocumentSet, link: Link, only: tuple[str, ...], *, overwrite: bool
) -> int:
    """Write the documents of a server's tools; what can't be written is told, and costs no other."""
    from engine.bundle.yaml_writer import NotWritable
    from engine.cli.console.imported_tools import FOLDER, document, known_of, names_for, problems_of, taken_over

    known = known_of(documents, server.name)
    others = {name for name in documents.of("Tool") if name not in {one.name for one in known.values()}}
    broken = documents.broken("Tool")
    names = names_for(server, sorted(link.tools), known, others | documents.lost)
    code = OK
    for tool, why in sorted(link.unlisted.items()):
        if not only or tool in only:
            say(f"not written  {tool}: {why}", err=True)
            code = FAILED
    for listed in [link.tools[wanted] for wanted in only or sorted(link.tools) if wanted in link.tools]:
        one = known.get(listed.name)
        path = one.path if one is not None else f"{FOLDER}/{names[listed.name]}.yaml"
        if one is not None and not overwrite:
            say(
                f"kept     {root / path}: it is there already (--overwrite takes over what the server says now)",
                err=True,
            )
            continue
        in_the_way = _in_the_way(root / path, broken) if one is None else ""
        if in_the_way:
            say(f"not written  {listed.name}: {in_the_way}", err=True)
            code = FAILED
            continue
        try:
            text = taken_over(one, listed) if one is not None else document(server, listed, names[listed.name])
        except NotWritable as error:
            say(f"not written  {listed.name}: {error}", err=True)
            code = FAILED
            continue
        wrong = problems_of(path, text) if one is None else []
        if wrong:
            said = "; ".join(d.message for d in wrong[:3])
            say(f"not written  {listed.name}: {said}", err=True)
            code = FAILED
            continue
        save(root / path, text)
        say(f"written  {root / path}")
    say("next: say which of them only read, list them in an agent, and run `engine validate`", err=True)
    return code


def _in_the_way(path: Path, broken: Sequence[str]) -> str:
    """Why a tool without a document gets none: one that can't be read may be its own, and must not get a second."""
    if path.exists():
        return f"{path} is there already, and is no document of this tool that can be read"
    if broken:
        return f"it may have a document already, in {', '.join(broken)}, which can't be read (`engine validate`)"
    return ""


@command.command("check")
@bundle_argument
def check(bundle: Path) -> None:
    """Ask each server of a bundle for its tools, and say which are not as they are pinned."""
    from engine.cli.console.bundle import load_or_exit

    checked, _ = load_or_exit(bundle)
    codes = [_with_server(server, partial(_compared, checked, server)) for server in _used(checked)]
    if not codes:
        say("no tool of the bundle uses a server", err=True)
    raise SystemExit(max(codes, default=OK))


async def _compared(bundle: Bundle, server: Server, link: Link) -> int:
    code = OK
    for tool in bundle.tools.values():
        settings = tool.adapter.settings
        if tool.adapter.kind != "mcp" or settings["server"] != server.name:
            continue
        listed, pinned = link.tools.get(settings["tool"]), settings.get("pinned")
        if listed is None:
            said, code = f"the server has no tool {settings['tool']}", FAILED
        elif pinned is None:
            said = f"is not pinned; now it is {listed.digest}"
        elif not listed.is_pinned_to(pinned):
            said, code = f"is pinned to {pinned}, and the server lists {listed.digest}", FAILED
        else:
            said = "is as it is pinned"
        say(f"{tool.name}: {said}")
        if pinned is not None and listed is not None and not listed.is_pinned_to(pinned):
            for difference in _changes(tool, listed):
                say(f"  {difference}")
    return code


def _changes(tool: Tool, listed: ToolList) -> list[str]:
    """What a server says otherwise than the tool's document does, field by field.

    Titles and hints stand in no document: that one of them has changed is all that is known.
    """
    from engine.cli.console.imported_tools import described, translated

    description, input_, output = described(listed), translated(listed.input_schema), translated(listed.output_schema)
    before = replace(
        listed, description=tool.description, input_schema=tool.input_schema, output_schema=tool.output_schema
    )
    kind = tool.adapter.settings.get("result", "structured")
    if kind != "structured":
        # its output is its owner's own; a tool that was taken over as text had promised nothing
        before = replace(before, output_schema=None if kind == "text" else output)
    after = replace(listed, description=description, input_schema=input_, output_schema=output)
    found = list(after.differences(before))
    hints = {"title": listed.title, **(listed.annotations or {})}
    told = ", ".join(f"{name}: {value}" for name, value in hints.items() if value not in (None, ""))
    return found or [f"its title or its hints are others ({told or 'it has none now'})"]


def _used(bundle: Bundle) -> list[Server]:
    names = {tool.adapter.settings["server"] for tool in bundle.tools.values() if tool.adapter.kind == "mcp"}
    return [server for name, server in sorted(bundle.servers.items()) if name in names]


def _server(root: Path, name: str) -> tuple[Server, DocumentSet]:
    """A server of a bundle that need not be whole yet: its tools are still to come."""
    from engine.bundle.link.command_and_mcp import link_server
    from engine.bundle.load import load_directory
    from engine.cli.console.bundle import show_diagnostics

    loaded = load_directory(root)
    documents = loaded.documents
    for document in documents.well_formed("Server"):
        if document.name == name:
            return link_server(documents, document), documents
    if documents.has("Server", name):
        files = documents.broken("Server")
        show_diagnostics([d for d in documents.diagnostics if d.place.file in files], loaded.sources)
        say(f"nothing is written: server {name} is known when {', '.join(files)} can be read", err=True)
        raise SystemExit(FAILED)
    known = documents.of("Server")
    hint = did_you_mean(name, known) or f"it has {', '.join(sorted(known)) or 'none'}"
    raise click.UsageError(f"the bundle has no server `{name}`; {hint}")


def _with_server(server: Server, act: Callable[[Link], Awaitable[int]]) -> int:
    import trio

    from engine.extras import unusable
    from engine.ports.resources import EnvironmentFault
    from engine.ports.tool import ToolError
    from engine.runtime.errors import unwrapped
    from engine.runtime.host_secrets import HostSecrets

    try:
        from engine.tool.mcp import opened
    except ImportError as error:
        say(f"engine: {unusable('mcp', f'server {server.name}', error)}", err=True)
        return USAGE

    secrets = HostSecrets()

    async def under() -> int:
        async with opened(server, secrets) as link:
            return await act(link)

    try:
        return trio.run(under)
    except BaseException as error:
        cause: Any = unwrapped(error)
        if isinstance(cause, click.ClickException):
            raise cause from None
        if isinstance(cause, KeyboardInterrupt):
            raise
        if not isinstance(cause, ToolError | EnvironmentFault | OSError):
            cause = RuntimeError(f"server {server.name} can't be asked: {type(cause).__name__}: {cause}")
        say(f"engine: {secrets.masked(str(cause))}", err=True)
        return USAGE if isinstance(cause, EnvironmentFault) else FAILED
