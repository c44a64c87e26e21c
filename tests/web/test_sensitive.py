"""What is sensitive of a session is served to nobody: not by the API, not by a stream, not on a page."""

from __future__ import annotations

from pathlib import Path

import httpx2
import trio

from engine import load_bundle, open_engine, open_store
from engine.access.logins import new_login
from engine.access.rights import Role
from engine.access.tokens import new_token
from engine.trio_clock import TrioClock
from engine.web.application import application
from engine.web.service import Service
from tests.api.test_sensitive_requests import KEY, at
from tests.web.raw_server import serving

IBAN = "DE02120300000000202051"
__all__ = ["at"]


async def test_no_route_and_no_page_shows_what_a_schema_marks(at: Path) -> None:
    bundle = load_bundle(at)
    async with open_store(f"sqlite:///{at / 'e.db'}") as store, open_engine(store, root=at, secrets=KEY) as one:
        session = await one.start(bundle, message="hi", attributes={"tenant": "acme"})
        await session.call("pay", {"iban": IBAN}, after=(await session.settled()).seq)
        secrets, cookie = await people(store)
        service = Service(one, store, bundle, trio.Event())
        async with serving(application(service)) as served, client(served.port, secrets["eyes"]) as eyes:
            where = f"/v1/sessions/{session.id}"
            answers = [
                await eyes.get(path)
                for path in (where, f"{where}/events", "/v1/requests", f"/v1/requests/{session.id}.1", "/v1/audit")
            ]
            answers += [
                await eyes.get(path, headers={"cookie": f"__Host-engine={cookie}", "accept": "text/html"})
                for path in ("/inbox", f"/inbox/{session.id}.1")
            ]
            async with eyes.stream("GET", f"{where}/events", headers={"accept": "text/event-stream"}) as stream:
                streamed = ""
                async for line in stream.aiter_lines():
                    streamed += line
                    if "awaiting_human_review" in line:
                        service.draining.set()  # which ends the stream
            assert [answer.status_code for answer in answers] == [200] * len(answers)
            told = [*(answer.text for answer in answers), streamed]
            assert not any(IBAN in text or "sealed:1:" in text for text in told)
            assert sum("[sensitive]" in text for text in told) >= 5


async def people(store: object) -> tuple[dict[str, str], str]:
    """The secrets of tokens by name, and the cookie of a reviewer's browser."""
    access, now, secrets = store.access, TrioClock().now(), {}  # type: ignore[attr-defined]
    for name, role in (("eyes", Role.AUDITOR), ("dana", Role.REVIEWER)):
        secret, token = new_token(name, role, person=name, tenant=None, by="test", at=now, expires_at=None)
        assert await access.add_token(token)
        secrets[name] = secret
    cookie, login = new_login(token.id, now)
    await access.add_login(login)
    return secrets, cookie


def client(port: int, secret: str) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=600)
