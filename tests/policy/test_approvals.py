"""Which asks people may leave open who meet all others, and how many people are needed."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.policy.approvals import Demand, people_needed, uncovered


def one(*groups: str, people: int = 1, distinct: bool = False) -> Demand:
    return Demand(frozenset(groups), people, distinct)


@pytest.mark.parametrize(
    ("asked", "by", "left"),
    [
        ([one("a")], [one("a")], []),
        ([one("a")], [], [one("a")]),
        ([one("a", "b")], [one("a")], []),
        ([one("a")], [one("a", "b")], [one("a")]),
        ([one("a", people=2)], [one("a")], [one("a", people=2)]),
        ([one("a")], [one("a", people=2)], []),
        ([one("a", distinct=True)], [one("a")], [one("a", distinct=True)]),
        ([one("a"), one("a")], [one("a")], []),
        # who says yes to a distinct one says it to nothing else
        ([one("a"), one("a", distinct=True)], [one("a", distinct=True)], [one("a", distinct=True)]),
        ([one("a"), one("b")], [one("a"), one("b", distinct=True)], []),
        # two that are distinct need two
        ([one("a", distinct=True)] * 2, [one("a", distinct=True)], [one("a", distinct=True)]),
        # and each gets its own, however they are given out first
        (
            [one("a", "b", distinct=True), one("a", distinct=True)],
            [one("a", distinct=True), one("b", distinct=True)],
            [],
        ),
    ],
)
def test_what_is_left_open(asked: list[Demand], by: list[Demand], left: list[Demand]) -> None:
    assert uncovered(asked, by) == left


GROUPS = st.sets(st.sampled_from("abc"), min_size=1, max_size=2).map(frozenset)
DEMANDS = st.lists(st.builds(Demand, GROUPS, st.integers(1, 2), st.booleans()), max_size=3)


def met(demands: list[Demand], yes: list[tuple[str, str]]) -> bool:
    """Whether yeses, each of a person in a group and to one ask, meet all demands: tried by hand."""
    people = {person for person, _ in yes}
    member = set(yes)
    choices = []
    for demand in demands:
        able = [p for p in sorted(people) if any((p, group) in member for group in demand.groups)]
        choices.append(list(permutations(able, demand.people)))
    return any(
        all(
            not set(mine) & set(theirs)
            for i, mine in enumerate(chosen)
            for j, theirs in enumerate(chosen)
            if i != j and demands[i].distinct
        )
        for chosen in product(*choices)
    )


@given(DEMANDS, DEMANDS, st.sets(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), max_size=5))
def test_nothing_is_left_open_only_where_whoever_meets_the_others_meets_it(
    asked: list[Demand], by: list[Demand], yes: set[tuple[str, str]]
) -> None:
    given_ = sorted(yes)
    if not uncovered(asked, by) and met(by, given_):
        assert met(asked, given_)


@given(DEMANDS, st.sets(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), max_size=6))
def test_fewer_people_than_are_needed_never_do(demands: list[Demand], yes: set[tuple[str, str]]) -> None:
    if met(demands, sorted(yes)):
        assert len({person for person, _ in yes}) >= people_needed(demands)
