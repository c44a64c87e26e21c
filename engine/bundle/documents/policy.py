"""kind: Policy and kind: Reviewers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.parts import (
    ON_ENTRY,
    TOOL_NAME,
    Condition,
    DocumentModel,
    Expression,
    Name,
    SomeTime,
    Span,
    Text,
    ToolName,
    Zone,
)


class Fact(DocumentModel):
    """A read that rules need, done by the runtime."""

    tool: ToolName
    input: dict[str, Expression] = {}
    max_age: Annotated[Span | Literal[0], Field(description="How old a result may be; 0 unless given.")] = "0s"
    for_each: Annotated[
        dict[str, Expression],
        Field(description="One read for each combination of these variables; the fact is a list of records."),
    ] = {}
    as_: Annotated[
        str, Field(alias="as", pattern=r"^[a-z][a-z0-9_]*$", description="The record's field for the output.")
    ] = "output"
    at_most: Annotated[int, Field(ge=1, le=1000, description="More reads than this are an error.")] = 50


Let = Expression | dict[ToolName, Expression]


class Guarantee(DocumentModel):
    """A promise about every verdict, proved from the rules; it names its numbers itself."""

    id: Name
    never: Annotated[str, Field(description="Over verdict, approvers, people_asked, call, input, facts and lets.")]


class ApproversOf(DocumentModel):
    """Of a group those whom an expression names: the owner of this system, or the requester's manager."""

    group: Name
    of: Annotated[
        Condition, Field(description="A person's name, or a list of them; over the words that the condition may use.")
    ]


class Escalation(DocumentModel):
    """Which of the approvers are told when the others have not answered for so long."""

    after: Annotated[SomeTime, Field(description="Counted from when the request was opened.")]
    to: Annotated[Name, Field(description="One of the rule's approvers; they may answer before as well.")]


class Rule(DocumentModel):
    """One rule; without a condition it always matches."""

    id: Name
    source: Annotated[str, Field(description="The sentence of the business's own text that it enforces.")] = ""
    tools: Literal["all", "reads", "writes"] | list[ToolName]
    except_: Annotated[list[ToolName], Field(alias="except")] = []
    effect: Literal["allow", "require_approval", "deny"]
    when: Condition | None = None
    unless: Condition | None = None
    release_unless: Annotated[
        str | None,
        Field(description="Over a read's `output`: unless it holds, the result is withheld from the planner."),
    ] = None
    reason: Annotated[str, Field(pattern=TOOL_NAME, description="For machines; the id unless given.")] = ""
    message: Annotated[Text, Field(description="For people and the planner.")] = ""
    approvers: Annotated[
        list[Name | ApproversOf],
        Field(description="Groups of reviewers, whole or whom a fact names, or `customer`."),
    ] = []
    count: Annotated[int, Field(ge=1, le=9, description="How many different people have to say yes.")] = 1
    distinct: Annotated[
        bool, Field(description="Whether who says yes may answer for no other rule that asks about the same call.")
    ] = False
    note: Annotated[Literal["optional", "required"], Field(description="Whether a yes has to say why.")] = "optional"
    second: Annotated[
        str | None,
        Field(
            pattern=r"^(?:[1-9]\d?|0)(?:\.\d{1,4})?%$",
            description="Of which share of calls one more person has to say yes, such as `5%`; drawn by the engine.",
        ),
    ] = None
    settle_delay: Annotated[
        SomeTime | None, Field(description="How long a yes can be taken back before it counts, such as `10s`.")
    ] = None
    remind: Annotated[
        list[SomeTime], Field(max_length=10, description="When its people are told again, while nobody has answered.")
    ] = []
    escalate: Annotated[
        Escalation | None, Field(description="Which approvers are told only when it has waited for long.")
    ] = None
    disclose: Annotated[bool, Field(description="Whether a model is told of the rule, and why it decided.")] = True


class AcceptedLoosening(DocumentModel):
    """A loosening that somebody answers for: `engine whatif` and `engine promote` let it pass."""

    rule: Annotated[str, Field(min_length=1, description="The rule, of the old bundle or the new, that it is due to.")]
    flip: Annotated[str, Field(description="What becomes of what, such as `approval->allow`.")]
    author: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]


class Policy(DocumentModel):
    """Rules over the calls of tools."""

    kind: Literal["Policy"]
    name: Name
    description: str = ""
    uses: Annotated[list[Name], Field(description="Vocabularies whose words the rules may use.")] = []
    params: Annotated[
        dict[str, Any], Field(description="The dials: numbers, texts, lists, tables; `24h` is a duration.")
    ] = {}
    facts: dict[str, Fact] = {}
    let: Annotated[
        dict[str, Let], Field(description="Names for expressions; a map gives each tool an expression of its own.")
    ] = {}
    no_rule_allows: Annotated[str, Field(description="What is said when no rule allows a call that needs one.")] = ""
    rules: list[Rule]
    guarantees: Annotated[list[Guarantee], Field(description="What must never be, whatever the dials say.")] = []
    accepted: Annotated[
        list[AcceptedLoosening], Field(description="Loosenings that were decided on, by whom and why.")
    ] = []
    urgent: Annotated[
        Literal["tighten"] | None,
        Field(description="Sessions that stand under an older bundle are judged by this one too, the stricter holds."),
    ] = None


class Source(DocumentModel):
    """A value that a successful call of a tool gives."""

    call: ToolName
    value: Annotated[str, Field(description="Over the call's `input` and `output`.")]


class EstablishedValue(DocumentModel):
    """A value that is learnt once in a session and then kept; null until then."""

    type: Annotated[
        str | list[str | None],
        Field(description="string, decimal, integer, boolean, date, datetime, duration, `?` aside; a list is an enum."),
    ]
    keep: Literal["first", "last"] = "first"
    from_: Annotated[list[str | Source], Field(alias="from", min_length=1)]


class Time(DocumentModel):
    """What `now` is, and the zone that days begin in."""

    now: Annotated[
        str | None,
        Field(description="A path of the session, such as `session.now`; where there is none, the log's time."),
    ] = None
    zone: Annotated[
        Zone | None, Field(description="The zone of days, and of text that says no offset; UTC unless given.")
    ] = None


class Vocabulary(DocumentModel):
    """Words that several policies share."""

    kind: Literal["Vocabulary"]
    name: Name
    description: str = ""
    time: Time | None = None
    session: Annotated[
        dict[str, str | list[str | None]],
        Field(description="What the policies need of a session: a type, `?` for or null, or a list of texts and null."),
    ] = {}
    established: dict[str, EstablishedValue] = {}
    params: dict[str, Any] = {}
    facts: dict[str, Fact] = {}
    let: dict[str, Let] = {}


class Reviewers(DocumentModel):
    """A group of people who may be asked: those who are listed, and those who identify with one of the roles."""

    kind: Literal["Reviewers"]
    name: Name
    description: str = ""
    members: Annotated[
        list[Annotated[str, Field(min_length=1, json_schema_extra={ON_ENTRY: ["minLength"]})]],
        Field(min_length=1, description="Names of people."),
    ] = []
    roles: Annotated[
        list[Annotated[str, Field(min_length=1, json_schema_extra={ON_ENTRY: ["minLength"]})]],
        Field(min_length=1, description="Groups that a person's token or login carries, as the service is told them."),
    ] = []
