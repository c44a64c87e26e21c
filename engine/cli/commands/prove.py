"""`engine prove`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.bundle import load_or_exit
from engine.cli.console.coverage import EXTRA, as_yaml
from engine.cli.console.files import write
from engine.cli.console.options import bundle_argument, format_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import line, print_json, table
from engine.session.exit_code import FAILED, OK
from engine.spec.bundle import Bundle

if TYPE_CHECKING:
    from engine.proof.prove import Finding, RuleInProof
    from engine.proof.witness import Witness


@click.command(
    "prove",
    epilog="""\b
Examples:
  engine prove
  engine prove my-agent --write-fixture
  engine prove --rules""",
)
@bundle_argument
@click.option("--write-fixture", is_flag=True, help="Write each call that breaks a guarantee as a fixture.")
@click.option("--rules", is_flag=True, help="Also how each rule stands in the proofs.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="For each question.")
@format_option("text", "json")
def command(bundle: Path, write_fixture: bool, rules: bool, seconds: float, output_format: str) -> None:
    """Prove each guarantee, or show a call that breaks it.

    A guarantee is `proved` for all calls and facts that the schemas allow, `refuted` by a call that the gate itself
    judges so, `not proved`, with why, or `vacuous` for a tool none of whose calls could break it whatever the rules
    say.  Exits 1 if one is refuted.
    """
    checked, _ = load_or_exit(bundle)
    try:
        from engine.proof.prove import handled, prove
    except ImportError:
        raise click.UsageError(f"proofs need the solver z3: {EXTRA}") from None
    found = list(prove(checked, seconds))
    known = list(handled(checked)) if rules else []
    written = _write(checked, found, bundle) if write_fixture else []
    if output_format == "json":
        told: dict[str, Any] = {"guarantees": [finding.payload() for finding in found]}
        print_json(told | ({"rules": [one.payload() for one in known]} if rules else {}))
    else:
        _show(found)
        _show_rules(known)
    for path in written:
        say(f"written: {path}", err=True)
    raise SystemExit(FAILED if any(finding.status == "refuted" for finding in found) else OK)


def _show(found: Sequence[Finding]) -> None:
    from engine.proof.prove import STATUSES, promising_nothing

    for finding in found:
        if finding.status in ("proved", "vacuous"):
            continue
        say(f"{finding.status}: {finding.guarantee} ({finding.place}), {finding.agent}: {finding.tool}")
        if finding.why:
            say(f"  {finding.why}")
        if finding.witness is not None:
            for text in told_of(finding.witness):
                say(f"  {text}")
    for name in promising_nothing(found):
        say(f"vacuous: {name}: it promises nothing, as no call can break it whatever the rules say")
    by_guarantee: dict[str, Counter[str]] = {}
    for finding in found:
        by_guarantee.setdefault(finding.guarantee, Counter())[finding.status] += 1
    rows = [[name, *(str(counts[status]) for status in STATUSES)] for name, counts in sorted(by_guarantee.items())]
    if rows:
        table("guarantees, by the tools that they speak of", ["guarantee", *STATUSES], rows)
    else:
        say("the bundle has no guarantees: nothing is promised, and nothing to prove")


def _show_rules(known: Sequence[RuleInProof]) -> None:
    rows = [
        [one.rule, one.tool, "; ".join(f"{text} ({why})" for text, why in one.by_name) or "as a formula"]
        for one in known
    ]
    if rows:
        table("how each rule stands in the proofs", ["rule", "tool", "known by name only"], rows)


def told_of(witness: Witness) -> list[str]:
    """A witness in lines for people."""
    lines = [f"{witness.tool} {line(witness.input)}: {witness.verdict or 'not confirmed by the gate'}"]
    if witness.attributes:
        lines.append(f"in a session of {line(witness.attributes)}")
    lines += [
        f"where {fact.tool} {line(fact.input)} " + (fact.problem or f"gives {line(fact.output)}")
        for fact in witness.facts
    ]
    return [*lines, *(f"after {past.tool} {line(past.input)} gave {line(past.output)}" for past in witness.past)]


def _write(bundle: Bundle, found: Sequence[Finding], root: Path) -> list[Path]:
    from engine.proof.fixture import fixture_of

    written = []
    for finding in found:
        if finding.status != "refuted" or finding.witness is None:
            continue
        name = f"breaks-{finding.guarantee}-{finding.tool}".replace("_", "-")[:80]
        why = f"A call that breaks the guarantee {finding.guarantee} ({finding.place}); it passes as long as it does."
        made = fixture_of(bundle, finding.witness, name, why)
        if made is None:
            say(f"no fixture could be made of the call that breaks {finding.guarantee}", err=True)
            continue
        path = root / "fixtures" / f"{name}.yaml"
        if path.exists():
            say(f"kept: {path}: it is there already", err=True)
            continue
        write(path, as_yaml(made.document))
        written.append(path)
    return written
