"""What went wrong with a model's server, told apart: by its status, or by how the connection ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import httpx2

from engine.net.body import LargerThan
from engine.net.errors import why
from engine.net.retry_after import retry_after
from engine.planner.answer import FAR, Fault
from engine.planner.refusal import ServerRefusal, refused, said_by

RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NAMES = {408: "timeout", 429: "rate_limited", 503: "overloaded", 529: "overloaded"}


class NotRecorded(httpx2.TransportError):
    """A question that the cassette has no answer to."""


@contextmanager
def faults_of(sdk: ModuleType, sent: Mapping[str, Any], *, limits: bool = False) -> Iterator[None]:
    """What a library of a model's vendor raises for a request, as faults; `limits`: see `refused`."""
    try:
        yield
    except sdk.APIStatusError as error:
        said = said_by(error.body, str(error.message))
        told = refused(said, sent, limits=limits) if 400 <= error.status_code < 500 else None
        raise fault_of_status(error.status_code, error.response.headers, said, told) from None
    except sdk.APIConnectionError as error:
        raise fault_of_wire(error.__cause__ or error) from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise fault_of_wire(error) from None
    except sdk.APIError.__base__ as error:
        raise Fault("server_error", f"the server says: {error}"[:FAR], retryable=True) from None
    except ValueError as error:
        raise mangled(error) from None
    except RecursionError:
        raise mangled("it is nested too deep") from None
    except (TypeError, AttributeError, LookupError):
        raise mangled("a part of it is of another kind than the protocol says, or is missing") from None


def fault_of_status(status: int, headers: Mapping[str, str], said: str, told: ServerRefusal | None) -> Fault:
    """The fault that an HTTP status is; `told` is what the server does not take."""
    retryable = status in RETRYABLE
    name = _NAMES.get(status, "server_error" if status >= 500 else "rejected")
    help_ = f"; {told.hint}" if told else ""
    message = f"the server answers {status}: {said.strip()[:FAR]}{help_}"
    fault = Fault(name, message, retryable=retryable, final=not retryable, retry_after=retry_after(headers), free=True)
    fault.refused = told.parameter if told is not None and told.alters else None
    return fault


def fault_of_wire(error: BaseException) -> Fault:
    """The fault that the end of a connection is."""
    if isinstance(error, LargerThan):
        return Fault("too_large", str(error))
    if isinstance(error, NotRecorded):
        return Fault("not_recorded", str(error), final=True, free=True)
    if isinstance(error, httpx2.LocalProtocolError):
        # its text would tell the header
        return Fault("rejected", "the request can't be sent: a header holds what no header may", final=True, free=True)
    if isinstance(error, httpx2.TimeoutException):
        return Fault("timeout", "the connection timed out", retryable=True)
    if isinstance(error, httpx2.ConnectError):
        return Fault("unreachable", f"the server can't be reached: {why(error)}"[:FAR], retryable=True, free=True)
    return Fault("cut_off", f"the connection broke: {type(error).__name__} {error}"[:FAR], retryable=True)


def mangled(what: object) -> Fault:
    """An answer that is not of the protocol's shape."""
    return Fault("malformed", f"the server's answer can't be understood: {what}"[:FAR], retryable=True)
