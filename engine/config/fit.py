"""What of a service's settings does not fit the bundle that it serves: it is told before its hour comes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.config.settings import ServiceSettings
from engine.diagnostic import did_you_mean
from engine.spec.bundle import Bundle
from engine.web.schedule import Schedule


def misfits(settings: ServiceSettings, bundle: Bundle) -> Iterator[str]:
    """Groups that nobody is in, agents that there are not, and attributes that no session of theirs may have.

    A bundle that is deployed later may have them: the service starts all the same.
    """
    for notification in settings.notifications:
        for group in sorted(notification.groups - bundle.reviewers.keys()):
            yield _unknown(f"notification {notification.name}", "group", group, bundle.reviewers)
    for schedule in settings.schedules.values():
        yield from _of_schedule(bundle, schedule)
    for webhook in settings.webhooks.values():
        if webhook.agent is not None and webhook.agent not in bundle.agents:
            yield _unknown(f"webhook {webhook.name}", "agent", webhook.agent, bundle.agents)


def _of_schedule(bundle: Bundle, schedule: Schedule) -> Iterator[str]:
    of, name = f"schedule {schedule.name}", schedule.agent
    if name is None and len(bundle.agents) == 1:
        (name,) = bundle.agents
    if name is None:
        yield f"{of}: it names no agent, and the bundle has {', '.join(sorted(bundle.agents))}"
    elif name not in bundle.agents:
        yield _unknown(of, "agent", name, bundle.agents)
    else:
        own = {"tenant": schedule.tenant} if schedule.tenant is not None else {}
        problems = bundle.agents[name].check_attributes({**schedule.attributes, **own})
        yield from (f"{of}: agent {name}: {problem}" for problem in problems)


def _unknown(of: str, what: str, name: str, known: Collection[str]) -> str:
    help_ = did_you_mean(name, known)
    return f"{of}: `{name}` is no {what} of the bundle" + (f": {help_}" if help_ else "")
