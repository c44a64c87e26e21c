"""Loading: YAML as YAML 1.2 means it, a digest of what the documents say, and a stored bundle that is the same."""

from __future__ import annotations

import random
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from engine.bundle import yaml_reader
from engine.bundle.load import load_directory, load_stored
from engine.diagnostic import Diagnostic, SourceFile

# all that these reach of the core others reach too, under coverage
pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parent.parent.parent


def read(text: str) -> object:
    said: list[Diagnostic] = []
    node = yaml_reader.read(SourceFile("x.yaml", text), said.append)
    assert not said, said
    assert node is not None
    return node.plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("no", "no"), ("true", True), ("False", False), ("null", None), ("~", None),
        ("010", 10), ("1_000", "1_000"), ("0o17", 15), ("0x1f", 31),
        ("1e3", 1000), ("250.00", 250), ("0.1", Decimal("0.1")),
        ("2026-11-23", "2026-11-23"), ("12:30:45", "12:30:45"), ("'5'", "5"), ("=", "="), ("1.", 1), ("", None),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    assert read(f"a: {text}\n") == {"a": value}


def test_anchors_and_aliases_stand_for_their_value_and_merge_is_only_a_key() -> None:
    assert read("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}
    assert read("a: &x {b: 1}\nc: {<<: *x}\n") == {"a": {"b": 1}, "c": {"<<": {"b": 1}}}


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    copied(tmp_path)
    before = load_directory(tmp_path)
    for path in tmp_path.rglob("*.yaml"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = load_directory(tmp_path)
    assert [d.code for d in after.diagnostics] == []
    assert before.bundle is not None
    assert after.bundle is not None


def copied(at: Path) -> Path:
    for name in ("specs", "policies", "prompts", "fixtures"):
        shutil.copytree(ROOT / name, at / name, ignore=shutil.ignore_patterns("*.db*"))
    return at


def digest(at: Path) -> str:
    bundle = load_directory(at).bundle
    assert bundle is not None
    return bundle.digest


def test_layout_comments_file_names_and_the_order_of_keys_do_not_change_the_digest(tmp_path: Path) -> None:
    copied(tmp_path)
    before = digest(tmp_path)
    dice = random.Random(1)
    for folder in ("policies", "fixtures"):
        for number, path in enumerate(sorted((tmp_path / folder).glob("*.yaml"))):
            plain = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
            shuffled = dict(dice.sample(list(yaml.safe_load(path.read_text("utf-8")).items()), len(plain)))
            path.unlink()
            text = yaml.safe_dump(shuffled, sort_keys=False, allow_unicode=True, default_flow_style=None)
            (tmp_path / folder / f"z{number}.yaml").write_text("# another layout\n" + text, "utf-8")
    assert digest(tmp_path) == before


def test_databases_and_outputs_are_no_part_of_the_digest_and_content_is(tmp_path: Path) -> None:
    copied(tmp_path)
    before = digest(tmp_path)
    (tmp_path / "specs/databases/billing.db").write_bytes(b"x")
    (tmp_path / ".engine").mkdir()
    (tmp_path / ".engine/engine.db").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    assert digest(tmp_path) == before
    article = tmp_path / "specs/databases/help/pin-change.md"
    article.write_text(article.read_text("utf-8") + "\nMore.\n", "utf-8")
    assert digest(tmp_path) != before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("policies/refunds.yaml", "refund_threshold_usd: 250", "refund_threshold_usd: 251"),
        ("specs/agents/support-triage.yaml", "steps: 12", "steps: 13"),
        ("prompts/support-triage.md.j2", "two or three", "three or four"),
        ("specs/databases/billing.sql", "acct_1001", "acct_1009"),
    ],
)
def test_what_a_bundle_says_changes_its_digest(tmp_path: Path, path: str, old: str, new: str) -> None:
    copied(tmp_path)
    before = digest(tmp_path)
    text = (tmp_path / path).read_text("utf-8")
    (tmp_path / path).write_text(text.replace(old, new), "utf-8")
    assert digest(tmp_path) != before


def test_a_stored_bundle_is_the_same_bundle_without_a_look_at_the_disk() -> None:
    bundle = load_directory(ROOT).bundle
    assert bundle is not None
    stored = load_stored(bundle.files).bundle
    assert stored is not None
    assert stored.digest == bundle.digest
    assert stored.agents.keys() == bundle.agents.keys()
    assert stored.files == bundle.files


def test_diagnostics_come_all_at_once_by_place_and_what_others_stand_on_first(tmp_path: Path) -> None:
    copied(tmp_path)
    for path, old, new in (
        ("policies/refunds.yaml", "account.verified and", "account.verifed and"),
        ("policies/refunds.yaml", "[refund-reviewers]", "[refund-reviewer]"),
        ("specs/agents/support-triage.yaml", "steps: 12", "steps: many"),
        ("specs/tools/search_docs.yaml", "effect: read", "effect: reed"),
    ):
        text = (tmp_path / path).read_text("utf-8")
        (tmp_path / path).write_text(text.replace(old, new, 1), "utf-8")
    loaded = load_directory(tmp_path)
    places = [(d.place.file, d.place.line) for d in loaded.diagnostics]
    assert places == sorted(places, key=lambda place: (place[0].startswith("policies/"), place))
    assert {d.code for d in loaded.diagnostics} == {"E402", "E307", "E202", "E204"}


def test_a_policy_at_fault_is_the_only_complaint_though_fixtures_expect_its_rules(tmp_path: Path) -> None:
    path = copied(tmp_path) / "policies/refunds.yaml"
    path.write_text(path.read_text("utf-8").replace("effect:", "efect:", 1), "utf-8")
    assert {d.code for d in load_directory(tmp_path).diagnostics} == {"E201"}
