"""What an operator configures of a service: kind: Service and kind: Access.  Neither is part of a bundle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.parts import SECRET, DocumentModel, Name, SecretReference, SomeTime

Role = Literal["caller", "reviewer", "auditor", "author", "operator"]
URL = r"^https?://[^\s/]+[^\s]*$"
Url = Annotated[str, Field(pattern=URL, description="An address with its scheme.")]
Port = Annotated[int, Field(ge=0, le=65535)]
Visible = Annotated[str, Field(min_length=1, max_length=200)]


class ServiceLimits(DocumentModel):
    """What clients may ask, and how long they may take; sizes in bytes."""

    connections: Annotated[int, Field(ge=1, le=100_000, description="Open at once.")] = 512
    body: Annotated[int, Field(ge=1024, le=100_000_000, description="The largest body of a request.")] = 1_048_576
    header_time: Annotated[SomeTime, Field(description="How long the head of a request may take.")] = "10s"
    body_time: Annotated[SomeTime, Field(description="How long its body may take.")] = "20s"
    idle_time: Annotated[SomeTime, Field(description="How long a connection may wait for its next request.")] = "30s"
    write_time: Annotated[SomeTime, Field(description="How long a client may leave unread what it is sent.")] = "30s"
    drain_time: Annotated[SomeTime, Field(description="How long answers may take once the service stops.")] = "10s"


class Metrics(DocumentModel):
    """Where metrics are read: at a port of its own, which needs no token and is for the inside alone."""

    host: Visible = "127.0.0.1"
    port: Port = 9464


class Traces(DocumentModel):
    """A collector of OpenTelemetry that traces are sent to: OTLP over HTTP, as JSON."""

    url: Annotated[str, Field(pattern=URL, description="The address of its `/v1/traces`.")]
    headers: Annotated[dict[str, Visible], Field(description="Values may refer to secrets.")] = {}


class Log(DocumentModel):
    """How the service logs, on stderr."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Retention(DocumentModel):
    """What is erased of sessions that are over, and when; the first that fits a session counts."""

    after: Annotated[SomeTime, Field(description="How long after its end.")]
    outcome: Annotated[Visible | None, Field(description="Of sessions with this outcome alone.")] = None
    tenant: Annotated[Visible | None, Field(description="Of sessions of this tenant alone.")] = None


class Bundles(DocumentModel):
    """What bundles may do that are brought over the API."""

    code: Annotated[
        Literal["deny", "allow"], Field(description="Whether they bring programs: python, command, servers of MCP.")
    ] = "deny"


class Service(DocumentModel):
    """One service: what it serves, where, and within which bounds."""

    kind: Literal["Service"]
    bundle: Annotated[str, Field(min_length=1, description="The directory of the bundle, from this file's.")] = "."
    store: Annotated[
        str | None,
        Field(min_length=1, description="Where sessions are kept: sqlite:///PATH or postgresql://USER@HOST/DATABASE."),
    ] = None
    host: Visible = "127.0.0.1"
    port: Port = 8420
    workers: Annotated[int, Field(ge=0, le=64, description="Processes that drive sessions; 0 for none here.")] = 1
    url: Annotated[Url | None, Field(description="Where people reach it, as links and logins need it.")] = None
    include: Annotated[
        list[Annotated[str, Field(min_length=1)]], Field(description="Further files, from this file's directory.")
    ] = []
    proxies: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=50)]],
        Field(max_length=20, description="Addresses or networks of proxies that are believed about who asks."),
    ] = []
    limits: ServiceLimits = ServiceLimits()
    metrics: Annotated[Metrics | None, Field(description="Not served unless it is here.")] = None
    traces: Annotated[Traces | None, Field(description="Not sent unless it is here.")] = None
    log: Log = Log()
    bundles: Bundles = Bundles()
    retention: Annotated[list[Retention], Field(description="Nothing is erased by itself unless it is here.")] = []


class PeopleProvider(DocumentModel):
    """The OpenID provider that people log in with, by authorization code and PKCE."""

    issuer: Url
    client_id: Visible
    client_secret: Annotated[SecretReference | None, Field(description="None for a public client.")] = None
    scopes: list[Visible] = ["openid", "profile"]
    groups: Annotated[Visible, Field(description="The claim that lists the groups of a person.")] = "groups"
    name: Annotated[Visible, Field(description="The claim with a name to show.")] = "name"


class MachineProvider(DocumentModel):
    """The provider whose tokens (JWT, by client credentials) machines show."""

    issuer: Url
    audience: Annotated[Visible, Field(description="Whom the tokens have to be for.")]
    groups: Annotated[Visible, Field(description="The claim that lists the groups of a machine.")] = "groups"


class Grant(DocumentModel):
    """What somebody may do: who is in a group, or has a subject, or is a client; exactly one of these."""

    group: Visible | None = None
    subject: Visible | None = None
    client: Visible | None = None
    roles: Annotated[list[Role], Field(min_length=1)]
    tenant: Annotated[Visible | None, Field(description="Whose sessions; those of all tenants unless given.")] = None


class Webhook(DocumentModel):
    """Deliveries of another system that start sessions, signed as Standard Webhooks has it: `POST /hooks/NAME`."""

    kind: Literal["Webhook"]
    name: Name
    secret: Annotated[SecretReference, Field(description="What both sides sign with.")]
    agent: Annotated[Name | None, Field(description="Whose sessions; the bundle's own where it has one.")] = None
    tenant: Annotated[Visible | None, Field(description="The tenant that its sessions are for.")] = None
    message: Annotated[
        str, Field(min_length=1, description="An expression over the delivery's `body`: the customer's words.")
    ]
    attributes: Annotated[
        dict[str, str | int | float | bool], Field(description="Expressions over `body`, by attribute of the session.")
    ] = {}


class Schedule(DocumentModel):
    """Sessions that begin by the clock."""

    kind: Literal["Schedule"]
    name: Name
    cron: Annotated[str, Field(min_length=9, max_length=200, description="Minute, hour, day, month, weekday.")]
    zone: Annotated[str, Field(min_length=1, max_length=80, description="By whose clock, such as `Europe/Berlin`.")]
    agent: Annotated[Name | None, Field(description="Whose sessions; the bundle's own where it has one.")] = None
    tenant: Annotated[Visible | None, Field(description="The tenant that its sessions are for.")] = None
    message: Annotated[str, Field(min_length=1, description="What each session begins with.")]
    attributes: Annotated[dict[str, Any], Field(description="Of each session.")] = {}
    misfire: Annotated[
        Literal["skip", "once"], Field(description="What becomes of times that came while nothing ran.")
    ] = "skip"
    overlap: Annotated[
        Literal["skip", "allow"],
        Field(description="What becomes of a time that comes while the session before is not over."),
    ] = "skip"


Span = Annotated[SomeTime, Field(description="Counted from when the request was opened.")]


class NotifiedUrl(DocumentModel):
    """An address that takes messages over HTTP."""

    url: Annotated[
        str,
        Field(pattern=f"{URL}|{SECRET}", description="Where to; `${secret:NAME}` where who knows it may post."),
    ]
    secret: Annotated[SecretReference | None, Field(description="What messages are signed with.")] = None
    form: Annotated[
        Literal["standard", "slack", "teams"], Field(description="As Standard Webhooks has it, or for a channel.")
    ] = "standard"
    allow_private: Annotated[bool, Field(description="Whether it may lie on this machine or its network.")] = False


class NotifiedMail(DocumentModel):
    """People who get a mail, and the server that takes it."""

    server: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]+$", max_length=200)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=200)]
    to: Annotated[
        list[Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=200)]],
        Field(min_length=1, max_length=50),
    ]
    user: Visible | None = None
    password: SecretReference | None = None


class Notification(DocumentModel):
    """Who is told of what people are asked, and when: without a value of a call or anybody's words."""

    kind: Literal["Notification"]
    name: Name
    tell: Annotated[
        list[Literal["opened", "ended"]], Field(description="When a request is opened, and when it is open no more.")
    ] = ["opened"]
    remind: Annotated[list[Span], Field(max_length=10, description="When it is told again, while it is open.")] = []
    escalate: Annotated[Span | None, Field(description="When it is told as one that waits for too long.")] = None
    groups: Annotated[list[Name], Field(description="Of requests of these groups alone; of all unless given.")] = []
    tenant: Annotated[Visible | None, Field(description="Of sessions that were started for this tenant alone.")] = None
    webhook: NotifiedUrl | None = None
    mail: NotifiedMail | None = None


class Access(DocumentModel):
    """Who may come in beside those who have tokens, and what they may do; the first grant that fits counts."""

    kind: Literal["Access"]
    people: PeopleProvider | None = None
    machines: MachineProvider | None = None
    grants: list[Grant] = []
    persons: Annotated[
        dict[Name, Visible],
        Field(description="Names of people as bundles' reviewers have them, with their subjects at the provider."),
    ] = {}
