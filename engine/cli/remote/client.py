"""What commands ask a service with: a token, JSON with exact numbers, and its refusals as exit codes."""

from __future__ import annotations

import os
import re
import time
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
# who is told that too much is asked at once asks again, so often and after so many seconds
TOO_MANY, MOST_TRIES, PAUSE = 429, 10, 2.0

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
        self.url, secret = server.strip().rstrip("/"), (token or "").strip()
        if not self.url.startswith(("http://", "https://")):
            raise ServiceProblem("invalid", f"`{self.url}` is no address of a service, as https://HOST is", USAGE)
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ServiceProblem("unauthenticated", "this token is none: it has characters that no token has", USAGE)
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        try:
            self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=TIMEOUT)
        except (httpx2.InvalidURL, ValueError):
            raise ServiceProblem("invalid", f"`{self.url}` is no address of a service", USAGE) from None

    def get(self, path: str, **query: Any) -> Any:
        """What a path gives; raises ServiceProblem."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Any:
        """What is answered to a body; raises ServiceProblem."""
        content = one_line(jsonable(dict(body))).encode()
        return self._ask("POST", path, content=content, headers={"content-type": "application/json", **headers})

    def delete(self, path: str) -> None:
        """Take something away; raises ServiceProblem."""
        self._ask("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page; raises ServiceProblem."""
        cursor = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["items"]
            if page["next_cursor"] in (None, cursor):
                return
            cursor = page["next_cursor"]

    def events(self, session_id: str, after: int = 0) -> list[dict[str, Any]]:
        """All events of a session behind one; raises ServiceProblem."""
        found: list[dict[str, Any]] = []
        path = f"/v1/sessions/{part(session_id)}/events"
        while page := self.get(path, after=found[-1]["seq"] if found else after, limit=PAGE)["items"]:
            found += page
        return found

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        try:
            response = self._http.request(method, path, **given)
            for _ in range(MOST_TRIES if method == "GET" else 0):
                if response.status_code != TOO_MANY:
                    break
                time.sleep(PAUSE)
                response = self._http.request(method, path, **given)
        except (httpx2.LocalProtocolError, UnicodeError):
            raise ServiceProblem("invalid", "this can't be sent over HTTP", USAGE) from None
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
        if not isinstance(body, dict) or not isinstance(body.get("code"), str):
            raise ServiceProblem(
                "foreign", f"{self.url} answers {response.status_code}: is it a service of this?", FAULT
            )
        fault = FAULT if response.status_code >= 500 else FAILED
        raise ServiceProblem(body["code"], str(body.get("detail", body["code"])), _CODES.get(body["code"], fault))


def part(name: str) -> str:
    """An id as a part of a path: whatever is in it, it is that and leads nowhere else."""
    if not re.fullmatch(r"[A-Za-z0-9_.~-]{1,200}", name, re.ASCII) or not name.strip("."):
        raise ServiceProblem("invalid", f"`{name}` is the id of nothing", USAGE)
    return name


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
        except (KeyError, TypeError, AttributeError, IndexError):
            say("engine: what answers there is no service of this engine, or one of another version", err=True)
            code = FAULT
        raise SystemExit(code)

    return run
