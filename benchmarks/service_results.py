"""The part of RESULTS.md about a service under load, which its own benchmark writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_REACHED = {True: "reached", False: "**not reached**", None: ""}

HEADING = "## A service under load"


def section(text: str) -> str:
    """That part of a page, for whoever writes the rest of it anew; empty where there is none."""
    at = text.find(HEADING)
    return text[at:] if at >= 0 else ""


def write(path: Path, told: Mapping[str, Any], seconds: int, sessions: int, reviewers: int) -> None:
    """Put what was measured at the end of the page."""
    text = path.read_text("utf-8")
    rest = text.removesuffix(section(text)).rstrip()
    memory, took = told["memory_mb"], told["answer_to_resumed_ms"]
    rows = (
        ("an answer until its session has gone on, p50", "50 ms", f"{took['p50']:.0f} ms", took["p50"] <= 50),
        ("the same, p99", "300 ms", f"{took['p99']:.0f} ms", took["p99"] <= 300),
        (f"{told['at_once_ms']['count']} answers in one instant, the last of them", "-",
         f"{told['at_once_ms']['last']:.0f} ms", None),
        ("events that a stream did not bring", "0", str(told["events_lost"]), told["events_lost"] == 0),
        ("memory of the service, before and after", "flat", f"{memory['before']:.0f} and {memory['after']:.0f} MB",
         memory["after"] <= 1.5 * memory["before"]),
        ("lists of 20 requests a second", "300", f"{told['requests_listed_a_second']:.0f}",
         told["requests_listed_a_second"] >= 300),
        ("lists of 20 sessions a second", "300", f"{told['sessions_read_a_second']:.0f}",
         told["sessions_read_a_second"] >= 300),
        ("pages of the inbox a second, 30 of 1,000 rows", "300", f"{told['inbox_pages_a_second']:.0f}",
         told["inbox_pages_a_second"] >= 300),
    )  # fmt: skip
    lines = [
        HEADING, "",
        f"`make bench-service`: {seconds} s, {sessions:,} open sessions, {told['streams']} streams of which "
        f"{told['unread_streams']} are never read,",
        f"{reviewers} reviewers who answer with {told['pause_s']:g} s between, begun one by one, on its cores.",
        "",
        "| what | aim | measured | |", "| --- | --- | --- | --- |",
        *(f"| {what} | {aim} | {found} | {_REACHED[good]} |" for what, aim, found, good in rows),
        "",
    ]  # fmt: skip
    path.write_text(f"{rest}\n\n" + "\n".join(lines), "utf-8")
