"""Requests of the inbox in words: what never changes is put into them once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from engine.ports.records import RequestRow
from engine.web.pages.card import RequestWords, words_of
from engine.web.pages.gather import sentence_of
from engine.web.service import Service

MOST_KEPT = 2_000


class InboxWords:
    """The words of the last `MOST_KEPT` short requests that were listed, each with the content that it was made of."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Mapping[str, Any], RequestWords]] = OrderedDict()

    async def of(self, service: Service, row: RequestRow) -> RequestWords:
        """The words of a request as its log has it."""
        payload, known = self._kept.get(row.id, (None, None))
        if known is not None and payload is row.payload and service.logged.keeps(row):
            self._kept.move_to_end(row.id)
            return known
        says = await sentence_of(service, row)
        made = words_of(row, says)
        # without its bundle it is put into other words
        if says and service.logged.keeps(row):
            self._kept[row.id] = row.payload, made
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made
