"""`make release-check`: each distribution in an environment of its own, used as the README and the guide say."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.release.installed import Environment, StepFailed, built, fresh, run
from tests.release.use import LOADED, follow_readme, import_microseconds, loaded_by_import, programs

# the libraries that programs of the embedding guide import beside the product
BESIDE = ("fastapi", "uvicorn")


def main() -> int:
    """Check both distributions; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--pyright", type=Path, required=True, help="the program pyright")
    pyright = parser.parse_args().pyright.resolve()
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        at = Path(name)
        try:
            wheel, sdist = built("wheel", at), built("sdist", at)
            # the wheel with the libraries that are newest today, the sdist with those that are pinned
            check(wheel, at / "from-wheel", pyright, pinned=False)
            check(sdist, at / "from-sdist", pyright, pinned=True)
        except StepFailed as error:
            print(error, file=sys.stderr)
            return 1
    print("ready for release")
    return 0


def check(distribution: Path, at: Path, pyright: Path, *, pinned: bool) -> None:
    """Install a distribution and use it; raises StepFailed."""
    at.mkdir()
    environment = fresh(distribution, at / "environment", pinned=pinned)
    if not environment.where().is_relative_to(environment.at):
        raise StepFailed(f"the package is imported from {environment.where()}, not from what was installed")
    tell(distribution, f"installed with the libraries that are {'pinned' if pinned else 'newest'}")
    work = at / "work"
    work.mkdir()
    bundle = follow_readme(environment, work)
    tell(distribution, "the README's commands run")
    written = programs(bundle)
    # what the guide stands beside, which the product itself does without
    pip: list[str | Path] = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *BESIDE], at)
    for program in written:
        environment.sh(f"python {program.name}", bundle)
    tell(distribution, f"the {len(written)} programs of the embedding guide run")
    check_types(environment, written, pyright)
    tell(distribution, "mypy and pyright find nothing in them, both strict")
    loaded = loaded_by_import(environment, at)
    if loaded != LOADED:
        raise StepFailed(f"`import engine` loads {', '.join(sorted(loaded - LOADED))} as well")
    spent = import_microseconds(environment, at)
    tell(distribution, f"`import engine` loads {', '.join(sorted(loaded))} alone, in {spent / 1e6:.4f} s (aim: 0.05 s)")


def check_types(environment: Environment, written: list[Path], pyright: Path) -> None:
    """Check the types of programs as their authors would; raises StepFailed."""
    (bundle,) = {program.parent for program in written}
    mypy: list[str | Path] = [sys.executable, "-m", "mypy", "--strict", "--python-executable", environment.python]
    run([*mypy, "--cache-dir", bundle.parent / "mypy", "--config-file", "", *written], bundle)
    settings = {"include": [program.name for program in written], "typeCheckingMode": "strict"}
    (bundle / "pyrightconfig.json").write_text(json.dumps(settings))
    run([pyright, "--pythonpath", environment.python], bundle)


def tell(distribution: Path, what: str) -> None:
    """Say what held of a distribution."""
    print(f"{distribution.name}: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
