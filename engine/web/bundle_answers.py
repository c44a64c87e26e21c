"""What the routes about bundles answer with, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Any

from engine.web.answer_models import AnswerBody


class BundleListed(AnswerBody):
    """A bundle of the store, whether new sessions begin with it, and who brought it, if anybody did."""

    digest: str
    active: bool
    uploaded_at: str | None
    uploaded_by: str | None


class BundleShown(BundleListed):
    """A bundle with its files."""

    agents: list[str]
    urgent: bool
    files: dict[str, str]


class BundleKept(BundleListed):
    """A bundle that was brought: what there is to say of it, and what it promises."""

    agents: list[str]
    urgent: bool
    warnings: list[dict[str, Any]]
    guarantees: list[dict[str, Any]]


class BundlePage(AnswerBody):
    """All bundles."""

    items: list[BundleListed]
    next_cursor: str | None


class BundleCompared(AnswerBody):
    """What a bundle changes about the one that is active, and whether that loosens, or changes who is asked."""

    loosens: bool
    changes_people: bool
    not_proved: list[str]
    changes: list[dict[str, Any]]
    beside: list[dict[str, Any]]


class DeploymentShown(AnswerBody):
    """A decision about a bundle, with what was known of the change."""

    number: int
    kind: str
    bundle: str
    at: str
    by: str
    note: str
    report: dict[str, Any]
    share: float | None
    attribute: str | None


class DeploymentPage(AnswerBody):
    """A page of deployments."""

    items: list[DeploymentShown]
    next_cursor: str | None


class ShadowReport(AnswerBody):
    """What a bundle in the shadow would have judged otherwise since it was put there."""

    since: str
    bundle: str
    sessions: int
    erased: int
    decisions: int
    table: list[dict[str, Any]]


class ComparisonShown(AnswerBody):
    """A bundle that judges past sessions: how far it is, and what came out."""

    id: str
    bundle: str
    since: str | None
    by: str
    asked_at: str
    state: str
    done: int
    of: int | None
    problem: str
    result: dict[str, Any] | None
