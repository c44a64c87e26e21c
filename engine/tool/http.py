"""The `http` adapter: one request for a call, through one pooled client, to hosts that the bundle names."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2
import trio

from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.value import NotJson, canonical, exact, jsonable
from engine.net.address import AddressRefused, NoAddress, allowed_address
from engine.net.body import BodyTooLarge, CantDecode, Decoder, codings
from engine.net.errors import why
from engine.net.retry_after import retry_after
from engine.ports.external_work import outside
from engine.ports.resources import Secrets, in_header
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.spec.bundle import READ
from engine.tool.fill import parsed, secret_text, text, value

# these tell whole URLs at every request
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_PORTS = {"http": 80, "https": 443}

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpAdapter:
    """Acts for the http tools of one bundle."""

    def __init__(self, resources: AdapterResources) -> None:
        self._secrets = resources.secrets
        self._connections = resources.connections

    async def run(self, run: ToolInvocation) -> Any:
        """What the response says, as the tool maps it; raises ToolError."""
        with outside():
            exchange = _Exchange(run, self._secrets, self._client_of)
            status, headers, body = await exchange.response()
            return await _output(run, status, headers, body, went_on=exchange.went_on)

    async def _client_of(self, host: str) -> httpx2.AsyncClient:
        """The client of a host: connections are told apart by address, and must not be shared between hosts."""
        return await self._connections.hold(f"http:{host}", _client)


@asynccontextmanager
async def _client() -> AsyncIterator[httpx2.AsyncClient]:
    with outside():
        context = await trio.to_thread.run_sync(ssl.create_default_context)
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
    # what one session is told to remember is no business of the next
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx2.AsyncClient(
        timeout=None, limits=limits, verify=context, trust_env=False, follow_redirects=False, cookies=no_cookies
    ) as client:
        yield client


class _Exchange:
    """A request and, where they are allowed, the redirects that it leads to."""

    def __init__(
        self, run: ToolInvocation, secrets: Secrets, client_of: Callable[[str], Awaitable[httpx2.AsyncClient]]
    ) -> None:
        self._run = run
        self._settings = run.tool.adapter.settings
        self._client_of = client_of
        self._reveal = secrets.reveal
        self._names = run.names
        self.went_on = False

    async def response(self) -> tuple[int, Mapping[str, str], bytes]:
        url, method, content = self._url(), self._settings["method"], self._content()
        headers = self._headers(content)
        for _ in range(self._settings.get("redirects", 0) + 1):
            status, told, body = await self._ask(method, url, headers, content)
            if status not in REDIRECTS or not told.get("location") or not self._settings.get("redirects"):
                return status, told, body
            self.went_on = True
            if status == 303 or (status in (301, 302) and method == "POST"):
                method, content = "GET", None
            before, url = url, self._target(url, told["location"])
            if _origin(before) != _origin(url):
                # what was meant for one server is not told to another
                headers = {name: headers[name] for name in ("accept", "content-type") if name in headers}
                if content is not None or urlsplit(url).scheme == "http" != urlsplit(before).scheme:
                    raise self._failed("host_refused", "a redirect may not take a body to another server", acted=True)
        raise self._failed("too_many_redirects", "it is redirected more often than `redirects` allows", acted=True)

    def _target(self, url: str, location: str) -> str:
        try:
            return urljoin(url, location)
        except ValueError:
            raise self._failed("host_refused", "it is redirected to what is no URL", acted=True) from None

    def _url(self) -> str:
        """The URL with its values in their places; raises ToolError."""
        try:
            return self._filled_url()
        except UnicodeError:
            raise ToolError("bad_url", "a value holds what no URL can", acted=False) from None

    def _filled_url(self) -> str:
        template: Template = self._settings["url"]
        url = text(template, self._names, lambda part: quote(part, safe=""))
        segments, meant = (
            urlsplit(one).path.split("/") for one in (url, text(template, self._names, lambda part: "x"))
        )
        if any(part in (".", "..") for part in segments) or segments.count("") != meant.count(""):
            raise ToolError("bad_url", "a value may not be empty or lead out of its place in the path", acted=False)
        query = [
            (name, _as_text(part))
            for name, one in self._settings["query"].items()
            for part in _repeated(value(one, self._names, self._reveal))
        ]
        if not query:
            return url
        more = "&".join(f"{quote(name, safe='')}={quote(one, safe='')}" for name, one in query)
        return f"{url}{'&' if urlsplit(url).query else '?'}{more}"

    def _headers(self, content: bytes | None) -> dict[str, str]:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if content is not None:
            headers["content-type"] = "application/json"
        for name, template in self._settings["headers"].items():
            headers[name.lower()] = secret_text(template, self._names, in_header(self._reveal))
        key, header = self._run.idempotency_key, self._settings.get("idempotency_header")
        if header and key is not None:
            headers[header.lower()] = key
        for name, one in headers.items():
            if not one.isascii() or one != one.strip() or any(ord(char) < 32 or ord(char) == 127 for char in one):
                raise ToolError("bad_header", f"a value can't stand in the header {name}", acted=False)
        return headers

    def _content(self) -> bytes | None:
        if self._settings["body"] is None:
            return None
        return canonical(exact(_filled(self._settings["body"], self._names, self._reveal))).encode()

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        request, client = await self._request(method, url, headers, content)
        try:
            response = await client.send(request, stream=True)
            try:
                return response.status_code, response.headers, await self._body(response)
            finally:
                with trio.CancelScope(shield=True):
                    await response.aclose()
        except (httpx2.ConnectError, httpx2.PoolTimeout) as error:
            message = f"{_host(url)} can't be reached: {why(error)}"
            raise self._failed("unreachable", message, acted=self.went_on) from None
        except httpx2.LocalProtocolError:
            # its text would tell the header
            raise self._failed("bad_header", "a header holds what no header may", acted=self.went_on) from None
        except httpx2.HTTPError as error:
            message = f"the answer of {_host(url)} did not come: {type(error).__name__} {why(error)}"
            raise self._failed("no_answer", message, acted=True) from None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[httpx2.Request, httpx2.AsyncClient]:
        """The request, to an address that was judged, for the host that was asked for."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if parts.scheme not in ("http", "https") or parts.username is not None:
            raise self._failed("host_refused", f"{parts.scheme} is no way to ask", acted=self.went_on)
        if host.lower() not in {one for one, _ in self._settings["hosts"]}:
            raise self._failed("host_refused", f"{host} is not among the hosts of this tool", acted=self.went_on)
        if self.went_on and not self._may_lead_to(parts.scheme, host.lower(), port):
            message = f"{host} is asked at another port: `hosts` names it as `{host}:PORT`"
            raise self._failed("host_refused", message, acted=True)
        try:
            address = await allowed_address(
                host,
                port or (443 if parts.scheme == "https" else 80),
                private=self._settings.get("allow_private", False),
            )
        except AddressRefused as error:
            raise self._failed("host_refused", str(error), acted=self.went_on) from None
        except NoAddress as error:
            raise self._failed("unreachable", str(error), acted=self.went_on) from None
        literal = f"[{address}]" if ":" in address else address
        named = f"[{host}]" if ":" in host else host
        told = {**headers, "host": f"{named}:{port}" if port else named}
        client = await self._client_of(host.lower())
        try:
            request = client.build_request(
                method, httpx2.URL(url).copy_with(host=literal), headers=told, content=content
            )
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise self._failed("bad_url", f"it is no URL: {error}", acted=self.went_on) from None
        request.extensions["sni_hostname"] = host
        return request, client

    def _may_lead_to(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether a redirect may lead to a port of a host: the one that is named, or else the usual one."""
        asked = port or _PORTS[scheme]
        return any(
            one == host and asked in ((named,) if named else _PORTS.values()) for one, named in self._settings["hosts"]
        )

    async def _body(self, response: httpx2.Response) -> bytes:
        most = self._settings.get("max_response", 1_000_000)
        taken, wrong = bytearray(), list[Exception]()
        # stopped by cancelling: breaking off would leave the generators below unfinished
        with trio.CancelScope() as scope:
            try:
                decoder = Decoder(codings(response.headers.get("content-encoding", "")), most)
            except CantDecode as error:
                raise self._failed("invalid_output", f"the response can't be read: {error}", acted=True) from None
            raw = 0
            async for chunk in response.aiter_raw():
                raw += len(chunk)
                if wrong:
                    continue
                try:
                    taken += decoder.feed(chunk)
                    if raw > most:
                        raise BodyTooLarge
                except (CantDecode, BodyTooLarge) as error:
                    wrong.append(error)
                    scope.cancel()
        if not wrong:
            try:
                decoder.end()
            except CantDecode as error:
                wrong.append(error)
        if wrong and isinstance(wrong[0], BodyTooLarge):
            raise self._failed("response_too_large", f"the response is larger than {most} bytes", acted=True)
        if wrong:
            raise self._failed("invalid_output", f"the response can't be read: {wrong[0]}", acted=True)
        return bytes(taken)

    def _failed(self, reason: str, message: str, *, acted: bool) -> ToolError:
        reads = self._run.tool.effect is READ
        may_help = reason in ("unreachable", "no_answer") and (reads or not acted)
        message = self._run.failure_text(message, 500)
        return ToolError(reason, message, retryable=may_help, acted=acted and not reads, lost=acted and not reads)


async def _output(
    run: ToolInvocation,
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    *,
    went_on: bool,
) -> Any:
    """The output that an answer is; of a write that was sent on, whatever is no success leaves open what was done."""
    settings, writes = run.tool.adapter.settings, run.tool.effect is not READ
    end = _outcome(settings.get("outcomes", {}), status, headers, reads=not writes)
    if end != "ok":
        said = f"the server answers {status}: {run.failure_text(raw[:20_000].decode('utf-8', 'replace'), 300)}"
        lost = writes and (end == "lost" or went_on)
        wait = retry_after(headers) if end == "retryable" else None
        raise ToolError(
            f"http_{status}",
            said,
            retryable=end == "retryable" and not lost,
            acted=lost,
            lost=lost,
            wait=None if wait is None else Decimal(str(wait)),
        )
    body = await _parsed(raw, headers, reads=not writes)
    if settings["output"] is None:
        return {} if body is None else body
    response = {"status": status, "headers": {k.lower(): v for k, v in headers.items()}, "body": body}
    names = {**run.names, "response": response}
    try:
        output = settings["output"]
        if isinstance(output, Expression):
            return jsonable(output.value(names))
        return {name: jsonable(expression.value(names)) for name, expression in output.items()}
    except EvaluationError as error:
        raise ToolError("output_error", f"the output has no value: {error}", acted=writes, lost=writes) from None


def _outcome(declared: Mapping[str, str], status: int, headers: Mapping[str, str], *, reads: bool) -> str:
    """What a status means: as declared, by the status itself or by its class, or as HTTP has it."""
    found = declared.get(str(status)) or declared.get(f"{status // 100}xx")
    if found is not None:
        return found
    if 200 <= status < 300:
        return "ok"
    if status == 429 or (status == 503 and (reads or "retry-after" in headers)):
        # it says that it has done nothing; a 503 alone may be a proxy's, which knows nothing of what was done
        return "retryable"
    if status == 408 or status >= 500:
        return "retryable" if reads else "lost"
    return "lost" if status in REDIRECTS and not reads else "rejected"


async def _parsed(raw: bytes, headers: Mapping[str, str], *, reads: bool) -> Any:
    if not raw.strip():
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not (kind == "application/json" or kind.endswith("+json")):
        return raw.decode("utf-8", "replace")
    try:
        return await parsed(raw)
    except NotJson as error:
        message = f"the response is not JSON: {error}"
        raise ToolError("invalid_output", message, acted=not reads, lost=not reads) from None


def _filled(body: Any, names: Mapping[str, Any], reveal: Any) -> Any:
    if isinstance(body, Template):
        return value(body, names, reveal)
    if isinstance(body, Mapping):
        return {name: _filled(one, names, reveal) for name, one in body.items()}
    return [_filled(one, names, reveal) for one in body] if isinstance(body, list) else body


def _repeated(found: Any) -> list[Any]:
    """The values of a parameter of a query: a list is the parameter repeated, null is left out."""
    values = [one for one in found if one is not None] if isinstance(found, list) else [found]
    if any(isinstance(one, list | Mapping) for one in values):
        raise ToolError("bad_url", "a value is nested, and has no form in a query", acted=False)
    return [] if found is None else values


def _as_text(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    return found if isinstance(found, str) else canonical(found)


def _origin(url: str) -> tuple[str, str, int | None]:
    """What one server is: the way to ask, its host and its port."""
    parts = urlsplit(url)
    try:
        return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, parts.netloc, None


def _host(url: str) -> str:
    return urlsplit(url).netloc
