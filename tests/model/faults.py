"""Every fault of a model's server, with what the log says of it and how the session ends; printed as a table."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import h11
import trio

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

NAN = '{"message": "x", "tool_calls": [{"name": "look", "input": {"n": NaN}}], "done": false}'


@dataclass(frozen=True)
class Case:
    """A server's acts: what each request comes to, what the session comes to, and what is rejected on the way."""

    name: str
    acts: Sequence[s.Act]
    statuses: Sequence[str]
    ends: str
    more: str = ""
    streams: Sequence[bool] = (True, False)


TOOLS = ", answers: tools"
GOOD = s.decides("Done.")
FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))

BOMB = gzip.compress(b" " * 30_000_000)


async def unpacks(exchange: s.Exchange) -> None:
    """A little that is much once it is unpacked."""
    await exchange.head(content_type="application/json", content_encoding="gzip", content_length=str(len(BOMB)))
    await exchange.send(h11.Data(data=BOMB))
    await exchange.send(h11.EndOfMessage())


async def goes_on(exchange: s.Exchange) -> None:
    """End the answer, and call a tool then."""
    call = {"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}}
    await exchange.events(s.chunk({"content": "Bye"}, "stop", s.USAGE), s.chunk({"tool_calls": [call]}), "[DONE]")


FAULTS = [
    Case("no answer in time", [s.hangs, GOOD], ["timeout", "ok"], "done"),
    Case("no answer in time, ever", [s.hangs], ["timeout", "timeout"], "failed"),
    Case("silence within a stream", [s.hangs_in_the_stream, GOOD], ["timeout", "ok"], "done", streams=(True,)),
    Case("400 bad request", [s.status(400)], ["rejected"], "failed"),
    Case("401 wrong key", [s.status(401)], ["rejected"], "failed"),
    Case("403 forbidden", [s.status(403)], ["rejected"], "failed"),
    Case("404 no such model", [s.status(404)], ["rejected"], "failed"),
    Case("422 a shape that it does not know", [s.status(422)], ["rejected"], "failed"),
    Case("408 timeout", [s.status(408), GOOD], ["timeout", "ok"], "done"),
    Case("409 conflict", [s.status(409), GOOD], ["rejected", "ok"], "done"),
    Case("429 with Retry-After", [s.status(429, retry_after="0.05"), GOOD], ["rate_limited", "ok"], "done"),
    Case("429 with a Retry-After beyond the bound", [s.status(429, retry_after="3600")], ["rate_limited"], "failed"),
    Case("429, always", [s.status(429)], ["rate_limited", "rate_limited"], "failed"),
    Case("500 error", [s.status(500), GOOD], ["server_error", "ok"], "done"),
    Case("502 that is no JSON", [s.status(502, "<html>bad gateway"), GOOD], ["server_error", "ok"], "done"),
    Case("503 overloaded", [s.status(503), GOOD], ["overloaded", "ok"], "done"),
    Case("529 overloaded, always", [s.status(529)], ["overloaded", "overloaded"], "failed"),
    Case("a connection that is closed", [s.closes, GOOD], ["cut_off", "ok"], "done"),
    Case("an answer that is cut off", [s.cuts, GOOD], ["cut_off", "ok"], "done"),
    Case("an answer that is cut off, always", [s.cuts], ["cut_off", "cut_off"], "failed"),
    Case("a stream that ends before the answer", [s.ends_early, GOOD], ["cut_off", "ok"], "done", streams=(True,)),
    Case("a body that is no JSON", [s.raw("oops"), GOOD], ["malformed", "ok"], "done", streams=(False,)),
    Case("a body without choices", [s.raw('{"id": "x", "choices": []}'), GOOD], ["malformed", "ok"], "done",
         streams=(False,)),
    Case("choices of a wrong type", [s.raw('{"choices": 7}'), GOOD], ["malformed", "ok"], "done", streams=(False,)),
    Case("a decision that is no JSON", [s.says("I think that"), GOOD], ["invalid_json", "ok"], "done"),
    Case("a decision that is no object", [s.says("[1]"), GOOD], ["invalid_json", "ok"], "done"),
    Case("a decision that is never JSON", [s.says("{")], ["invalid_json"] * 4, "failed"),
    Case("NaN in the arguments", [s.says(NAN), GOOD], ["invalid_json", "ok"], "done"),
    Case("a key twice", [s.says('{"message": "a", "message": "b"}'), GOOD], ["invalid_json", "ok"], "done"),
    Case("a decision beyond the contract", [s.says('{"done": "yes"}'), GOOD], ["ok", "ok"], "done"),
    Case("a refusal", [s.refuses(), GOOD], ["refused", "ok"], "done"),
    Case("a refusal, always", [s.refuses()], ["refused"] * 4, "failed"),
    Case("a content filter", [s.says("", "content_filter"), GOOD], ["refused", "ok"], "done"),
    Case("an answer that is truncated", [s.says('{"message": "lon', "length"), GOOD], ["truncated", "ok"], "done"),
    Case("an enormous answer", [s.floods(1_000_000), GOOD], ["too_large", "ok"], "done"),
    Case("an answer that unpacks to 30 MB", [unpacks, GOOD], ["too_large", "ok"], "done"),
    Case("an answer that is nested without end", [s.says("[" * 100_000), GOOD], ["invalid_json", "ok"], "done"),
    Case("a body that is nested without end", [s.raw("[" * 100_000), GOOD], ["malformed", "ok"], "done",
         streams=(False,)),
    Case("an answer that never ends its fence", [s.says("```" + " " * 30_000 + "x"), GOOD], ["invalid_json", "ok"],
         "done"),
    Case("broken arguments", [s.calls_tools(("a", "look", '{"n": ')), FINISHED], ["broken_arguments", "ok"], "done",
         TOOLS),
    Case("arguments that are no object", [s.calls_tools(("a", "look", "[1]")), FINISHED], ["broken_arguments", "ok"],
         "done", TOOLS),
    Case("arguments that are null", [s.calls_tools(("a", "look", None)), FINISHED], ["broken_arguments", "ok"], "done",
         TOOLS),
    Case("arguments with half of a surrogate pair", [s.calls_tools(("a", "look", '{"\\ud800": 1}')), FINISHED],
         ["broken_arguments", "ok"], "done", TOOLS),
    Case("NaN in a call's arguments", [s.calls_tools(("a", "look", '{"n": NaN}')), FINISHED],
         ["broken_arguments", "ok"], "done", TOOLS),
    Case("two calls with one id", [s.calls_tools(("a", "look", "{}"), ("a", "mail", "{}")), FINISHED],
         ["ok", "ok"], "done", TOOLS),
    Case("129 calls", [s.calls_tools(*[(f"c{n}", "look", "{}") for n in range(129)]), FINISHED],
         ["too_large", "ok"], "done", TOOLS),
    Case("a call behind the end of the answer", [goes_on, FINISHED], ["cut_off", "ok"], "done", TOOLS,
         streams=(True,)),
    Case("an answer that ends for a reason nobody knows", [s.says('{"message": "half', "a new word"), GOOD],
         ["unfinished", "ok"], "done"),
    Case("an answer that ends for no reason", [s.says('{"message": "half', ""), GOOD], ["cut_off", "ok"], "done"),
    Case("a server that breaks its answer off", [s.says('{"message": "half', "error"), GOOD], ["server_error", "ok"],
         "done"),
    Case("a thought that never ends", [s.says("<think>so"), GOOD], ["unfinished", "ok"], "done"),
    Case("done beside calls", [s.calls_tools(("a", "finish", "{}"), ("b", "look", "{}")), FINISHED],
         ["broken_arguments", "ok"], "done", TOOLS),
    Case("a tool that there is not", [s.calls_tools(("a", "rm_rf", "{}")), FINISHED], ["ok", "ok"], "done", TOOLS),
]  # fmt: skip


def row(case: Case) -> str:
    """A case as a row of the guide's table."""
    runs = [(status, len(list(same))) for status, same in groupby(case.statuses)]
    told = ", ".join(f"`{status}`" if times == 1 else f"{times} × `{status}`" for status, times in runs)
    return f"| {case.name} | {told} | `{case.ends}` |"


async def outcome_of(case: Case, *, stream: bool) -> tuple[list[str], str, list[str]]:
    """What each request came to, how the session ended, and what the log says of the faults."""
    async with s.serving(*case.acts) as server:
        sessions = Sessions()
        more = f"{case.more}, stream: {str(stream).lower()}"
        # a busy machine may take long for an answer that comes, and nobody waits for ever for one that does not
        timeout = "3s" if "timeout" in case.statuses else "60s"
        state = await sessions.run(made(server.url, more=more, timeout=timeout))
        said = [call["message"] for call in sessions.of(EventKind.MODEL_CALLED) if call["message"]]
        return sessions.statuses, state.status.value, said


def main() -> None:
    """Print the table."""
    rows = []
    for case in FAULTS:
        statuses, ends, said = trio.run(partial(outcome_of, case, stream=case.streams[0]))
        rows.append((case.name, ", ".join(statuses), ends, said[0][:90] if said else ""))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join((*(row[i].ljust(widths[i]) for i in range(3)), row[3])))


if __name__ == "__main__":
    main()
