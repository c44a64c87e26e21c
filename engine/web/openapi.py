"""The OpenAPI document, made from the table of routes and from the models of what they take and give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from engine.version import __version__
from engine.web import answer_models as models
from engine.web.bodies import Body
from engine.web.table import TABLE, RouteRow

_REF = "#/components/schemas/{model}"
# what each route may answer with where it does not do what was asked, and why
_PROBLEMS: Mapping[str, str] = {
    "400": "It can't be read as HTTP or JSON.",
    "401": "Nobody is named, or whoever is named is let in no more.",
    "403": "Whoever asks may not.",
    "404": "There is none, or it is somebody else's.",
    "405": "The path takes other methods.",
    "409": "How things stand is in the way; what was shown may have changed.",
    "412": "What it was to come behind is not the newest any more.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "422": "A field is not what it must be.",
    "428": "An answer has to name what was shown.",
    "429": "Too much at once; ask again after `Retry-After`.",
    "503": "It can't be done now; ask again after `Retry-After`.",
}


@cache
def document() -> Mapping[str, Any]:
    """The whole document (OpenAPI 3.1)."""
    used: list[type[BaseModel]] = [models.ProblemBody, models.Health, models.Version]
    for row in TABLE:
        used += [one for one in (row.body, *row.gives.values()) if one is not None]
    modes = [(one, "validation" if issubclass(one, Body) else "serialization") for one in dict.fromkeys(used)]
    _, schemas = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for row in TABLE:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    for path, (what, model, statuses) in _OPEN.items():
        paths[path] = {
            "get": {
                "summary": what, "security": [], "operationId": path.strip("/"),
                "responses": {status: _response(what, model) for status in statuses},
            }
        }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Steadyhand",
            "version": __version__,
            "summary": "Sessions of agents, and what people answer.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas["$defs"],
        },
    }


_OPEN: Mapping[str, tuple[str, type[BaseModel], tuple[str, ...]]] = {
    "/healthz": ("The process lives.", models.Health, ("200",)),
    "/readyz": ("It can be asked.", models.Health, ("200", "503")),
    "/version": ("Which engine this is.", models.Version, ("200",)),
}


@cache
def text() -> str:
    """The document as it is committed and served."""
    return json.dumps(document(), indent=1) + "\n"


def _operation(row: RouteRow) -> dict[str, Any]:
    told = (row.endpoint.__doc__ or "").partition(": ")[2].strip() or row.path
    named = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{id}" in row.path else []
    asked = [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in row.query.items()]
    headers = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in row.headers]
    found: dict[str, Any] = {
        "summary": told,
        "operationId": f"{row.endpoint.__module__.rpartition('.')[2]}_{row.endpoint.__name__}",
        "description": f"Needs the right `{row.right}`.",
        "parameters": [*named, *asked, *headers],
        "responses": {
            **{str(status): _response("Done.", model) for status, model in row.gives.items()},
            **{status: _problem(why) for status, why in _PROBLEMS.items()},
        },
    }
    if row.body is not None:
        schema = {"$ref": _REF.format(model=row.body.__name__)}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _response(what: str, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": what}
    return {
        "description": what,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
    }


def _problem(why: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=models.ProblemBody.__name__)}
    return {"description": why, "content": {"application/problem+json": {"schema": schema}}}
