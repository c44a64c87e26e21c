"""`engine deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.bundle import load_or_exit
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import are, counted, say
from engine.cli.console.promises import broken_promises
from engine.cli.console.trace_printer import print_json
from engine.session.exit_code import FAILED, OK

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.spec.bundle import Bundle


@click.command(
    "deploy",
    epilog="""\b
Examples:
  engine deploy . --store sqlite:///prod.db
  engine deploy --lift 3f2a91c0 --store sqlite:///prod.db""",
)
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--lift", metavar="DIGEST", help="An urgent bundle of the store judges beside others no more.")
@format_option("text", "json")
@store_option
@asynchronous
async def command(bundle: Path | None, lift: str | None, output_format: str, store_url: str) -> int:
    """Put a bundle into a store, by its digest.

    BUNDLE is named: nothing is deployed by being where one stands.

    Sessions that are under way stay under the bundle that they began with.  One with `urgent: tighten` in a policy is
    judged beside those bundles from now on, at every gate, and the strictest verdict holds: of several urgent bundles
    each does, until it is lifted.  One whose guarantees a call breaks is not deployed.
    """
    if (bundle is None) == (lift is None):
        raise click.UsageError("name a bundle, or one to --lift")
    if store_url == "memory:":
        raise click.UsageError("a store in memory ends with this command: use sqlite:///PATH")
    checked = load_or_exit(bundle)[0] if bundle is not None else None
    if checked is not None and bundle is not None and broken_promises(checked, bundle):
        say("engine: it is not deployed", err=True)
        return FAILED
    from engine.cli.console.app import open_app

    async with open_app(store_url, make=checked is not None) as app:
        if checked is None:
            app.code = await _lift(app, str(lift), output_format)
        else:
            await _deploy(app, checked, output_format)
    return app.exit_code


async def _deploy(app: App, checked: Bundle, output_format: str) -> None:
    await app.engine.bundles.keep(checked)
    if checked.urgent:
        # also where it was deployed before: it judges beside all that was kept meanwhile
        await app.store.set_urgent(checked.digest, urgent=True)
    told = await _release_summary(app, checked)
    if output_format == "json":
        print_json(told)
    else:
        _show(told, checked)


async def _release_summary(app: App, bundle: Bundle) -> dict[str, Any]:
    from engine.session.state.state import FINAL

    final = {status.value for status in FINAL}
    open_ = [row for row in await app.store.sessions() if row.state not in final]
    others = [row for row in open_ if row.bundle != bundle.digest]
    judged = [row for row in others if row.agent in bundle.agents] if bundle.urgent else []
    apart = {row.agent for row in others if row.agent not in bundle.agents} if bundle.urgent else set()
    return {
        "bundle": bundle.digest,
        "urgent": bundle.urgent,
        "open_sessions": {
            "under_it": len(open_) - len(others),
            "under_others": len(others),
            "judged_by_it_too": len(judged),
        },
        "agents_it_does_not_judge": sorted(apart),
        "urgent_beside_it": [digest for digest in await app.store.urgent_bundles() if digest != bundle.digest],
    }


def _show(told: dict[str, Any], bundle: Bundle) -> None:
    say(f"bundle {bundle.digest[:12]} is in the store")
    count = told["open_sessions"]
    others = f"{counted(count['under_others'], 'session')} {are(count['under_others'])} under way under others"
    if not bundle.urgent:
        say(f"{others}, and stay there")
    else:
        say(f"{others}, and {count['judged_by_it_too']} of them are judged by it too")
    if told["agents_it_does_not_judge"]:
        names = ", ".join(told["agents_it_does_not_judge"])
        say(f"it has no agent {names}: sessions of that name are not judged by it", err=True)
    for digest in told["urgent_beside_it"]:
        say(f"bundle {digest[:12]} is urgent too and goes on judging: --lift {digest[:12]} ends that")


async def _lift(app: App, lift: str, output_format: str) -> int:
    urgent = await app.store.urgent_bundles()
    found = [digest for digest in urgent if digest.startswith(lift)]
    if not lift or len(found) != 1:
        known = ", ".join(digest[:12] for digest in urgent) or "none is"
        raise click.UsageError(f"--lift {lift}: no one urgent bundle begins so; urgent: {known}")
    await app.store.set_urgent(found[0], urgent=False)
    if output_format == "json":
        print_json({"lifted": found[0]})
    else:
        say(f"bundle {found[0][:12]} judges beside no other from now on")
    return OK
