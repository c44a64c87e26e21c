"""What policies say and read is compared as it is written, and nothing of a document is left out by oversight."""

from __future__ import annotations

from engine.proof.policy_texts import dial_conditions, files_beside, policy_texts

POLICY = """kind: Policy
name: p
params: {limit: 5, ask: "please"}
facts: {a: {tool: t, input: {id: whose}, max_age: 5s}}
let:
  whose: inner
  inner: "'a'"
  other: "'b'"
rules:
  - {id: r, tools: [w], effect: deny, when: "other == 'b' and params.limit > 1", reason: x, message: "{{ params.ask }} {{ params.limit }}"}
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
            "params.ask": '"please"',
        }
    }
    # it compares a number that the message shows
    assert dial_conditions(files(POLICY)) == {"p": {"rules.r.when": "other == 'b' and params.limit > 1"}}


def test_a_dial_a_condition_and_how_old_a_fact_may_be_are_compared_elsewhere() -> None:
    silent = POLICY.replace(" {{ params.limit }}", "")
    for text, was, now in (
        (POLICY, "limit: 5", "limit: 6"),
        (silent, "other == 'b'", "other == 'c'"),
        (POLICY, "5s", "5000 ms"),
        (POLICY, "name: p\n", "name: p\n\n"),
    ):
        assert policy_texts(files(text.replace(was, now))) == policy_texts(files(text)), now


def test_what_compares_a_number_that_a_text_shows_stays_as_it_is_written() -> None:
    for was, now in (
        ("params.limit > 1", "5 > 1 and params.limit > 0"),
        ("other == 'b' and params.limit > 1", "big"),
    ):
        changed = POLICY.replace(was, now).replace("let:\n", "let:\n  big: other == 'b' and params.limit > 1\n")
        before = POLICY.replace("let:\n", "let:\n  big: other == 'b' and params.limit > 1\n")
        assert dial_conditions(files(changed)) != dial_conditions(files(before)), now
    through = POLICY.replace("params.limit > 1", "big").replace("let:\n", "let:\n  big: params.limit > 1\n")
    told = dial_conditions(files(through))["p"]
    assert (told["let.big"], told["rules.r.when"]) == ("params.limit > 1", "other == 'b' and big")


def test_a_word_that_a_text_reads_is_none_of_the_conditions_though_a_condition_reads_it_too() -> None:
    both = POLICY.replace("let:\n", "let:\n  big: params.limit > 1\n").replace("{{ params.ask }}", "{{ big }}")
    assert policy_texts(files(both))["p"]["let.big"] == "params.limit > 1"


def test_what_is_quoted_in_the_condition_of_a_rule_that_asks_is_read() -> None:
    asking = 'rules:\n  - {id: r, tools: [w], effect: require_approval, approvers: [l], reason: x, when: "WHEN"}\n'

    def told(when: str) -> dict[str, str]:
        return policy_texts(files(f"kind: Policy\nname: p\n{asking.replace('WHEN', when)}"))["p"]

    assert told("input.a > 250") == told("input.a > 100") == {"rules.r.reason": "x"}
    assert told("input.a > 250 and 'checked: safe' != ''") == {
        "rules.r.reason": "x",
        "rules.r.quoted": "'checked: safe' ''",
    }


def test_what_no_version_of_this_knows_is_told() -> None:
    assert "rules.r.soon" in policy_texts(files(POLICY.replace("reason: x", "reason: x, soon: 1")))["p"]
    assert "soon.1" in policy_texts(files(POLICY + "soon: [1, 2]\n"))["p"]


def vocabulary(name: str, text: str) -> dict[str, bytes]:
    return {f"policies/{name}.yaml": f"kind: Vocabulary\nname: {name}\n{text}\n".encode()}


def test_words_of_the_vocabularies_that_a_policy_uses_count_and_of_no_others() -> None:
    own = files(POLICY.replace("  whose: inner\n", "").replace("name: p\n", "name: p\nuses: [words]\n"))
    used = vocabulary("words", "let: {whose: \"'z'\"}")
    assert policy_texts(own | used)["p"]["let.whose"] == "'z'"
    assert policy_texts(own | used | vocabulary("zz", "let: {whose: \"'y'\"}"))["p"]["let.whose"] == "'z'"


def test_a_vocabulary_of_a_policys_name_hides_nothing_of_it() -> None:
    other = vocabulary("p", "facts: {a: {tool: t, input: {id: other}}}")
    found = policy_texts(files(POLICY) | {"policies/zz.yaml": other["policies/p.yaml"]})
    assert found["p"]["facts.a.input.id"] == "whose"
    assert found["vocabulary p"]["facts.a.input.id"] == "other"


def test_every_param_that_a_text_shows_counts_but_a_number_that_a_condition_compares() -> None:
    shown = "message: '{{ params.own[0] }} {{ params.flag }} {{ params.limit }} {{ params.shown }}'"
    text = POLICY.replace('message: "{{ params.ask }} {{ params.limit }}"', shown)
    text = text.replace('ask: "please"', "own: [a, b], flag: true, shown: 7")
    told = policy_texts(files(text))["p"]
    params = {name: value for name, value in told.items() if name.startswith("params.")}
    assert params == {"params.own": '["a", "b"]', "params.flag": "true", "params.shown": "7"}


def test_a_rule_that_asks_without_a_reason_is_read_by_its_name() -> None:
    asking = "rules:\n  - {id: routine, tools: [w], effect: require_approval, approvers: [l]}\n"
    assert policy_texts(files(f"kind: Policy\nname: p\n{asking}")) == {"p": {"rules.routine.reason": "routine"}}
    allowing = "rules:\n  - {id: routine, tools: [w], effect: allow}\n"
    assert policy_texts(files(f"kind: Policy\nname: p\n{allowing}")) == {"p": {}}


def test_a_file_lies_beside_the_policies_by_what_it_is() -> None:
    tool, fixture = b"kind: Tool\nname: t\n", b"kind: Fixture\nname: f\n"
    assert files_beside({}, {"fixtures/a.yaml": tool, "fixtures/b.yaml": fixture, "prompts/p.md.j2": b"x"}) == [
        "fixtures/a.yaml",
        "prompts/p.md.j2",
    ]
    assert files_beside({"specs/t.yaml": tool}, {"specs/t.yaml": b"# well\n" + tool}) == []
    assert files_beside({"specs/t.yaml": tool}, {"specs/t.yaml": fixture}) == ["specs/t.yaml"]
    assert files_beside({"specs/t.yaml": b"["}, {"specs/t.yaml": b"]"}) == ["specs/t.yaml"]
