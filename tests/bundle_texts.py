"""Small bundles for tests, made from YAML as any other bundle is."""

from __future__ import annotations

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.diagnostic.render import full
from engine.spec.bundle import Bundle

CODE = """
def act(**given):
    return {}
"""


def tool(
    name: str,
    effect: str = "read",
    *,
    input: str = "{type: object, properties: {n: {type: integer}, to: {type: string}}, additionalProperties: false}",
    output: str = "{type: object}",
    more: str = "",
) -> tuple[str, str]:
    """A tool's file; a write without more is not idempotent."""
    idempotency = "idempotency: none\n" if effect == "write" and "idempotency" not in more else ""
    adapter = "" if "adapter:" in more else "adapter: {kind: python, file: specs/tools/code.py, function: act}\n"
    return f"specs/tools/{name}.yaml", (
        f"kind: Tool\nname: {name}\ndescription: {name}\neffect: {effect}\ninput: {input}\noutput: {output}\n"
        f"{adapter}{idempotency}{more}\n"
    )


def agent(tools: str, *, policies: str = "[]", more: str = "", budgets: str = "{}") -> tuple[str, str]:
    """An agent that is planned by a script and ends as `answered`, or as `acted` once `write` has run."""
    return "specs/agents/bot.yaml", (
        "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
        "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
        f"tools: {tools}\npolicies: {policies}\nbudgets: {budgets}\n"
        "attributes: {type: object, properties: {tenant: {type: string}, zip: {type: integer}}, required: [tenant]}\n"
        + (more if "stop:" in more else "stop:\n  - {outcome: answered, message: '{{ decision.message }}'}\n" + more)
    )


def policy(rules: str, *, facts: str = "{}", params: str = "{}", name: str = "rules") -> tuple[str, str]:
    """A policy of some rules."""
    return f"policies/{name}.yaml", (f"kind: Policy\nname: {name}\nparams: {params}\nfacts: {facts}\nrules:\n{rules}\n")


def reviewers(name: str, members: str) -> tuple[str, str]:
    """A group."""
    return f"specs/reviewers/{name}.yaml", f"kind: Reviewers\nname: {name}\nmembers: {members}\n"


ALLOW = "  - {id: open, tools: writes, effect: allow}"


def bundle(*documents: tuple[str, str]) -> Bundle:
    """The bundle of these files; fails the test if it has errors."""
    files = {path: text.encode() for path, text in documents}
    files.setdefault("specs/tools/code.py", CODE.encode())
    loaded = load(BundleFiles(files))
    assert loaded.bundle is not None, full(loaded.diagnostics, loaded.sources)
    return loaded.bundle
