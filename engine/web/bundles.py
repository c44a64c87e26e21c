"""The routes about bundles: they are brought, listed and read.  Which of them is active is decided apart from that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import Right
from engine.bundle.document_set import NOTHING_SET
from engine.bundle.load import LoadedBundle, load_files
from engine.diagnostic import Diagnostic, Severity, has_errors
from engine.ports.deployments import Upload
from engine.spec.bundle import Bundle
from engine.web.bodies import NewBundle, body_of
from engine.web.bundle_checks import broken_guarantees, difference
from engine.web.bundle_reach import foreign_parts
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such

# of a path, and of each of its parts in bytes
LONGEST_PATH, LONGEST_PART = 300, 200


async def upload(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/bundles`: 201; what it promises is proved first, and nothing of it counts before it is deployed."""
    check_all_tenants(principal, "bring bundles")
    wanted = await body_of(request, NewBundle)
    # whoever brings it is not told what the environment of this process gives
    loaded = await trio.to_thread.run_sync(load_files, _files(wanted.files), NOTHING_SET)
    bundle = _valid(loaded)
    foreign = foreign_parts(bundle.files, service.own.files) if not service.takes_code else []
    if foreign:
        told = f"{', '.join(foreign[:10])}: a bundle that is brought changes what is decided, and not what acts"
        how = "what acts is as in the service's own bundle, unless its configuration says `bundles: {code: allow}`"
        raise HttpProblem(403, "code_not_allowed", f"{told}; {how}")
    guarantees, broken = await broken_guarantees(bundle.files)
    if broken:
        raise HttpProblem(422, "guarantee_refuted", f"a call breaks what it promises: {', '.join(broken)}",
                          more={"guarantees": guarantees})  # fmt: skip
    # an urgent one judges from its deployment on
    await service.store.save_bundle(bundle.digest, bundle.files, urgent=False)
    kept = await service.store.deployments.add_upload(
        Upload(bundle.digest, service.clock.now(), principal.id, principal.person)
    )
    await service.note(request, principal, Right.UPLOAD_BUNDLES.value, bundle.digest, "kept")
    told_of = await _shown(service, bundle.digest, {bundle.digest: kept})
    more = {"warnings": [_told(one) for one in loaded.diagnostics], "guarantees": guarantees}
    place = {"location": f"/v1/bundles/{bundle.digest}"}
    return answered(told_of | {"agents": sorted(bundle.agents), "urgent": bundle.urgent} | more, 201, place)


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/bundles`: the newest first; none for a token of one tenant."""
    uploads = await service.store.deployments.uploads()
    digests = reversed(await service.store.bundles()) if principal.tenant is None else ()
    return answered({"items": [await _shown(service, one, uploads) for one in digests], "next_cursor": None})


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/bundles/{id}`: its files, and who brought it."""
    bundle = await bundle_of(service, principal, request.path_params["id"])
    told = await _shown(service, bundle.digest, await service.store.deployments.uploads())
    files = {path: content.decode(errors="replace") for path, content in bundle.files.items()}
    return answered(told | {"agents": sorted(bundle.agents), "urgent": bundle.urgent, "files": files})


async def compared(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/bundles/{id}/difference`: what it changes about the bundle that is active, and whether that loosens."""
    bundle = await bundle_of(service, principal, request.path_params["id"])
    found = await difference(service.bundle, bundle)
    return answered({"from": service.bundle.digest, "to": bundle.digest} | found)


async def bundle_of(service: Service, principal: Principal, digest: str) -> Bundle:
    """A bundle of the store; raises HttpProblem 404 where there is none, and for a token of one tenant."""
    if principal.tenant is not None or digest not in await service.store.bundles():
        raise no_such("bundle", digest)
    return await service.engine.bundle(digest)


def check_all_tenants(principal: Principal, what: str) -> None:
    """Raise HttpProblem 403 for a principal of one tenant: bundles are for all."""
    if principal.tenant is not None:
        raise HttpProblem(403, "another_tenant", f"bundles are for all tenants: a token of one may not {what}")


async def _shown(service: Service, digest: str, uploads: Mapping[str, Upload]) -> dict[str, Any]:
    upload = uploads.get(digest)
    return {
        "digest": digest,
        "active": digest == service.bundle.digest,
        "uploaded_at": upload.at if upload is not None else None,
        "uploaded_by": (upload.person or upload.by) if upload is not None else None,
    }


def _files(texts: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a bundle by path; raises HttpProblem 422 for a path that leads anywhere else."""
    for path in texts:
        parts = path.split("/")
        plain = PurePosixPath(path).as_posix() == path and "\\" not in path and path.isprintable()
        long = any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in parts)
        if (
            long
            or not plain
            or not 1 <= len(path) <= LONGEST_PATH
            or path.startswith("/")
            or {"", ".", ".."} & set(parts)
        ):
            raise HttpProblem(422, "invalid", f"/files: `{path[:50]}` is no path within a bundle")
    return {path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()}


def _valid(loaded: LoadedBundle) -> Bundle:
    if loaded.bundle is None or has_errors(loaded.diagnostics):
        wrong = [_told(one) for one in loaded.diagnostics]
        count = sum(one.severity is Severity.ERROR for one in loaded.diagnostics)
        raise HttpProblem(
            422, "invalid_bundle", f"the bundle has {count} error{'' if count == 1 else 's'}", more={"errors": wrong}
        )
    return loaded.bundle


def _told(one: Diagnostic) -> dict[str, Any]:
    return {
        "code": one.code, "severity": one.severity.value, "detail": one.message, "file": one.place.file,
        "line": one.place.line, "column": one.place.column, "help": one.help,
    }  # fmt: skip
