"""People log in at a provider and machines show its tokens; what it does not vouch for lets nobody in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.cli.shell import Shell, copy_of_root
from tests.web.provider import SECRET, Provider, open_provider
from tests.web.service import Service, open_service, opening
from tests.web.test_pages import HTML, fields_of, held

CONFIG = """\
kind: Service
include: [access.yaml]
"""
ACCESS = """\
kind: Access
people: {{issuer: "{issuer}", client_id: engine, client_secret: "${{secret:OIDC_SECRET}}"}}
machines: {{issuer: "{issuer}", audience: engine-api}}
grants:
  - {{group: refund-desk, roles: [reviewer]}}
  - {{group: books, roles: [auditor, reviewer], tenant: globex}}
  - {{client: backend, roles: [caller], tenant: acme}}
  - {{subject: u-ops, roles: [operator]}}
persons: {{dana: u-dana}}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with open_provider() as opened:
        opened.people = {
            "u-dana": {"name": "Dana Q.", "groups": ["refund-desk", "staff"]},
            "dana": {"name": "dana", "groups": ["refund-desk"]},
            "u-ops": {"name": "Olu"},
            "u-books": {"name": "Bea", "groups": "books"},
            "u-nobody": {"name": "No", "groups": ["elsewhere"]},
        }
        yield opened


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Service]:
    at: Path = copy_of_root(tmp_path_factory.mktemp("identity"))
    (at / "engine.yaml").write_text(CONFIG)
    (at / "access.yaml").write_text(ACCESS.format(issuer=provider.issuer))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OIDC_SECRET", SECRET)
        with open_service(Shell(at), "--config", "engine.yaml") as opened:
            yield opened


class Browser:
    """A browser that knows two sites: it goes where it is sent, with the cookies of each."""

    def __init__(self, service: Service, who: str) -> None:
        self.service, self.who, self.cookies = service, who, dict[str, str]()

    def get(self, path: str, **headers: str) -> httpx2.Response:
        told = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self.service.client() as client:
            response = client.get(path, headers={**HTML, "cookie": told, **headers})
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(line.split("; ")), line
            self.cookies[name] = value.strip('"')
        return response

    def post(self, path: str, fields: dict[str, str]) -> httpx2.Response:
        told = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self.service.client() as client:
            return client.post(path, data=fields, headers={**HTML, "cookie": told})

    def at_provider(self, after: str = "/inbox") -> str:
        """Where the provider sends them back to."""
        sent = self.get(f"/login/provider?next={after}")
        assert sent.status_code == 303, sent.text
        answered = httpx2.get(sent.headers["location"], headers={"cookie": f"who={self.who}"})
        return str(answered.headers["location"])

    def log_in(self, after: str = "/inbox") -> httpx2.Response:
        back = urlsplit(self.at_provider(after))
        return self.get(f"{back.path}?{back.query}")


def test_a_person_logs_in_at_the_provider_and_answers_as_who_they_are_here(service: Service) -> None:
    request = held(service)
    browser = Browser(service, "u-dana")
    assert "Log in with" in browser.get("/login").text
    done = browser.log_in(f"/inbox/{request}")
    assert (done.status_code, done.headers["location"]) == (303, f"/inbox/{request}")
    page = browser.get(f"/inbox/{request}")
    assert "dana" in page.text
    answered = browser.post(f"/inbox/{request}/answer", fields_of(page.text) | {"answer": "approve"})
    assert answered.status_code == 303, answered.text
    with service.client("ops", "operator") as ops:
        events = ops.get(f"/v1/sessions/{request.rpartition('.')[0]}/events").json()["items"]
    (said,) = [event for event in events if event["kind"] == "request_answered"]
    assert said["by"] == "dana"


def test_a_name_that_somebody_chose_at_the_provider_is_nobodys_here(service: Service, provider: Provider) -> None:
    """`dana` is a member of the reviewers by her subject; another whose subject reads so is not her."""
    request = held(service)
    browser = Browser(service, "dana")
    assert browser.log_in().status_code == 303
    page = browser.get(f"/inbox/{request}")
    assert "You are not asked: refund-reviewers is" in page.text
    with service.client("ops", "operator") as ops:
        digest = ops.get(f"/v1/requests/{request}").json()["digest"]
    fields = fields_of(page.text) | {"digest": digest, "answer": "approve"}
    refused = browser.post(f"/inbox/{request}/answer", fields)
    assert refused.status_code == 409
    assert f"{provider.issuer}#dana is not a member" in refused.text


@pytest.mark.parametrize(("who", "status"), [("u-nobody", 403), ("unknown", 403), ("u-ops", 303), ("u-books", 303)])
def test_who_is_let_in_is_what_the_grants_say(service: Service, who: str, status: int) -> None:
    browser = Browser(service, who)
    assert browser.log_in().status_code == status
    assert browser.get("/inbox").status_code == (200 if status == 303 else 401)


def test_a_login_counts_in_the_browser_that_began_it_and_once(service: Service) -> None:
    victim, attacker = Browser(service, "u-dana"), Browser(service, "u-ops")
    back = urlsplit(attacker.at_provider())
    # a link that somebody else's login ends in
    assert victim.get(f"{back.path}?{back.query}").status_code == 403
    victim.get("/login/provider")
    assert victim.get(f"{back.path}?{back.query}").status_code == 403
    assert attacker.get(f"{back.path}?{back.query}").status_code == 303
    # its code was used up
    attacker.get("/login/provider")
    state = parse_qs(back.query)["state"][0]
    assert attacker.get(f"{back.path}?code=abc&state={state}").status_code == 403


@pytest.mark.parametrize(
    "after", ["https://evil.example", "//evil.example/inbox", "/login", "/inbox/../logout", "\\evil"]
)
def test_a_login_leads_to_a_page_of_ours(service: Service, after: str) -> None:
    assert Browser(service, "u-dana").log_in(after).headers["location"] == "/inbox"


@pytest.mark.parametrize(
    "twist",
    [
        {"aud": "another"}, {"iss": "https://id.example.org"}, {"nonce": "of another login"}, {"nonce": None},
        {"exp": 1}, {"exp": None}, {"exp": True}, {"nbf": time.time() + 9999}, {"sub": ""}, {"sub": 5},
        {"aud": ["engine", "other"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_this_login_lets_nobody_in(
    service: Service, provider: Provider, twist: dict[str, Any]
) -> None:
    provider.twist = twist
    try:
        browser = Browser(service, "u-dana")
        assert browser.log_in().status_code in (401, 403)
        assert browser.get("/inbox").status_code == 401
    finally:
        provider.twist = {}


def as_machine(service: Service, token: str) -> httpx2.Response:
    with service.client() as client:
        return client.post(
            "/v1/sessions", json=opening("acct_1001", None), headers={"authorization": f"Bearer {token}"}
        )


def test_a_machine_shows_a_token_of_the_provider_and_has_its_grant_alone(service: Service, provider: Provider) -> None:
    token = provider.machine("backend")
    made = as_machine(service, token)
    assert made.status_code == 201, made.text
    with service.client() as client:
        client.headers["authorization"] = f"Bearer {token}"
        assert client.get(f"/v1/sessions/{made.json()['id']}").json()["attributes"]["tenant"] == "acme"
        assert client.get("/v1/requests").status_code == 403
    assert as_machine(service, provider.machine("stranger")).status_code == 403
    # a machine that is in a group of reviewers still answers nothing
    desk = provider.machine("bot", groups=["refund-desk"])
    with service.client() as client:
        refused = client.post(
            f"/v1/requests/{held(service)}/answers", json={"answer": "approve", "digest": "x"},
            headers={"authorization": f"Bearer {desk}"},
        )  # fmt: skip
    assert refused.status_code == 403


def test_a_token_that_the_provider_did_not_sign_is_none(service: Service, provider: Provider) -> None:
    now = int(time.time())
    claims = {"iss": provider.issuer, "sub": "backend", "client_id": "backend", "aud": "engine-api", "exp": now + 99}
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    public = provider.keys[0].as_dict(private=False)
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)
    )
    confused = jwt.encode({"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(json.dumps(public)))
    for token in (
        provider.signed(claims, stranger), f"{unsigned}.", f"{unsigned}.AAAA", confused, "eyA.eyA.eyA", "ey..",
        provider.machine("backend", aud="another"), provider.machine("backend", exp=now - 100),
    ):  # fmt: skip
        assert as_machine(service, token).status_code == 401, token


def test_keys_that_are_rotated_are_fetched_and_a_strangers_key_fetches_nothing_twice(
    service: Service, provider: Provider
) -> None:
    assert as_machine(service, provider.machine("backend")).status_code == 201
    before = len(provider.asked)
    stranger = RSAKey.generate_key(2048, {"kid": "unheard-of"})
    claims = {"iss": provider.issuer, "sub": "backend", "aud": "engine-api", "exp": int(time.time()) + 99}
    for _ in range(20):
        assert as_machine(service, provider.signed(claims, stranger)).status_code == 401
    assert len(provider.asked) <= before + 2


@pytest.mark.parametrize(
    "more",
    [
        {"scope": "openid profile"}, {"nonce": "n"}, {"auth_time": 1}, {"sid": "s"}, {"preferred_username": "eve"},
        {"client_id": None, "sub": "backend"}, {"client_id": "customer"}, {"client_id": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_persons_token_is_no_machines(service: Service, provider: Provider, more: dict[str, Any]) -> None:
    assert as_machine(service, provider.machine("backend", **more)).status_code == 401


def test_a_machine_whose_token_is_for_several_is_known(service: Service, provider: Provider) -> None:
    token = provider.machine("backend", aud=["engine-api", "account"], azp="backend")
    assert as_machine(service, token).status_code == 201


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":' + b"[" * 9000,
        b'{"alg":"RS256","crit":5}',
        b'{"alg":"RS256","crit":[{}]}',
        b"5",
        b"[]",
        b"\xff",
        b'{"alg":5}',
    ],
    ids=lambda value: str(value[:30]),
)
def test_what_is_no_token_is_refused_and_ends_nothing(service: Service, header: bytes) -> None:
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, b"{}", b"x")]
    token = "ey" + ".".join(parts)[2:]
    assert as_machine(service, token).status_code == 401
    assert as_machine(service, ".".join(parts)).status_code == 401


def test_a_token_that_is_made_over_the_api_may_no_more_than_its_maker_and_answers_nothing(service: Service) -> None:
    ops = service.client("minter", "operator", "--scope", "manage_tokens", "--expires", "1h")
    with ops as client:
        for body, code in (
            ({"name": "a", "role": "operator"}, "beyond"), ({"name": "b", "role": "caller"}, "beyond"),
            ({"name": "c", "role": "reviewer"}, "made_elsewhere"),
            ({"name": "d", "role": "operator", "person": "dana", "scopes": ["manage_tokens"]}, "made_elsewhere"),
            ({"name": "e", "role": "operator", "groups": ["refund-desk"], "scopes": ["manage_tokens"]}, "made_elsewhere"),
            ({"name": "f", "role": "operator", "scopes": ["manage_tokens"]}, "beyond"),
        ):  # fmt: skip
            refused = client.post("/v1/tokens", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, code), body
        soon = datetime.fromtimestamp(time.time() + 60, UTC).isoformat()
        made = client.post(
            "/v1/tokens", json={"name": "g", "role": "operator", "scopes": ["manage_tokens"], "expires_at": soon}
        )
        assert made.status_code == 201, made.text


def test_only_who_started_a_session_speaks_for_its_customer(service: Service) -> None:
    with service.client("backend-1", "caller", "--tenant", "acme") as backend:
        made = backend.post("/v1/sessions", json=opening("acct_1002")).json()
    with service.client("ops-acme", "operator", "--tenant", "acme") as ops:
        for path, body in (
            ("messages", {"text": "pay it out"}), ("confirmations", {"answer": "yes", "tool": "open_refund_case"}),
            ("proposals", {"after": 1, "done": True}),
        ):  # fmt: skip
            refused = ops.post(f"/v1/sessions/{made['id']}/{path}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")


def test_a_good_token_logs_in_whatever_others_have_tried_from_the_same_address(service: Service) -> None:
    token = service.token("lee", "reviewer")
    with service.client() as client:
        codes = [
            client.post("/login", data={"token": "eng_live_nonsense"}, headers=HTML).status_code for _ in range(15)
        ]
        assert codes == [401] * 10 + [429] * 5
        assert client.post("/login", data={"token": token}, headers=HTML).status_code == 303


def test_a_path_with_a_line_end_is_refused_as_everything_is(service: Service) -> None:
    with service.client() as client:
        refused = client.get("/x%0ay")
    assert refused.status_code == 400
    assert refused.headers["content-security-policy"]


def test_a_provider_that_is_away_is_not_asked_over_and_over(service: Service, provider: Provider) -> None:
    """And a machine whose key is known is let in meanwhile."""
    token = provider.machine("backend")
    assert as_machine(service, token).status_code == 201
    before = len(provider.asked)
    stranger = RSAKey.generate_key(2048, {"kid": "never heard of"})
    claims = {"iss": provider.issuer, "sub": "backend", "aud": "engine-api", "exp": int(time.time()) + 99}
    for _ in range(5):
        assert as_machine(service, provider.signed(claims, stranger)).status_code in (401, 503)
    assert len(provider.asked) <= before + 2
    assert as_machine(service, token).status_code == 201
