"""The settings of tools that other programs act for: commands, and servers of the Model Context Protocol."""

from __future__ import annotations

from typing import Any

from engine.bundle.checks import e106_leaves_bundle, e206_constraint, e316_server
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.files import leaves
from engine.bundle.link.expressions import template
from engine.bundle.link.linker import AdapterLinker
from engine.bundle.link.secrets import check_references, refuse_own_names, refuse_references, values
from engine.bundle.node import Node
from engine.language import types
from engine.language.value import span
from engine.spec.bundle import Server


def link_command(linker: AdapterLinker) -> dict[str, Any]:
    """Compile the arguments; the program itself and the environment hold nothing of the input."""
    documents, adapter, settings = linker.documents, linker.node, linker.settings
    wide = {**linker.scope, "key": types.union((types.TEXT, types.NULL))}
    argv = adapter.at("argv").items or []
    _check_program(documents, argv[0])
    for item in argv:
        refuse_references(documents, item)
    check_references(documents, values(adapter.get("environment")))
    refuse_own_names(documents, adapter.get("environment"))
    directory = adapter.get("directory")
    if directory is not None and leaves(str(directory.value)):
        documents.say(e106_leaves_bundle.at(directory))
    listed = adapter.get("files")
    if listed is not None and directory is not None:
        documents.say(
            e206_constraint.at(
                adapter.key("files") or listed, "files", "are laid into a fresh folder: leave `directory` out"
            )
        )
    paths = (
        [path for item in (listed.items or ()) for path in documents.take_matching(item)] if listed is not None else []
    )
    settings["argv"] = tuple(template(documents, item, wide) for item in argv)
    settings["files"] = tuple(paths)
    return settings


def link_mcp(linker: AdapterLinker) -> dict[str, Any]:
    """The server must be declared."""
    documents, server = linker.documents, linker.node.at("server")
    if not documents.has("Server", server.value):
        documents.say(e316_server.at(server.place, str(server.value), documents.of("Server")))
    return linker.settings


def link_server(documents: DocumentSet, document: Document) -> Server:
    """The server that a document describes; what is wrong with it is said."""
    node, plain = document.node, document.plain
    command, url = plain.get("command", []), plain.get("url")
    if bool(command) == bool(url):
        documents.say(e206_constraint.at(node.at("name"), "server", "has either a `command` or a `url`"))
    if command:
        _check_program(documents, (node.at("command").items or [])[0])
        for item in node.at("command").items or ():
            refuse_references(documents, item)
    if url is not None:
        refuse_references(documents, node.at("url"))
    for key in ("headers", "allow_private") if command else ("environment",):
        if node.get(key) is not None:
            documents.say(e206_constraint.at(node.key(key) or node, key, f"is for `{'url' if command else 'command'}`"))
    check_references(documents, [*values(node.get("environment")), *values(node.get("headers"))])
    refuse_own_names(documents, node.get("environment"))
    return Server(
        document.name,
        tuple(command),
        plain.get("environment", {}),
        url,
        plain.get("headers", {}),
        plain.get("allow_private", False),
        span(plain.get("start_timeout", "30s")),
        plain.get("optional", False),
    )


def _check_program(documents: DocumentSet, node: Node) -> None:
    if "{{" in str(node.value) or not str(node.value).strip():
        documents.say(e206_constraint.at(node, "program", "must be written out: input must not choose what runs"))
