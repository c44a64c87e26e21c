"""Any warning can be silenced where it stands, with a reason, and a needless silence is a warning itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from tests.cli.shell import Shell
from tests.marked_base import BASE, CLERK, POLICY, changed, codes_of, said_of
from tests.test_marked import CASES, MARKED, bundle_of, marks_of

# all that these reach of the core others reach too, under coverage
pytestmark = pytest.mark.untraced

LISTED = "tools: [find_order, refund_order, greet]"
NAMES = [f"look{letter * 3}" for letter in "abcdefghijk"]
WHY = "# engine: allow {} because the desk has that many forms"
W613 = "when: input.amount_usd > 77"


def fourteen(comment: str = "", block: bool = False) -> dict[str, str]:
    names = ["find_order", "refund_order", "greet", *NAMES]
    listed = (
        f"tools:{comment}\n" + "\n".join(f"  - {name}" for name in names)
        if block
        else f"tools: [{', '.join(names)}]{comment}"
    )
    tools = {
        f"specs/tools/{name}.yaml": BASE["specs/tools/greet.yaml"].replace("name: greet", f"name: {name}")
        for name in NAMES
    }
    return {**tools, **changed(CLERK, (LISTED, listed))}


@pytest.mark.parametrize("block", [False, True])
def test_a_warning_is_silenced_on_its_line_with_a_reason(block: bool) -> None:
    assert codes_of(fourteen(block=block)) == [("W601", CLERK)]
    assert codes_of(fourteen("  " + WHY.format("W601"), block)) == []


def test_a_bundle_of_fourteen_tools_whose_author_has_said_so_is_strictly_valid(tmp_path: Path) -> None:
    at = bundle_of(MARKED / "base", tmp_path / "bundle")
    for comment, code in (("", 1), ("  " + WHY.format("W601"), 0)):
        for path, text in fourteen(comment).items():
            (at / path).write_text(text)
        for form in ("full", "concise", "json", "sarif", "github", "junit"):
            done = Shell(tmp_path)("validate", "bundle", "--strict", "--format", form)
            assert (done.code, "W601" in done.out) == (code, bool(code)), form


def warned(case: Path) -> set[str]:
    return {mark.split()[0] for mark in marks_of(case)}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.name.startswith("W") and "W617" not in case.name],
    ids=lambda case: case.name,
)
def test_every_warning_can_be_silenced_where_it_stands(case: Path, tmp_path: Path) -> None:
    at = bundle_of(case, tmp_path / "bundle")
    for mark in sorted(marks_of(case)):
        code, place = mark.split()[:2]
        path, line = place.split(":")[0], int(place.split(":")[1])
        lines = (at / path).read_text().splitlines()
        why = WHY.format(code)
        kept = lines[line - 1].split("  #!")[0]
        lines[line - 1] = f"{kept}  {why}" if path.lower().endswith(".yaml") else f"{kept}{{{why} #}}"
        (at / path).write_text("\n".join(lines) + "\n")
    done = Shell(tmp_path)("validate", "bundle", "--strict", "--format", "concise")
    assert (done.code, done.out.strip()) == (0, "")


def with_comment(comment: str, when: str = W613) -> dict[str, str]:
    return changed(POLICY, ("when: input.amount_usd > params.limit_usd", f"{when}{comment}"))


def test_a_silence_is_of_its_line_and_its_code_only() -> None:
    assert codes_of(with_comment("")) == [("W613", POLICY)]
    found = said_of(with_comment("\n" + "    " + WHY.format("W613")))
    assert ("W613" in [d.code for d in found], len(found)) == (True, 2)
    found = said_of(with_comment("  " + WHY.format("W604")))
    assert ("W613" in [d.code for d in found], len(found)) == (True, 2)


def test_a_needless_silence_is_a_warning_where_it_stands() -> None:
    found = said_of(with_comment("  " + WHY.format("W613"), "when: input.amount_usd > params.limit_usd"))
    assert [(d.severity.value, d.place.file, d.place.line) for d in found] == [
        ("warning", POLICY, BASE[POLICY].split("when: input.amount_usd > params.limit_usd")[0].count("\n") + 1)
    ]
    assert "W613" in found[0].message


@pytest.mark.parametrize(
    "comment", ["# engine: allow W613", "# engine: allow W613 because", "# engine: allow W613 because  "]
)
def test_a_silence_without_a_reason_silences_nothing(comment: str) -> None:
    found = said_of(with_comment("  " + comment))
    assert "W613" in [d.code for d in found]
    assert len(found) == 2


def test_an_error_is_never_silenced() -> None:
    found = said_of(with_comment("  " + WHY.format("E402"), "when: input.amout_usd > 1"))
    assert "E402" in [d.code for d in found]


def test_a_silence_is_not_needless_while_errors_keep_the_warning_from_being_looked_for() -> None:
    files = {**with_comment("  " + WHY.format("W613")), **changed(CLERK, ("prompt: clerk", "prompt: clrk"))}
    assert [code for code, _ in codes_of(files)] == ["E304"]


def test_text_that_only_looks_like_a_silence_is_text() -> None:
    message = 'message: "Above {{ params.limit_usd }}"'
    block = f"message: |\n      Above\n      {WHY.format('W613')}"
    for text in (block, f"message: '{WHY.format('W613')}'"):
        assert codes_of(changed(POLICY, (message, text))) == []
        one = changed(POLICY, (message, text), ("when: input.amount_usd > params.limit_usd", W613))
        assert codes_of(one) == [("W613", POLICY)]


def test_a_silence_changes_nothing_of_what_the_bundle_is() -> None:
    digests = {
        load(BundleFiles({p: t.encode() for p, t in {**BASE, **files}.items()})).bundle.digest  # type: ignore[union-attr]
        for files in (with_comment(""), with_comment("  " + WHY.format("W613")))
    }
    assert len(digests) == 1


@pytest.mark.parametrize("lines", [
    f"# {'x' * 9}\n    {WHY.format('W613')}\n    # more\n\n    when: input.amount_usd > 77",
    f"when: >-  {WHY.format('W613')}\n      input.amount_usd\n      > 77", f"when: input.amount_usd\n      > 77  {WHY.format('W613')}",
    f"when: input.amount_usd > 77  {WHY.format('W604, W613')}",
])  # fmt: skip
def test_a_silence_stands_before_its_line_or_where_a_text_leaves_room(lines: str) -> None:
    found = said_of(changed(POLICY, ("when: input.amount_usd > params.limit_usd", lines)))
    assert [d.message for d in found] == (["W604 is not said here"] if "W604" in lines else [])


@pytest.mark.parametrize(("comment", "message"), [
    ("# engine: allow W913 because x", "there is no diagnostic W913"), ("# engine: allow E402 because x", "nothing silences E402"),
    ("# engine: allow W617 because x", "nothing silences W617"), ("# engine: ignore W613", "a silence has codes and a reason"),
])  # fmt: skip
def test_a_silence_that_can_not_hold_is_told(comment: str, message: str) -> None:
    found = said_of(with_comment("  " + comment))
    assert [(d.code, d.message) for d in found if d.code == "W617"] == [("W617", message)]
    assert "W613" in [d.code for d in found]


def test_a_silence_without_a_reason_is_answered_with_its_own_code() -> None:
    (found,) = [d for d in said_of(with_comment("  # engine: allow W613")) if d.code == "W617"]
    assert found.help == "write `# engine: allow W613 because ...`"


def test_how_many_tools_are_many_is_a_setting(tmp_path: Path) -> None:
    at = bundle_of(MARKED / "base", tmp_path / "bundle")
    for path, text in fourteen().items():
        (at / path).write_text(text)
    for most, code in ((13, 1), (14, 0)):
        assert Shell(tmp_path)("validate", "bundle", "--strict", "--many-tools", str(most)).code == code
