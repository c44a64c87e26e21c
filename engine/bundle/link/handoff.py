"""The settings of a handoff: who is asked, and what."""

from __future__ import annotations

from typing import Any

from engine.bundle.checks import e307_reviewers
from engine.bundle.link.linker import AdapterLinker


def link_handoff(linker: AdapterLinker) -> dict[str, Any]:
    """Compile the question; its reviewers must be a group of the bundle."""
    documents, settings = linker.documents, linker.settings
    if not documents.has("Reviewers", settings["reviewers"]):
        place = linker.node.at("reviewers").place
        documents.say(e307_reviewers.at(place, settings["reviewers"], documents.of("Reviewers")))
    return {"asks": "input", **settings, "question": linker.template("question")}
