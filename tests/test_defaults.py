"""What a document leaves out is what its reference says: every default written out links to the same bundle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from engine.bundle.documents import agent, budgets, fixture, policy, prices, server, service, tool
from engine.bundle.documents.parts import DocumentModel
from engine.bundle.files import BundleFiles
from engine.bundle.load import load, load_directory
from engine.diagnostic.render import full
from engine.spec.bundle import Bundle

ROOT = Path(__file__).resolve().parent.parent
KINDS: dict[str, type[DocumentModel]] = {
    kind: one
    for module in (agent, policy, prices, server, tool)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, DocumentModel) and "kind" in one.model_fields
    for kind in get_args(one.model_fields["kind"].annotation)
    if isinstance(kind, str) and kind[0].isupper()
}


class PlainLoader(yaml.SafeLoader):
    """Reads `on` and `yes` as the words that they are, as the engine does."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:bool"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def written_out(value: Any) -> Any:
    """A document without what says nothing, and without what is only for others of its kind."""
    if isinstance(value, list):
        return [written_out(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: written_out(one) for name, one in value.items() if one not in ("", [], {})}
    if found.get("kind") == "Tool" and found.get("mode") != "job":
        found.pop("delay", None)
    if "max_age" in found and "for_each" not in found:
        found = {name: one for name, one in found.items() if name not in ("as", "at_most")}
    if "id" in found and found.get("effect", "require_approval") != "require_approval":
        found = {name: one for name, one in found.items() if name not in ("count", "distinct", "note")}
    return found


def full_files(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for path, raw in files.items():
        document = yaml.load(raw, PlainLoader) if path.endswith(".yaml") else None
        kind = KINDS.get(document.get("kind", "")) if isinstance(document, dict) else None
        if kind is None:
            yield path, raw
            continue
        whole = kind.model_validate(document).model_dump(by_alias=True, exclude_none=True, mode="json")
        yield path, yaml.safe_dump(written_out(whole)).encode()


def linked(value: Any) -> Any:
    """What a linked value says, without where it stands and what it was made into."""
    if hasattr(value, "text"):
        return value.text
    if is_dataclass(value):
        # an adapter reads its settings itself: see below
        left_out = {"place", "digest", "record", "files", "sources", "functions", "settings"}
        return {one.name: linked(getattr(value, one.name)) for one in fields(value) if one.name not in left_out}
    if isinstance(value, Mapping):
        return {name: linked(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [linked(one) for one in value]
    plain = value is None or isinstance(value, str | int | float | Decimal | timedelta | Enum)
    return value if plain else type(value).__name__


def made(files: Mapping[str, bytes]) -> Bundle:
    loaded = load(BundleFiles(dict(files)))
    assert loaded.bundle is not None, full(loaded.diagnostics, loaded.sources)
    return loaded.bundle


def of_directory(path: Path) -> dict[str, bytes]:
    bundle = load_directory(path).bundle
    assert bundle is not None
    return dict(bundle.files)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(of_directory(ROOT), id="the example"),
        pytest.param(of_directory(ROOT / "tests" / "bundles" / "retail"), id="retail"),
    ],
)
def test_a_default_that_is_written_changes_nothing(files: dict[str, bytes]) -> None:
    one, other = made(files), made(dict(full_files(files)))
    for name in ("agents", "tools", "reviewers"):
        assert linked(getattr(one, name)) == linked(getattr(other, name))


def defaults() -> dict[str, set[str]]:
    """By the name of a field, what the documents say that it is where it is left out."""
    found: dict[str, set[str]] = {}
    for module in (agent, budgets, fixture, policy, prices, server, service, tool):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, DocumentModel):
                for name, field in one.model_fields.items():
                    if not field.is_required():
                        found.setdefault(field.alias or name, set()).add(
                            repr(field.get_default(call_default_factory=True))
                        )
    return found


def second_defaults() -> Iterator[tuple[str, str, str]]:
    """Where code reads what a document may leave out: the place, the name, and what it takes instead."""
    for room in ("bundle", "config", "planner", "runtime", "spec", "tool"):
        for path in sorted((ROOT / "engine" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not (
                    isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
                ):
                    continue
                if len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
                    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                    value = value_of(node.args[1], module)
                    if value is not None:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", str(node.args[0].value), value


def value_of(node: ast.expr, module: str) -> str | None:
    """What is written as a constant, or under a name of its module; None for anything else."""
    if isinstance(node, ast.Constant):
        return repr(node.value)
    named = getattr(import_module(module), node.id, None) if isinstance(node, ast.Name) else None
    return repr(named) if isinstance(named, str | int | float) else None


# fields of the outside, and of what was written before a field was there
FOREIGN = {"additionalProperties", "type", "required", "usage"}


def test_what_code_takes_for_what_is_left_out_is_what_the_documents_say() -> None:
    known = defaults()
    # what has no default is none, in whatever form
    read = [one for one in second_defaults() if known.get(one[1], {"None"}) != {"None"} and one[1] not in FOREIGN]
    wrong = [
        f"{place}: `{name}` is {value}, not {known[name]}" for place, name, value in read if value not in known[name]
    ]
    assert not wrong
    assert len(read) > 20
