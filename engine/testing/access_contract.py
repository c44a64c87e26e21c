"""What every store must keep for the service: tokens, creations and audit events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import trio

from engine.ports.access import (
    Absence,
    AccessToken,
    AuditEvent,
    ConfirmationLink,
    Creation,
    Identity,
    Login,
    RequestClaim,
)
from engine.ports.store import Store
from engine.testing.log_events import START, start

TOKEN = AccessToken("tok_1", "ops", "hash", "operator", None, None, START, "root", scopes=("read", "cancel"),
                    groups=("risk desk", "ops"), stands_for="olga")  # fmt: skip
CREATION = Creation("acme/tok_1", "key", "digest", "ses_1", "acme", START, "acme/tok_1")
DONE = AuditEvent(0, START, "tok_1", "token", "127.0.0.1", "acme", "start", "ses_1", "", "started", "")


async def a_token_is_found_by_its_secret_and_ends_once(store: Store) -> None:
    """Of one name there is one that is good."""
    access = store.access
    assert await access.token_of("hash") is None
    assert await access.add_token(TOKEN)
    assert not await access.add_token(replace(TOKEN, id="tok_2", secret_hash="other"))
    assert await access.token_of("hash") == TOKEN
    await access.touch_token("tok_1", START)
    assert await access.tokens() == [replace(TOKEN, used_at=START)]
    assert await access.revoke_token("tok_1", START)
    assert not await access.revoke_token("tok_1", START)
    assert not await access.revoke_token("tok_9", START)
    found = await access.token_of("hash")
    assert found is not None
    assert found.revoked_at == START
    later = replace(TOKEN, id="tok_2", secret_hash="other", created_at=START + timedelta(seconds=1))
    assert await access.add_token(later)
    assert [token.id for token in await access.tokens()] == ["tok_1", "tok_2"]


async def a_login_is_found_until_it_is_ended_or_has_expired(store: Store) -> None:
    """Of those who end it, one did."""
    access, hour = store.access, timedelta(hours=1)
    brief, link = Login("a", "tok_1", START, START + hour), Login("b", "tok_1", START, START + 3 * hour, once=True)
    await access.add_login(brief)
    await access.add_login(link)
    assert [await access.login_of(name) for name in "abc"] == [(brief, None), (link, None), None]
    await access.add_login(Login("c", "tok_1", START + 2 * hour, START + 4 * hour))
    assert [await access.login_of(name) for name in "ab"] == [None, (link, None)]
    assert [await access.end_login("b"), await access.end_login("b")] == [True, False]
    person = Identity("https://id.example.org", "u-1", "Dana Q.", ("risk desk", "ops"))
    by_provider = Login("d", "", START + 2 * hour, START + 4 * hour, identity=person)
    await access.add_login(by_provider)
    assert await access.login_of("d") == (by_provider, None)
    assert await access.token_by_id("tok_1") is None
    assert await access.add_token(TOKEN)
    assert await access.token_by_id("tok_1") == TOKEN
    assert await access.login_of("c") == (Login("c", "tok_1", START + 2 * hour, START + 4 * hour), TOKEN)


async def a_creation_stands_whoever_asks_again(store: Store) -> None:
    """Also where several ask at once: each gets the one that stands."""
    found: list[Creation] = []

    async def ask(session_id: str) -> None:
        found.append(await store.access.reserve(replace(CREATION, session_id=session_id)))

    async with trio.open_nursery() as nursery:
        for number in range(1, 6):
            nursery.start_soon(ask, f"ses_{number}")
    assert len({one.session_id for one in found}) == 1
    other = replace(CREATION, scope="globex/tok_2", session_id="ses_9", tenant=None, owner="globex/tok_2")
    assert await store.access.reserve(other) == other


async def the_newest_creation_is_the_last_by_its_key(store: Store) -> None:
    """Of its scope alone, whenever it was made."""
    assert await store.access.newest_creation(CREATION.scope) is None
    for session_id, key in (("ses_1", "2026-01-02"), ("ses_2", "2026-01-01")):
        await store.access.reserve(replace(CREATION, session_id=session_id, key=key))
    await store.access.reserve(replace(CREATION, scope="another", session_id="ses_3", key="2026-01-03"))
    newest = await store.access.newest_creation(CREATION.scope)
    assert newest == replace(CREATION, session_id="ses_1", key="2026-01-02")


async def a_session_is_its_tenants_and_its_owners(store: Store) -> None:
    """And nobody's where it was not started at the service."""
    await start(store, "ses_1")
    await start(store, "ses_2")
    await store.access.reserve(CREATION)
    assert await store.access.tenant_of("ses_1") == "acme"
    assert await store.access.tenant_of("ses_2") is None
    assert list(await store.access.sessions_of("acme")) == ["ses_1"]
    assert list(await store.access.sessions_of("globex")) == []
    assert await store.access.started_by("acme/tok_1", "ses_1")
    assert not await store.access.started_by("acme/tok_1", "ses_2")
    assert not await store.access.started_by("acme/tok_2", "ses_1")
    assert [row.id for row in await store.sessions(tenant="acme")] == ["ses_1"]
    newest, oldest = [row.id for row in await store.sessions()]
    assert [row.id for row in await store.sessions(before=newest)] == [oldest]
    assert await store.sessions(before=oldest) == []


async def audit_events_are_numbered_and_linked(store: Store) -> None:
    """Each link holds for all that came before it."""
    first = await store.access.record_audit(DONE)
    second = await store.access.record_audit(replace(DONE, result="refused"))
    assert (first.number, second.number) == (1, 2)
    assert len({first.link, second.link, ""}) == 3
    assert await store.access.audit_events() == [first, second]
    assert await store.access.audit_events(1) == [second]
    assert await store.access.audit_events(0, 1) == [first]
    other = await store.access.record_audit(replace(DONE, tenant="globex"))
    assert await store.access.audit_events(tenant="globex") == [other]
    assert await store.access.audit_events(1, 1, tenant="acme") == [second]


async def what_was_seen_of_a_call_is_forgotten_with_its_session(store: Store) -> None:
    """The links hold still: they are made of what stays."""
    for name in ("ses_1", "ses_2"):
        await start(store, name)
        link = ConfirmationLink(name, f"{name}.1", "d" * 64, None, START + timedelta(hours=1))
        await store.access.add_confirmation_link(link, START, 5)
    told = ("ses_1.1", "ses_2.1", "/v1/requests/ses_1.1/answers", "/v1/requests/ses_12.1/answers")
    answers = [replace(DONE, about=about, digest="d" * 64) for about in told]
    seen = [await store.access.record_audit(one) for one in answers]
    assert seen[0].mark not in ("", seen[1].mark)
    await store.erase("ses_1")
    first, second, third, fourth = seen
    first, third = (replace(one, digest="", salt="") for one in (first, third))
    assert await store.access.audit_events() == [first, second, third, fourth]
    assert await store.access.confirmation_link("ses_1") is None
    assert await store.access.confirmation_link("ses_2") is not None


async def a_claim_holds_for_a_while_and_against_others_alone(store: Store) -> None:
    """Whoever has it prolongs it; another gets told whose it is, or takes it."""
    access, minute = store.access, timedelta(minutes=1)
    mine = RequestClaim("ses_1.1", "dana", START + 10 * minute)
    assert await access.claim_request(mine, START) == mine
    others = replace(mine, person="lee", until=START + 12 * minute)
    assert await access.claim_request(others, START + minute) == mine
    longer = replace(mine, until=START + 11 * minute)
    assert await access.claim_request(longer, START + minute) == longer
    assert await access.request_claims(START + minute) == {"ses_1.1": longer}
    assert not await access.release_request("ses_1.1", "lee")
    assert await access.claim_request(others, START + minute, take=True) == others
    assert not await access.release_request("ses_1.1", "dana")
    assert await access.request_claims(others.until) == {}
    assert await access.claim_request(mine, others.until) == mine
    assert await access.release_request("ses_1.1", "dana")
    assert not await access.release_request("ses_1.1", "dana")


async def an_absence_is_told_until_it_is_over_or_taken_back(store: Store) -> None:
    """The soonest first; what is over goes away with the next."""
    access, day = store.access, timedelta(days=1)
    later = Absence("abs_2", "dana", START + 2 * day, START + 4 * day, "lee", "acme", "tok_1")
    sooner = Absence("abs_1", "lee", START, START + day, None, None, "tok_2")
    for one in (later, sooner):
        await access.add_absence(one, START)
    assert list(await access.absences()) == [sooner, later]
    assert [one.holds(START) for one in (sooner, later)] == [True, False]
    assert not sooner.holds(sooner.ends), "who comes back is back"
    third = replace(sooner, id="abs_3", begins=START + 3 * day, ends=START + 5 * day)
    await access.add_absence(third, sooner.ends)
    assert list(await access.absences()) == [later, third]
    assert await access.end_absence("abs_2")
    assert not await access.end_absence("abs_2")
    assert list(await access.absences()) == [third]


async def a_confirmation_link_is_used_once(store: Store) -> None:
    """What is over goes away with the next."""
    access, hour = store.access, timedelta(hours=1)
    one = ConfirmationLink("h1", "ses_1.1", "d" * 64, "acme", START + hour)
    other = ConfirmationLink("h2", "ses_2.1", "e" * 64, None, START + 3 * hour, "tok_1")
    assert await access.add_confirmation_link(one, START, 1)
    assert not await access.add_confirmation_link(replace(one, secret_hash="h3"), START, 1)
    assert await access.confirmation_link("h1") == one
    assert await access.end_confirmation_link("h1")
    assert not await access.end_confirmation_link("h1")
    assert await access.confirmation_link("h1") is None
    assert await access.add_confirmation_link(one, START, 1)
    assert await access.add_confirmation_link(other, one.expires_at, 1)
    assert await access.confirmation_link("h1") is None
    assert await access.confirmation_link("h2") == other


ACCESS: Mapping[str, Callable[[Store], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        a_token_is_found_by_its_secret_and_ends_once,
        a_login_is_found_until_it_is_ended_or_has_expired,
        a_creation_stands_whoever_asks_again,
        the_newest_creation_is_the_last_by_its_key,
        a_session_is_its_tenants_and_its_owners,
        audit_events_are_numbered_and_linked,
        what_was_seen_of_a_call_is_forgotten_with_its_session,
        a_claim_holds_for_a_while_and_against_others_alone,
        an_absence_is_told_until_it_is_over_or_taken_back,
        a_confirmation_link_is_used_once,
    )
}
