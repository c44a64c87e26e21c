"""The docs are true: their commands run, their expressions have the values they say, their links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.language.expression import compile_expression
from engine.language.value import exact
from tests.cli.shell import environment

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"ses_[0-9a-f]{16}")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


CONSOLE = [page for page in PAGES if blocks(page, "console")]


@pytest.mark.parametrize("page", CONSOLE, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    at = tmp_path if page.name == "tutorial.md" else example(tmp_path)
    env = environment(tmp_path / "store.db")
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    last = ""
    # who operates has followed the README in the same directory
    before = of_the_readme() if page.name == "operating.md" else []
    for command, code, shown in [*before, *commands(page)]:
        if command.startswith("cd "):
            at = at / command[3:]
            continue
        real = command.replace("ses_LAST", last)
        done = subprocess.run(real, shell=True, cwd=at, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, f"{real}\n{done.stdout}{done.stderr}"
        assert re.fullmatch(pattern(shown), done.stdout), f"{real}\nshown:\n{shown}\ncame:\n{done.stdout}"
        # lists begin with the newest
        last = next(iter(SESSION.findall(done.stdout)), last)


def example(at: Path) -> Path:
    """The bundle that the pages speak of, as their readers get it."""
    init = [sys.executable, "-m", "engine", "init", "--example", "support-triage"]
    subprocess.run(init, cwd=at, check=True, capture_output=True, timeout=600)
    return at / "support-triage"


def of_the_readme() -> list[tuple[str, int, str]]:
    """The sessions that the README starts and answers, the one of `make run` first."""
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    told = [SESSION.sub("ses_LAST", line) for line in lines if line.startswith(("engine run", "engine review"))]
    assert [line[-9:] for line in told[:2]] == ["acct_1001", "acct_1002"]
    return [(line, 3 if line.endswith("acct_1002") else 0, "") for line in told]


def commands(page: Path) -> list[tuple[str, int, str]]:
    """The commands of a page, with the exit code and the output that it shows."""
    found: list[tuple[str, int, str]] = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, code = line[2:].partition("  # exits ")
                found.append((command, int(code or 0), ""))
            else:
                command, number, shown = found[-1]
                found[-1] = (command, number, f"{shown}{line}\n")
    return found


def pattern(shown: str) -> str:
    """`...` on a line of its own stands for any lines, inside of a line for any text; nothing shown, nothing said."""
    if not shown:
        return r"(?s).*"
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in shown.splitlines()
    ]
    return "".join(lines)


def test_every_expression_of_the_language_page_has_the_value_it_shows() -> None:
    lines = [line for block in blocks(ROOT / "docs/language.md", "expression") for line in block.splitlines()]
    assert len(lines) > 30
    for line in lines:
        text, _, wanted = line.partition("=>")
        expression, problems = compile_expression(text.strip(), {})
        assert not problems, line
        assert expression.value({}) == literal(wanted.strip()), line


def literal(text: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    return Decimal(text) if re.fullmatch(r"-?\d+\.\d+", text) else exact(ast.literal_eval(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_yaml_that_reads_and_links_that_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    if "diagnostics/E1" not in str(page):
        for block in blocks(page, "yaml"):
            if "## Wrong" not in text:
                assert yaml.safe_load(block) is not None
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make run" in readme
    assert "make test" in readme


def test_the_reference_and_the_schemas_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_page_about_the_inside_has_every_room_and_the_files_it_names_are_there() -> None:
    page = (ROOT / "docs/how-it-works.md").read_text("utf-8")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [layer.split(" | ") for layer in contracts[0]["layers"]]
    rows = [
        re.findall(r"`(engine/\w+)`", row.split("|")[1]) for row in page.splitlines() if row.startswith("| `engine/")
    ]
    assert rows == [[name.replace(".", "/") for name in layer] for layer in layers]
    for named in re.findall(r"`(engine/[\w/.]+)`", page):
        assert (ROOT / named).exists() or (ROOT / f"{named}.py").exists(), named


def test_the_page_of_the_extras_has_every_extra_that_people_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs/guides/extras.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named == set(project["optional-dependencies"]) - {"build", "bench", "dev"}


def test_every_variable_of_the_environment_that_is_read_stands_among_what_is_stable() -> None:
    sources = " ".join(path.read_text("utf-8") for path in (ROOT / "engine").rglob("*.py"))
    page = (ROOT / "docs/stable.md").read_text("utf-8")
    assert set(re.findall(r"\bENGINE_[A-Z_]+\b", sources)) == set(re.findall(r"`(ENGINE_[A-Z_]+)`", page))


def test_no_block_of_a_page_is_indented_and_so_passed_over() -> None:
    for page in PAGES:
        assert not re.search(r"^ +```console", page.read_text("utf-8"), re.MULTILINE), page


def promises_without_a_test(page: str) -> set[str]:
    """The numbers that stand in one of the page's two tables only, or whose row names no test."""
    promised, _, shown = page.partition("## The tests")
    wanted = re.findall(r"^\| ([A-Z]\d+) \|", promised, re.MULTILINE)
    assert len(wanted) == len(set(wanted)) > 50
    return set(wanted) ^ set(re.findall(r"^\| ([A-Z]\d+) \| `tests/", shown, re.MULTILINE))


def test_a_promise_without_a_test_is_noticed() -> None:
    page = (ROOT / "docs/guarantees.md").read_text("utf-8")
    assert promises_without_a_test(re.sub(r"^\| T1 \| `tests.*\n", "", page, flags=re.MULTILINE)) == {"T1"}


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/guarantees.md").read_text("utf-8"))
    assert len(named) > 20
    assert not promises_without_a_test((ROOT / "docs/guarantees.md").read_text("utf-8"))
    for file, test in named:
        assert re.search(rf"^(async )?(def |class )?{test}\b", (ROOT / file).read_text("utf-8"), re.MULTILINE), test


EMBEDDING = ROOT / "docs" / "guides" / "embedding.md"


def test_the_programs_of_the_embedding_guide_run_one_after_the_other(tmp_path: Path) -> None:
    at = example(tmp_path)
    printed = []
    for number, code in enumerate(blocks(EMBEDDING, "python")):
        (at / f"program{number}.py").write_text(code)
        done = subprocess.run(
            [sys.executable, f"program{number}.py"], cwd=at, env=environment(tmp_path / "store.db"),
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert len(printed) == 5
    shown = blocks(EMBEDDING, "text")[0]
    assert printed[0].endswith(shown)
    assert printed[1].endswith(shown)
