"""What later versions have added to events: a history of an earlier one has less, and stays as it was written.

An event without such a field means what it meant when it was written, and a replay does not ask for it.  Entries
are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.session.event import EventKind as K

# since schema 2 of the store: keys that compare fields and expire, and reservations on meters
ADDED: Mapping[K, frozenset[str]] = {
    # since planners get handles of sensitive values
    K.SESSION_STARTED: frozenset({"handle_key"}),
    K.CALL_STARTED: frozenset({"compared", "key_until", "reserved"}),
    # since bundles may be urgent: under which one a step began
    K.STEP_STARTED: frozenset({"bundle"}),
    # since cached tokens are counted apart, answers are repaired, and results have a mark of their own
    K.MODEL_CALLED: frozenset({"cached", "cache_write", "repairs"}),
    K.TOOL_RESULT: frozenset({"fence_mark"}),
}


def added_since(kind: K, payload: Mapping[str, Any]) -> frozenset[str]:
    """The fields that a payload does not have, since they were added later."""
    return ADDED.get(kind, frozenset()) - payload.keys()
