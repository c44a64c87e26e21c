"""`engine deploy`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.loading import load_or_exit
from engine.cli.options import bundle_argument, format_option, store_option
from engine.cli.printing import print_json
from engine.session.exit_code import OK

if TYPE_CHECKING:
    from engine.cli.work import Work


@click.command("deploy", epilog="Example: engine deploy . --store sqlite:///prod.db")
@bundle_argument
@format_option("text", "json")
@store_option
def command(bundle: Path, output_format: str, store_url: str) -> None:
    """Put a bundle into a store, by its digest.

    Sessions that are under way stay under the bundle that they began with.  One with `urgent: tighten` in a policy is
    judged beside those bundles from now on, at every gate, and the stricter verdict holds.
    """
    checked, _ = load_or_exit(bundle)
    from engine.cli.work import perform
    from engine.session.state import FINAL

    async def body(work: Work) -> int:
        await work.engine.bundles.keep(checked)
        final = {status.value for status in FINAL}
        open_ = Counter(row.bundle == checked.digest for row in await work.store.sessions() if row.state not in final)
        told = {
            "bundle": checked.digest,
            "urgent": checked.urgent,
            "open_sessions": {"under_it": open_[True], "under_others": open_[False]},
        }
        if output_format == "json":
            print_json(told)
            return OK
        click.echo(f"bundle {checked.digest[:12]} is in the store")
        others = f"{open_[False]} sessions are under way under others"
        click.echo(f"{others}, and are judged by it too" if checked.urgent else f"{others}, and stay there")
        return OK

    raise SystemExit(perform(store_url, body))
