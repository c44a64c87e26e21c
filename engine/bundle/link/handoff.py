"""The settings of a handoff: who is asked, and what."""

from __future__ import annotations

from typing import Any

from engine.bundle.checks import e307_reviewers
from engine.bundle.link.linking import AdapterLinking


def link_handoff(linking: AdapterLinking) -> dict[str, Any]:
    """Compile the question; its reviewers must be a group of the bundle."""
    documents, settings = linking.documents, linking.settings
    if not documents.has("Reviewers", settings["reviewers"]):
        place = linking.node.at("reviewers").place
        documents.say(e307_reviewers.at(place, settings["reviewers"], documents.of("Reviewers")))
    return {"asks": "input", **settings, "question": linking.template("question")}
