"""Who has to say yes: of each ask so many people of a set of groups, and all asks have to be met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.language.value import span

Groups = frozenset[str]


@dataclass(frozen=True, slots=True)
class Demand:
    """What one ask needs: `people` different members of any of the groups.

    Who says yes to one that is `distinct` can't say yes to another ask about the same call.  A yes may have to say why
    (`note`), of a share of calls, in percent, one more person is needed (`second`), and a yes may count only after a
    while (`settle_delay`).
    """

    groups: Groups
    people: int = 1
    distinct: bool = False
    note: bool = False
    second: Decimal = Decimal(0)
    settle_delay: timedelta = timedelta(0)

    @classmethod
    def recorded(cls, groups: Groups, told: Mapping[str, Any]) -> Demand:
        """As the log tells of it beside the groups (see `Ask.more`)."""
        return cls(groups, **{**told, "settle_delay": span(told.get("settle_delay", "0s"))})

    def within(self, other: Demand) -> bool:
        """Whether whoever meets this one meets the other as well."""
        more = (self.distinct or not other.distinct) and (self.note or not other.note)
        most = self.second >= other.second and self.settle_delay >= other.settle_delay
        return self.groups <= other.groups and self.people >= other.people and more and most


def groups_asked(groups: Iterable[str], names: Mapping[str, Iterable[str]]) -> Groups:
    """The groups of a demand; one of which only some are asked, by their names, is another than the whole of it.

    >>> sorted(groups_asked(["leads", "owners"], {"owners": ["ana"]}))
    ['leads', 'owners (ana)']
    """
    return frozenset(f"{one} ({', '.join(sorted(names[one])) or 'nobody'})" if one in names else one for one in groups)


def whom(groups: Iterable[str], names: Mapping[str, Iterable[str]]) -> str:
    """The same as a text: any of them may answer."""
    return ", ".join(sorted(groups_asked(groups, names)))


CUSTOMER_ALONE = frozenset({"customer"})


def people_needed(demands: Iterable[Demand]) -> int:
    """The least number of different people whose yes is needed: one person may be in every group, the customer in none.

    >>> people_needed([Demand(frozenset({"leads"}), 2), Demand(frozenset({"risk"}))])
    2
    >>> people_needed([Demand(frozenset({"leads"})), Demand(frozenset({"risk"}), distinct=True)])
    2
    """
    every = list(demands)
    plain = [demand for demand in every if not demand.distinct]
    customer = any(demand.groups == CUSTOMER_ALONE for demand in plain)
    others = [demand.people for demand in plain if "customer" not in demand.groups]
    together = max([*(demand.people for demand in plain), max(others, default=0) + customer], default=0)
    return sum(demand.people for demand in every if demand.distinct) + together


def uncovered(asked: Iterable[Demand], by: Iterable[Demand]) -> list[Demand]:
    """The asks that may be left open by people who meet all the others; none if those ask at least as much.

    A plain ask of the others meets any number of plain ones: whoever says yes to it may say yes to them.  Who says yes
    to a distinct one says it to nothing else, so that it meets one ask, plain or distinct.  Where several plain asks
    could share such a person more is told than has to be.
    """
    wanted, others = list(asked), list(by)
    shared = [other for other in others if not other.distinct]
    own = [other for other in others if other.distinct]
    left = [one for one in wanted if one.distinct or not any(other.within(one) for other in shared)]
    return _unmatched(left, own)


def _unmatched(wanted: Sequence[Demand], others: Sequence[Demand]) -> list[Demand]:
    """Those for which no ask of their own is left, however the others are given out."""
    taken: dict[int, int] = {}

    def give(index: int, tried: set[int]) -> bool:
        for at, other in enumerate(others):
            if at not in tried and other.within(wanted[index]):
                tried.add(at)
                if at not in taken or give(taken[at], tried):
                    taken[at] = index
                    return True
        return False

    return [one for index, one in enumerate(wanted) if not give(index, set())]
