"""Every route of the API: the right that it asks for, what it takes, and what it answers with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import Right
from engine.ports.deliveries import DeliveryState
from engine.ports.records import JOB_STATUSES
from engine.session.state.state import Status
from engine.web import (
    absences,
    audit,
    bodies,
    bundle_answers,
    bundles,
    claims,
    comments,
    confirmation_links,
    deliveries,
    deployments,
    jobs,
    me,
    requests,
    schedules,
    sessions,
    streams,
    tokens,
    trials,
    usage,
    webhooks,
    whatif_routes,
)
from engine.web import answer_models as models
from engine.web.service import Service

Endpoint = Callable[[Service, Principal, Request], Awaitable[Response]]

NUMBER = {"type": "integer", "minimum": 0}
DAY = {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route for those who have a right.

    `query` are the schemas of what may stand behind its path, `body` what it takes, and `gives` what each status of a
    success brings; None is an empty answer.
    """

    method: str
    path: str
    right: Right
    endpoint: Endpoint
    gives: Mapping[int, type[BaseModel] | None]
    body: type[bodies.Body] | None = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: tuple[str, ...] = ()


def _page(**more: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": sessions.MOST}
    return {**more, "limit": limit, "cursor": {"type": "string"}}


_ONE = {200: models.SessionStanding, 201: models.SessionStanding}
_ACCEPTED = {202: models.SessionStanding}

TABLE: tuple[RouteRow, ...] = (
    RouteRow("POST", "/v1/sessions", Right.START, sessions.start, _ONE, bodies.NewSession,
             headers=("Idempotency-Key",)),
    RouteRow("POST", "/v1/sessions/batch", Right.START, sessions.start_batch, {200: models.BatchPage},
             bodies.NewSessions),
    RouteRow("GET", "/v1/sessions", Right.READ, sessions.listed, {200: models.SessionPage},
             query=_page(state={"enum": sorted(Status)}, agent={"type": "string"})),
    RouteRow("GET", "/v1/sessions/{id}", Right.READ_OWN, sessions.read, {200: models.SessionShown},
             query={"wait": NUMBER | {"maximum": sessions.WAIT}, "after": NUMBER | {"maximum": 10**12}}),
    RouteRow("GET", "/v1/sessions/{id}/events", Right.READ_OWN, streams.events, {200: models.EventPage, 204: None},
             query={"after": NUMBER | {"maximum": 10**12}, "limit": _page()["limit"]}),
    RouteRow("POST", "/v1/sessions/{id}/messages", Right.SEND, sessions.send, _ACCEPTED, bodies.NewMessage,
             headers=("If-Match",)),
    RouteRow("POST", "/v1/sessions/{id}/confirmations", Right.SEND, sessions.confirm, _ACCEPTED,
             bodies.NewConfirmation, headers=("If-Match",)),
    RouteRow("POST", "/v1/sessions/{id}/confirmation-links", Right.SEND, confirmation_links.create,
             {201: models.ConfirmationLinkMade}),
    RouteRow("POST", "/v1/sessions/{id}/proposals", Right.SEND, sessions.propose, _ACCEPTED, bodies.NewProposal),
    RouteRow("POST", "/v1/sessions/{id}/cancel", Right.CANCEL, sessions.cancel, _ACCEPTED, headers=("If-Match",)),
    RouteRow("POST", "/v1/sessions/{id}/erasure", Right.ERASE, sessions.erase, {200: models.ErasureDone},
             bodies.NewErasure),
    RouteRow("GET", "/v1/sessions/{id}/verify", Right.AUDIT, sessions.verify, {200: models.VerifyReport}),
    RouteRow("GET", "/v1/sessions/{id}/verdicts", Right.AUDIT, sessions.verdicts, {200: models.VerdictPage}),
    RouteRow("GET", "/v1/requests", Right.READ_REQUESTS, requests.listed, {200: models.RequestPage},
             query=_page(status={"enum": ["open", "all"]}, mine={"enum": ["1"]})),
    RouteRow("GET", "/v1/requests/{id}", Right.READ_REQUESTS, requests.read, {200: models.RequestShown}),
    RouteRow("POST", "/v1/requests/{id}/answers", Right.ANSWER, requests.answer, {200: models.AnswerGiven},
             bodies.NewAnswer),
    RouteRow("DELETE", "/v1/requests/{id}/answers", Right.ANSWER, requests.take_back, {204: None}),
    RouteRow("POST", "/v1/requests/{id}/claim", Right.ANSWER, claims.claim, {200: models.ClaimKept}, bodies.NewClaim),
    RouteRow("DELETE", "/v1/requests/{id}/claim", Right.ANSWER, claims.release, {204: None}),
    RouteRow("POST", "/v1/requests/{id}/comments", Right.COMMENT, comments.comment, {201: models.CommentKept},
             bodies.NewComment),
    RouteRow("GET", "/v1/absences", Right.READ_REQUESTS, absences.listed, {200: models.AbsencePage}),
    RouteRow("POST", "/v1/absences", Right.READ_REQUESTS, absences.create, {201: models.AbsenceShown},
             bodies.NewAbsence),
    RouteRow("DELETE", "/v1/absences/{id}", Right.READ_REQUESTS, absences.end, {204: None}),
    RouteRow("GET", "/v1/jobs", Right.READ, jobs.listed, {200: models.JobPage},
             query=_page(status={"enum": list(JOB_STATUSES)}, session_id={"type": "string"})),
    RouteRow("GET", "/v1/jobs/{id}", Right.READ, jobs.read, {200: models.JobShown}),
    RouteRow("POST", "/v1/jobs/{id}/retry", Right.OPERATE_JOBS, jobs.retry, {202: models.JobAccepted}),
    RouteRow("POST", "/v1/jobs/{id}/discard", Right.OPERATE_JOBS, jobs.discard, {202: models.JobAccepted}),
    RouteRow("GET", "/v1/tokens", Right.MANAGE_TOKENS, tokens.listed, {200: models.TokenPage}),
    RouteRow("POST", "/v1/tokens", Right.MANAGE_TOKENS, tokens.create, {201: models.TokenMade}, bodies.NewToken),
    RouteRow("DELETE", "/v1/tokens/{id}", Right.MANAGE_TOKENS, tokens.revoke, {204: None}),
    RouteRow("GET", "/v1/bundles", Right.READ, bundles.listed, {200: bundle_answers.BundlePage}),
    RouteRow("POST", "/v1/bundles", Right.UPLOAD_BUNDLES, bundles.upload, {201: bundle_answers.BundleKept},
             bodies.NewBundle),
    RouteRow("GET", "/v1/bundles/{id}", Right.READ, bundles.read, {200: bundle_answers.BundleShown}),
    RouteRow("GET", "/v1/bundles/{id}/difference", Right.READ, bundles.compared, {200: bundle_answers.BundleCompared}),
    RouteRow("GET", "/v1/deployments", Right.READ, deployments.listed, {200: bundle_answers.DeploymentPage},
             query={"limit": _page()["limit"], "cursor": NUMBER | {"maximum": 10**12}}),
    RouteRow("POST", "/v1/deployments", Right.DEPLOY, deployments.deploy, {201: bundle_answers.DeploymentShown},
             bodies.NewDeployment, headers=("If-Match",)),
    RouteRow("GET", "/v1/deliveries", Right.READ, deliveries.listed, {200: models.DeliveryPage},
             query={"state": {"enum": sorted(DeliveryState)}, "limit": _page()["limit"]}),
    RouteRow("POST", "/v1/deliveries/{id}/retry", Right.OPERATE_JOBS, deliveries.retry, {202: models.DeliveryShown}),
    RouteRow("GET", "/v1/webhooks", Right.READ, webhooks.listed, {200: models.WebhookPage}),
    RouteRow("GET", "/v1/schedules", Right.READ, schedules.listed, {200: models.SchedulePage}),
    RouteRow("POST", "/v1/schedules/{id}/run", Right.OPERATE_JOBS, schedules.run_now, {201: models.SessionStanding}),
    RouteRow("GET", "/v1/shadow", Right.READ, trials.shadow_report, {200: bundle_answers.ShadowReport}),
    RouteRow("POST", "/v1/whatif", Right.TRY_BUNDLES, whatif_routes.create, {202: bundle_answers.ComparisonShown},
             bodies.NewComparison),
    RouteRow("GET", "/v1/whatif/{id}", Right.READ, whatif_routes.read, {200: bundle_answers.ComparisonShown}),
    RouteRow("GET", "/v1/usage", Right.READ, usage.listed, {200: models.UsagePage},
             query={"from": DAY, "to": DAY, "limit": _page()["limit"], "cursor": NUMBER | {"maximum": 10**9}}),
    RouteRow("GET", "/v1/me", Right.READ_OWN, me.read, {200: models.PrincipalShown}),
    RouteRow("GET", "/v1/audit", Right.AUDIT, audit.listed, {200: models.AuditPage},
             query={"after": NUMBER | {"maximum": 10**12}, "limit": _page()["limit"]}),
)  # fmt: skip
