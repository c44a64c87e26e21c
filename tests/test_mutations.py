"""Random mutations of the root bundle: the validator always answers, and never with an exception.

Five hundred of them by `make long`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from engine.bundle.files import BundleFiles, from_directory, is_document
from engine.bundle.load import LoadedBundle, load
from tests.long_form import either

ROOT = Path(__file__).resolve().parent.parent
SPICE = [
    "null", "~", "[]", "{}", "-1", "1e999", "'", '"', "{{", "}}", "*x", "&x", "<<: *x", "!!python/object:os.system x",
    "on", "0x10", "\t", "\x00", "\u2028", "\ud7ff", "%", "|", ">-", "? ", ": ", "- ", "lambda: 0", "__import__('os')",
    "input.x.y.z[0]", "((((", "1 < 2 < 3", "f'{x}'", "a if b else c", "9" * 400, "a: " * 50, "[" * 200,
]  # fmt: skip


def drop_line(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    del lines[dice.randrange(len(lines))]
    return "".join(lines)


def repeat_line(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    return "".join([*lines[:at], lines[at], *lines[at:]])


def swap_lines(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    a, b = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return "".join(lines)


def indent_line(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    lines[at] = dice.choice(["  ", " ", "\t"]) + lines[at]
    return "".join(lines)


def cut(text: str, dice: random.Random) -> str:
    return text[: dice.randrange(len(text))]


def spice(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(SPICE) + text[at:]


def replace_value(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = dice.choice([n for n, line in enumerate(lines) if ":" in line] or [0])
    key = lines[at].split(":")[0]
    lines[at] = f"{key}: {dice.choice(SPICE)}\n"
    return "".join(lines)


def flip_character(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + chr(dice.choice([dice.randrange(32, 127), dice.randrange(0x2028)])) + text[at + 1 :]


MUTATIONS: list[Callable[[str, random.Random], str]] = [
    drop_line, repeat_line, swap_lines, indent_line, cut, spice, replace_value, flip_character,
]  # fmt: skip


@cache
def originals() -> dict[str, bytes]:
    files = from_directory(ROOT)
    load(files)  # takes in the content that documents name
    return files.files


def mutated(seed: int) -> LoadedBundle:
    dice = random.Random(seed)
    files = dict(originals())
    path = dice.choice(sorted(path for path in files if is_document(path)))
    text = files[path].decode()
    for _ in range(dice.randrange(1, 4)):
        text = dice.choice(MUTATIONS)(text, dice) or "x"
    files[path] = text.encode("utf-8", "surrogatepass")
    return load(BundleFiles(files))


@pytest.mark.parametrize("block", range(either(10, 2)))
def test_a_mutated_bundle_is_judged_and_never_crashes_the_validator(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        loaded = mutated(seed)
        assert (loaded.bundle is None) == any(d.severity == "error" for d in loaded.diagnostics), seed
        for diagnostic in loaded.diagnostics:
            assert diagnostic.place.line >= 1, seed
            assert diagnostic.place.column >= 1, seed
