"""What the routes work with, and what every one of them has to ask first."""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
from starlette.requests import Request

from engine.access.grants import Access
from engine.access.principal import Principal
from engine.access.rights import Right
from engine.access.tokens import hash_of, principal_of, well_formed
from engine.api.engine import Engine
from engine.api.logged_requests import LoggedRequests
from engine.api.session import Session
from engine.ports.access import Absence, AuditEvent, RequestClaim
from engine.ports.clock import Clock
from engine.ports.records import RequestRow, UnknownSession
from engine.ports.resources import Secrets
from engine.ports.store import Store
from engine.runtime.host_secrets import HostSecrets
from engine.spec.bundle import Bundle
from engine.store.faults import StoreFault
from engine.store.wake import WakeListener
from engine.telemetry.follower import LogFollower
from engine.web.attempts import LoginAttempts
from engine.web.canary import Canary
from engine.web.openid import BadIdentity, OpenIdProvider, ProviderUnavailable, is_signed_token
from engine.web.problems import HttpProblem
from engine.web.recently_read import RecentlyRead
from engine.web.schedule import Schedule
from engine.web.webhook import Webhook
from engine.web.whatif import PastComparisons

_log = logging.getLogger("engine.web")

# nobody waits for longer than that for what is only noted: it is written once the store takes it, in seconds
NOTE_TIME = 2.0
# a token's last use is noted so often at most, in seconds
NOTED_EVERY = 60.0
# streams and waits that are open at once: of one principal, and in all
PER_PRINCIPAL, IN_ALL = 50, 400


@dataclass(slots=True)
class Service:
    """The engine behind the service, the bundle that new sessions begin with, and whether it is closing.

    A bundle that is brought over the API may act otherwise than the service's `own`, which its files are, only where it
    `takes_code`.

    `url` is where people reach it, and `access` who may come in beside those with tokens: `people` by logging in at
    a provider, `machines` with tokens of one.  `readers` bounds what is gathered for pages at once,
    `canary` is a bundle that a share of new sessions begins with, and `past` is the store's URL for another process.
    `logged` are requests as the logs have them, `follower` counts what the logs add up to,
    `comparisons` are of bundles that judge past sessions, and `streams` counts the open ones by principal.
    `absences` and `claims` were read a moment ago, and `counted_yes` is by question, person and their roles whether a
    yes would count while its log is so long.
    """

    engine: Engine
    store: Store
    bundle: Bundle
    draining: trio.Event
    url: str = ""
    access: Access = field(default_factory=Access)
    people: OpenIdProvider | None = None
    machines: OpenIdProvider | None = None
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    takes_code: bool = False
    own: Bundle = field(init=False)
    logged: LoggedRequests = field(init=False)
    follower: LogFollower = field(init=False)
    comparisons: PastComparisons = field(init=False)
    canary: Canary | None = None
    past: str | None = None
    secrets: Secrets = field(default_factory=HostSecrets)
    attempts: LoginAttempts = field(default_factory=LoginAttempts)
    readers: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(2))
    wakes: WakeListener = field(default_factory=WakeListener)
    streams: dict[str, int] = field(default_factory=dict)
    noted: dict[str, float] = field(default_factory=dict)
    absences: RecentlyRead[Sequence[Absence]] = field(default_factory=RecentlyRead)
    claims: RecentlyRead[Mapping[str, RequestClaim]] = field(default_factory=RecentlyRead)
    counted_yes: OrderedDict[tuple[str, str, frozenset[str]], tuple[int, bool]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.own = self.bundle
        self.logged = LoggedRequests(self.store)
        self.follower = LogFollower(self.store)
        self.comparisons = PastComparisons(self.clock)

    @property
    def clock(self) -> Clock:
        """The store's."""
        return self.store.clock

    def bundle_for(self, attributes: Mapping[str, Any], agent: str | None) -> tuple[Bundle, str | None]:
        """What a new session begins with, and its agent: the active bundle, or the canary where its share is meant.

        Who names no agent means the active bundle's only one, whatever agents a canary has.  One whose attributes its
        agent does not take there begins with what is active: a trial refuses nobody.
        """
        if agent is None and len(self.bundle.agents) == 1:
            (agent,) = self.bundle.agents
        canary = self.canary
        on_trial = canary.bundle.agents.get(agent or "") if canary is not None and canary.takes(attributes) else None
        meant = on_trial is not None and not on_trial.check_attributes(attributes)
        return canary.bundle if canary is not None and meant else self.bundle, agent

    async def principal(self, request: Request) -> Principal:
        """Who asks; raises HttpProblem 401."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.machines is not None and is_signed_token(secret.strip()):
            return await self._machine(self.machines, secret.strip())
        if scheme.lower() != "bearer":
            raise _NOBODY
        if not well_formed(secret.strip()):
            raise _UNKNOWN
        token = await self.store.access.token_of(hash_of(secret.strip()))
        now = self.clock.now()
        found = principal_of(token, now) if token is not None else None
        if found is None:
            raise _UNKNOWN
        if self.noted.get(found.id, 0.0) <= now.timestamp() - NOTED_EVERY:
            self.noted[found.id] = now.timestamp()
            try:
                with trio.move_on_after(NOTE_TIME):
                    await self.store.access.touch_token(found.id, now)
            except (StoreFault, sqlite3.Error) as error:
                # what is there can be read, where nothing can be written
                _log.warning("that a token was used is not noted: %s", error)
        return found

    async def check_let_in(self, principal: Principal) -> None:
        """Raise HttpProblem 401 where the token that somebody has come in by lets nobody in any more."""
        token = await self.store.access.token_by_id(principal.id)
        if token is not None and principal_of(token, self.clock.now()) is None:
            raise _UNKNOWN

    async def _machine(self, machines: OpenIdProvider, token: str) -> Principal:
        try:
            identity = await machines.machine(token)
        except BadIdentity as error:
            raise HttpProblem(401, "unauthenticated", str(error)) from None
        except ProviderUnavailable as error:
            raise HttpProblem(503, "provider_away", str(error)) from None
        found = self.access.principal(identity, "jwt")
        if found is None:
            raise HttpProblem(403, "no_grant", f"the client {identity.client} is known, and nothing is granted to it")
        return found

    async def own_session(self, principal: Principal, session_id: str) -> Session:
        """A session that a principal has started, and for whose customer it speaks; raises HttpProblem."""
        session = await self.session(principal, session_id)
        if not await self.store.access.started_by(scope_of(principal), session_id):
            raise HttpProblem(403, "not_yours", "only who has started a session speaks for its customer")
        return session

    async def session(self, principal: Principal, session_id: str) -> Session:
        """A session that a principal may see; raises HttpProblem 404 for any other, whether there is one or not."""
        session = self.engine.session(session_id, drive=False)
        if not principal.may(Right.READ_OWN):
            raise HttpProblem(
                403, "not_permitted", "this token may read no sessions: what it asks for needs `read_own`"
            )
        try:
            await self.store.session(session_id)
        except UnknownSession:
            raise no_such("session", session_id) from None
        if principal.tenant is not None and await self.store.access.tenant_of(session_id) != principal.tenant:
            raise no_such("session", session_id)
        if not principal.may(Right.READ) and not await self.store.access.started_by(scope_of(principal), session_id):
            raise no_such("session", session_id)
        return session

    async def request(self, principal: Principal, request_id: str) -> RequestRow:
        """A request that a principal may see; raises HttpProblem 404 for any other."""
        row = await self.store.request(request_id)
        if row is None:
            raise no_such("request", request_id)
        try:
            await self.session(principal, row.session_id)
        except HttpProblem as problem:
            raise (no_such("request", request_id) if problem.status == 404 else problem) from None
        return row

    def check_room(self, principal: Principal) -> None:
        """Raise HttpProblem 429 where a principal has as much open that takes long as it may."""
        if self.streams.get(principal.id, 0) >= PER_PRINCIPAL or sum(self.streams.values()) >= IN_ALL:
            raise HttpProblem(429, "too_many_streams", "too many streams are open: close one, or ask again")

    @contextmanager
    def counted(self, principal: Principal) -> Iterator[None]:
        """For as long as a principal is given something that takes long."""
        self.streams[principal.id] = self.streams.get(principal.id, 0) + 1
        try:
            yield
        finally:
            self.streams[principal.id] -= 1
            if not self.streams[principal.id]:
                del self.streams[principal.id]

    async def note(
        self, request: Request, principal: Principal, action: str, about: str, result: str, digest: str = ""
    ) -> None:
        """Write down what somebody did, or was refused."""
        await self.note_from(address_of(request), principal, action, about, result, digest)

    async def note_refusal(
        self, request: Request, principal: Principal, action: str, about: str, result: str, digest: str = ""
    ) -> None:
        """Write down what somebody was refused; where nothing can be written they are refused it all the same."""
        try:
            with trio.move_on_after(NOTE_TIME):
                await self.note(request, principal, action, about, result, digest)
        except (StoreFault, sqlite3.Error) as error:
            _log.error("%s was refused %s, and it is not noted: %s", principal.id, action, error)

    async def note_from(
        self, address: str, principal: Principal, action: str, about: str, result: str, digest: str = ""
    ) -> None:
        """The same, of what came from an address, or from nowhere."""
        told = AuditEvent(
            number=0, at=self.clock.now(), actor=principal.id, means=principal.means, address=address,
            tenant=principal.tenant, action=action, about=_kept(about), digest=_kept(digest), result=result, link="",
        )  # fmt: skip
        await self.store.access.record_audit(told)
        # what was done to a session here no other process wakes us for
        self.wakes.wake(about.partition(".")[0])


def _kept(text: str) -> str:
    """What is kept of a text that somebody sent."""
    return text.encode("utf-8", "backslashreplace").decode()[:200]


def address_of(request: Request) -> str:
    """Where a request came from, as far as the connection tells."""
    return request.client.host if request.client is not None else ""


def scope_of(principal: Principal) -> str:
    """What keys that a principal gives are its own within."""
    return f"{principal.tenant or ''}/{principal.id}/sessions"


def attributes_for(principal: Principal, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new session's attributes, with the principal's tenant; raises HttpProblem 403 where another is asked for."""
    if principal.tenant is None:
        return dict(given)
    if given.get("tenant", principal.tenant) != principal.tenant:
        raise HttpProblem(403, "another_tenant", f"this token starts sessions of the tenant {principal.tenant} alone")
    return {**given, "tenant": principal.tenant}


def no_such(what: str, name: str) -> HttpProblem:
    """The same answer for what is not there and for what is somebody else's."""
    return HttpProblem(404, f"no_such_{what}", f"there is no {what} {name}")


_NOBODY = HttpProblem(
    401, "unauthenticated", "name yourself with `Authorization: Bearer TOKEN`; `engine tokens create` makes one"
)
# which of these it is, is nobody's business who holds none
_UNKNOWN = HttpProblem(
    401,
    "unauthenticated",
    "this token is not known here: it is mistyped, revoked or has expired, or was made in another store",
)
