"""What programs write against the door passes a strict type checker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PYRIGHT = ROOT / ".venv/npm/node_modules/.bin/pyright"
GUIDE = ROOT / "docs/guides/embedding.md"

OTHER = """\
import trio
from engine import Answer, Event, Planner, PlannerView, Proposal, Settle, Status, ToolInvocation, open_engine, open_store


class Mine:
    async def propose(self, view: PlannerView) -> Proposal:
        return Proposal({"message": f"{len(view.messages)}", "tool_calls": [], "done": True})


class Tool:
    async def run(self, run: ToolInvocation) -> object:
        return {"seen": dict(run.input)}


async def main() -> None:
    planner: Planner = Mine()
    async with open_store("memory:") as store:
        async with open_engine(store, planner=planner, adapters=lambda bundle, clock: lambda tool: Tool()) as engine:
            seen: list[Event] = []
            for row in await engine.sessions(limit=3):
                session = engine.session(row.id, drive=False)
                seen += [event async for event in session.events(after=2, follow=True)]
                texts: list[str] = [text async for text in session.text()]
                view = await session.settled()
                done: bool = view.status is Status.DONE
                print(texts, done, [call.tool for call in view.calls])
            for request in await engine.requests():
                await engine.answer(request.id, Answer(by="dana", value={"yes": True}))
                await engine.answer(request.id, Settle(by="dana", happened=False))


trio.run(main)
"""


@pytest.fixture
def programs(tmp_path: Path) -> list[str]:
    """The guide's programs, and one that uses what they do not."""
    codes = [*re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S), OTHER]
    assert len(codes) > 4
    for number, code in enumerate(codes):
        (tmp_path / f"program{number}.py").write_text(code)
        # the same for asyncio
        if "import trio" in code:
            ported = code.replace("from engine import", "from engine.aio import").replace(
                "import trio", "import asyncio"
            )
            (tmp_path / f"ported{number}.py").write_text(ported.replace("trio.run(main)", "asyncio.run(main())"))
    return sorted(map(str, tmp_path.glob("*.py")))


def test_programs_of_the_guide_pass_mypy_strict(programs: list[str]) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", *programs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not PYRIGHT.exists(), reason="`make test` installs pyright")
def test_programs_of_the_guide_pass_pyright_strict(programs: list[str], tmp_path: Path) -> None:
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [str(PYRIGHT), "--pythonpath", sys.executable, "--project", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 errors" in done.stdout


def test_a_wrong_program_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(
        OTHER.replace("await engine.sessions(limit=3)", 'await engine.sessions(limit="3")')
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", str(tmp_path / "wrong.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'Argument "limit" to "sessions"' in done.stdout
