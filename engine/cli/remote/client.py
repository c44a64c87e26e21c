"""What commands ask a service with: a token, JSON with exact numbers, and its refusals as exit codes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, ParamSpec

import click
import httpx2

from engine.cli.console.actor import TOKEN
from engine.cli.console.credentials import stored_token
from engine.cli.console.output import say
from engine.language.value import NotJson, jsonable, loads, one_line
from engine.session.exit_code import FAILED, FAULT, USAGE

P = ParamSpec("P")

# a read may wait for something to happen
TIMEOUT = 60.0
PAGE = 200

# what a command on a store exits with for the same; all else that is refused is 1
_CODES: Mapping[str, int] = {
    "invalid": USAGE,
    "invalid_attributes": USAGE,
    "malformed": USAGE,
    "no_such_agent": USAGE,
    "no_such_job": USAGE,
    "no_such_session": USAGE,
    "not_permitted": USAGE,
    "unauthenticated": USAGE,
    "unknown_planner": USAGE,
}


class ServiceProblem(Exception):
    """The service has refused something, or can't be asked; `exit_code` is what the command exits with."""

    def __init__(self, code: str, detail: str, exit_code: int) -> None:
        super().__init__(detail)
        self.code = code
        self.exit_code = exit_code


class Client:
    """One service, and who asks it."""

    def __init__(self, server: str, token: str | None) -> None:
        self.url = server.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=TIMEOUT)

    def get(self, path: str, **query: Any) -> Any:
        """What a path gives; raises ServiceProblem."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:
        """What is answered to a body; raises ServiceProblem."""
        content = one_line(jsonable(dict(body))).encode()
        return self._ask("POST", path, content=content, headers={"content-type": "application/json", **headers})

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page; raises ServiceProblem."""
        cursor = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        try:
            response = self._http.request(method, path, **given)
        except httpx2.HTTPError as error:
            raise ServiceProblem("away", f"{self.url} can't be reached: {error}", FAULT) from None
        except (httpx2.InvalidURL, ValueError) as error:
            raise ServiceProblem("invalid", f"{self.url} is no address of a service: {error}", USAGE) from None
        try:
            body = loads(response.text) if response.text else None
        except NotJson:
            body = None
        if response.is_success and (body is not None or response.status_code == 204):
            return body
        if not isinstance(body, dict) or "code" not in body:
            raise ServiceProblem(
                "foreign", f"{self.url} answers {response.status_code}: is it a service of this?", FAULT
            )
        fault = FAULT if response.status_code >= 500 else FAILED
        raise ServiceProblem(body["code"], str(body.get("detail", body["code"])), _CODES.get(body["code"], fault))


def client() -> Client:
    """The service that this command line names, asked with `$ENGINE_TOKEN` or the token of `engine login`."""
    server = str(click.get_current_context().find_root().params["server"])
    return Client(server, os.environ.get(TOKEN) or stored_token(server.rstrip("/")))


def asking(command: Callable[P, int]) -> Callable[P, None]:
    """Run the command and exit with its code; what the service refuses is told in one line."""

    @wraps(command)
    def run(*given: P.args, **named: P.kwargs) -> None:
        try:
            code = command(*given, **named)
        except ServiceProblem as refused:
            say(f"engine: {refused}", err=True)
            code = refused.exit_code
        raise SystemExit(code)

    return run
