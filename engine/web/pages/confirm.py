"""The customer's own page: what they are asked, and a yes or a no by a link that counts once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from engine.diagnostic.visible import line as visible
from engine.ports.access import ConfirmationLink
from engine.session.sealed_tokens import shown as unsealed
from engine.web.confirmation_links import link_of, say
from engine.web.pages.browser import check_origin, form_of
from engine.web.pages.gather import sentence_of
from engine.web.pages.render import shown
from engine.web.problems import HttpProblem
from engine.web.service import Service, address_of


async def ask(service: Service, request: Request) -> Response:
    """`GET /confirm/{secret}`: what is asked; programs that look at mails open links, so that this uses nothing up."""
    link = await link_of(service, request.path_params["secret"])
    question = await _question(service, link) if link is not None else None
    if question is None:
        return _over("This link was used before, or its time is over.")
    return shown("confirm.html", asked=question, secret=request.path_params["secret"], over="")


async def answer(service: Service, request: Request) -> Response:
    """`POST /confirm/{secret}`: the answer, once."""
    check_origin(request)
    said = (await form_of(request, None)).get("answer")
    if said not in ("yes", "no"):
        raise HttpProblem(422, "invalid", "the form says neither yes nor no")
    try:
        await say(service, request.path_params["secret"], yes=said == "yes", address=address_of(request))
    except HttpProblem as problem:
        return _over(problem.detail, problem.status)
    return _over("Thank you: your yes is recorded." if said == "yes" else "Thank you: it will not be done.", 200)


async def _question(service: Service, link: ConfirmationLink) -> tuple[str, str] | None:
    """What a link asks: the call as a sentence, and the words of the rules; None where it is not asked any more."""
    row = await service.store.request(link.request_id)
    if row is None or row.status != "open":
        return None
    row = await service.logged.listed(row)
    if row.problem:
        return None
    payload = unsealed(row.payload)
    return await sentence_of(service, row), visible(str(payload.get("message") or payload.get("reason") or ""))


def _over(told: str, status: int = 410) -> Response:
    return shown("confirm.html", status, asked=("", ""), secret="", over=told)
