"""`engine --server URL deploy`: a bundle is brought, compared and deployed, as over the API."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from engine.cli.console.bundle import load_or_exit
from engine.cli.console.options import format_option
from engine.cli.console.output import counted, say
from engine.cli.console.trace_printer import print_json
from engine.cli.remote.client import asking, client, part
from engine.session.exit_code import OK


@click.command(
    "deploy",
    epilog="""\b
Examples:
  engine --server URL deploy .
  engine --server URL deploy --roll-back 3f2a91c0d5...
  engine --server URL deploy . --only-bring
  engine --server URL deploy . --canary 5% --by account_id
  engine --server URL deploy . --shadow""",
)
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--digest", "--roll-back", "digest", metavar="DIGEST", help="One that is there already.")
@click.option("--only-bring", is_flag=True, help="Bring it, and tell what it changes: somebody else deploys it.")
@click.option("--lift", metavar="DIGEST", help="An urgent bundle judges beside others no more.")
@click.option("--canary", metavar="SHARE", help="Only this share of new sessions begins with it, such as 5%.")
@click.option("--by", metavar="ATTRIBUTE", help="By a stable hash of which attribute of theirs (--canary).")
@click.option("--shadow", is_flag=True, help="It decides nothing: past sessions are judged by it when it is asked for.")
@click.option("--note", default="", metavar="TEXT", help="Why.")
@format_option("text", "json")
@asking
def command(
    bundle: Path | None, digest: str | None, only_bring: bool, lift: str | None, canary: str | None, by: str | None,
    shadow: bool, note: str, output_format: str,
) -> int:  # fmt: skip
    """Bring a bundle to a service and let new sessions begin with it.

    What it promises is proved there first. One that loosens what is decided is deployed by another than who brought it.
    """
    if sum(one is not None for one in (bundle, digest, lift)) != 1 or (only_bring and bundle is None):
        raise click.UsageError("name a bundle, the --digest of one that is there, or one to --lift")
    if (canary is None) is not (by is None) or (shadow and canary is not None):
        raise click.UsageError("give --canary with --by, or --shadow, or neither")
    share = {"canary": {"share": _percent(canary), "by": by}} if canary is not None else {}
    service = client()
    told: dict[str, Any] = {}
    if bundle is not None:
        checked, _ = load_or_exit(bundle)
        files = {path: _text(path, content) for path, content in checked.files.items()}
        told = service.post("/v1/bundles", {"files": files})
    named = str(told["digest"] if bundle is not None else digest or lift)
    if only_bring:
        report = service.get(f"/v1/bundles/{part(named)}/difference")
        told |= report
    else:
        newest = service.get("/v1/deployments", limit=1)["items"]
        tag = f'"{newest[0]["number"] if newest else 0}"'
        wanted = {"bundle": named, "note": note, "lift": lift is not None, "shadow": shadow} | share
        told = service.post("/v1/deployments", wanted, **{"if-match": tag})
        report = told["report"]
    if output_format == "json":
        print_json(told)
    else:
        say(f"bundle {named[:12]} is {'brought' if only_bring else _DONE.get(told['kind'], 'deployed')}")
        _show(report)
    return OK


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is no text: a bundle that is brought over the API holds texts alone") from None


_DONE = {"lift": "lifted", "canary": "on trial for its share of new sessions", "shadow": "in the shadow"}


def _percent(text: str) -> Decimal:
    try:
        return Decimal(text.strip().removesuffix("%"))
    except InvalidOperation:
        raise click.UsageError(f"--canary takes a share such as 5%, and not `{text}`") from None


def _show(report: dict[str, Any]) -> None:
    """What is changed, as far as it is known."""
    changes = report.get("changes", [])
    if changes:
        loosens = "something of it loosens" if report.get("loosens") else "nothing of it loosens"
        say(f"{counted(len(changes), 'change')} of what is decided; {loosens}")
    for path in report.get("not_proved", []):
        say(f"not proved: {path}")
