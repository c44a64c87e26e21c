"""What is sealed for a person is gone with their key, in every copy of the store, and with it nothing else."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.bundle.load import load_stored
from engine.ports.resources import MissingSecret
from engine.proof.bundle_diff import changed_comparing
from engine.runtime.cipher import Cipher, NotOpened, Token
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.person_keys import KeyAway, KeyDestroyed, PersonKey, PersonKeys, UnsearchedFiles
from engine.runtime.runner import Runner
from engine.session.state.state import State, Status
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool

KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
MARKED = "{type: string, x-sensitive: true}"
OLD = Cipher([KEY["SEAL_KEY"]], KEY["SEAL_KEY"])
CODE = 'def grant(**given):\n    return {"note": "told ada-4411"}\n'


def made(seal: str = "sealed_with: ${secret:SEAL_KEY}\nsealed_for: user") -> Bundle:
    return bundle(*documents(seal))


def stored(seal: str) -> Bundle:
    found = load_stored({path: text.encode() for path, text in documents(seal)}).bundle
    assert found is not None
    return found


def documents(seal: str) -> list[tuple[str, str]]:
    path, text = agent("[grant]", policies="[rules]")
    text = text.replace("description: bot\n", f"description: bot\n{seal}\n", 1)
    text = text.replace("zip: {type: integer}", f"user: {MARKED}").replace(
        "required: [tenant]", "required: [tenant, user]"
    )
    decided = "[{message: x, tool_calls: [{id: a, name: grant, input: {what: door-77}}]}, {message: And now?}, {message: bye, done: true}]"
    return [
        (path, text.replace("[{message: hi, done: true}]", decided)), policy(ALLOW), ("specs/tools/code.py", CODE),
        tool("grant", "write", input=f"{{type: object, properties: {{what: {MARKED}}}}}",
             output=f"{{type: object, properties: {{note: {MARKED}}}}}",
             more="idempotency: {key: [input.what], honoured_by: engine}\n"
                  "adapter: {kind: python, file: specs/tools/code.py, function: grant}"),
    ]  # fmt: skip


class Desk:
    def __init__(self, folder: Path) -> None:
        self.store, self.people = MemoryStore(), PersonKeys(folder)

    def engine(self, secrets: dict[str, str] = KEY) -> Runner:
        return Runner(self.store, secrets=HostSecrets(secrets), people=self.people)

    async def run(self, user: str, bundle_: Bundle | None = None) -> State:
        opening = Opening("bot", "hi", {"tenant": "acme", "user": user})
        return await self.engine().run(bundle_ or made(), opening, Path("."))

    def destroy(self, user: str) -> bool:
        return self.people.destroy(user, OLD)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "keys")


async def test_what_is_sealed_for_a_person_can_not_be_opened_once_their_key_is_destroyed(desk: Desk) -> None:
    ada, bela = await desk.run("ada-4411"), await desk.run("bela-4412")
    assert (await desk.engine().load(ada.session_id)).calls["a"].input == {"what": "door-77"}
    assert desk.destroy("ada-4411")
    with pytest.raises(KeyDestroyed, match="destroyed"):
        await desk.engine().load(ada.session_id)
    # it can be listed, looked at and verified, and others go on
    assert (await desk.engine().look(ada.session_id)).attributes["user"] == "[sensitive]"
    assert await desk.store.verify(ada.session_id) == []
    assert (await desk.engine().load(bela.session_id)).attributes["user"] == "bela-4412"
    assert not desk.destroy("ada-4411")


async def test_the_key_of_a_person_who_comes_back_opens_nothing_of_before(
    desk: Desk,
) -> None:
    ada = await desk.run("ada-4411")
    desk.destroy("ada-4411")
    again = await desk.run("ada-4411")
    assert (await desk.engine().load(again.session_id)).attributes["user"] == "ada-4411"
    with pytest.raises(NotOpened):
        await desk.engine().load(ada.session_id)


def asking() -> Bundle:
    """The same, with a call that waits for a person's yes."""
    ask = (
        ALLOW + "\n  - {id: ask, tools: writes, effect: require_approval, approvers: [leads], message: 'For ada-4411?'}"
    )
    kept = [one for one in documents("sealed_with: ${secret:SEAL_KEY}\nsealed_for: user") if "policies/" not in one[0]]
    return bundle(*kept, policy(ask), reviewers("leads", "[ana]"))


@pytest.mark.parametrize("by", ["mika", None])
async def test_a_session_that_waits_when_it_is_erased_ends_and_does_nothing_else(desk: Desk, by: str | None) -> None:
    ada = await desk.run("ada-4411", asking())
    assert ada.status is Status.AWAITING_HUMAN_REVIEW
    desk.destroy("ada-4411")
    engine = desk.engine()
    for act in (engine.send(ada.session_id, "more"), engine.answer(f"{ada.session_id}.1", "approve", "ana")):
        with pytest.raises(KeyDestroyed):
            await act
    if by is not None:
        await engine.cancel(ada.session_id, by)
    # whoever drives it, be it a worker, finds that it can only end
    state = await desk.engine().drive(ada.session_id)
    assert (state.status, state.cancel_by) == (Status.CANCELLED, by or "engine keys erase")
    assert await desk.store.requests(open_only=True) == []
    assert await desk.store.verify(ada.session_id) == []
    stored = str([event.payload for event in await desk.store.load(ada.session_id)])
    assert "ada-4411" not in stored
    assert (await desk.engine().drive(ada.session_id)).status is Status.CANCELLED


async def test_nothing_goes_on_in_a_session_that_is_erased(desk: Desk) -> None:
    ada = await desk.run("ada-4411", asking())
    desk.destroy("ada-4411")
    engine = desk.engine()
    await engine.cancel(ada.session_id, "mika")
    with pytest.raises(KeyDestroyed):
        await engine.send(ada.session_id, "more")


async def test_a_write_stays_known_after_what_it_brought_was_erased(desk: Desk) -> None:
    await desk.run("ada-4411")
    reused = await desk.run("bela-4412")
    # what one session brought another may have: it has the key
    assert [call.result.output for call in reused.calls.values() if call.result] == [{"note": "told ada-4411"}]
    desk.destroy("ada-4411")
    result = (await desk.run("bela-4412")).calls["a"].result
    assert result is not None
    assert (result.status, result.reason) == ("blocked", "idempotency_erased")


async def test_keys_lie_where_somebody_has_said_wrapped_and_open_to_nobody_else(desk: Desk) -> None:
    await desk.run("ada-4411")
    for file in desk.people.folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert "ada-4411" not in file.name + file.read_text()
        assert file.name == ".lock" or file.read_text().startswith("sealed:1:")
    homeless = Runner(desk.store, secrets=HostSecrets(KEY), people=PersonKeys(None))
    with pytest.raises(MissingSecret, match="ENGINE_PERSON_KEYS"):
        await homeless.run(made(), Opening("bot", "hi", {"tenant": "acme", "user": "ada-4411"}), Path("."))


async def test_to_replace_what_wraps_them_no_log_is_touched(desk: Desk) -> None:
    ada = await desk.run("ada-4411")
    both = Cipher(["the next key of the tests, long enough", KEY["SEAL_KEY"]], KEY["SEAL_KEY"])
    assert len(list(desk.people.wrapped_anew(both))) == 1
    # sessions of before have a bundle that names the secret by its name
    renewed = desk.engine({"SEAL_KEY": "the next key of the tests, long enough"})
    with pytest.raises(NotOpened):
        await desk.engine().load(ada.session_id)
    assert desk.people.has("ada-4411", Cipher(["the next key of the tests, long enough"], ""))
    assert (await renewed.load(ada.session_id)).attributes["user"] == "ada-4411"


async def test_two_that_draw_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    people, cipher, found = PersonKeys(tmp_path / "keys"), Cipher(["one"], "one"), list[PersonKey]()

    def draw() -> None:
        found.append(people.drawn("p", cipher))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(trio.to_thread.run_sync, draw)
    assert len(found) == 8
    assert len(set(found)) == 1


NEXT = Cipher(["the next key of the tests, long enough"], "the next key of the tests, long enough")
BOTH = Cipher(["the next key of the tests, long enough", KEY["SEAL_KEY"]], KEY["SEAL_KEY"])


def test_a_key_is_found_whatever_writes_are_compared_with(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path)
    one = people.drawn("ada", OLD)
    assert [done for _, done in people.wrapped_anew(BOTH)] == [True]
    # the old key is away, and with it the one that writes were compared with
    assert people.drawn("ada", NEXT) == one
    assert people.destroy("ada", NEXT)
    with pytest.raises(KeyDestroyed):
        people.of(one.called, NEXT)


def earlier(people: PersonKeys, person: Any, cipher: Cipher, key: str = "the key of before") -> str:
    """A key as an earlier version has drawn it; what its sessions call it."""
    name = cipher.comparable(["person", person]).removeprefix("hmac:1:")
    people.folder.mkdir(exist_ok=True)
    (people.folder / f"{name}.key").write_text(cipher.seal(key))
    return name


def test_a_key_of_an_earlier_version_is_found_and_has_its_new_name_once_it_was_met(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path / "keys")
    called = earlier(people, "ada", OLD)
    assert people.of(called, OLD) == "the key of before"
    assert people.drawn("ada", OLD).key == "the key of before"
    assert not list(people.folder.glob("*.key"))
    # a stored session still calls it by the earlier name
    assert people.of(called, OLD) == "the key of before"
    assert people.unsearched(OLD) == UnsearchedFiles((), (), ())
    assert people.destroy("ada", Cipher([KEY["SEAL_KEY"]], "compared with another key by now, long"))
    with pytest.raises(KeyDestroyed):
        people.of(called, OLD)


def test_a_key_of_an_earlier_version_that_nobody_has_met_is_destroyed_too(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path / "keys")
    called = earlier(people, "ada", OLD)
    assert len(people.unsearched(OLD).earlier) == 1
    # found under each key of `sealed_with`, of which one was compared with where nothing else was said
    assert people.destroy("ada", Cipher(["one of the others, as long as it has to be", KEY["SEAL_KEY"]], "and a third"))
    assert not list(people.folder.glob("*.key"))
    with pytest.raises(KeyDestroyed):
        people.of(called, OLD)


def test_what_a_death_in_the_midst_of_writing_a_key_has_left_is_destroyed_with_it(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path)
    people.drawn("ada", OLD)
    (key,) = tmp_path.glob("*.person")
    for left in (key.with_suffix(".new"), tmp_path / ".0011.new", tmp_path / ".draft"):
        left.write_bytes(key.read_bytes())
    assert people.destroy("ada", OLD)
    assert [file.name for file in tmp_path.iterdir() if file.suffix not in (".folder", ".erased", "")] == []
    assert not (tmp_path / ".draft").exists()


def try_lock(path: Path) -> None:
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("change", ["wrapped", "drawn"])
async def test_who_destroys_a_key_waits_for_who_changes_the_folder(tmp_path: Path, change: str) -> None:
    people, began, go = PersonKeys(tmp_path), threading.Event(), threading.Event()
    people.drawn("ada", OLD)

    class Slow(Cipher):
        def seal(self, value: Any) -> Token:
            began.set()
            go.wait()
            return super().seal(value)

    slow, done = Slow([KEY["SEAL_KEY"]], KEY["SEAL_KEY"]), list[bool]()
    if change == "drawn":
        assert people.destroy("ada", OLD)

    def changes() -> None:
        list(people.wrapped_anew(slow)) if change == "wrapped" else people.drawn("ada", slow)

    def destroys() -> None:
        done.append(people.destroy("ada", OLD))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, changes)
        await trio.to_thread.run_sync(began.wait)
        nursery.start_soon(trio.to_thread.run_sync, destroys)
        with pytest.raises(BlockingIOError):
            try_lock(tmp_path / ".lock")
        go.set()
    assert done == [True]
    assert not people.has("ada", OLD)


def test_a_key_that_is_only_away_is_not_told_as_destroyed(tmp_path: Path) -> None:
    called = PersonKeys(tmp_path / "here").drawn("ada", OLD).called
    with pytest.raises(KeyAway, match="elsewhere"):
        PersonKeys(tmp_path / "there").of(called, OLD)


def test_agents_that_share_a_folder_and_no_key_have_keys_of_their_own_there(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path)
    mine, theirs = people.drawn("ada", OLD), people.drawn("ada", NEXT)
    assert mine.key != theirs.key
    assert len(people.unsearched(OLD).closed) == 1
    assert [done for _, done in people.wrapped_anew(OLD)].count(False) == 2
    assert people.destroy("ada", OLD)
    assert people.of(theirs.called, NEXT) == theirs.key


def test_who_a_session_is_about_has_to_be_told() -> None:
    path, text = agent("[]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:K}\nsealed_for: user\n", 1)
    text = text.replace("zip: {type: integer}", f"user: {MARKED}")
    with pytest.raises(AssertionError, match="sealed_for"):
        bundle((path, text))


TWO = "sealed_with: ['${secret:B}', '${secret:A}']"


def test_what_writes_are_compared_with_while_a_key_is_replaced_has_to_be_said() -> None:
    with pytest.raises(AssertionError, match="E520"):
        made(TWO)
    made(TWO + "\ncompared_with: ${secret:A}")
    # where nothing that is compared is sensitive there is nothing to say
    without = [
        (path, text.replace("{key: [input.what], honoured_by: engine}", "none")) for path, text in documents(TWO)
    ]
    bundle(*without)
    # what sessions add to a meter that they share is compared as well
    meters = "budgets: {meters: {m: {sum: 1, over: [grant], limit: 9, per: session.user, window: 1h}}}"
    with pytest.raises(AssertionError, match="E520"):
        bundle(*((path, text.replace("budgets: {}", meters)) for path, text in without))


@pytest.mark.parametrize(
    ("before", "after", "loosens"),
    [
        ("sealed_with: ${secret:A}", "sealed_with: ${secret:B}", True),
        ("sealed_with: ${secret:A}", "sealed_with: ['${secret:B}', '${secret:A}']", False),
        ("sealed_with: ${secret:A}", "sealed_with: ${secret:B}\ncompared_with: ${secret:A}", False),
    ],
)
def test_a_change_after_which_writes_of_before_are_not_recognised_is_told_to_who_compares_bundles(
    before: str, after: str, loosens: bool
) -> None:
    # a bundle that was stored may have several keys and not say what it compares with
    found = [one.name for one in changed_comparing(stored(before), stored(after))]
    assert found == (["compared_with.bot:deny→allow"] if loosens else [])


def test_a_folder_that_has_lost_its_own_key_draws_no_other_and_tells_whom_it_can_not_find(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path / "keys")
    people.drawn("ada", OLD)
    (own,) = people.folder.glob("*.folder")
    own.rename(tmp_path / own.name)
    with pytest.raises(MissingSecret, match=r"put its .folder file back"):
        people.drawn("bob", OLD)
    (nameless,) = people.unsearched(OLD).nameless
    assert nameless.endswith(".person")
    assert not people.destroy("ada", OLD)
    (tmp_path / own.name).rename(own)
    assert people.unsearched(OLD) == UnsearchedFiles((), (), ())
    assert people.destroy("ada", OLD)


def test_keys_that_were_named_under_one_of_two_folder_keys_are_not_found_without_it(tmp_path: Path) -> None:
    people = PersonKeys(tmp_path / "keys")
    people.drawn("ada", OLD)
    before = set(people.folder.glob("*.folder"))
    people.drawn("ada", NEXT)
    (second,) = set(people.folder.glob("*.folder")) - before
    assert list(people.wrapped_anew(BOTH))
    assert people.unsearched(BOTH) == UnsearchedFiles((), (), ())
    second.unlink()
    assert len(people.unsearched(BOTH).nameless) == 1


def test_a_folder_of_keys_that_is_a_file_is_told_by_the_name_of_its_setting(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(MissingSecret, match=r"ENGINE_PERSON_KEYS names .* which is no folder"):
        PersonKeys(tmp_path / "keys").drawn("ada", OLD)
