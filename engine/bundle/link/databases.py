"""Database documents to databases."""

from __future__ import annotations

from engine.bundle.checks import e106_leaves_bundle, e206_constraint
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.files import leaves
from engine.spec.bundle import Database


def link_database(documents: DocumentSet, document: Document) -> Database:
    """The database that a document describes; its content is taken into the bundle."""
    node, plain = document.node, document.plain
    path = node.at("path")
    # where the operator says where a database lies it may lie anywhere
    if leaves(plain["path"]) and not (path.filled and plain["path"].startswith("/")):
        documents.say(e106_leaves_bundle.at(path))
    if path.filled and not plain["path"].endswith(".db"):
        documents.say(e206_constraint.at(path, "path", "must end with `.db`, and what a variable gives does not"))
    for item in node.at("init").items or ():
        documents.take_content(item)
    by_table: dict[str, tuple[str, ...]] = {}
    listed = node.get("documents")
    for item in (listed.items or ()) if listed is not None else ():
        table = item.plain["table"]
        by_table[table] = (*by_table.get(table, ()), *documents.take_matching(item.at("files")))
    return Database(document.name, plain["path"], tuple(plain["init"]), by_table, plain.get("derived", False))
