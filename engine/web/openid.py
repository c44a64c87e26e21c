"""An OpenID provider: where people are sent, and what its answers and tokens vouch for.

Nothing of a token is believed before its signature is checked with a key of the provider's, by an algorithm of ours,
and its issuer, audience and times are what they must be; of a login its nonce too.  Keys are fetched anew when one is
not known, as after a rotation, and not more often than every ten seconds, however many strangers show what they made.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import trio
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from engine.access.grants import Provider
from engine.access.principal import CUSTOMER
from engine.errors import EngineError
from engine.net.body import LargerThan, bound
from engine.net.errors import why
from engine.ports.access import Identity
from engine.ports.clock import Clock
from engine.ports.resources import MissingSecret, Secrets

# what a token may be signed with: never `none`, and never a secret that both sides know
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
# seconds: an answer of the provider's, its description and keys as they are kept, and clocks that differ
ANSWER_TIME, KEPT, AGAIN_AFTER, LEEWAY = 10.0, 3600.0, 10.0, 30
LARGEST = 512 * 1024
MOST_GROUPS, LONGEST, MOST_WAITING = 500, 500, 20
# what only the token of a person's login holds
_OF_PEOPLE = frozenset({"nonce", "at_hash", "auth_time", "sid", "preferred_username"})
# what comes of a text that nobody signed
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)
_OWN_MACHINE = {"localhost", "127.0.0.1", "::1"}


class BadIdentity(EngineError):
    """What was shown vouches for nobody."""


class ProviderUnavailable(EngineError):
    """The provider can't be asked, or answers with what can't be used."""


@dataclass(frozen=True, slots=True)
class LoginSecrets:
    """What one login of one browser is known by; all of it is made of what the browser's cookie holds."""

    secret: str

    def _made(self, what: str) -> str:
        return hmac.new(self.secret.encode(), what.encode(), hashlib.sha256).hexdigest()

    @property
    def state(self) -> str:
        """What comes back with the answer, so that it is one to this browser's own question."""
        return self._made("state")

    @property
    def nonce(self) -> str:
        """What the token has to hold, so that it is no other login's."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """What the code can be exchanged with by nobody else (PKCE)."""
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(slots=True)
class OpenIdProvider:
    """One provider, asked over a client that is kept open."""

    provider: Provider
    http: httpx2.AsyncClient
    clock: Clock
    secrets: Secrets
    _described: Mapping[str, Any] = field(default_factory=dict)
    _described_at: float = 0.0
    _keys: KeySet | None = None
    _keys_at: float = float("-inf")
    _failed: dict[str, float] = field(default_factory=dict)
    _lock: trio.Lock = field(default_factory=trio.Lock)

    async def check(self) -> None:
        """Ask the provider what it says of itself, and for its keys; raises ProviderUnavailable."""
        await self._key_set(None)

    async def address(self, login: LoginSecrets, redirect: str) -> str:
        """Where a person is sent to log in; raises ProviderUnavailable."""
        described = await self._description()
        query = {
            "response_type": "code", "client_id": self.provider.audience, "redirect_uri": redirect,
            "scope": " ".join(self.provider.scopes), "state": login.state, "nonce": login.nonce,
            "code_challenge": login.challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        base = str(described["authorization_endpoint"])
        return f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(query)}"

    async def person(self, code: str, login: LoginSecrets, redirect: str) -> Identity:
        """Whom the code of a login stands for; raises BadIdentity, ProviderUnavailable."""
        described = await self._description()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": login.verifier,
            "client_id": self.provider.audience,
        }  # fmt: skip
        basic = None
        if self.provider.client_secret is not None:
            basic = httpx2.BasicAuth(self.provider.audience, self._secret(self.provider.client_secret))
        told = await self._fetched("POST", str(described["token_endpoint"]), data=form, auth=basic)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise BadIdentity("the provider gave no identity for this login")
        claims = await self._claims(token)
        if claims.get("azp", self.provider.audience) != self.provider.audience:
            raise BadIdentity("the token was given to somebody else")
        meant = claims.get("aud")
        if isinstance(meant, list) and len(meant) > 1 and "azp" not in claims:
            raise BadIdentity("the token is for several, and does not say to whom it was given")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), login.nonce.encode()):
            raise BadIdentity("the identity is of another login")
        return self._identity(claims, client=None)

    async def machine(self, token: str) -> Identity:
        """Which machine a token stands for; raises BadIdentity, ProviderUnavailable."""
        claims = await self._claims(token)
        client = claims.get("client_id", claims.get("azp"))
        if not isinstance(client, str) or not client or client == CUSTOMER:
            raise BadIdentity("the token names no client")
        person = sorted(_OF_PEOPLE & set(claims))
        if person or "openid" in str(claims.get("scope", "")).split():
            raise BadIdentity("the token was given for a person's login, and is no machine's")
        return self._identity(claims, client=client)

    def _identity(self, claims: Mapping[str, Any], *, client: str | None) -> Identity:
        subject, groups = claims.get("sub", client), claims.get(self.provider.groups_claim, [])
        name = claims.get(self.provider.name_claim)
        if not isinstance(subject, str) or not subject or len(subject) > LONGEST:
            raise BadIdentity("the token has no subject")
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        kept = tuple(one for one in listed if isinstance(one, str) and len(one) <= LONGEST)[:MOST_GROUPS]
        shown = client or (name if isinstance(name, str) and name.isprintable() and name.strip() else subject)
        return Identity(self.provider.issuer, subject, shown[:LONGEST], kept, client)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """What a token says, if the provider has signed it for us and it is its time."""
        try:
            kid = json.loads(_decoded(token.partition(".")[0])).get("kid")
        except _UNREADABLE:
            raise BadIdentity("this is no token") from None
        keys = await self._key_set(kid if isinstance(kid, str) else None)
        try:
            found = jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, *_UNREADABLE) as error:
            raise BadIdentity(f"the token is not signed as it should be: {type(error).__name__}") from None
        claims = found.claims
        self._check(claims)
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self.clock.now().timestamp()
        if claims.get("iss") not in (self.provider.issuer, f"{self.provider.issuer}/"):
            raise BadIdentity("the token is of another issuer")
        audience = claims.get("aud")
        meant = audience if isinstance(audience, list) else [audience]
        if self.provider.audience not in meant:
            raise BadIdentity("the token is for somebody else")
        ends, begins = claims.get("exp"), claims.get("nbf", 0)
        if _time(ends) + LEEWAY <= now:
            raise BadIdentity("the token has expired, or does not say when it will")
        if _time(begins) - LEEWAY > now:
            raise BadIdentity("the token is not good yet")

    # -- what the provider says of itself

    async def _description(self) -> Mapping[str, Any]:
        now = self.clock.now().timestamp()
        if self._described and now - self._described_at <= KEPT:
            return self._described
        async with self._asking("description"):
            if not self._described or now - self._described_at > KEPT:
                found = await self._fetched("GET", f"{self.provider.issuer}/.well-known/openid-configuration")
                if found.get("issuer") not in (self.provider.issuer, f"{self.provider.issuer}/"):
                    raise ProviderUnavailable(f"what {self.provider.issuer} says of itself names another issuer")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _check_address(found.get(name), name)
                self._described, self._described_at = found, now
        return self._described

    async def _key_set(self, kid: str | None) -> KeySet:
        """The keys; fetched anew where one is not known, and not again so soon."""
        now = self.clock.now().timestamp()
        keys, age = self._keys, now - self._keys_at
        known = keys is not None and (kid is None or any(key.kid == kid for key in keys.keys))
        if keys is not None and ((known and age <= KEPT) or (not known and age <= AGAIN_AFTER)):
            return keys
        try:
            return await self._fetched_keys()
        except ProviderUnavailable:
            # a key that is known stays good while the provider is away
            if keys is not None and known:
                return keys
            raise

    async def _fetched_keys(self) -> KeySet:
        described = await self._description()
        async with self._asking("keys"):
            now = self.clock.now().timestamp()
            if self._keys is None or now - self._keys_at > AGAIN_AFTER:
                found = await self._fetched("GET", str(described["jwks_uri"]))
                try:
                    self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
                except (JoseError, *_UNREADABLE):
                    raise ProviderUnavailable("the keys of the provider can't be read") from None
                self._keys_at = now
            return self._keys

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        """One at a time asks the provider something; what has just failed is not asked again, and few wait for it."""
        now = self.clock.now().timestamp()
        if now - self._failed.get(what, float("-inf")) <= AGAIN_AFTER:
            raise ProviderUnavailable(f"{urlsplit(self.provider.issuer).netloc} could not be asked just now")
        if self._lock.statistics().tasks_waiting >= MOST_WAITING:
            raise ProviderUnavailable(f"too many wait for {urlsplit(self.provider.issuer).netloc}")
        try:
            with trio.fail_after(ANSWER_TIME):
                async with self._lock:
                    yield
        except trio.TooSlowError:
            self._failed[what] = self.clock.now().timestamp()
            raise ProviderUnavailable(f"{urlsplit(self.provider.issuer).netloc} does not answer") from None
        except ProviderUnavailable:
            self._failed[what] = self.clock.now().timestamp()
            raise

    async def _fetched(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        _check_address(url, "issuer")
        try:
            with trio.fail_after(ANSWER_TIME):
                async with self.http.stream(method, url, headers={"accept": "application/json"}, **more) as response:
                    bound(response, LARGEST)
                    raw = await response.aread()
        except (httpx2.HTTPError, trio.TooSlowError, LargerThan) as error:
            raise ProviderUnavailable(f"{urlsplit(url).netloc} can't be asked: {why(error)}") from None
        try:
            told = json.loads(raw)
        except ValueError:
            told = None
        if response.status_code in (400, 401) and method == "POST":
            raise BadIdentity("the provider refuses this login")
        if response.status_code != 200 or not isinstance(told, dict):
            raise ProviderUnavailable(
                f"{urlsplit(url).netloc} answers with {response.status_code}, which can't be used"
            )
        return told

    def _secret(self, name: str) -> str:
        try:
            return self.secrets.reveal(name)
        except MissingSecret as error:
            raise ProviderUnavailable(str(error)) from None


def _check_address(url: object, what: str) -> None:
    """Raise ProviderUnavailable for an address that is read by others on the way."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _OWN_MACHINE)):
        raise ProviderUnavailable(f"the {what} of the provider is no https address")


def _decoded(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _time(value: object) -> float:
    """Seconds since 1970; raises BadIdentity for what is no time."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise BadIdentity("a time of the token is none")
    return float(value)


def is_signed_token(text: str) -> bool:
    """Whether a text has the form of a signed token: three parts, of which the first is a map."""
    parts: Sequence[str] = text.split(".")
    return len(parts) == 3 and text.isascii() and len(text) <= 16_000 and parts[0].startswith("ey")
