"""A bundle's files to a Bundle, or to all that is wrong with them at once."""

from __future__ import annotations

import base64
import os
from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundle.checks import e105_empty_bundle, e203_missing_key, e312_reserved_name, w616_unread
from engine.bundle.checks.catalogue import CHECKS, MANUALS
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.files import BundleFiles, from_directory
from engine.bundle.link.agents import MANY_TOOLS, attributes_type, check_many_tools, link_agent
from engine.bundle.link.command_and_mcp import link_server
from engine.bundle.link.databases import link_database
from engine.bundle.link.fixture_inputs import check_inputs
from engine.bundle.link.fixtures import check_fixture, check_stubs
from engine.bundle.link.guarantees import accepted
from engine.bundle.link.impossible_conditions import check_unmet
from engine.bundle.link.models import link_prices
from engine.bundle.link.policies import check_policies, link_guards
from engine.bundle.link.probes import link_probes
from engine.bundle.link.prompt_handles import check_handles
from engine.bundle.link.prompts import check_idle_prompts, check_prompts
from engine.bundle.link.sql_trial import try_sql
from engine.bundle.link.suspicious_comparisons import check_comparisons
from engine.bundle.link.table_handles import check_tables
from engine.bundle.link.tools import link_tool
from engine.bundle.link.whole_bundle import WholeBundle
from engine.bundle.silences import silenced
from engine.bundle.unread_files import UnreadFile, unread
from engine.bundle.variables import hidden
from engine.diagnostic import Diagnostic, Place, SourceFile, has_errors, sort
from engine.errors import EngineError
from engine.language import types, value
from engine.language.schema_types import of_schema
from engine.policy.rule import CUSTOMER
from engine.session.expression_names import AllTools, ToolTypes
from engine.spec.bundle import Bundle, ReviewerGroup, Tool


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """The bundle, unless some diagnostic is an error; the documents' places are in `sources`."""

    bundle: Bundle | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]
    documents: DocumentSet


def load_directory(root: Path, *, many_tools: int = MANY_TOOLS) -> LoadedBundle:
    """Load the bundle in a directory; more tools than that of one agent are told; raises NotADirectoryError."""
    if not root.is_dir():
        raise NotADirectoryError(str(root))
    return load(from_directory(root), many_tools=many_tools, skipped_files=tuple(unread(root)))


def load_files(files: Mapping[str, bytes], environment: Mapping[str, str] | None = None) -> LoadedBundle:
    """Load a bundle from its content by path, as one that enters; the disk is not read."""
    return load(BundleFiles(files), environment=environment)


def load_stored(files: Mapping[str, bytes], environment: Mapping[str, str] | None = None) -> LoadedBundle:
    """Load a bundle that was stored when a session started; the disk is not read.

    What is complained of since then does not strand its sessions: it fails closed at the call that meets it.
    """
    return load(BundleFiles(files), stored=True, environment=environment)


def apart_from_the_world(bundle: Bundle, live: Collection[str] = ()) -> Bundle:
    """The same bundle as it is where nothing of the environment is set: it reaches nothing of a deployment.

    What `live` tools and planners name is kept, and never where a database lies.
    """
    tools = {name: tool.variables for name, tool in bundle.tools.items()}
    planners = [found for agent in bundle.agents.values() for p, found in agent.variables.items() if p in live]
    databases = {one for name, found in tools.items() if bundle.tools[name].adapter.kind == "sql" for one in found}
    kept = ChainMap(*(dict(tools[name]) for name in live if name in tools), *map(dict, planners))
    environment = {name: value for name, value in kept.items() if value is not None and name not in databases}
    if environment.keys() == {name for name, value in bundle.variables.items() if value is not None}:
        return bundle
    found = load(BundleFiles(bundle.files), stored=True, environment=environment).bundle
    if found is None:
        raise NotWithoutValues("the bundle can't be tried without the values of the environment that it names")
    return found


class NotWithoutValues(EngineError):
    """A bundle is valid only with what its environment gives it."""


def load(
    files: BundleFiles,
    *,
    stored: bool = False,
    many_tools: int = MANY_TOOLS,
    skipped_files: Sequence[UnreadFile] = (),
    environment: Mapping[str, str] | None = None,
) -> LoadedBundle:
    """Read, shape, link and check; one that is `stored` has entered before, and `skipped_files` lie beside it.

    What the documents name of the environment is this process's own unless another is given.
    """
    documents = DocumentSet(files, os.environ if environment is None else environment)
    if documents.by_kind and documents.whole and not documents.of("Agent") and not documents.lost:
        documents.say(e105_empty_bundle.at(Place("."), "the bundle has no agent"))
    bundle = _link(documents) if documents.whole else None
    check_many_tools(documents, many_tools)
    skipped = [one for one in skipped_files if one.path not in documents.content]
    documents.diagnostics += [w616_unread.at(one.path, one.help) for one in skipped]
    texts = {**documents.sources, **{one.path: SourceFile(one.path, one.text) for one in skipped}}
    diagnostics = silenced(hidden(sort(documents.diagnostics), documents.variables), texts, MANUALS)
    return LoadedBundle(
        None if has_errors(diagnostics, stored=stored) else bundle, diagnostics, documents.sources, documents
    )


def _link(documents: DocumentSet) -> Bundle:
    sessions = {d.name: attributes_type(d) for d in documents.well_formed("Agent")}
    anywhere = types.union(sessions.values()) if sessions else types.UNKNOWN
    tools = {d.name: link_tool(documents, d, anywhere) for d in documents.well_formed("Tool")}
    databases = {d.name: link_database(documents, d) for d in documents.well_formed("Database")}
    try_sql(documents, tools)
    tool_types = AllTools(
        {name: ToolTypes(types.UNKNOWN, types.UNKNOWN) for name in {*documents.of("Tool"), *documents.lost}}
    )
    for name, tool in tools.items():
        output = of_schema(tool.output_schema) if tool.output_schema else types.UNKNOWN
        tool_types[name] = ToolTypes(of_schema(tool.input_schema) if tool.input_schema else types.UNKNOWN, output)
    tools = link_probes(documents, tools, tool_types, anywhere)
    check_policies(documents, tools)
    prices = link_prices(documents)
    servers = {d.name: link_server(documents, d) for d in documents.well_formed("Server")}
    agents = {d.name: link_agent(documents, d, tools, tool_types, prices) for d in documents.well_formed("Agent")}
    _check_unused_policies(documents, tools, tool_types)
    prompts: dict[str, list[types.Type]] = {}
    for agent in agents.values():
        if agent.prompt is not None:
            prompts.setdefault(agent.prompt, []).append(sessions[agent.name])
    check_prompts(documents, prompts)
    check_handles(documents, agents.values())
    for document in documents.well_formed("Fixture"):
        check_fixture(documents, document, agents)
    for document in documents.well_formed("Reviewers"):
        _check_group(documents, document)
    answered = tuple(found for d in documents.well_formed("Policy") for found in accepted(documents, d))
    if not has_errors(documents.diagnostics):
        whole = WholeBundle(documents, agents, tools)
        documents.diagnostics += [found for check in CHECKS for found in check(whole)]
        check_tables(documents, agents, tools)
        check_comparisons(documents)
        check_unmet(documents, agents, tools)
        for document in documents.well_formed("Fixture"):
            check_stubs(documents, document, tools)
            check_inputs(documents, document, tools)
        check_idle_prompts(documents, prompts)
    return Bundle(
        digest=_digest(documents),
        agents=agents,
        tools=tools,
        reviewers={d.name: _group(d) for d in documents.well_formed("Reviewers")},
        databases=databases,
        servers=servers,
        files={**_documents(documents), **documents.content},
        accepted=answered,
        variables=documents.variables.all(),
        urgent=any(d.plain.get("urgent") == "tighten" for d in documents.well_formed("Policy")),
    )


def _group(document: Document) -> ReviewerGroup:
    return ReviewerGroup(tuple(document.plain.get("members", ())), frozenset(document.plain.get("roles", ())))


def _check_group(documents: DocumentSet, document: Document) -> None:
    """A group has somebody in it, and neither it nor a person is called as the one whom a session talks to."""
    node = document.node
    if document.name == CUSTOMER:
        documents.say(e312_reserved_name.at(node.at("name"), "a group of reviewers"))
    members = node.get("members")
    for member in (members.items or ()) if members is not None else ():
        if member.value == CUSTOMER:
            documents.say(e312_reserved_name.at(member, "a person"))
    if members is None and node.get("roles") is None:
        documents.say(e203_missing_key.at(node, "members"))


def _check_unused_policies(
    documents: DocumentSet, tools: Mapping[str, Tool], tool_types: Mapping[str, ToolTypes]
) -> None:
    """A policy that no agent uses yet is typed all the same, against any session."""
    used = {name for agent in documents.well_formed("Agent") for name in agent.plain.get("policies", ())}
    idle = [d for d in documents.well_formed("Policy") if d.name not in used]
    link_guards(documents, idle, [], tools, tool_types, types.UNKNOWN, lambda tool: types.UNKNOWN)


def _documents(documents: DocumentSet) -> dict[str, bytes]:
    return {path: documents.files.files[path] for path in documents.sources}


def _digest(documents: DocumentSet) -> str:
    """What the documents, prompts and content say, whatever their order, layout or file names."""
    plain = [
        [kind, name, document.node.plain_as_written if documents.variables.of(kind, name) else document.plain]
        for kind, named in sorted(documents.by_kind.items())
        for name, document in sorted(named.items())
    ]
    prompts = {name: source.text for name, source in documents.prompts.items()}
    content = {path: base64.b64encode(raw).decode() for path, raw in documents.content.items()}
    return value.digest([plain, prompts, content])
