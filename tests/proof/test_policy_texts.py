"""What policies say and read is compared as it is written, and nothing of a document is left out by oversight."""

from __future__ import annotations

from engine.proof.policy_texts import files_beside, policy_texts

POLICY = """kind: Policy
name: p
params: {limit: 5, ask: "please"}
facts: {a: {tool: t, input: {id: whose}, max_age: 5s}}
let:
  whose: inner
  inner: "'a'"
  other: "'b'"
rules:
  - {id: r, tools: [w], effect: deny, when: "other == 'b'", reason: x, message: "{{ params.ask }} {{ params.limit }}"}
"""


def files(text: str) -> dict[str, bytes]:
    return {"policies/p.yaml": text.encode()}


def test_each_part_is_told_by_its_place_with_the_words_that_it_reads() -> None:
    assert policy_texts(files(POLICY)) == {
        "p": {
            "facts.a.tool": "t",
            "facts.a.input.id": "whose",
            "rules.r.reason": "x",
            "rules.r.message": "{{ params.ask }} {{ params.limit }}",
            "let.whose": "inner",
            "let.inner": "'a'",
            "params.ask": "please",
        }
    }


def test_a_dial_a_condition_and_how_old_a_fact_may_be_are_compared_elsewhere() -> None:
    for was, now in (
        ("limit: 5", "limit: 6"),
        ("other == 'b'", "true"),
        ("5s", "5000 ms"),
        ("name: p\n", "name: p\n\n"),
    ):
        assert policy_texts(files(POLICY.replace(was, now))) == policy_texts(files(POLICY)), now


def test_what_no_version_of_this_knows_is_told() -> None:
    assert "rules.r.soon" in policy_texts(files(POLICY.replace("reason: x", "reason: x, soon: 1")))["p"]
    assert "soon.1" in policy_texts(files(POLICY + "soon: [1, 2]\n"))["p"]


def test_words_of_vocabularies_count_as_well() -> None:
    shared = {"specs/v.yaml": b"kind: Vocabulary\nname: v\nlet: {whose: \"'z'\"}\n"}
    own = files(POLICY.replace("  whose: inner\n", ""))
    assert policy_texts(own | shared)["p"]["let.whose"] == "'z'"


def test_a_file_lies_beside_the_policies_by_what_it_is() -> None:
    tool, fixture = b"kind: Tool\nname: t\n", b"kind: Fixture\nname: f\n"
    assert files_beside({}, {"fixtures/a.yaml": tool, "fixtures/b.yaml": fixture, "prompts/p.md.j2": b"x"}) == [
        "fixtures/a.yaml",
        "prompts/p.md.j2",
    ]
    assert files_beside({"specs/t.yaml": tool}, {"specs/t.yaml": b"# well\n" + tool}) == []
    assert files_beside({"specs/t.yaml": tool}, {"specs/t.yaml": fixture}) == ["specs/t.yaml"]
    assert files_beside({"specs/t.yaml": b"["}, {"specs/t.yaml": b"]"}) == ["specs/t.yaml"]
