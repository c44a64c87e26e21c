"""`engine tools`: tools of servers, taken into a bundle and compared with what the servers list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import bundle_argument
from engine.cli.out import say
from engine.cli.writing import write as save
from engine.diagnostic import did_you_mean
from engine.session.bundle import Bundle, Server
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.tool.mcp import Link


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
    server = _server(bundle, name)

    async def write(link: Link) -> int:
        from engine.tool.imported import document, tool_name

        for missing in [tool for tool in only if tool not in link.tools]:
            raise click.UsageError(f"server {name} has no tool `{missing}`; {did_you_mean(missing, link.tools)}")
        for tool in [link.tools[wanted] for wanted in only or sorted(link.tools)]:
            path = bundle / "specs" / "tools" / f"{tool_name(server, tool)}.yaml"
            if path.exists() and not overwrite:
                say(f"kept     {path}: it is there already (--overwrite writes it anew)", err=True)
                continue
            save(path, document(server, tool))
            say(f"written  {path}")
        say("next: say which of them only read, list them in an agent, and run `engine validate`", err=True)
        return OK

    raise SystemExit(_with_server(server, write))


@command.command("check")
@bundle_argument
def check(bundle: Path) -> None:
    """Ask each server of a bundle for its tools, and say which are not as they are pinned."""
    from engine.cli.loading import load_or_exit

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
        elif pinned != listed.digest:
            said, code = f"is pinned to {pinned}, and the server lists {listed.digest}", FAILED
        else:
            said = "is as it is pinned"
        say(f"{tool.name}\t{said}")
    return code


def _used(bundle: Bundle) -> list[Server]:
    names = {tool.adapter.settings["server"] for tool in bundle.tools.values() if tool.adapter.kind == "mcp"}
    return [server for name, server in sorted(bundle.servers.items()) if name in names]


def _server(root: Path, name: str) -> Server:
    """A server of a bundle that need not be whole yet: its tools are still to come."""
    from engine.bundle.link.programs import link_server
    from engine.bundle.load import load_directory

    corpus = load_directory(root).corpus
    for document in corpus.sound("Server"):
        if document.name == name:
            return link_server(corpus, document)
    known = corpus.of("Server")
    hint = did_you_mean(name, known) or f"it has {', '.join(sorted(known)) or 'none'}"
    raise click.UsageError(f"the bundle has no server `{name}`; {hint}")


def _with_server(server: Server, act: Callable[[Link], Awaitable[int]]) -> int:
    import trio

    from engine.cli.work import unwrapped
    from engine.ports import ToolError
    from engine.reach import MissingSecret
    from engine.runtime.secrets import HostSecrets
    from engine.tool.mcp import opened

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
        if not isinstance(cause, ToolError | MissingSecret | OSError):
            cause = RuntimeError(f"server {server.name} can't be asked: {type(cause).__name__}: {cause}")
        say(f"engine: {secrets.masked(str(cause))}", err=True)
        return FAILED
