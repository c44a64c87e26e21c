"""What a field of an event may hold of what schemas mark `x-sensitive`: it is written with the field's type."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeVar


class Holds(StrEnum):
    """What a field may hold."""

    OWN = "own"
    """The engine's own words and numbers, which the store goes by: never a value of the session."""
    WORDS = "words"
    """What somebody said or a tool gave: whatever holds a sensitive value that is known."""
    WHOLE = "whole"
    """Something made of values in whatever form: nothing of it can be told."""
    LINES = "lines"
    """Texts of which nothing can be told."""
    ATTRIBUTES = "attributes"
    """What the agent's `attributes` describe."""
    INPUT = "input"
    """What the input schema of the event's tool describes."""
    OUTPUT = "output"
    """What the output schema of the event's tool describes."""
    ANSWER = "answer"
    """A person's answer in the place of a tool's output, or what a settled call brought."""
    SUMMARY = "summary"
    """A field of the tool's output, under its own name."""
    REPORT = "report"
    """What a tool says of its failure, in whatever form."""
    CALLS = "calls"
    """Proposed calls, each with its input."""
    FACTS = "facts"
    """Reads that a gate waits for, each with its input."""
    FACT_KEY = "fact_key"
    """What a read is known by, made of its input."""
    DIGEST = "digest"
    """What a call is known by, made of its input."""
    TRACES = "traces"
    """Rules, each with the values that it saw."""
    VALUES = "values"
    """The values that rules saw, by rule and name."""
    PEOPLE = "people"
    """Names of people, by group, or by rule and group."""
    DIFFERENCE = "difference"
    """What was one way and is another, by name."""
    KEY = "key"
    """A call's idempotency key, by which the store compares."""
    SCOPE = "scope"
    """The scope of an idempotency key, which holds the tenant."""
    COMPARED = "compared"
    """Fields of an input, by which the store compares."""
    RESERVED = "reserved"
    """What a call adds to meters, which the store adds up by their keys."""


T = TypeVar("T")
H = Holds

# types of fields that are used often: `Own[int]` is a number of the engine's own
Own = Annotated[T, H.OWN]
Words = Annotated[T, H.WORDS]
Input = Annotated[dict[str, Any], H.INPUT]
Output = Annotated[Any, H.OUTPUT]
Report = Annotated[T, H.REPORT]
Digest = Annotated[str, H.DIGEST]
