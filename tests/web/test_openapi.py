"""The OpenAPI document is the service's own: whatever fits it is answered as it says, and nothing ends in a fault."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from engine.web import openapi
from tests.web.service import Service

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = int(os.environ.get("API_EXAMPLES", "6"))

SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi.text()))
OPERATIONS: list[Any] = [getattr(result, "ok")() for result in SCHEMA.get_all_operations()]  # noqa: B009


def test_the_document_is_committed_as_it_is_served(service: Service) -> None:
    committed = (ROOT / "docs/reference/openapi.json").read_text("utf-8")
    with service.client() as client:
        served = client.get("/v1/openapi.json")
    assert served.status_code == 200
    assert served.text == committed, "make schemas"


def test_every_operation_has_a_sentence_and_a_name_of_its_own() -> None:
    paths = openapi.document()["paths"]
    operations = [one for methods in paths.values() for one in methods.values()]
    assert all(one["summary"] for one in operations)
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_whatever_fits_the_document_is_answered_as_it_says(service: Service, operation: Any) -> None:
    """Ids of things that are there among what is asked, so that it is not all answered with 404."""
    token = service.token("ops", "operator")
    reviewer = service.token("dana", "reviewer")
    with service.client("ops", "operator") as ops:
        started = service.start(ops, "acct_1002")
        known = [
            started["id"],
            f"{started['id']}.1",
            *(row["id"] for row in ops.get("/v1/tokens").json()["items"][-1:]),
        ]
    document = json.loads(openapi.text())
    number = iter(range(10**9))

    @settings(
        max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate], database=None,
        suppress_health_check=list(HealthCheck), derandomize=True,
    )  # fmt: skip
    def asked(case: Any) -> None:
        turn = next(number)
        parts = dict(case.path_parameters or {})
        if "id" in parts and turn % 2 and operation.method.upper() != "DELETE":
            case.path_parameters = {**parts, "id": known[turn // 2 % len(known)]}
        secret = reviewer if turn % 3 == 2 else token
        response = send(service, case, secret)
        assert response.status_code < 500 or response.status_code == 503, response.text
        check(document, operation, response)

    given(case=operation.as_strategy())(asked)()


def send(service: Service, case: Any, secret: str) -> httpx2.Response:
    made = case.as_transport_kwargs(base_url=service.url)
    headers = {**dict(made.get("headers") or {}), "Authorization": f"Bearer {secret}"}
    headers = {name: value for name, value in headers.items() if name.lower() not in ("content-length", "host")}
    with httpx2.Client(timeout=600) as client:
        return client.request(
            made["method"], made["url"], params=made.get("params"), headers=headers, json=made.get("json"),
            content=made.get("data") if not isinstance(made.get("data"), dict) else None,
        )  # fmt: skip


def check(document: dict[str, Any], operation: Any, response: httpx2.Response) -> None:
    """The status is one that the document tells of, and the body is of the schema that it tells."""
    told = document["paths"][operation.path][operation.method.lower()]["responses"]
    assert str(response.status_code) in told, (operation.path, response.status_code, response.text)
    content = told[str(response.status_code)].get("content", {})
    if not content:
        assert response.content == b""
        return
    (media, shape), *_ = content.items()
    assert response.headers["content-type"].partition(";")[0] == media
    schema = {**shape["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(response.json())
