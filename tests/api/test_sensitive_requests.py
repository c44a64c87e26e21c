"""Requests about calls whose input is sensitive: a program can tell them apart, and is shown nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Approve, NotAllowed, Request, load_bundle, open_engine
from engine.runtime.host_secrets import HostSecrets
from tests.bundle_texts import ALLOW, CODE, agent, policy, reviewers, tool

ASK = "  - {id: ask, tools: [pay], effect: require_approval, approvers: [bosses], reason: large, message: m}"
KEY = HostSecrets({"SEAL_KEY": "a key of the tests that is long enough to be one"})
# a sentence may hold what is sensitive, and is shown without
SAYS = "says: Pay to {{ input.iban }}"
INPUT = "{type: object, properties: {iban: {type: string, x-sensitive: true}}, required: [iban]}"


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """A bundle whose client proposes payments to accounts that are sensitive."""
    path, text = agent("[pay]", policies="[rules]", more="sealed_with: ${secret:SEAL_KEY}\n")
    text = text.replace("script: {kind: scripted, decisions: [{message: hi, done: true}]}", "script: {kind: client}")
    files = [
        (path, text),
        policy(f"{ALLOW}\n{ASK}"),
        reviewers("bosses", "[dana]"),
        tool("pay", "write", input=INPUT, more=SAYS),
    ]
    for name, content in [*files, ("specs/tools/code.py", CODE)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


async def test_an_approval_by_the_digest_that_was_shown_is_for_that_call_alone(at: Path) -> None:
    async with open_engine(f"sqlite:///{at / 'e.db'}", root=at, secrets=KEY) as one:
        digests = []
        for iban in ("DE02120300000000202051", "DE02120300000000202052"):
            session = await one.start(load_bundle(at), message="hi", attributes={"tenant": "acme"})
            held = await session.call("pay", {"iban": iban}, after=(await session.settled()).seq)
            assert isinstance(held, Request)
            digests.append(held.digest)
            assert [one.digest for one in await session.open_requests()] == [held.digest]
        assert len(set(digests)) == 2
        for wrong in (digests[0], "[sensitive]", ""):
            with pytest.raises(NotAllowed, match="another call"):
                await one.answer(held.id, Approve(by="dana"), digest=wrong)
        await one.answer(held.id, Approve(by="dana"), digest=digests[1])
        view = await session.settled()
        assert [call.status for call in view.calls] == ["ok"]
        assert iban not in str(view)


async def test_who_has_no_key_sees_the_request_and_no_digest(at: Path) -> None:
    url = f"sqlite:///{at / 'e.db'}"
    async with open_engine(url, root=at, secrets=KEY) as one:
        session = await one.start(load_bundle(at), message="hi", attributes={"tenant": "acme"})
        await session.call("pay", {"iban": "DE02120300000000202051"}, after=(await session.settled()).seq)
    async with open_engine(url, root=at, secrets=HostSecrets({})) as other:
        (request,) = await other.session(session.id, drive=False).open_requests()
        assert request.digest == "[sensitive]"


@pytest.mark.parametrize("id_", ["nope", "", "ses_1", "ses_1.x"])
async def test_a_request_that_is_none_is_told_as_one(id_: str, at: Path) -> None:
    async with open_engine("memory:", root=at, secrets=KEY) as one:
        with pytest.raises(NotAllowed, match=f"there is no request {id_}"):
            await one.answer(id_, Approve(by="dana"))
