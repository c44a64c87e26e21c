"""Collections of a state share what they have in common, and an older state never sees what came later."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.session.state.persistent import AppendOnlyList, SettlingMap, copy_with


@given(st.lists(st.tuples(st.integers(0, 9), st.integers()), max_size=40))
def test_a_log_is_a_list_whichever_version_of_it_grows(grows: list[tuple[int, int]]) -> None:
    logs, lists = [AppendOnlyList[int]()], [list[int]()]
    for version, item in grows:
        at = version % len(logs)
        logs.append(logs[at].with_item(item))
        lists.append([*lists[at], item])
    assert [log.all() for log in logs] == lists
    assert [list(log) for log in logs] == lists
    assert [len(log) for log in logs] == [len(items) for items in lists]
    assert logs[-1] == AppendOnlyList(lists[-1])
    assert repr(AppendOnlyList([1])) == "Log([1])"


def test_a_kept_map_holds_what_is_settled_before_what_is_open() -> None:
    empty = SettlingMap[int]()
    both = empty.with_item("a", 1).with_item("b", 2)
    settled = both.settled(["a"]).with_item("c", 3)
    other = both.settled(["b"])
    assert list(settled.items()) == [("a", 1), ("b", 2), ("c", 3)]
    assert list(other.items()) == [("b", 2), ("a", 1)]
    assert dict(both) == {"a": 1, "b": 2}
    assert (len(empty), len(settled)) == (0, 3)
    assert settled == {"a": 1, "b": 2, "c": 3}
    assert repr(empty.with_item("a", 1)) == "Kept({'a': 1})"


def test_what_was_settled_is_changed_where_it_stands() -> None:
    first = SettlingMap[int]().with_item("a", 1).with_item("b", 2).settled(["a"])
    second = first.with_item("a", 7)
    assert list(second.items()) == [("a", 7), ("b", 2)]
    assert (first["a"], len(second)) == (1, 2)


def test_an_older_version_does_not_see_what_a_newer_one_settled() -> None:
    first = SettlingMap[int]().with_item("a", 1)
    second = first.settled(["a"])
    third = second.with_item("b", 2).settled(["b"])
    assert third["b"] == 2
    with pytest.raises(KeyError):
        second["b"]
    assert list(second) == ["a"]
    branched = second.with_item("d", 4).settled(["d"])
    assert list(branched) == ["a", "d"]
    assert list(third) == ["a", "b"]


@dataclass(frozen=True)
class Point:
    x: int = 0
    y: int = 0


def test_a_changed_copy_differs_only_where_it_is_told_to() -> None:
    assert copy_with(Point(1, 2), y=3) == Point(1, 3)
    with pytest.raises(AssertionError, match="no such field"):
        copy_with(Point(), z=1)
