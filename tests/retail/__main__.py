"""`make retail`: one line that says what was shown on the recorded domain; 1 if anything came out otherwise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import click

from engine.bundle.load import load_directory
from tests.retail.data import VARIABLE, read, recorded
from tests.retail.fixtures import write_fixtures
from tests.retail.proof import how_many, prove

BUNDLE = Path(__file__).parent.parent / "bundles" / "retail"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixtures", type=Path, metavar="DIR", help="write the cases as fixture files, and no more")
    arguments = parser.parse_args()
    place = recorded()
    if place is None:
        print(f"retail: no data: name the directory of db.json and episodes.json with ${VARIABLE}", file=sys.stderr)
        return 1
    bundle, data = load_directory(BUNDLE).bundle, read(place)
    assert bundle is not None, "run `engine validate tests/bundles/retail`"
    if arguments.fixtures is not None:
        print(f"retail: {write_fixtures(bundle, data, arguments.fixtures)} fixtures in {arguments.fixtures}")
        return 0
    with click.progressbar(
        length=how_many(data), label="retail", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        proof = prove(bundle, data, lambda: bar.update(1))
    for what in [what for count in proof.counts() for what in count.wrong]:
        print(what, file=sys.stderr)
    print(proof.line())
    return 0 if proof.holds else 1


if __name__ == "__main__":
    sys.exit(main())
