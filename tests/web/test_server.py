"""The server in front of everything: whatever a client sends, the worst is that its own connection ends."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import trio

from tests.web.raw_server import Served, read_all, serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: bKdPyn3u98cTfZJSh4TNeQ==\r\n\r\nx"
)
H2C = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAA!IAAAAA\r\n\r\n"
)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_requests_of_one_connection_are_answered_one_after_the_other() -> None:
    async with serving() as served:
        post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await served.raw(GET + post, more=last)
        assert answer.count(b"HTTP/1.1 200") == 3
        assert answer.index(b"abcd") < answer.rindex(b"hello")


async def test_a_body_in_chunks_is_put_together() -> None:
    async with serving() as served:
        chunks = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"
        assert (await served.raw(chunks)).endswith(b"abcdef")


async def test_a_body_that_nobody_asks_for_takes_no_answer_back() -> None:
    async with serving() as served:
        for size in (4, 300_000):
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            async with await served.connect() as stream:
                await stream.send_all(head + b"x" * size)
                answer = await read_all(stream, quiet=0.3)
                assert answer.endswith(b"hello"), answer
                await stream.send_all(GET)
                assert (await read_all(stream, quiet=0.3)).endswith(b"hello")


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async with serving() as served, await served.connect() as stream:
        head = (
            b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        )
        await stream.send_all(head)
        assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 100")
        await stream.send_all(b"ok")
        assert (await read_all(stream)).endswith(b"ok")


async def test_a_head_request_has_no_body() -> None:
    async with serving() as served:
        answer = await served.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (WEBSOCKET, 400),
        (H2C, 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64, 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: zz\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01garbage\r\n\r\n", 400),
        (b"GET /fail HTTP/1.1\r\nHost: x\r\n\r\n", 500),
    ],
)
async def test_what_is_not_taken_is_answered_and_the_connection_closed(sent: bytes, code: int) -> None:
    async with serving() as served:
        assert status(await served.raw(sent)) == code
        assert await served.lives()
        assert served.server.connections <= 1


async def test_a_body_that_grows_beyond_its_bound_is_cut_off() -> None:
    async with serving(body_size=1000) as served:
        chunk = b"200\r\n" + b"x" * 0x200 + b"\r\n"
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert status(await served.raw(head + chunk * 4)) == 413


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HT", 408),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na", 408),
    ],
)
async def test_a_head_or_a_body_that_does_not_come_is_not_waited_for(sent: bytes, code: int) -> None:
    async with serving(header_time=0.2, body_time=0.2) as served:
        assert status(await served.raw(sent)) == code
        assert await served.lives()


async def test_a_connection_that_asks_for_nothing_is_closed() -> None:
    async with serving(idle_time=0.2) as served, await served.connect() as stream:
        assert await read_all(stream, quiet=60) == b""


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with serving(write_time=0.3) as served:
        async with await served.connect() as stream:
            await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            with trio.fail_after(600):
                while not served.server.connections:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                while served.server.connections:  # noqa: ASYNC110
                    await trio.sleep(0.05)
        assert await served.lives()


async def test_a_client_that_leaves_while_it_is_answered_is_let_go_of() -> None:
    async with serving() as served:
        stream = await served.connect()
        await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.receive_some(10)
        await stream.aclose()
        with trio.fail_after(600):
            while served.server.connections:  # noqa: ASYNC110
                await trio.sleep(0.02)


async def test_where_all_connections_are_taken_the_oldest_idle_one_makes_room() -> None:
    async with serving(connections=3) as served:
        idle = [await served.connect() for _ in range(3)]
        with trio.fail_after(600):
            while served.server.connections < 3:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert await served.lives()
        for stream in idle:
            await stream.aclose()


async def test_where_all_connections_wait_for_a_body_the_oldest_one_makes_room() -> None:
    async with serving(connections=3) as served:
        held = [await served.connect() for _ in range(3)]
        for stream in held:
            await stream.send_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
        with trio.fail_after(600):
            while served.server.connections < 3:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert await served.lives()
        for stream in held:
            await stream.aclose()


async def test_a_body_of_many_small_parts_is_no_larger_than_its_bound() -> None:
    async with serving(body_size=10_000) as served:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert status(await served.raw(head + b"1\r\na\r\n" * 1000)) == 413
        assert (await served.raw(head + b"1\r\na\r\n" * 100 + b"0\r\n\r\n")).endswith(b"a" * 100)


async def test_a_server_that_drains_ends_what_it_answers_and_takes_nothing_new() -> None:
    async with serving() as served, await served.connect() as slow:
        await slow.send_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        with trio.fail_after(600):
            while not served.server.connections:  # noqa: ASYNC110
                await trio.sleep(0.01)
        await trio.sleep(0.1)
        served.server.drain()
        await slow.send_all(b"cd")
        answer = await read_all(slow)
        assert answer.endswith(b"abcd")
        assert b"connection: close" not in answer or status(answer) == 200
        with pytest.raises(OSError, match="all attempts to connect"):
            await served.connect()


SEEDS = [WEBSOCKET, H2C, GET, b"OPTIONS * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
         b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
         b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcdGET / HTTP/1.1\r\nHost: x\r\n\r\n",
         b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
         b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"]  # fmt: skip


def mutated(dice: random.Random) -> bytes:
    found = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randint(0, 4)):
        at, how = dice.randrange(len(found) + 1), dice.randrange(5)
        if how == 0 and found:
            found[min(at, len(found) - 1)] = dice.randrange(256)
        elif how == 1:
            found[at:at] = dice.randbytes(dice.randint(1, 8))
        elif how == 2:
            del found[at : at + dice.randint(1, 6)]
        elif how == 3:
            found[at:at] = dice.choice([b"\r\n", b"\0", b"\r\n\r\n", b"x" * 200, b": ", b"\xff\xfe"])
        else:
            del found[at:]
    return bytes(found) or b"G"


async def one(served: Served, dice: random.Random) -> None:
    stream = await served.connect()
    try:
        await stream.send_all(mutated(dice))
        with trio.move_on_after(dice.choice([0.001, 0.02])):
            await stream.receive_some(100)
    except trio.BrokenResourceError:
        pass
    finally:
        await trio.aclose_forcefully(stream)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_ten_thousand_mutated_requests_end_no_more_than_their_connections() -> None:
    many = int(os.environ.get("MUTATED", "10000"))
    async with serving(header_time=1.0, body_time=1.0, idle_time=1.0) as served:
        assert await served.lives()
        before = descriptors()
        for start in range(0, many, 20):
            async with trio.open_nursery() as nursery:
                for number in range(start, start + 20):
                    nursery.start_soon(one, served, random.Random(number))
        with trio.fail_after(600):
            while served.server.connections:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert descriptors() <= before
        assert await served.lives()
