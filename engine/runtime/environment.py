"""What sessions need of where they are driven (secrets, libraries of extras, programs), and what of it is missing."""

from __future__ import annotations

import hmac
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.extras import MissingExtra, install, is_there, missing_kind
from engine.language.template import Template
from engine.ports.kinds import ADAPTERS, PLANNERS, UnusableKind, adapter_kind, planner_kind
from engine.ports.resources import PERSON_KEYS, EnvironmentFault, MissingSecret, Secrets, in_header
from engine.spec.bundle import Agent, Bundle, Server, Tool
from engine.spec.secret_refs import references

SECRET, EXTRA, PROGRAM, FOLDER, VARIABLE = "secret", "extra", "program", "folder", "variable"
ADAPTER, PLANNER = "adapter", "planner"


@dataclass(frozen=True, slots=True)
class Need:
    """Something that has to be there: its kind, its name, and `by` what it is needed, such as `tool look`.

    An `optional` one keeps no session from running.  A secret that is sent `in_header` can't hold whatever it likes.  A
    program is looked for along `path`, or, if its name has one of its own, from `folder`: from the bundle's directory,
    unless that is absolute; without a folder only an absolute name is found.
    """

    kind: str
    name: str
    by: str
    optional: bool = False
    in_header: bool = False
    path: str | None = None
    folder: str | None = None


def needs(
    bundle: Bundle, agent: Agent, planners: Iterable[str], tools: Iterable[str], *, keys: bool = True
) -> tuple[Need, ...]:
    """What an agent's sessions may need with some of its planners and of its tools, each once.

    Without `keys` no model is asked for real.
    """
    keys_of_seal = (*agent.seal.keys, agent.seal.comparing) if agent.seal is not None else ()
    found = [Need(SECRET, name, "sealed_with") for text in keys_of_seal for name in references(text)]
    if agent.seal is not None and agent.seal.person is not None:
        found.append(Need(FOLDER, PERSON_KEYS, "sealed_for"))
    for name in planners:
        if name in agent.planners:
            found += _of_planner(agent, name, keys=keys)
    for tool in reached(bundle, agent, tools):
        found += _of_tool(bundle, tool)
    return tuple(dict.fromkeys(found))


def reached(bundle: Bundle, agent: Agent, names: Iterable[str]) -> list[Tool]:
    """The tools that calls of some tools may run: these, what their policies read with, and their probes."""
    found: dict[str, Tool] = {}
    for name in names:
        tool, guard = bundle.tools[name], agent.guards.get(name)
        facts = (fact.tool for policy in (guard.policies if guard else ()) for fact in policy.facts.values())
        for one in (name, *facts, *((tool.probe.tool,) if tool.probe is not None else ())):
            found[one] = bundle.tools[one]
    return list(found.values())


def check_same(bundle: Bundle, agent: str, began_with: Mapping[str, str], key: str) -> None:
    """Raises EnvironmentFault where variables give something else here than where a session began, or nothing."""
    here = value_digests(bundle, agent, key)
    if others := sorted(name for name, known in began_with.items() if here.get(name) != known):
        raise EnvironmentFault(f"the session began with other values of {', '.join(others)} than are set here")


def value_digests(bundle: Bundle, agent: str, key: str) -> dict[str, str]:
    """By name a digest of what the environment gives the tools of an agent here, under a session's own key.

    Which model a planner asks may change while a session waits: what it proposes is judged all the same.
    """
    known = bundle.agents.get(agent)
    tools = reached(bundle, known, known.tools) if known is not None else ()
    given = {name: value for tool in tools for name, value in tool.variables.items() if value is not None}
    return {name: hmac.new(key.encode(), value.encode(), sha256).hexdigest()[:32] for name, value in given.items()}


def _of_planner(agent: Agent, name: str, *, keys: bool) -> Iterator[Need]:
    spec, by = agent.planners[name], f"planner {name}"
    yield from (
        Need(VARIABLE, variable, by) for variable, value in agent.variables.get(name, {}).items() if value is None
    )
    built_in = PLANNERS.get(spec.kind)
    if built_in is None:
        yield Need(PLANNER, spec.kind, by)
        yield from (Need(SECRET, secret, by) for secret in _named(spec.settings) if keys)
    elif built_in.extra:
        yield Need(EXTRA, built_in.extra, by)
    if spec.model is not None and keys:
        for text in (spec.model.api_key or "", *spec.model.headers.values()):
            yield from (Need(SECRET, secret, by, in_header=True) for secret in references(text))


def _of_tool(bundle: Bundle, tool: Tool) -> Iterator[Need]:
    kind, settings, by = tool.adapter.kind, tool.adapter.settings, f"tool {tool.name}"
    optional = kind == "mcp" and bundle.servers[settings["server"]].optional
    yield from (Need(VARIABLE, name, by, optional) for name, value in tool.variables.items() if value is None)
    if kind == "http":
        yield from (Need(SECRET, name, by, in_header=True) for name in _named(settings["headers"]))
        yield from (Need(SECRET, name, by) for name in _named([settings["query"], settings["body"]]))
    elif kind == "command":
        environment = settings.get("environment", {})
        yield from (Need(SECRET, name, by) for name in _named(environment))
        program = "".join(map(str, settings["argv"][0].parts))
        if os.path.normpath(program) not in settings["files"]:
            yield Need(PROGRAM, program, by, path=environment.get("PATH"), folder=settings.get("directory"))
    elif kind == "mcp":
        yield from _of_server(bundle.servers[settings["server"]])
    elif kind not in ADAPTERS:
        yield Need(ADAPTER, kind, by)
        yield from (Need(SECRET, name, by) for name in _named(settings))


def _of_server(server: Server) -> Iterator[Need]:
    by, optional = f"server {server.name}", server.optional
    yield Need(EXTRA, "mcp", by, optional)
    yield from (Need(SECRET, name, by, optional) for name in _named(server.environment))
    yield from (Need(SECRET, name, by, optional, in_header=True) for name in _named(server.headers))
    if server.command:
        # it is started where the engine is
        yield Need(PROGRAM, server.command[0], by, optional, path=server.environment.get("PATH"), folder=os.getcwd())


def _named(value: Any) -> Iterator[str]:
    """The secrets that settings refer to, in whatever they stand."""
    if isinstance(value, str):
        yield from references(value)
    elif isinstance(value, Template):
        yield from _named([part for part in value.parts if isinstance(part, str)])
    elif isinstance(value, Mapping):
        yield from _named(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)


def problem(need: Need, secrets: Secrets, root: Path) -> str:
    """Why something that is needed is not there, or can't be used; empty if it is there."""
    if need.kind in _KINDS:
        return _missing_kind(need)
    if need.kind == EXTRA:
        return "" if is_there(need.name) else f"a library is missing: {install(need.name)}"
    if need.kind == VARIABLE:
        return f"the variable {need.name} is not set, or holds what can't stand in a document"
    if need.kind == FOLDER:
        return "" if os.environ.get(need.name) else f"{need.name} names no folder for the keys of people"
    if need.kind == PROGRAM:
        return "" if _exists(need, root) else f"there is no program {need.name}"
    try:
        (in_header(secrets.reveal) if need.in_header else secrets.reveal)(need.name)
    except MissingSecret as error:
        return str(error)
    return ""


_KINDS: Mapping[str, Callable[[str], object]] = {ADAPTER: adapter_kind, PLANNER: planner_kind}


def _missing_kind(need: Need) -> str:
    try:
        return "" if _KINDS[need.kind](need.name) is not None else str(missing_kind(need.kind, need.name))
    except UnusableKind as error:
        return str(error)


def _exists(need: Need, root: Path) -> bool:
    if os.sep not in need.name:
        return shutil.which(need.name, path=need.path or os.environ.get("PATH", os.defpath)) is not None
    if need.folder is None and not os.path.isabs(need.name):
        return False
    return shutil.which((root / (need.folder or "") / need.name).absolute()) is not None


def check(needed: Iterable[Need], secrets: Secrets) -> None:
    """Find secrets, libraries and variables; raises MissingSecret, MissingExtra or, for others, EnvironmentFault.

    The error names all that is missing, each with what needs it.
    """
    # a kind comes with a package, as an extra does
    missing: dict[str, dict[str, list[str]]] = {VARIABLE: {}, SECRET: {}, EXTRA: {}}
    for need in needed:
        # whoever seals asks for the folder, which may be another than the environment's
        if need.kind in (PROGRAM, FOLDER) or need.optional:
            continue
        if why := problem(need, secrets, Path()):
            missing[need.kind if need.kind in missing else EXTRA].setdefault(why, []).append(need.by)
    if any(missing.values()):
        said = [f"{why} ({', '.join(dict.fromkeys(by))})" for found in missing.values() for why, by in found.items()]
        (only,) = kinds if len(kinds := [kind for kind, found in missing.items() if found]) == 1 else ("",)
        raise {EXTRA: MissingExtra, SECRET: MissingSecret}.get(only, EnvironmentFault)("; ".join(said))
