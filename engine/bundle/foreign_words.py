"""Keys and words that authors bring from elsewhere, and what stands for them in a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.diagnostic import did_you_mean
from engine.language.durations import span_text

_KEYS: Mapping[str, tuple[str, ...]] = {
    "if": ("when",),
    "condition": ("when",),
    "conditions": ("when",),
    "where": ("when",),
    "expression": ("when",),
    "expr": ("when",),
    "match": ("when", "tools"),
    "unless_when": ("unless",),
    "apiversion": ("kind",),
    "type": ("kind",),
    "parameters": ("input", "params"),
    "inputschema": ("input",),
    "arguments": ("input",),
    "args": ("input",),
    "params": ("input",),
    "inputs": ("input",),
    "requestschema": ("input",),
    "schema": ("input",),
    "returns": ("output",),
    "outputschema": ("output",),
    "result": ("output",),
    "response": ("output",),
    "instructions": ("prompt",),
    "systemprompt": ("prompt",),
    "system": ("prompt",),
    "reviewers": ("approvers",),
    "approver": ("approvers",),
    "approvedby": ("approvers",),
    "groups": ("approvers",),
    "action": ("effect",),
    "decision": ("effect",),
    "then": ("effect",),
    "verdict": ("effect",),
    "title": ("name",),
    "functionname": ("name",),
    "rulename": ("id",),
    "name": ("id",),
    "id": ("name",),
    "variables": ("params", "let"),
    "constants": ("params",),
    "config": ("params",),
    "values": ("params",),
    "vars": ("params", "let"),
    "limits": ("budgets",),
    "budget": ("budgets",),
    "definitions": ("let",),
    "lets": ("let",),
    "aliases": ("let",),
    "imports": ("uses",),
    "include": ("uses",),
    "import": ("uses",),
    "reads": ("facts",),
    "lookups": ("facts",),
    "policy": ("policies",),
    "attribute": ("attributes",),
    "tool": ("tools",),
    "toolset": ("tools",),
    "except_tools": ("except",),
    "excluding": ("except",),
    "summary": ("description",),
    "doc": ("description",),
    "comment": ("description",),
    "text": ("message",),
    "explanation": ("message", "reason"),
    "ttl": ("max_age",),
    "cache": ("max_age",),
    "rule": ("rules",),
    "statements": ("rules",),
    "retries": ("retry",),
    "handler": ("adapter",),
    "implementation": ("adapter",),
    "executor": ("adapter",),
    "invariants": ("guarantees",),
    "assertions": ("guarantees",),
    "implements": ("adapter",),
}

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("permit", "accept", "grant", "yes", "true", "allowed", "pass"), "allow"),
    **dict.fromkeys(("forbid", "block", "reject", "refuse", "no", "false", "denied", "disallow", "prohibit"), "deny"),
    **dict.fromkeys(
        (
            "ask",
            "review",
            "approve",
            "approval",
            "escalate",
            "confirm",
            "hold",
            "human",
            "require_review",
            "needs_approval",
            "require_confirmation",
            "interrupt",
        ),
        "require_approval",
    ),
    **dict.fromkeys(("readonly", "read_only", "query", "get", "safe"), "read"),
    **dict.fromkeys(("readwrite", "read_write", "mutation", "mutate", "update", "unsafe", "side_effect"), "write"),
    **dict.fromkeys(("shell", "process", "exec", "cli"), "command"),
    **dict.fromkeys(("rest", "https", "api", "webhook"), "http"),
    **dict.fromkeys(("function", "py", "callable"), "python"),
    **dict.fromkeys(("human", "person", "manual"), "handoff"),
    **dict.fromkeys(("sqlite", "sqlite3", "database", "db"), "sql"),
}


def key_instead(key: str, known: Iterable[str], present: Iterable[str] = ()) -> str | None:
    """The key of ours that another one stands for, where it is known and not there yet."""
    there = set(known) - set(present)
    wanted = _KEYS.get(key, ()) or _KEYS.get(key.lower().replace("_", "").replace("-", ""), ())
    return next((name for name in wanted if name in there), None)


def word_instead(word: str, known: Iterable[str]) -> str:
    """The help for a word that is none of the known ones."""
    known = list(known)
    ours = _WORDS.get(word.lower().replace("-", "_"))
    return f"write `{ours}`" if ours in known else did_you_mean(word, known)


def span_instead(text: str) -> str:
    """The help for a span of time that is written otherwise; a number alone is of nobody knows what."""
    plain = text.strip()
    if plain.isdigit():
        return f"a span of time has a unit: write `{plain}s`, `{plain}m`, `{plain}h` or `{plain}d`"
    span = span_text(plain)
    return f"write `{span}`" if span else ""
