"""Bundles on trial: a canary, which a share of new sessions begins with, and a shadow, which judges past sessions.

Both end with the next deployment that activates a bundle, or when they are lifted.  What a shadow would have decided
is recorded nowhere: it follows from the logs and the bundle, which stay as they are, and is told when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.language.value import timestamp
from engine.ports.deployments import Deployment, DeploymentKind
from engine.web.bundle_checks import judged_since
from engine.web.canary import Canary
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service

MOST_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Trials:
    """The deployments that are on trial now."""

    canary: Deployment | None = None
    shadow: Deployment | None = None


def trials_of(newest_first: Sequence[Deployment]) -> Trials:
    """What is on trial after some deployments."""
    lifted: set[str] = set()
    found: dict[DeploymentKind, Deployment] = {}
    for one in newest_first:
        if one.kind is DeploymentKind.ACTIVATE:
            break
        if one.kind is DeploymentKind.LIFT:
            lifted.add(one.bundle)
        elif one.kind in (DeploymentKind.CANARY, DeploymentKind.SHADOW) and one.bundle not in lifted:
            found.setdefault(one.kind, one)
    return Trials(found.get(DeploymentKind.CANARY), found.get(DeploymentKind.SHADOW))


async def trials_now(service: Service) -> Trials:
    """What is on trial now."""
    return trials_of(await service.store.deployments.deployments(MOST_LOOKED_AT))


async def canary_of(service: Service, deployment: Deployment | None) -> Canary | None:
    """The canary of a deployment; raises BundleUnavailable."""
    if deployment is None or deployment.share is None:
        return None
    bundle = replace(await service.engine.bundle(deployment.bundle), root=service.bundle.root)
    return Canary(bundle, deployment.share, deployment.attribute)


async def shadow_report(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/shadow`: what the bundle in the shadow would have judged otherwise since it was put there."""
    shadow = (await trials_now(service)).shadow
    # bundles are for all tenants: a token of one knows of none
    if shadow is None or principal.tenant is not None:
        raise HttpProblem(404, "no_shadow", "no bundle judges in the shadow")
    if service.file is None:
        raise HttpProblem(503, "not_available", "a store in memory is not read by another process")
    bundle = await service.engine.bundle(shadow.bundle)
    told = await judged_since(bundle.files, service.file, shadow.at)
    names = ("bundle", "sessions", "erased", "decisions", "table")
    return answered({"since": timestamp(shadow.at)} | {name: told[name] for name in names})
