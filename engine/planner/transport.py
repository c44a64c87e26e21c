"""How requests for models reach the world: for real, recorded on the way, or from a recording and offline."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import httpx2
import trio

from engine.net.body import bound
from engine.planner.faults import NotRecorded
from engine.planner.json_texts import data_of, slots_of
from engine.planner.prompt import NOW
from engine.planner.recorded_handles import in_place_of, numbered, rewritten, with_own_handles
from engine.planner.server_json import fields, utf8
from engine.private_files import make_folder, write_bytes
from engine.session.sensitivity import HANDLE

# what an answer may take at once, and in the events of a stream
MAX_BYTES, MAX_STREAM = 4_000_000, 20_000_000
PARTS = ("request", "response")
KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms", "x-request-id", "request-id")


# these tell whole URLs at every request
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Traffic(Protocol):
    """Makes what a client sends its requests with."""

    offline: bool

    def transport(self) -> httpx2.AsyncBaseTransport:
        """A transport of a client's own."""
        ...


class Network:
    """To the servers themselves."""

    offline = False

    def transport(self) -> httpx2.AsyncBaseTransport:
        """See `Traffic`."""
        return _BoundedResponse(httpx2.AsyncHTTPTransport(retries=0))


class RecordingTransport:
    """To the servers, each exchange kept in a folder, without secrets and without what is hidden."""

    offline = False

    def __init__(self, folder: Path, masked: Callable[[str], str]) -> None:
        make_folder(folder)
        self._folder = folder
        self._without_secrets = masked
        self._hidden: dict[str, str] = {}
        self._forms: dict[str, str] = {}
        self._found = re.compile(HANDLE)
        self._kept: list[Path] = []
        self._count = len(list(folder.glob("*.json")))

    def transport(self) -> httpx2.AsyncBaseTransport:
        """See `Traffic`."""
        return _Recording(Network().transport(), self._keep)

    async def hide(self, texts: Mapping[str, str]) -> None:
        """Keep none of these texts, which are sensitive, neither from now on nor of this process.

        Each comes with what stands in its place: the session's handle of it, which is answered again as the handle of
        who plays the recording, or `[sensitive]`.
        """
        if texts.keys() <= self._hidden.keys():
            return
        self._hidden = {**texts, **self._hidden}
        self._forms = {form: stands for text, stands in self._hidden.items() for form in _forms(text)}
        longest_first = sorted(self._forms, key=len, reverse=True)
        # a handle stays as it is, whatever its digits are
        self._found = re.compile("|".join([HANDLE, *map(re.escape, longest_first)]))
        for path in self._kept:
            exchange = json.loads(await trio.Path(path).read_text("utf-8"))
            asked, answered = exchange["request"], exchange["response"]
            asked["body"] = _json(self._masked(json.dumps(asked["body"], ensure_ascii=False)))
            answered["headers"] = {name: self._masked(value) for name, value in answered["headers"].items()}
            await self._write(path, asked, answered)

    async def _keep(self, request: httpx2.Request, response: httpx2.Response, body: bytes, *, whole: bool) -> None:
        self._count += 1
        said = self._masked(request.content.decode("utf-8", "replace"))
        headers = {name: self._masked(response.headers[name]) for name in KEPT_HEADERS if name in response.headers}
        asked = {"method": request.method, "path": request.url.path, "body": _json(said)}
        try:
            text = utf8(body)
        except ValueError:
            # what could be made of it is not what was told: it is played as an answer that broke off
            text, whole = "", False
        if headers.get("content-type", "").startswith("text/event-stream"):
            text = text.removeprefix("\ufeff")
        answered = {"status": response.status_code, "headers": headers, "body": text, "whole": whole}
        path = self._folder / f"{self._count:04}-{key_of(request.method, request.url.path, said)[:12]}.json"
        self._kept.append(path)
        await self._write(path, asked, answered)

    async def _write(self, path: Path, asked: dict[str, Any], answered: dict[str, Any]) -> None:
        text = self._masked(answered["body"])
        if self._is_in_pieces(text):
            text = rewritten(text, self._masked)
        if self._is_in_pieces(text):
            # nothing of the answer is kept
            text, answered["whole"] = "", False
        kept = (
            json.dumps({"request": asked, "response": {**answered, "body": text}}, indent=1, ensure_ascii=False) + "\n"
        )
        await trio.to_thread.run_sync(write_bytes, path, kept.encode("utf-8", "replace"))

    def _is_in_pieces(self, body: str) -> bool:
        return any(self._masked(one) != one for one in _pieces(body))

    def _masked(self, text: str) -> str:
        """A text without secrets and without what is hidden, also where JSON escapes it, once or twice."""
        return self._found.sub(lambda found: self._forms.get(found[0], found[0]), self._without_secrets(text))


def _forms(text: str) -> set[str]:
    escaped = json.dumps(text)[1:-1]
    return {text, escaped, json.dumps(escaped)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


class ReplayedTraffic:
    """From a recording: exchanges in their order, found by what was asked."""

    offline = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` are the exchanges by name; raises BadCassette."""
        self._left: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for name, raw in sorted(files.items()):
            try:
                exchange = json.loads(raw)
                asked, answered = (fields(fields(exchange, "it").get(part), f"its `{part}`") for part in PARTS)
                key = key_of(asked["method"], asked["path"], json.dumps(asked["body"]))
                self._left[key].append(
                    {
                        "status": int(answered["status"]),
                        "headers": dict(answered["headers"]),
                        "body": str(answered["body"]),
                        "whole": bool(answered["whole"]),
                        "asked": _sorted(asked["body"]),
                    }
                )
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                why = error if isinstance(error, ValueError) else "a part of it is missing, or of another kind"
                raise BadCassette(f"{name} is no recorded exchange: {why}; record it anew") from None

    def transport(self) -> httpx2.AsyncBaseTransport:
        """See `Traffic`."""
        return _Replaying(self._left)


class BadCassette(ValueError):
    """A recording that can't be read."""


def replayed_from(folder: Path) -> ReplayedTraffic:
    """The recording in a folder; raises BadCassette."""
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    if not files:
        raise BadCassette(f"{folder} holds no recorded exchange; make some with `engine run --record {folder}`")
    return ReplayedTraffic(files)


# what each session has of its own: the marks of fences, and the time
_MARK = re.compile(r'\bid=\\+"([0-9a-f]{24})\\+"')
_TIME = re.compile(rf"{NOW}[^.]{{0,80}}\.")


def key_of(method: str, path: str, body: str) -> str:
    """What tells a question from all others, whatever the order of its keys, the time, and the marks of results."""
    asked = _TIME.sub(NOW, _sorted(_json(body)))
    for number, mark in enumerate(dict.fromkeys(_MARK.findall(asked))):
        asked = asked.replace(mark, f"mark {number}")
    return sha256(f"{method} {path} {numbered(asked)}".encode()).hexdigest()


def _sorted(body: Any) -> str:
    return json.dumps(body, sort_keys=True)


def _pieces(body: str) -> list[str]:
    """What an answer says once it is put together: the texts of a streamed one by where they stand, escapes undone."""
    said = _joined(value for _, value in data_of(body))
    # a decision is JSON in a text: its texts are told once more
    return [*said, *_joined(value for one in said for _, value in data_of(one))]


def _joined(values: Iterable[Any]) -> list[str]:
    return ["".join(slot.text for slot in pieces) for pieces in slots_of(values).values()]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class _ObservedStream(httpx2.AsyncByteStream):
    """A response's bytes, with somebody told when they end."""

    def __init__(self, inner: httpx2.AsyncByteStream, done: Callable[[bytes, bool], Any]) -> None:
        self._inner = inner
        self._done: Callable[[bytes, bool], Any] | None = done
        self._taken: list[bytes] = []
        self._whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._taken.append(chunk)
            yield chunk
        self._whole = True

    async def aclose(self) -> None:
        await self._inner.aclose()
        if self._done is not None:
            done, self._done = self._done, None
            await done(b"".join(self._taken), self._whole)


class _BoundedResponse(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        bound(response, MAX_STREAM if streamed else MAX_BYTES)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Recording(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, keep: Callable[..., Any]) -> None:
        self._inner = inner
        self._keep = keep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)

        async def finish(body: bytes, whole: bool) -> None:
            with trio.CancelScope(shield=True):
                await self._keep(request, response, body, whole=whole)

        response.stream = _ObservedStream(response.stream, finish)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Replaying(httpx2.AsyncBaseTransport):
    def __init__(self, left: dict[str, list[dict[str, Any]]]) -> None:
        self._left = left

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = request.content.decode("utf-8", "replace")
        key = key_of(request.method, request.url.path, asked)
        known = self._left.get(key)
        if not known:
            message = f"the recording has no answer to this question ({key[:12]}): the prompt, the model or the tools"
            raise NotRecorded(f"{message} have changed since; record it anew")
        # asked once more, as after a crash, it gets the last answer again
        answer = known.pop(0) if len(known) > 1 else known[0]
        handles = in_place_of(answer["asked"], _sorted(_json(asked)))
        # a length would claim that all of a body that was cut off is there
        played = _PlayedResponse(with_own_handles(answer["body"], handles), whole=answer["whole"])
        return httpx2.Response(answer["status"], headers=answer["headers"], stream=played)


class _PlayedResponse(httpx2.AsyncByteStream):
    def __init__(self, body: str, *, whole: bool) -> None:
        self._body = body
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield self._body.encode()
        if not self._whole:
            raise httpx2.RemoteProtocolError("the recorded answer was cut off")

    async def aclose(self) -> None:
        return
