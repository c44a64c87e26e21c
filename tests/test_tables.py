"""Every table holds every entry of what it is about: something half added fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import engine
from engine.access.rights import Role
from engine.bundle import checks as rules
from engine.bundle.checks.catalogue import MANUALS
from engine.bundle.documents.budgets import Budgets, Crossing
from engine.bundle.documents.budgets import Meter as MeterDocument
from engine.bundle.documents.fixture import CallEnd
from engine.bundle.documents.fixture import RequestKind as NamedRequestKind
from engine.bundle.documents.fixture import State as FinalState
from engine.bundle.documents.service import Role as GrantedRole
from engine.bundle.documents.tool import Retry as RetryDocument
from engine.bundle.documents.tool import Tool as ToolDocument
from engine.fixtures.crash_points import READS, WRITES
from engine.language.value import duration_text
from engine.ports.store import Store
from engine.proof.bundle_diff import changed_limits
from engine.replay.replay import FED, NOTES
from engine.runtime.pass_through import PassThrough
from engine.runtime.sealed_store import SealedStore
from engine.session.state.event import EventKind
from engine.session.state.events.table import EVENTS
from engine.session.state.state import ResultStatus, Status, Used
from engine.session.wire_models import ToolOutcome
from engine.spec.bundle import Bundle, ToolEffect
from engine.spec.limits import ANY_CROSSING, LIMITS, Form, Limits
from engine.spec.request_kind import RequestKind
from engine.spec.retry import FailureKind
from engine.spec.worst_case import worst_case
from engine.store.projection import PROJECTED
from engine.web.bodies import NewToken
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool

# what belongs to limits, and is none: the default of a table by tool, what a yes grants, what crossing does
NO_LIMIT = {"calls_per_other_tool", "expires", "meters", "extensions", "crossing"}
PLAIN = [name for name, limit in LIMITS.items() if limit.form is not Form.PER_TOOL]
PORT = {name for name in dir(Store) if not name.startswith("_")}


def declared(budgets: str) -> Limits:
    return made(budgets).agents["bot"].limits


def made(budgets: str) -> Bundle:
    path, text = agent("[look, act]", policies="[rules]", budgets=budgets)
    spends = text.replace("kind: scripted", "kind: scripted, usage: {tokens: 1, cost_usd: 1}")
    return bundle(
        tool("look", more="retry: {attempts: 9}"), tool("act", "write"), policy(ALLOW), (path, spends),
    )  # fmt: skip


def written(name: str, more: int = 1) -> str:
    """A limit as a document says it, other than its default."""
    default = getattr(Limits(), name)
    value = duration_text(default + timedelta(seconds=more)) if LIMITS[name].form is Form.TIME else default + more
    return f"{{{name}: {value}}}"


def test_every_limit_has_a_row() -> None:
    assert {one.name for one in fields(Limits)} == {*LIMITS, *NO_LIMIT}


def test_every_limit_can_be_declared_and_has_one_default() -> None:
    assert set(Budgets.model_fields) == {*LIMITS, "meters", "expires"}
    for name, row in LIMITS.items():
        assert Budgets.model_fields[name].description == row.says
    assert declared("{}") == Limits()


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_declared_is_what_holds(name: str) -> None:
    default, more = getattr(Limits(), name), 1
    expected = default + (timedelta(seconds=more) if LIMITS[name].form is Form.TIME else more)
    assert getattr(declared(written(name)), name) == expected


@pytest.mark.parametrize("name", [name for name, limit in LIMITS.items() if limit.unlimited and name in PLAIN])
def test_unlimited_is_what_is_written_and_nothing_else(name: str) -> None:
    assert getattr(declared(f"{{{name}: unlimited}}"), name) is None


@pytest.mark.parametrize("name", [name for name, limit in LIMITS.items() if limit.crossings])
def test_what_crossing_does_is_declared_beside_a_limit(name: str) -> None:
    limits = declared(f"{{{name}: {{limit: 5, crossing: stop}}}}")
    assert (getattr(limits, name), limits.crossed_by(name)) == (5, "stop")


def test_what_counts_towards_a_limit_stands_in_the_ledger_and_all_of_the_ledger_counts() -> None:
    counted = [limit.counted for limit in LIMITS.values() if limit.counted]
    assert {*counted, "meters"} == {one.name for one in fields(Used)}
    assert len(counted) == len(set(counted))


def test_a_crossing_that_may_be_chosen_is_known() -> None:
    for limit in LIMITS.values():
        assert set(limit.crossings) <= set(ANY_CROSSING)
        assert not limit.crossings or limit.crossing in limit.crossings


@pytest.mark.parametrize("name", PLAIN)
def test_more_of_any_limit_is_told_as_a_loosening(name: str) -> None:
    (change,) = changed_limits(made("{}"), made(written(name)))
    assert change.name.startswith(f"limits.{name}:")


@pytest.mark.parametrize("name", PLAIN)
def test_the_worst_case_goes_by_every_limit(name: str) -> None:
    # small enough that no other limit is nearer
    small = {
        Form.COUNT: "1", Form.MONEY: "1", Form.TIME: "1s",
    }[LIMITS[name].form]  # fmt: skip

    def case(budgets: str) -> Mapping[str, Any]:
        found = made(budgets)
        return worst_case(found, found.agents["bot"]).payload()

    assert case("{}") != case(f"{{{name}: {small}}}")


def test_a_replay_feeds_every_kind_of_event_that_comes_from_outside() -> None:
    outside = {kind for kind, definition in EVENTS.items() if definition.from_outside}
    assert outside == FED.keys() | NOTES


def test_what_the_store_keeps_beside_the_log_is_of_events_that_are_defined() -> None:
    assert set(PROJECTED) == {kind for kind, definition in EVENTS.items() if definition.projected}


def test_every_file_of_a_diagnostic_is_found_under_its_own_code() -> None:
    files = {path.stem for path in Path(rules.__file__).parent.glob("*.py")} - {"__init__", "catalogue"}
    assert {stem.split("_")[0].upper() for stem in files} == set(MANUALS)
    assert len(files) == len(MANUALS)


@pytest.mark.parametrize("name", sorted(PORT))
def test_sealing_is_decided_for_every_method_of_the_store(name: str) -> None:
    assert (name in vars(PassThrough)) != (name in vars(SealedStore))
    assert "__getattr__" not in vars(SealedStore) | vars(PassThrough)


def test_a_process_that_may_die_knows_of_every_method_of_the_store_whether_it_changes_something() -> None:
    assert READS | WRITES | {"clock", "keeps_snapshots", "access", "deployments", "deliveries"} == PORT
    assert not READS & WRITES


def test_a_tool_is_declared_with_every_effect_that_is_known() -> None:
    assert set(get_args(ToolDocument.model_fields["effect"].annotation)) == {*ToolEffect} - {ToolEffect.UNKNOWN}


def test_a_fixture_expects_every_kind_of_request_that_a_person_is_asked_outside_of_budgets() -> None:
    assert set(get_args(NamedRequestKind)) == {*RequestKind} - {RequestKind.BUDGET, RequestKind.PLANNER}


def test_how_long_every_request_waits_is_a_limit_but_of_a_follow_up() -> None:
    assert Limits().expires.keys() == {*RequestKind} - {RequestKind.FOLLOW_UP}


def test_a_tool_may_be_tried_again_after_every_failure_that_is_no_cancellation() -> None:
    (item,) = get_args(RetryDocument.model_fields["on"].annotation)
    assert set(get_args(item)) == {*FailureKind} - {FailureKind.CANCELLED}


def test_a_result_that_is_shown_to_programs_has_every_status() -> None:
    assert set(get_args(ToolOutcome.model_fields["status"].annotation)) == {*ResultStatus}


def _said_in(*rooms: str) -> set[str]:
    """The names that the code of some rooms or files reads or writes out."""
    found: set[str] = set()
    for room in rooms:
        at = Path(engine.__file__).parent / room
        for path in sorted(at.rglob("*.py")) if at.is_dir() else [at]:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                found |= {node.attr} if isinstance(node, ast.Attribute) else set()
                found |= {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()
    return found


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_asked_for_where_sessions_are_decided(name: str) -> None:
    # a tool's calls are looked up by the tool, and how many run at once is a driver's business
    asked = {"calls_per_tool": "per_tool"}.get(name, name)
    assert asked in _said_in("session/decide", "session/state/pending.py", "runtime")


# times go by what counts them
TOLD = [name for name, limit in LIMITS.items() if limit.in_logs and limit.form is not Form.TIME]


@pytest.mark.parametrize("name", TOLD)
def test_what_if_knows_every_limit_whose_crossing_logs_tell(name: str) -> None:
    assert name in _said_in("whatif/limits.py", "session/decide/proposals.py")


@pytest.mark.parametrize("kind", EventKind, ids=str)
def test_every_kind_of_event_is_written_by_somebody(kind: EventKind) -> None:
    assert kind.name in _said_in("session/decide")


def _literals(hint: Any) -> set[str]:
    """The words that a type names, however deep."""
    inner = get_args(hint)
    return {one for one in inner if isinstance(one, str)} if get_origin(hint) is Literal else {
        word for one in inner for word in _literals(one)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (GrantedRole, Role),
        (NewToken.model_fields["role"].annotation, Role),
        (FinalState, Status),
        (CallEnd.model_fields["status"].annotation, ResultStatus),
        (Crossing, ANY_CROSSING),
        (MeterDocument.model_fields["crossing"].annotation, ANY_CROSSING),
    ],
    ids=["roles of grants", "roles of tokens", "states of sessions", "ends of calls", "crossings", "of meters"],
)
def test_what_documents_and_requests_may_say_is_what_there_is(said: Any, known: Iterable[str]) -> None:
    assert _literals(said) == set(known)
