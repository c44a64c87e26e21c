"""A store that somebody else can write: snapshots and bundles are held against the log before anything acts."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import zstandard

from engine.ports.records import CorruptLog
from engine.ports.tool import ToolInvocation
from engine.runtime import state_loader as states
from engine.runtime.errors import BundleUnavailable, NotAllowed
from engine.runtime.runner import Runner
from engine.runtime.state_loader import load_state
from engine.session.state.evolve import BrokenHistory, fold
from engine.session.state.persistent import copy_with
from engine.session.state.snapshot import snapshot
from engine.session.state.state import Approval, Phase, Status
from engine.store.log_key import LogKey
from engine.store.sqlite import open_store
from tests.cli.shell import Shell, copy_of_root
from tests.runtime.acting import Acting
from tests.runtime.test_engine import DONE, engine, plan, script, start
from tests.session.play import call
from tests.store.rewriting import rewrite

KEY = LogKey((b"k" * 32,))

# what fails closed: nothing acted, and somebody is told why
CLOSED = (CorruptLog, BrokenHistory, BundleUnavailable, NotAllowed)


class Watching(Acting):
    """Keeps what the tools were given."""

    def __init__(self, path: Path) -> None:
        self.given: list[Any] = []
        super().__init__(path, {"state": self.good, "held": self.keep, "write": self.keep})

    async def good(self, run: ToolInvocation) -> Any:
        return {"ok": True}

    async def keep(self, run: ToolInvocation) -> Any:
        self.given.append((run.tool.name, dict(run.input), dict(run.attributes)))
        return {}


def forge(path: Path, session: str, *swaps: tuple[str, str]) -> str:
    """Edit the text of a session's snapshot in the file; the rest of its row stays what it was."""
    raw = sqlite3.connect(path, isolation_level=None)
    (body,) = raw.execute("SELECT body FROM snapshots WHERE session_id = ?", (session,)).fetchone()
    text = zstandard.ZstdDecompressor().decompress(body).decode()
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new)
    body = zstandard.ZstdCompressor().compress(text.encode())
    raw.execute("UPDATE snapshots SET body = ? WHERE session_id = ?", (body, session))
    raw.close()
    return text


class Held:
    """A session that waits for ana's yes, with a genuine snapshot of it in a file."""

    def __init__(self, tmp_path: Path, store: Any) -> None:
        self.path = tmp_path / "e.db"
        self.acting = Watching(tmp_path / "runs.txt")
        self.store = store
        self.tmp = tmp_path
        self.session = ""

    def engine(self) -> Runner:
        """As another process has it: nothing is known but the store."""
        return engine(self.acting, script(plan(call("h", "held", n=480, to="acme")), DONE), self.store)

    async def parked(self) -> str:
        one = self.engine()
        self.session = await start(one, self.tmp)
        state = await one.drive(self.session)
        assert state.status is Status.AWAITING_HUMAN_REVIEW
        await states.keep_state(self.store, fold(await self.store.load(self.session)), 0)
        raw = sqlite3.connect(self.path)
        assert raw.execute("SELECT count(*) FROM snapshots").fetchone()[0] >= 1, "it has a genuine snapshot"
        raw.close()
        return self.session

    async def approved(self) -> None:
        one = self.engine()
        with trio.move_on_after(600):
            with suppress(*CLOSED):
                await one.answer(f"{self.session}.1", "approve", "ana")
                await one.drive(self.session)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "EVERY", 1)


FORGED: dict[str, tuple[tuple[str, str], ...]] = {
    "its input": (('"n",480', '"n",77777'),),
    "an input's text": (('"acme"', '"evil"'),),
    "its tool": (('"held",["map"', '"write",["map"'),),
    "what it was asked for": (('"leads"', '"nobody"'),),
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", ["its input", "its tool"])
async def test_a_call_runs_as_the_log_has_it_whatever_a_snapshot_says(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        forge(held.path, held.session, *FORGED[what])
        await held.approved()
        assert held.acting.given in ([], [("held", {"n": 480, "to": "acme"}, {"tenant": "acme"})])


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", FORGED)
async def test_a_session_is_as_its_log_has_it_whatever_a_snapshot_says(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        before = await load_state(store, held.session)
        forge(held.path, held.session, *FORGED[what])
        assert await load_state(store, held.session) == before


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", ["its input", "its tool"])
async def test_a_snapshot_is_worth_nothing_to_who_has_no_key(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
    forge(held.path, held.session, *FORGED[what])
    async with open_store(tmp_path / "e.db") as store:
        held.store = store
        assert await store.verify(held.session)
        (call_,) = (await load_state(store, held.session)).calls.values()
        assert (call_.name, dict(call_.input)) == ("held", {"n": 480, "to": "acme"})


@pytest.mark.usefixtures("often")
async def test_a_call_runs_once_the_log_is_whole_and_its_snapshot_genuine(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        assert await store.verify(held.session) == []
        await held.approved()
        assert held.acting.given == [("held", {"n": 480, "to": "acme"}, {"tenant": "acme"})]
        assert await store.verify(held.session) == []


@pytest.mark.usefixtures("often")
async def test_an_approval_that_only_a_snapshot_has_starts_no_call(tmp_path: Path) -> None:
    """The snapshot of a session whose call was approved, under the log of one whose was not."""
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        state = await load_state(store, held.session)
        (one,) = state.calls.values()
        yes = Approval(frozenset({"ask"}), frozenset({"leads"}), one.digest, "ana", False)
        # the call stands behind its gate again, as behind a yes
        behind = copy_with(one, approvals=(yes,), phase=Phase.PROPOSED, asked=None)
        (asked,) = state.open_requests()
        answered = state.requests.with_item(
            asked.id,
            replace(
                asked, answered={"by": "ana", "action": "approve", "digest": one.digest, "note": "", "value": None}
            ),
        )
        forged = copy_with(state, calls=state.calls.with_item(one.id, behind), status=Status.RUNNING, requests=answered)
        body = zstandard.ZstdCompressor().compress(snapshot(forged).encode())
        raw = sqlite3.connect(held.path, isolation_level=None)
        raw.execute("UPDATE snapshots SET body = ? WHERE session_id = ?", (body, held.session))
        raw.close()
        runner = held.engine()
        with trio.move_on_after(600):
            with suppress(*CLOSED):
                await runner.drive(held.session)
        assert held.acting.given == []


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("what", FORGED)
async def test_verify_finds_a_snapshot_that_says_something_else_than_the_log(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        assert await store.verify(held.session) == []
        forge(held.path, held.session, *FORGED[what])
        assert await store.verify(held.session)


@pytest.mark.usefixtures("often")
async def test_the_snapshot_of_another_session_is_none(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        first, second = Held(tmp_path, store), Held(tmp_path, store)
        await first.parked()
        one = engine(second.acting, script(plan(call("h", "held", n=77777)), DONE), store)
        second.session = await start(one, tmp_path)
        await one.drive(second.session)
        raw = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        raw.execute("UPDATE snapshots SET session_id = 'x' WHERE session_id = ?", (first.session,))
        raw.execute("UPDATE snapshots SET session_id = ? WHERE session_id = ?", (first.session, second.session))
        raw.close()
        state = await load_state(store, first.session)
        assert state == fold(await store.load(first.session))
        assert await store.verify(first.session)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("further", [1, 1000])
async def test_a_snapshot_beyond_the_end_of_its_log_is_none_and_nobody_waits_for_it(
    further: int, tmp_path: Path
) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        log = await store.load(held.session)
        raw = sqlite3.connect(held.path, isolation_level=None)
        (seq,) = raw.execute("SELECT seq FROM snapshots").fetchone()
        raw.execute("UPDATE snapshots SET seq = ?", (log[-1].seq + further,))
        raw.close()
        forge(held.path, held.session, (f'"{held.session}",{seq},', f'"{held.session}",{log[-1].seq + further},'))
        assert (await load_state(store, held.session)).seq == log[-1].seq


@pytest.mark.usefixtures("often")
async def test_a_snapshot_of_a_log_that_was_written_anew_is_none(tmp_path: Path) -> None:
    """The log says 1, and was rewritten with its whole chain; the snapshot still says 480."""
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await held.parked()
        rewrite(held.path, held.session, "480", "1")
        with pytest.raises(CorruptLog):
            await load_state(store, held.session)
        assert await store.verify(held.session)
    # who has no key reads the log, which is whole in itself, and finds that the snapshot is of another
    async with open_store(tmp_path / "e.db") as store:
        assert await load_state(store, held.session) == fold(await store.load(held.session))
        assert await store.verify(held.session), "the snapshot carries the link of another event"


# -- bundles

Edit = Callable[[str], str]


def tampered(path: Path, edit: Edit) -> int:
    """Edit the files of all stored bundles in place."""
    raw = sqlite3.connect(path)
    count = 0
    for digest, files in raw.execute("SELECT digest, files FROM bundles").fetchall():
        told = {}
        for name, text in json.loads(files).items():
            old = base64.b64decode(text).decode()
            count += edit(old) != old
            told[name] = base64.b64encode(edit(old).encode()).decode()
        raw.execute("UPDATE bundles SET files = ? WHERE digest = ?", (json.dumps(told), digest))
    raw.commit()
    raw.close()
    return count


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path))


def parked(shell: Shell) -> tuple[str, str]:
    assert shell.triage("acct_1002").code == 3
    (row,) = shell("review", "list", "--format", "json").json
    return row["session_id"], row["id"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dana", "mallory"),
        ("refund_threshold_usd: 250", "refund_threshold_usd: 999999"),
        ("effect: write", "effect: read"),
    ],
)
def test_a_stored_bundle_that_was_edited_is_not_used(shell: Shell, old: str, new: str) -> None:
    session, request = parked(shell)
    assert tampered(shell.at / "store.db", lambda text: text.replace(old, new))
    for arguments in (
        ("review", "approve", request, "--as", "mallory"), ("review", "approve", request, "--as", "lee"),
        ("resume", session),
    ):  # fmt: skip
        done = shell(*arguments)
        assert done.code == 5, (arguments, done.out, done.err[-300:])
        assert "Traceback" not in done.err
    assert shell.rows() == [[0]]


def test_a_bundle_under_the_digest_of_another_is_not_used(shell: Shell) -> None:
    session, request = parked(shell)
    path = shell.at / "specs/reviewers/refund-reviewers.yaml"
    path.write_text(path.read_text().replace("dana", "mallory"))
    assert shell("deploy", ".").code == 0
    raw = sqlite3.connect(shell.at / "store.db")
    (own,) = raw.execute("SELECT bundle FROM sessions WHERE id = ?", (session,)).fetchone()
    raw.execute("UPDATE bundles SET files = (SELECT files FROM bundles WHERE digest != ?1) WHERE digest = ?1", (own,))
    raw.commit()
    raw.close()
    assert shell("review", "approve", request, "--as", "mallory").code == 5
    assert shell.rows() == [[0]]


def test_a_bundle_of_another_layout_that_says_the_same_is_the_same(shell: Shell) -> None:
    session, _ = parked(shell)
    assert tampered(shell.at / "store.db", lambda text: text + "\n# a comment\n" if "kind: Tool" in text else text)
    assert shell("resume", session).code == 3


def test_past_sessions_are_not_judged_by_an_edited_bundle(shell: Shell) -> None:
    session, _ = parked(shell)
    assert tampered(
        shell.at / "store.db", lambda text: text.replace("refund_threshold_usd: 250", "refund_threshold_usd: 9")
    )
    for arguments in (("replay", session), ("explain", session)):
        done = shell(*arguments)
        assert "Traceback" not in done.err, done.err[-300:]
        assert "refund_threshold_usd = 9" not in done.out


# -- what people are shown


def test_a_request_in_the_inbox_that_says_something_else_than_the_log_is_found(shell: Shell) -> None:
    session, request = parked(shell)
    raw = sqlite3.connect(shell.at / "store.db")
    copy_with = raw.execute("UPDATE requests SET payload = replace(payload, '480', '48')").rowcount
    raw.commit()
    raw.close()
    assert copy_with
    assert shell("sessions", "verify", session).code == 1
    shown = shell("review", "show", request, "--format", "json")
    assert shown.code != 0 or shown.json["input"]["amount_usd"] == 480


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM requests", "UPDATE requests SET status = 'answered'",
        "UPDATE idempotency_keys SET status = 'ok', output = '{\"case_id\": \"forged\"}'",
        "DELETE FROM idempotency_keys", "UPDATE idempotency_keys SET holder = 'x/y'",
    ],
)  # fmt: skip
def test_what_stands_beside_the_log_is_held_against_it(shell: Shell, change: str) -> None:
    session, request = parked(shell)
    if "idempotency" in change:
        assert shell("review", "approve", request, "--as", "dana").code == 0
        change = change.replace("'ok'", "'in_flight'") if "forged" not in change else change
    raw = sqlite3.connect(shell.at / "store.db")
    touched = raw.execute(change).rowcount
    raw.commit()
    raw.close()
    if touched:
        assert shell("sessions", "verify", session).code == 1


# -- the digest of a call


@pytest.mark.usefixtures("often")
async def test_nothing_runs_on_another_input_than_the_one_that_was_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a state comes from: the input is held against the digest right before the call starts."""
    async with open_store(tmp_path / "e.db", KEY) as store:
        held = Held(tmp_path, store)
        await Held.parked(held)
        one = held.engine()
        await one.answer(f"{held.session}.1", "approve", "ana")
        state = await load_state(store, held.session)
        (asked,) = state.calls.values()
        assert asked.approvals
        forged = copy_with(
            state, calls=state.calls.with_item(asked.id, copy_with(asked, input={"n": 77777, "to": "evil"}))
        )

        async def other(store: Any, session_id: str) -> Any:
            return forged

        monkeypatch.setattr("engine.runtime.runner.load_state", other)
        with trio.move_on_after(600), pytest.raises(BrokenHistory):
            await held.engine().drive(held.session)
        assert held.acting.given == []


def test_the_inbox_lists_a_request_as_its_log_has_it(shell: Shell) -> None:
    _, request = parked(shell)
    before = shell("review", "list", "--format", "json").json
    raw = sqlite3.connect(shell.at / "store.db")
    (payload,) = raw.execute("SELECT payload FROM requests").fetchone()
    forged = json.loads(payload) | {"groups": ["everybody"], "message": "Please approve: 1 USD", "input": {"forged": 1}}
    raw.execute("UPDATE requests SET payload = ?, kind = 'choice', expires_at = NULL", (json.dumps(forged),))
    raw.commit()
    assert shell("review", "list", "--format", "json").json == before
    assert "1 USD" not in shell("review", "list").out
    # a request that no log has is there, and nothing that it says is shown
    raw.execute("UPDATE requests SET id = id || '9', payload = ?", (json.dumps(forged),))
    raw.commit()
    raw.close()
    (row,) = shell("review", "list", "--format", "json").json
    assert f"knows nothing of the request {request}9" in row["problem"]
    assert "everybody" not in str(row)
