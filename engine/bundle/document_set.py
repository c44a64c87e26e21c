"""All documents of a bundle, read and shaped, with the diagnostics that were found on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from engine.bundle import yaml_reader
from engine.bundle.checks import (
    e101_not_utf8,
    e105_empty_bundle,
    e106_leaves_bundle,
    e108_no_file,
    e203_missing_key,
    e301_duplicate_name,
)
from engine.bundle.files import PROMPT_FOLDER, PROMPT_SUFFIX, BundleFiles, LeadsOut, UnreadableFile, is_document, leaves
from engine.bundle.node import Node
from engine.bundle.schema_check import check_kind, check_shape
from engine.bundle.variables import Variables
from engine.diagnostic import Diagnostic, Place, SourceFile

NOTHING_SET: Mapping[str, str] = MappingProxyType({})

_NAME = re.compile(r"""^\s*name:\s*["']?([\w-]+)""", re.MULTILINE)


@dataclass(slots=True)
class Document:
    """One document; `well_formed` is False where its shape is broken and only its name can be relied on."""

    kind: str
    name: str
    node: Node
    well_formed: bool

    @property
    def plain(self) -> dict[str, Any]:
        """Its content without places."""
        found: dict[str, Any] = self.node.plain
        return found


class DocumentSet:
    """Documents by kind and name, prompts by name, and everything that is wrong so far.

    It is not `whole` where a folder can't be read: nobody knows what is defined there.
    """

    def __init__(self, files: BundleFiles, environment: Mapping[str, str] = NOTHING_SET) -> None:
        self.files = files
        self.variables = Variables(environment)
        self.sources: dict[str, SourceFile] = {}
        self.diagnostics: list[Diagnostic] = []
        self.by_kind: dict[str, dict[str, Document]] = {}
        self.lost: set[str] = set()
        self._lost_files: set[str] = set()
        self.whole = True
        self.prompts: dict[str, SourceFile] = {}
        self.content: dict[str, bytes] = {}
        for path in sorted(path for path in files.files if is_document(path)):
            self._read(path)
        for path, problem in sorted(files.unreadable.items()):
            self._miss(path, problem)
        if not any(self.by_kind.values()) and not self.diagnostics:
            self.say(e105_empty_bundle.at(Place("."), "the bundle has no documents"))

    def say(self, diagnostic: Diagnostic) -> None:
        """Note one more complaint."""
        self.diagnostics.append(diagnostic)

    def of(self, kind: str) -> dict[str, Document]:
        """The documents of a kind by name, broken ones included."""
        return self.by_kind.get(kind, {})

    def has(self, kind: str, name: object) -> bool:
        """Whether a document is there, or stands in a file that can't be read: one cause, one diagnostic."""
        return name in self.of(kind) or name in self.lost

    def has_prompt(self, name: str) -> bool:
        """Whether a prompt is there, or stands in a file that can't be read."""
        return name in self.prompts or self.has("", name)

    def readable(self, kind: str) -> bool:
        """Whether all documents of a kind could be read: else one that is missed may stand in one that could not."""
        return not self.broken(kind)

    def broken(self, kind: str) -> list[str]:
        """The files that hold a document of a kind that can't be relied on, or may hold one."""
        unsound = {document.node.source.file for document in self.of(kind).values() if not document.well_formed}
        return sorted(unsound | self._lost_files)

    def well_formed(self, kind: str) -> Iterator[Document]:
        """The documents of a kind whose shape is right, by name."""
        return (d for _, d in sorted(self.of(kind).items()) if d.well_formed)

    def take_content(self, node: Node) -> bytes | None:
        """The content file that a scalar names, or None after saying why it can't be had."""
        path = str(node.value)
        if leaves(path):
            self.say(e106_leaves_bundle.at(node))
            return None
        try:
            self.content[path] = self.files.content(path)
        except LeadsOut:
            self.say(e106_leaves_bundle.at(node))
            return None
        except UnreadableFile as error:
            self.say(e108_no_file.at(node, str(error)))
            return None
        return self.content[path]

    def take_matching(self, node: Node) -> list[str]:
        """The content files that a glob matches, or none after saying why."""
        return self._take(node, str(node.value))

    def take_folder(self, node: Node, pattern: str) -> list[str]:
        """The content files of a folder that match, or none after saying why."""
        return self._take(node, f"{str(node.value).rstrip('/')}/{pattern}")

    def _take(self, node: Node, pattern: str) -> list[str]:
        if leaves(pattern):
            self.say(e106_leaves_bundle.at(node))
            return []
        paths = self.files.matching(pattern)
        if not paths:
            self.say(e108_no_file.at(node, "nothing matches it"))
        return [path for path in paths if self._has_content(node, path)]

    def _has_content(self, node: Node, path: str) -> bool:
        """Whether one of the files that a glob matches can be had; else why is said."""
        try:
            self.content[path] = self.files.content(path)
        except LeadsOut:
            self.say(e106_leaves_bundle.at(node, path))
        except UnreadableFile as error:
            self.say(e108_no_file.at(node, str(error), path))
        return path in self.content

    def _miss(self, path: str, problem: UnreadableFile) -> None:
        """A document or a folder that is there and can't be read: what it may hold is not at fault."""
        place = Place(path)
        found = (
            e106_leaves_bundle.link(place)
            if isinstance(problem, LeadsOut)
            else e108_no_file.missing_file(place, str(problem))
        )
        self.say(found)
        self._lost_files.add(path)
        self.lost.add(PurePosixPath(path).name.removesuffix(PROMPT_SUFFIX).removesuffix(".yaml").removesuffix(".yml"))
        self.whole &= is_document(path)

    def _read(self, path: str) -> None:
        source = self._text(path)
        if source is None:
            return
        if path.startswith(f"{PROMPT_FOLDER}/"):
            self.prompts[path[len(PROMPT_FOLDER) + 1 : -len(PROMPT_SUFFIX)]] = source
            return
        before = len(self.diagnostics)
        node = yaml_reader.read(source, self.say)
        broken = len(self.diagnostics) > before
        if node is None and not broken:
            self.say(e105_empty_bundle.at(source.place(0, 1), "this file holds no document"))
        kind = check_kind(node, self.say) if node is not None else None
        if node is not None and kind is not None:
            self.diagnostics += self.variables.fill(kind, node)
            self._add(kind, node, broken)
        else:
            self._lose(source)

    def _text(self, path: str) -> SourceFile | None:
        raw = self.files.files[path]
        try:
            source = SourceFile(path, raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            source = SourceFile(path, raw.decode("utf-8", "replace"))
            self.say(e101_not_utf8.at(source, len(raw[: error.start].decode("utf-8"))))
            self.sources[path] = source
            self._lose(source)
            return None
        self.sources[path] = source
        return source

    def _lose(self, source: SourceFile) -> None:
        """A document that can't be told: what refers to it, by its name or its file's, is not at fault."""
        self._lost_files.add(source.file)
        self.lost |= {*_NAME.findall(source.text), PurePosixPath(source.file).stem}

    def _add(self, kind: str, node: Node, broken: bool) -> None:
        # what the reader has complained of already has no value to be judged
        said = {d.place for d in self.diagnostics}
        found = [d for d in check_shape(node, kind) if d.place not in said]
        self.diagnostics += found
        name = node.get("name")
        if name is None or not isinstance(name.value, str) or any(d.place == name.place for d in found):
            self._lose(node.source)
        if name is None or not isinstance(name.value, str):
            if not found:
                self.say(e203_missing_key.at(node, "name"))
            return
        known = self.by_kind.setdefault(kind, {})
        if name.value in known:
            first = known[name.value].node.at("name").place
            self.say(e301_duplicate_name.at(name, kind.lower(), first))
            return
        sound = not broken and all(one.on_entry for one in found)
        known[name.value] = Document(kind, name.value, node, sound)
