"""Prompts: Jinja templates whose variables are known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from engine.bundle.corpus import Corpus
from engine.bundle.rules import e407_template_name, e408_template_syntax, w610_prompt_idle
from engine.diagnostic import Place, Source
from engine.policy import types as t

# what a prompt is given
VARIABLES = ("agent", "budget", "guidance", "history", "messages", "session", "step", "tools")

# what these hold
FIELDS = {"agent": ("name", "description"), "step": ("number",)}
TOOL_FIELDS = ("name", "description", "effect", "input", "output")


def check_prompts(corpus: Corpus, sessions: Mapping[str, list[t.Type]]) -> None:
    """Every prompt parses and names only what it is given; `sessions` has the attributes of each prompt's agents."""
    if not corpus.prompts:
        return
    # jinja2 takes a tenth of a second to import, and many bundles have no prompt
    from jinja2 import TemplateSyntaxError, meta, nodes

    from engine.prompt_language import PromptEnvironment

    environment = PromptEnvironment()
    for name, source in sorted(corpus.prompts.items()):
        try:
            tree = environment.checked(source.text)
        except TemplateSyntaxError as error:
            place = Place(source.file, error.lineno, 1, error.lineno, len(source.line(error.lineno)) + 1)
            corpus.say(e408_template_syntax.at(place, (error.message or "syntax error").lower().rstrip(".")))
            continue
        unknown = meta.find_undeclared_variables(tree) - set(VARIABLES)
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                corpus.say(e407_template_name.at(_place(source, node.lineno, node.name), node.name, VARIABLES))
        for attribute, line, known in _unknown_attributes(tree, sessions.get(name, []), nodes):
            corpus.say(e407_template_name.at(_place(source, line, attribute), f"session.{attribute}", known))
        owners = {**FIELDS, **dict.fromkeys(_loops_over_tools(tree, nodes), TOOL_FIELDS)}
        for read in tree.find_all(nodes.Getattr):
            owner = read.node.name if isinstance(read.node, nodes.Name) else ""
            if read.attr not in owners.get(owner, (read.attr,)):
                known = [f"{owner}.{field}" for field in owners[owner]]
                place = _place(source, read.lineno, read.attr)
                corpus.say(e407_template_name.at(place, f"{owner}.{read.attr}", known))


_SET = re.compile(r"\{%-?\s*(?:set|for)\s+([A-Za-z_]\w*)")


def check_idle_prompts(corpus: Corpus, used: Collection[str]) -> None:
    """Prompts that no agent names, and variables that one sets and never reads."""
    for name, source in sorted(corpus.prompts.items()):
        if name not in used:
            corpus.say(w610_prompt_idle.at(Place(source.file), f"prompt `{name}`"))
            continue
        read = Counter(re.findall(r"\w+", source.text))
        for found in _SET.finditer(source.text):
            if read[found[1]] < 2:
                corpus.say(w610_prompt_idle.at(source.place(found.start(1), found.end(1)), f"variable `{found[1]}`"))


def _loops_over_tools(tree: Any, nodes: Any) -> set[str]:
    """The variables of loops over the tools."""
    return {
        loop.target.name
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.iter, nodes.Name) and loop.iter.name == "tools" and isinstance(loop.target, nodes.Name)
    }


def _unknown_attributes(tree: Any, sessions: list[t.Type], nodes: Any) -> Iterator[tuple[str, int, list[str]]]:
    for node in tree.find_all(nodes.Getattr):
        if not (isinstance(node.node, nodes.Name) and node.node.name == "session"):
            continue
        for session in sessions:
            if isinstance(session, t.Record) and node.attr not in session.fields:
                yield node.attr, node.lineno, [f"session.{field}" for field in session.fields]
                break


def _place(source: Source, line: int, word: str) -> Place:
    column = max(source.line(line).find(word), 0) + 1
    return Place(source.file, line, column, line, column + len(word))
