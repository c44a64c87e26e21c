"""What stands for a session's sensitive values where its planner reads: it can be passed on, and says nothing.

A handle is made of the value under a key that was drawn for the session, so that equal values have the same one and
nobody makes one up.  It counts only where a planner proposes a call, as the whole of a field that is marked.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from engine.language.value import canonical, number_text
from engine.session.partial_text import shown_so_far
from engine.session.sensitivity import HANDLE, HIDDEN, MARK, replaced, sensitive_values
from engine.session.state.state import State
from engine.spec.bundle import Agent, Bundle, Tool

# a handle, and `[sensitive]` alone, which is one that stands for nothing
_HANDLES = re.compile(rf"{re.escape(HIDDEN)}|{HANDLE}")

# the beginning of a handle, at the end of a text
_BEGUN = re.compile(r"\[(s(e(n(s(i(t(i(v(e(:[0-9a-f]{0,32})?)?)?)?)?)?)?)?)?)?\Z")

# a shorter text would be found in every other one; it is hidden where it is marked
SHORTEST = 4

OUT_OF_PLACE = f"a handle counts only as it was shown, as the whole of a field that is marked {MARK}"


class Handles:
    """The handles of one session; without a key there is only `[sensitive]`, which stands for nothing."""

    def __init__(self, key: str, known: Iterable[Any] = ()) -> None:
        self._key = key.encode()
        self._values: dict[str, Any] = {}
        self._by_text: dict[str, str] = {}
        for value in known:
            self._learn(value)
        longest_first = sorted(self._by_text, key=len, reverse=True)
        # a handle in a text stays as it is, whatever its digits are
        self._found = re.compile("|".join([_HANDLES.pattern, *map(re.escape, longest_first)]))

    def _learn(self, value: Any) -> None:
        if value is None or (isinstance(value, str) and place_of_handle(value)):
            return
        handle = self.of(value)
        if handle in self._values:
            return
        if self._key:
            self._values[handle] = value
        whole = not isinstance(value, Mapping | list | tuple)
        for text in texts(value):
            self._by_text.setdefault(text, handle if whole else self.of(text))
            if not whole:
                self._learn(text)

    @property
    def by_text(self) -> Mapping[str, str]:
        """The handles by the texts that are found and stand for them."""
        return self._by_text

    def text_of(self, handle: str) -> str:
        """The text that a handle stands for; empty if it stands for none."""
        return next(texts(self._values.get(handle), 1), "")

    def of(self, value: Any) -> str:
        """The handle of a value; a handle stays what it is."""
        if not self._key or (isinstance(value, str) and _HANDLES.fullmatch(value)):
            return HIDDEN if not self._key else value
        told = hmac.new(self._key, canonical(value).encode("utf-8", "replace"), sha256).hexdigest()
        return f"{HIDDEN[:-1]}:{told[:32]}]"

    def hidden(self, value: Any, schema: Mapping[str, Any]) -> Any:
        """A copy of a value with handles for what its schema marks, and for what texts repeat of the session."""
        return self.within(replaced(value, schema, self.of))

    def within(self, value: Any) -> Any:
        """A copy of plain JSON with handles in its texts for the sensitive values that they hold."""
        if isinstance(value, str):
            return self._found.sub(self._handle, value)
        if isinstance(value, Mapping):
            return {self.within(key): self.within(item) for key, item in value.items()}
        return [self.within(item) for item in value] if isinstance(value, list | tuple) else value

    def own(self, text: str) -> str:
        """A text that the planner wrote itself: as it is, or hidden as a whole where it holds a value.

        With a handle in the value's place it would be told which of its guesses is right.
        """
        return HIDDEN if self._holds(text) else text

    def own_input(self, given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """An input that the planner wrote itself: handles for what is marked, and the rest field by field as `own`.

        Fields that the schema does not name count as one, since a planner may write as many as it likes.
        """
        named = schema.get("properties", {})
        shown = {key: self._own_field(item) for key, item in replaced(given, schema, self.of).items()}
        if not any(key not in named and (self._holds(key) or item == HIDDEN) for key, item in shown.items()):
            return shown
        kept = {key: item for key, item in shown.items() if key in named}
        return {**kept, HIDDEN: HIDDEN}

    def _own_field(self, item: Any) -> Any:
        # several that are marked would be told apart by their handles
        several = not isinstance(item, str) and len(_HANDLES.findall(canonical(item))) > 1
        return HIDDEN if several or self._holds(item) else item

    def _holds(self, value: Any) -> bool:
        """Whether plain JSON holds a value somewhere, as it is."""
        if isinstance(value, str):
            return any(found[0] in self._by_text for found in self._found.finditer(value))
        if isinstance(value, Mapping):
            return any(self._holds(key) or self._holds(item) for key, item in value.items())
        return isinstance(value, list | tuple) and any(self._holds(item) for item in value)

    def so_far(self, text: str) -> str:
        """A text of which more may come, for people: `[sensitive]` for values and for handles."""
        begun = _BEGUN.search(text)
        return shown_so_far(text[: begun.start()] if begun else text, self._found, self._by_text, HIDDEN)

    def _handle(self, found: re.Match[str]) -> str:
        return self._by_text.get(found[0], found[0])

    def resolved(self, given: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Any, str]:
        """A proposed input with the values in the place of their handles, or why it can't be taken."""
        placed = replaced(given, schema, lambda one: self._values.get(one, one) if isinstance(one, str) else one)
        path = place_of_handle(placed)
        return (given, f"`{path}`: {OUT_OF_PLACE}") if path else (placed, "")


def handles_of(state: State, bundle: Bundle) -> Handles | None:
    """The handles of a session; None if nothing of it is sensitive."""
    agent = bundle.agents[state.agent]
    return None if agent.seal is None else Handles(state.handle_key, _marked_values(state, agent, bundle.tools))


def place_of_handle(value: Any) -> str:
    """Where a value holds a handle, as a path; empty if nowhere."""
    return next(_places(value), "")


def inert(text: str) -> str:
    """A text for people, in which handles are told as what they say."""
    return _HANDLES.sub(HIDDEN, text)


def texts(value: Any, shortest: int = SHORTEST) -> Iterator[str]:
    """The texts by which a sensitive value is found elsewhere."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item, shortest)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item, shortest)
    elif value is not None and not isinstance(value, bool):
        text = value if isinstance(value, str) else number_text(value)
        if len(text) >= shortest:
            yield text


def _marked_values(state: State, agent: Agent, tools: Mapping[str, Tool]) -> Iterator[Any]:
    """Every value of a session that schemas mark: of its attributes, its calls, and the runtime's own reads."""
    yield from sensitive_values(state.attributes, agent.attributes)
    for call in state.calls.values():
        if call.name in tools:
            tool = tools[call.name]
            yield from sensitive_values(call.input, tool.input_schema)
            if call.result is not None:
                yield from sensitive_values(call.result.output, tool.output_schema or {})
    for name, log in state.seen.items():
        if name in tools:
            for entry in log.all():
                yield from sensitive_values(entry["input"], tools[name].input_schema)
                yield from sensitive_values(entry["output"], tools[name].output_schema or {})


def _places(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if _HANDLES.search(value):
            yield path or "it"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if _HANDLES.search(key):
                yield path or "a key"
            yield from _places(item, f"{path}.{inert(key)}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _places(item, f"{path}[{number}]")
