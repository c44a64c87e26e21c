"""A small OpenID provider on a socket: people log in at it by name, its keys can be rotated, and it can misbehave."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET, AUDIENCE = "engine", "the-client-secret", "engine-api"


@dataclass
class Provider:
    """Who is known there, and what it does with the next answers."""

    issuer: str = ""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[Any] = field(default_factory=lambda: [RSAKey.generate_key(2048, {"kid": "k1"})])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    twist: dict[str, Any] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def rotate(self) -> None:
        """Sign with a new key; the old one is gone."""
        self.keys = [ECKey.generate_key("P-256", {"kid": f"k{secrets.randbelow(10**9)}"})]

    def signed(self, claims: dict[str, Any], key: Any = None) -> str:
        key = key or self.keys[0]
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)

    def machine(self, client: str, **more: Any) -> str:
        """What a machine gets for its credentials."""
        now = int(time.time())
        told = {"iss": self.issuer, "sub": client, "client_id": client, "aud": AUDIENCE, "iat": now, "exp": now + 300}
        return self.signed(told | more)

    # -- what it serves

    def described(self, request: Request) -> Response:
        if self.away:
            return JSONResponse({}, 503)
        return JSONResponse(
            {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
             "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/jwks"}
        )  # fmt: skip

    def jwks(self, request: Request) -> Response:
        self.asked.append("jwks")
        return JSONResponse(KeySet(self.keys).as_dict(private=False))

    def authorize(self, request: Request) -> Response:
        """The person who is at this browser is told by a cookie, as if they had logged in before."""
        query = request.query_params
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        who = request.cookies.get("who", "")
        if who not in self.people:
            return RedirectResponse(
                f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
            )
        code = secrets.token_urlsafe()
        self.codes[code] = {**query, "who": who}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}")

    async def token(self, request: Request) -> Response:
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        good = (
            asked is not None
            and request.headers.get("authorization") == f"Basic {basic}"
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == form.get("redirect_uri")
        )
        if not good or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"],
            "sub": asked["who"], **self.people[asked["who"]], **self.twist,
        }  # fmt: skip
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.signed(claims)})


@contextmanager
def open_provider() -> Iterator[Provider]:
    """A provider at an address of its own."""
    provider = Provider()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.described),
            Route("/jwks", provider.jwks),
            Route("/authorize", provider.authorize),
            Route("/token", provider.token, methods=["POST"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(600)
