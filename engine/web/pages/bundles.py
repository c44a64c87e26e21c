"""The page about rules: what new sessions begin with, since when and by whom, and what each deployment changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.access.rights import Right
from engine.api.trials import trials_now
from engine.diagnostic.visible import line as visible
from engine.ports.deployments import FILES, Deployment
from engine.web.bodies import NewComparison
from engine.web.bundle_checks import difference
from engine.web.bundles import bundle_of, check_all_tenants
from engine.web.pages.browser import Visitor, form_of
from engine.web.pages.render import need, shown
from engine.web.pages.rule_list import rules_of
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS
from engine.web.service import Service
from engine.web.whatif_routes import asked, comparison_of
from engine.whatif.open_requests import OpenRequests

MOST = 50
_VERBS = {
    "activate": "New sessions begin with it",
    "urge": "It judges beside others",
    "lift": "It judges beside others, or is on trial, no more",
    "canary": "A share of new sessions begins with it",
    "shadow": "Past sessions are judged by it, and it decides nothing",
}


@dataclass(frozen=True, slots=True)
class DeploymentTold:
    """A deployment in words: `changes` are those of its report, and whether each loosens."""

    number: int
    digest: str
    what: str
    at: str
    by: str
    note: str
    changes: tuple[tuple[str, bool], ...]
    active: bool


async def show(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /bundles`."""
    need(visitor, Right.READ)
    check_all_tenants(visitor.principal, "look at them")
    active = await service.store.deployments.active()
    found = await service.store.deployments.deployments(MOST)
    number = active.number if active is not None else 0
    told = [_told(one, active=one.number == number) for one in found]
    bundle = service.bundle
    uploads = await service.store.deployments.uploads()
    known = {one.bundle for one in found} | {bundle.digest}
    brought = sorted((one for one in uploads.values() if one.bundle not in known), key=lambda one: one.at, reverse=True)
    return shown(
        "bundles.html", visitor=visitor, deployments=told, digest=bundle.digest, agents=sorted(bundle.agents),
        rules=rules_of(bundle), urgent=await service.store.urgent_bundles(bundle.digest),
        trials=await trials_now(service.store.deployments), tools=len(bundle.tools),
        current=next((one for one in told if one.active), None), may_try=visitor.principal.may(Right.TRY_BUNDLES),
        brought=[(one.bundle, one.at.strftime("%Y-%m-%d %H:%M"), visible(one.person or one.by)) for one in brought],
    )  # fmt: skip


async def show_one(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /bundles/{digest}`: the rules of a bundle, and what it changes about the one that is active."""
    need(visitor, Right.READ)
    bundle = await bundle_of(service, visitor.principal, request.path_params["id"])
    active, problem, report = bundle.digest == service.bundle.digest, "", dict[str, Any]()
    if not active:
        try:
            report = await difference(service.bundle, bundle)
        except HttpProblem as error:
            problem = error.detail
    changes = [*map(_change, report.get("changes", ())), *map(_beside, report.get("beside", ()))]
    return shown(
        "bundle.html", visitor=visitor, digest=bundle.digest, agents=sorted(bundle.agents), tools=len(bundle.tools),
        active=active, problem=problem, changes=changes, rules=rules_of(bundle),
        not_proved=[visible(one) for one in report.get("not_proved", ())],
    )  # fmt: skip


async def judge_past(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /bundles/whatif`: what a bundle would have done; leads to the page that tells it."""
    need(visitor, Right.TRY_BUNDLES)
    fields = await form_of(request, visitor)
    since = fields.get("since") or None
    if since is not None and len(since) > 50:
        raise HttpProblem(422, "invalid", "`since` is a day or a span such as 30d")
    wanted = NewComparison(bundle=fields.get("bundle", "")[:200] or "none", since=since)
    found = await asked(service, visitor.principal, wanted, request)
    return RedirectResponse(f"/bundles/whatif/{found.id}", 303, PAGE_HEADERS)


async def show_past(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /bundles/whatif/{id}`: how far it is, and what came out."""
    need(visitor, Right.READ)
    found = comparison_of(service, visitor.principal, request.path_params["id"])
    result = found.result or {}
    rows = [
        (visible(str(row["rule"])), visible(str(row["flip"])), row["loosens"], row["calls"], row["sessions"])
        for row in result.get("table", ())
    ]
    return shown(
        "whatif.html", visitor=visitor, job=found, rows=rows, sessions=result.get("sessions", 0),
        decisions=result.get("decisions", 0), erased=result.get("erased", 0),
        open_requests=OpenRequests(**result.get("open_requests", {})).told(), since=found.since,
        urgent=await service.store.urgent_bundles(found.bundle),
    )  # fmt: skip


def _told(one: Deployment, *, active: bool) -> DeploymentTold:
    changes = [*map(_change, one.report.get("changes", ())), *map(_beside, one.report.get("beside", ()))]
    by = "the service's own files" if one.by == FILES else visible(one.person or one.by)
    at = one.at.strftime("%Y-%m-%d %H:%M")
    return DeploymentTold(
        one.number, one.bundle, _VERBS[one.kind.value], at, by, visible(one.note), tuple(changes), active
    )


def _change(change: Mapping[str, Any]) -> tuple[str, bool]:
    """One change of verdicts, in words."""
    where = "; ".join(f"{name} is {told}" for name, told in dict(change["where"]).items())
    due = f", by {change['due']}" if change["due"] else ""
    sure = "" if change["status"] == "certain" else f" ({change['status']})"
    told = f"{change['agent']}: {change['tool']}: {change['before']} → {change['after']}{sure}{due}"
    return visible(f"{told}: where {where}" if where else told)[:600], bool(change["loosens"])


def _beside(change: Mapping[str, Any]) -> tuple[str, bool]:
    return visible(str(change["said"]))[:600], bool(change["loosens"])
