"""Prompts: Jinja templates whose variables are known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.bundle.checks import e407_template_name, e408_template_syntax, w610_prompt_idle
from engine.bundle.document_set import DocumentSet
from engine.diagnostic import Place, SourceFile
from engine.language import types

# what a prompt is given
VARIABLES = ("agent", "budget", "guidance", "history", "messages", "session", "step", "tools")

# what these hold
FIELDS = {"agent": ("name", "description"), "step": ("number",)}
TOOL_FIELDS = ("name", "description", "effect", "input", "output")


def check_prompts(documents: DocumentSet, sessions: Mapping[str, list[types.Type]]) -> None:
    """Every prompt parses and names only what it is given; `sessions` has the attributes of each prompt's agents."""
    if not documents.prompts:
        return
    # jinja2 takes a tenth of a second to import, and many bundles have no prompt
    from jinja2 import TemplateSyntaxError, meta, nodes

    from engine.prompt_language import PromptEnvironment

    environment = PromptEnvironment()
    for name, source in sorted(documents.prompts.items()):
        try:
            tree = environment.checked(source.text)
        except TemplateSyntaxError as error:
            said = (error.message or "syntax error").lower().rstrip(".")
            documents.say(e408_template_syntax.at(_line(source, error.lineno), said))
            continue
        for line, message in _never_rendered(tree, nodes):
            documents.say(e408_template_syntax.on_entry(_line(source, line), message))
        unknown = meta.find_undeclared_variables(tree) - set(VARIABLES)
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                documents.say(e407_template_name.at(_place(source, node.lineno, node.name), node.name, VARIABLES))
        for attribute, line, known, since in _unknown_attributes(tree, sessions.get(name, []), nodes):
            found = e407_template_name.at(_place(source, line, attribute), f"session.{attribute}", known)
            documents.say(replace(found, on_entry=since))
        owners = {**FIELDS, **dict.fromkeys(_loops_over_tools(tree, nodes), TOOL_FIELDS)}
        for read in tree.find_all(nodes.Getattr):
            owner = read.node.name if isinstance(read.node, nodes.Name) else ""
            if read.attr not in owners.get(owner, (read.attr,)):
                known = [f"{owner}.{field}" for field in owners[owner]]
                place = _place(source, read.lineno, read.attr)
                documents.say(e407_template_name.at(place, f"{owner}.{read.attr}", known))


_SET = re.compile(r"\{%-?\s*(?:set|for)\s+([A-Za-z_]\w*)")


def check_idle_prompts(documents: DocumentSet, used: Collection[str]) -> None:
    """Prompts that no agent names, and variables that one sets and never reads."""
    for name, source in sorted(documents.prompts.items()):
        if name not in used:
            documents.say(w610_prompt_idle.at(Place(source.file), f"prompt `{name}`"))
            continue
        read = Counter(re.findall(r"\w+", source.text))
        for found in _SET.finditer(source.text):
            if read[found[1]] < 2:
                documents.say(w610_prompt_idle.at(source.place(found.start(1), found.end(1)), f"variable `{found[1]}`"))


def _loops_over_tools(tree: Any, nodes: Any) -> set[str]:
    """The variables of loops over the tools."""
    return {
        loop.target.name
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.iter, nodes.Name) and loop.iter.name == "tools" and isinstance(loop.target, nodes.Name)
    }


def _unknown_attributes(
    tree: Any, sessions: list[types.Type], nodes: Any
) -> Iterator[tuple[str, int, list[str], bool]]:
    """Each with its line, the known ones, and whether it is written in brackets, which was let through once."""
    reads = [(read.node, read.attr, read.lineno, False) for read in tree.find_all(nodes.Getattr)]
    reads += [
        (read.node, read.arg.value, read.lineno, True)
        for read in tree.find_all(nodes.Getitem)
        if isinstance(read.arg, nodes.Const) and isinstance(read.arg.value, str)
    ]
    for owner, name, line, since in reads:
        if not (isinstance(owner, nodes.Name) and owner.name == "session"):
            continue
        for session in sessions:
            if isinstance(session, types.Record) and name not in session.fields:
                yield name, line, [f"session.{field}" for field in session.fields], since
                break


def _never_rendered(tree: Any, nodes: Any) -> Iterator[tuple[int, str]]:
    """What fails whenever it is come to: other templates, of which there are none, and a division by zero."""
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield node.lineno, "a prompt takes nothing from another one: write it here"
    for node in tree.find_all((nodes.Div, nodes.FloorDiv, nodes.Mod)):
        if isinstance(node.right, nodes.Const) and node.right.value == 0:
            yield node.lineno, "nothing is divided by zero"


def _line(source: SourceFile, line: int) -> Place:
    return Place(source.file, line, 1, line, len(source.line(line)) + 1)


def _place(source: SourceFile, line: int, word: str) -> Place:
    column = max(source.line(line).find(word), 0) + 1
    return Place(source.file, line, column, line, column + len(word))
