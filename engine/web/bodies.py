"""What requests bring: read whole, strictly, into a model; anything else is a problem that says where."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

from engine.diagnostic import did_you_mean
from engine.language.value import NotJson, loads
from engine.web.problems import HttpProblem

# more fields than any body has
MOST_FIELDS = 50


async def came_late(request: Request) -> bool:
    """Read a body, and tell whether any of it came later than the head."""
    await request.body()
    return bool(request.scope.get("state", {}).get("body_came_later", True))


class Body(BaseModel):
    """Fields that are not known are refused: they would be believed in and do nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewSession(Body):
    """A session to start."""

    agent: str | None = None
    message: str = Field(min_length=1)
    attributes: dict[str, Any] = {}
    planner: str | None = None
    external_id: str | None = Field(default=None, min_length=1, max_length=200)


class NewMessage(Body):
    """Something more that the customer says."""

    text: str = Field(min_length=1)


class NewAnswer(Body):
    """An answer to the request with `digest`, which is what the person was shown."""

    digest: str | None = Field(default=None, max_length=200)
    answer: Literal["approve", "deny", "value", "happened", "did_not_happen", "abandon"]
    edits: dict[str, Any] | None = None
    value: Any = None
    output: Any = None
    note: str = ""


class NewComment(Body):
    """Something that is said about a request to others who are asked."""

    text: str = Field(min_length=1, max_length=2000)


class NewClaim(Body):
    """To say that one is at a request; `take` puts one in the place of somebody else."""

    take: bool = False


class NewAbsence(Body):
    """When somebody is away, `from` now unless it is given; the `delegate` looks after what they are asked."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_by_name=False)

    person: str | None = Field(default=None, min_length=1, max_length=200)
    begins: str | None = Field(default=None, alias="from", max_length=50)
    ends: str = Field(alias="to", max_length=50)
    delegate: str | None = Field(default=None, min_length=1, max_length=200)


class NewConfirmation(Body):
    """The customer's own answer: to the oldest question that they are asked, or a yes to a call beforehand."""

    answer: Literal["yes", "no"]
    tool: str | None = None
    input: dict[str, Any] = {}


class NewProposal(Body):
    """The next step of a session whose planner is a client, which has read up to the event `after`."""

    after: int = Field(ge=1, le=10**12)
    message: str = ""
    tool_calls: list[Any] = []
    done: bool = False


class NewErasure(Body):
    """Why a session is erased, for the audit."""

    why: str = Field(min_length=1, max_length=500)


class NewToken(Body):
    """A token to make."""

    name: str = Field(min_length=1, max_length=200)
    role: Literal["caller", "reviewer", "auditor", "author", "operator"]
    person: str | None = Field(default=None, min_length=1, max_length=200)
    tenant: str | None = Field(default=None, min_length=1, max_length=200)
    scopes: list[str] = []
    groups: list[str] = []
    expires_at: str | None = Field(default=None, max_length=50)


class NewBundle(Body):
    """A bundle: the texts of its files by their paths."""

    files: dict[str, str] = Field(min_length=1, max_length=2000)


class NewComparison(Body):
    """A bundle that is to judge past sessions: those that began `since` a day or a span, or all."""

    bundle: str = Field(min_length=1, max_length=200)
    since: str | None = Field(default=None, min_length=1, max_length=50)


class NewCanary(Body):
    """A share of new sessions, in percent, by a stable hash of an attribute."""

    share: int | Decimal = Field(gt=0, lt=100)
    by: str = Field(min_length=1, max_length=200)


class NewDeployment(Body):
    """A bundle that new sessions are to begin with; an urgent one judges beside others, or with `lift` no more.

    With `canary` a share of them begins with it, and in the `shadow` past sessions are judged by it; `lift` ends that.
    """

    bundle: str = Field(min_length=1, max_length=200)
    note: str = Field(default="", max_length=1000)
    lift: bool = False
    canary: NewCanary | None = None
    shadow: bool = False


class NewSessions(Body):
    """Sessions to start at once."""

    items: list[NewSession] = Field(min_length=1, max_length=100)


B = TypeVar("B", bound=Body)


async def body_of(request: Request, kind: type[B]) -> B:
    """The body of a request; raises HttpProblem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpProblem(415, "not_json", "send the body as `Content-Type: application/json`")
    try:
        value = loads((await request.body()).decode())
    except ClientDisconnect:
        raise
    except (UnicodeDecodeError, NotJson, ValueError, RecursionError) as error:
        raise HttpProblem(400, "malformed", f"the body is no JSON: {error}") from None
    if isinstance(value, dict) and len(value) > MOST_FIELDS:
        raise HttpProblem(422, "invalid", f"the body has more than {MOST_FIELDS} fields")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        errors = [
            {"pointer": "".join(f"/{part}" for part in one["loc"])[:100], "detail": _told(one, kind)}
            for one in error.errors(include_url=False, include_input=False)[:MOST_FIELDS]
        ]
        told = "; ".join(f"{one['pointer'] or '/'}: {one['detail']}" for one in errors)
        raise HttpProblem(422, "invalid", told, more={"errors": errors}) from None


def _told(error: Any, kind: type[Body]) -> str:
    """What is wrong with a field, without the names of our own classes."""
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        known = [field.alias or name for name, field in kind.model_fields.items()]
        help_ = did_you_mean(str(error["loc"][0]), known)
        return "there is no such field" + (f": {help_}" if help_ else "")
    return "this must be an object" if error["type"] == "model_type" else str(error["msg"])


def number_of(request: Request, name: str, default: int, most: int, least: int = 0) -> int:
    """A number of the query; raises HttpProblem 422."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or not least <= int(text) <= most:
        raise HttpProblem(422, "invalid", f"`{name}` is a number from {least} to {most}")
    return int(text)
