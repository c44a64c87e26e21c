"""The bundles on trial as the service goes by them, and the route about the shadow."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.api.trials import trials_now
from engine.language.value import timestamp
from engine.ports.deployments import Deployment
from engine.web.bundle_checks import judged_since, one_at_once
from engine.web.canary import Canary
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service


async def canary_of(service: Service, deployment: Deployment | None) -> Canary | None:
    """The canary of a deployment; raises BundleUnavailable."""
    if deployment is None or deployment.share is None:
        return None
    bundle = replace(await service.engine.bundle(deployment.bundle), root=service.bundle.root)
    return Canary(bundle, deployment.share, deployment.attribute, deployment.number)


async def shadow_report(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/shadow`: what the bundle in the shadow would have judged otherwise since it was put there."""
    shadow = (await trials_now(service.store.deployments)).shadow
    # bundles are for all tenants: a token of one knows of none
    if shadow is None or principal.tenant is not None:
        raise HttpProblem(404, "no_shadow", "no bundle judges in the shadow")
    if service.past is None:
        raise HttpProblem(503, "not_available", "a store in memory is not read by another process")
    bundle = await service.engine.bundle(shadow.bundle)
    async with one_at_once():
        told = await judged_since(bundle.files, service.past, shadow.at)
    names = ("bundle", "sessions", "erased", "decisions", "table")
    return answered({"since": timestamp(shadow.at)} | {name: told[name] for name in names})
