"""Whether a stream of Chat Completions begins anew: all its pieces are of one answer, and two would both be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.planner.answer import ModelAnswer
from engine.planner.call_pieces import ANEW, SEVERAL_IDS


class Beginning:
    """What tells the one answer of a stream from another: its id, its model, and whose message it is.

    Some servers give each piece an id of its own, or tell the role with each: then neither tells of a beginning.
    """

    def __init__(self, answer: ModelAnswer) -> None:
        self._answer = answer
        self._ids: dict[str, int] = {}
        self._model = ""
        self._pieces = self._roles = 0

    def check(self, event: Mapping[str, Any], choices: Sequence[Mapping[str, Any]]) -> None:
        """Take in the next piece; raises ValueError for one of another answer."""
        own = [choice for choice in choices if choice.get("index", 0) == 0]
        if not own:
            return
        self._check_model(event.get("model"))
        self._check_id(event.get("id"))
        deltas = [choice["delta"] for choice in own if isinstance(choice.get("delta"), Mapping)]
        role = any(delta.get("role") for delta in deltas)
        ends = any(choice.get("finish_reason") for choice in own)
        if role and not ends and (0 < self._roles < self._pieces or len(self._ids) > 1):
            raise ValueError(ANEW)
        self._pieces += 1
        self._roles += role

    def _check_model(self, model: Any) -> None:
        if isinstance(model, str) and model:
            if model != (self._model or model):
                raise ValueError(ANEW)
            self._model = model

    def _check_id(self, id_: Any) -> None:
        if isinstance(id_, str) and id_:
            self._ids[id_] = self._ids.get(id_, 0) + 1
            if len(self._ids) > 1:
                self._answer.repair(SEVERAL_IDS)
                if max(self._ids.values()) > 1:
                    raise ValueError(ANEW)
