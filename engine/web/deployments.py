"""Which bundle new sessions begin with: decided by people, or by the files that the service is configured with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import Right
from engine.api.trials import trials_now
from engine.diagnostic import did_you_mean
from engine.diagnostic.visible import line as visible
from engine.ports.deployments import FILES, Deployment, DeploymentKind
from engine.proof.policy_texts import dials
from engine.runtime.errors import BundleUnavailable
from engine.spec.bundle import Bundle
from engine.store.faults import StoreFault
from engine.web.bodies import NewDeployment, body_of, number_of
from engine.web.bundle_checks import difference
from engine.web.bundles import bundle_of, check_all_tenants
from engine.web.members import people_behind
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import MOST
from engine.web.trials import canary_of

_log = logging.getLogger("engine.web")

# how often a process looks which bundle is active, in seconds: another one may have deployed
LOOK_EVERY = 2.0
# how long what files change may keep a service from beginning, in seconds
REPORTED_WITHIN = 20.0


async def deploy(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/deployments`: 201 with what changes; 412 where another came first (`If-Match`), 403 if it takes two."""
    check_all_tenants(principal, "deploy them")
    wanted = await body_of(request, NewDeployment)
    bundle = await bundle_of(service, principal, wanted.bundle)
    newest = next(iter(await service.store.deployments.deployments(1)), None)
    after = newest.number if newest is not None else 0
    expected = request.headers.get("if-match")
    if expected is not None and expected.strip() not in (f'"{after}"', "*"):
        raise HttpProblem(412, "deployed_meanwhile", f"the newest deployment is {after}: look at it first")
    active = await service.store.deployments.active()
    # what the report is made against is what was active when `after` was the newest, whatever this process serves yet
    before = await service.engine.bundle(active.bundle) if active is not None else service.bundle
    _check_canary(bundle, wanted)
    kind, report = await _meant(service, bundle, before, wanted)
    await _check_people(service, principal, bundle, report)
    if kind is DeploymentKind.ACTIVATE and _takes_two(report):
        await _check_going_back(service, bundle)
    share, attribute = (Decimal(wanted.canary.share), wanted.canary.by) if wanted.canary is not None else (None, "")
    deployment = Deployment(
        0, kind, bundle.digest, service.clock.now(), principal.id, principal.person, wanted.note, report, share,
        attribute,
    )  # fmt: skip
    kept = await service.store.deployments.deploy(deployment, after)
    if kept is None:
        raise HttpProblem(409, "deployed_meanwhile", "another deployment came first: look at it, and try again")
    if kind in (DeploymentKind.URGE, DeploymentKind.LIFT):
        await service.store.set_urgent(bundle.digest, kind is DeploymentKind.URGE)
    await follow_once(service)
    await service.note(request, principal, Right.DEPLOY.value, bundle.digest, kind.value)
    return answered(_shown(kept), 201, {"etag": f'"{kept.number}"'})


def _check_canary(bundle: Bundle, wanted: NewDeployment) -> None:
    """Raise HttpProblem for a canary by an attribute that no session has: it would take nobody."""
    if wanted.canary is None:
        return
    known = {name for agent in bundle.agents.values() for name in agent.attributes.get("properties", {})}
    if wanted.canary.by not in known:
        told = f"no agent of the bundle has the attribute `{visible(wanted.canary.by)}`"
        help_ = did_you_mean(wanted.canary.by, known)
        raise HttpProblem(422, "invalid", f"/canary/by: {told}" + (f": {help_}" if help_ else ""))


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/deployments`: the newest first; `?limit=&cursor=`."""
    limit, before = number_of(request, "limit", 50, MOST, 1), number_of(request, "cursor", 0, 10**12)
    found: list[Deployment] = []
    if principal.tenant is None:
        found = await service.store.deployments.deployments(limit + 1, before or None)
    more = str(found[limit - 1].number) if len(found) > limit else None
    headers = {"etag": f'"{found[0].number}"'} if found and not before else {}
    return answered({"items": [_shown(one) for one in found[:limit]], "next_cursor": more}, headers=headers)


async def begin(service: Service) -> None:
    """Say which bundle is active when a service starts: what its files say counts where they say something new.

    What is active stays so, however often the service starts from the files of before: whether people deployed it, or
    another service from files of its own.
    """
    kept = service.store.deployments
    active, own = await kept.active(), service.bundle
    past = [one for one in await kept.deployments(10_000) if one.kind is DeploymentKind.ACTIVATE]
    said_last = next((one.bundle for one in past if one.by == FILES and one.note == _place_of(own)), None)
    said_before = active is not None and active.by != FILES and own.digest in {one.bundle for one in past}
    if said_last == own.digest or said_before:
        try:
            await follow_once(service)
        except BundleUnavailable as error:
            _log.error("what is active can't be served, the service's own files are: %s", error)
    else:
        await deploy_files(service, own)


def _place_of(bundle: Bundle) -> str:
    """Which files these are: another service of the store may have others."""
    return f"the files in {bundle.root}"


async def deploy_files(service: Service, bundle: Bundle) -> None:
    """New sessions begin with a bundle that the service has read from its own files."""
    await service.store.save_bundle(bundle.digest, bundle.files, urgent=bundle.urgent)
    kept, active = None, await service.store.deployments.active()
    report = await _report(service, active, bundle)
    while kept is None and (active is None or active.bundle != bundle.digest):
        newest = await service.store.deployments.deployments(1)
        deployment = Deployment(
            0, DeploymentKind.ACTIVATE, bundle.digest, service.clock.now(), FILES, note=_place_of(service.own),
            report=report,
        )  # fmt: skip
        kept = await service.store.deployments.deploy(deployment, newest[0].number if newest else 0)
    service.bundle = service.own = replace(bundle, root=service.bundle.root)


async def _report(service: Service, active: Deployment | None, bundle: Bundle) -> Mapping[str, Any]:
    """What files change about what is active, where that can be told soon; else nothing is told of it."""
    if active is None or active.bundle == bundle.digest:
        return {}
    if active.by != FILES:
        _log.warning("the service's own files replace what %s deployed", active.person or active.by)
    with trio.move_on_after(REPORTED_WITHIN):
        try:
            return await difference(await service.engine.bundle(active.bundle), bundle)
        except (HttpProblem, BundleUnavailable) as error:
            _log.warning("what the service's own files change is not told: %s", error)
    return {}


async def follow(service: Service) -> None:
    """Serve what is active, whoever deployed it and at whichever process, until the service drains."""
    while not service.draining.is_set():
        try:
            await follow_once(service)
        except StoreFault as error:
            _log.warning("which bundle is active can't be read, and the one before is served: %s", error)
        except Exception:
            # such as a bundle that this version can't read: what was served is served on
            _log.exception("the active bundle can't be served, the one before is")
        with trio.move_on_after(LOOK_EVERY):
            await service.draining.wait()


async def follow_once(service: Service) -> None:
    """Serve what is active now; raises BundleUnavailable."""
    active = await service.store.deployments.active()
    if active is not None and active.bundle != service.bundle.digest:
        service.bundle = replace(await service.engine.bundle(active.bundle), root=service.bundle.root)
    canary, known = (await trials_now(service.store.deployments)).canary, service.canary
    if (canary.number if canary is not None else None) != (known.number if known is not None else None):
        service.canary = await canary_of(service, canary)


async def _meant(
    service: Service, bundle: Bundle, before: Bundle, wanted: NewDeployment
) -> tuple[DeploymentKind, dict[str, Any]]:
    """What a deployment does, and what is known of the change; raises HttpProblem."""
    urgent = bundle.digest in await service.store.urgent_bundles()
    if wanted.lift + wanted.shadow + (wanted.canary is not None) > 1:
        raise HttpProblem(422, "invalid", "a deployment has one of `lift`, `shadow` and `canary`")
    if wanted.lift:
        if bundle.digest in (await trials_now(service.store.deployments)).bundles:
            return DeploymentKind.LIFT, dict(_NOTHING)
        if not urgent:
            raise HttpProblem(409, "not_urgent", f"bundle {bundle.digest} judges beside no other")
        return DeploymentKind.LIFT, {**_NOTHING, "loosens": True}
    if bundle.urgent and (wanted.shadow or wanted.canary is not None):
        raise HttpProblem(
            409, "urgent", f"bundle {bundle.digest} is urgent: it judges beside others, and is not on trial"
        )
    if bundle.urgent and urgent:
        raise HttpProblem(409, "urgent_already", f"bundle {bundle.digest} judges beside others already")
    if not bundle.urgent and bundle.digest == before.digest:
        raise HttpProblem(409, "active_already", f"bundle {bundle.digest} is active")
    report = await difference(before, bundle)
    if wanted.shadow:
        # it decides nothing
        return DeploymentKind.SHADOW, {**report, "loosens": False, "changes_people": False, "not_proved": []}
    if wanted.canary is not None:
        return DeploymentKind.CANARY, report
    if bundle.urgent:
        # of the two verdicts the stricter holds, and nothing of it acts; but what it says reaches customers and models
        files, same = {*before.files, *bundle.files}, dials(before.files) == dials(bundle.files)
        # as long as the numbers that texts show are the same, so is what they say of another condition
        said = [one for one in report["not_proved"] if one not in files and not (same and one in report["conditions"])]
        return DeploymentKind.URGE, {**report, "loosens": False, "not_proved": said}
    return DeploymentKind.ACTIVATE, report


_NOTHING: Mapping[str, Any] = {
    "loosens": False, "changes_people": False, "not_proved": [], "conditions": [], "changes": [], "beside": [],
}  # fmt: skip


async def _check_people(service: Service, principal: Principal, bundle: Bundle, report: Mapping[str, Any]) -> None:
    """Raise HttpProblem 403 where one person, or none, would decide that more may happen, or who is asked."""
    why = _takes_two(report)
    if not why:
        return
    more = {"report": dict(report)}
    if principal.person is None:
        made = "`engine tokens create --role operator --person NAME` makes one"
        raise HttpProblem(403, "another_person", f"it {why}: a person's token deploys it; {made}", more=more)
    upload = (await service.store.deployments.uploads()).get(bundle.digest)
    if upload is None:
        return
    behind = await people_behind(service, upload.by) | ({upload.person} if upload.person is not None else set())
    if not behind and await service.store.access.token_by_id(upload.by) is not None:
        told = f"it {why}, and nobody stands for the machine that brought it"
        made = "`engine tokens create --for NAME` says whose it is; or a person brings it"
        raise HttpProblem(403, "another_person", f"{told}: {made}", more=more)
    if principal.person in behind:
        told = f"it {why}: another person deploys it than who brought it, or made the token that did"
        raise HttpProblem(403, "another_person", told, more=more)


async def _check_going_back(service: Service, bundle: Bundle) -> None:
    """Raise HttpProblem 403 for a bundle that lets more happen and was active before the one before.

    Who agreed to it did so then.  To put the one before back is the way out of a mistake, and takes one person.
    """
    past = [one.bundle for one in await service.store.deployments.deployments(10_000)
            if one.kind is DeploymentKind.ACTIVATE]  # fmt: skip
    if bundle.digest in past[2:] and bundle.digest not in past[:2]:
        told = "it was active before the one before, and whoever agreed to it did so then"
        how = "bring it anew, with what has changed said in a description, and another person deploys it"
        raise HttpProblem(403, "agreed_long_ago", f"{told}: {how}")


def _takes_two(report: Mapping[str, Any]) -> str:
    """Why a change takes a second person; empty where it takes none."""
    if report["loosens"]:
        return "loosens what is active"
    if report["changes_people"]:
        return "changes who is asked"
    return f"changes what no proof speaks of ({', '.join(report['not_proved'][:5])})" if report["not_proved"] else ""


def _shown(one: Deployment) -> dict[str, Any]:
    return {
        "number": one.number, "kind": one.kind.value, "bundle": one.bundle, "at": one.at, "by": one.person or one.by,
        "note": one.note, "report": dict(one.report), "share": one.share, "attribute": one.attribute or None,
    }  # fmt: skip
