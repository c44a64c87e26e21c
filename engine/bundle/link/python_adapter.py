"""The `python` adapter's settings: a file of the bundle, and a function that it defines."""

from __future__ import annotations

import ast
from typing import Any

from engine.bundle.checks import e313_function
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.linker import AdapterLinker
from engine.bundle.node import Node
from engine.diagnostic import Place, did_you_mean


def link_python(linker: AdapterLinker) -> dict[str, Any]:
    """The file must be Python of the bundle's own and define the function."""
    _check(linker.documents, linker.node)
    return linker.settings


def _check(documents: DocumentSet, adapter: Node) -> None:
    file, function = adapter.at("file"), adapter.at("function")
    content = documents.take_content(file)
    if content is None:
        return
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        # said once, where it stands, however many tools use the file
        place = Place(str(file.value), error.lineno or 1, error.offset or 1, error.lineno or 1, (error.offset or 1) + 1)
        documents.say(e313_function.at(place, f"this is not Python: {(error.msg or '').lower()}"))
        return
    except (ValueError, RecursionError, MemoryError):
        documents.say(e313_function.at(file.place, f"file `{file.value}` is not Python, or nested too deep"))
        return
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if function.value not in defined:
        message = f"file `{file.value}` defines no function `{function.value}`"
        documents.say(e313_function.at(function.place, message, did_you_mean(str(function.value), defined)))
