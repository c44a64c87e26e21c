"""The routes about what a bundle would have done in past sessions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import Right
from engine.web.bodies import NewComparison, body_of
from engine.web.bundles import bundle_of, check_all_tenants
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such
from engine.web.whatif import PastComparison
from engine.whatif.since import moment_of


async def create(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/whatif`: 202; `GET` tells how far it is, and then what came out."""
    wanted = await body_of(request, NewComparison)
    found = await asked(service, principal, wanted, request)
    return answered(found.shown(), 202, {"location": f"/v1/whatif/{found.id}"})


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/whatif/{id}`: how many sessions are judged, and the table once all are."""
    return answered(comparison_of(service, principal, request.path_params["id"]).shown())


async def asked(service: Service, principal: Principal, wanted: NewComparison, request: Request) -> PastComparison:
    """Ask for what a bundle of the store would have done; raises HttpProblem."""
    check_all_tenants(principal, "try them on past sessions")
    bundle = await bundle_of(service, principal, wanted.bundle)
    try:
        since = moment_of(wanted.since, service.clock.now()) if wanted.since is not None else None
    except ValueError as error:
        raise HttpProblem(422, "invalid", f"/since: {error}") from None
    found = service.comparisons.ask(bundle.digest, since, wanted.since or "", principal.id)
    await service.note(request, principal, Right.TRY_BUNDLES.value, bundle.digest, "asked")
    return found


def comparison_of(service: Service, principal: Principal, id_: str) -> PastComparison:
    """One that is kept; raises HttpProblem 404."""
    found = service.comparisons.get(id_)
    if found is None or principal.tenant is not None:
        raise no_such("comparison", id_)
    return found
