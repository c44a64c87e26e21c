"""House rules: sizes, names, what the repository may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine.extras import MODULES

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "engine").rglob("*.py"))
FOLDERS = {
    "engine", "docs", "specs", "policies", "prompts", "fixtures", "benchmarks", "tests", "requirements", ".ci",
    "schemas",
}  # fmt: skip
TEXTS = [
    path
    for name in sorted(FOLDERS)
    for path in sorted((ROOT / name).rglob("*"))
    if path.suffix in (".py", ".md", ".yaml", ".sql", ".txt", ".toml", ".j2", "") and path.is_file()
]
BANNED = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
TOP = {
    "pyproject.toml", "README.md", "engine", "specs", "policies", "prompts", "tests", "fixtures", "schemas", "docs",
    "benchmarks", "Makefile", "CHANGELOG.md", "LICENSE", ".ci", ".gitignore", "requirements", "action.yml",
    ".pre-commit-hooks.yaml", ".pre-commit-config.yaml", ".github", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md",
    "mkdocs.yml",
}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name


def test_no_room_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & BANNED


def test_the_top_level_holds_what_it_should() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        assert {line.split("/")[0] for line in done.stdout.splitlines()} <= TOP


def test_no_path_of_a_machine_and_no_registry_stands_in_the_repository() -> None:
    wrong = re.compile("|".join(("/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/", "file" + ":///o", "pypi" + r"\.org")))
    for path in TEXTS:
        if "__pycache__" not in path.parts and path.suffix != ".db":
            found = wrong.search(path.read_text("utf-8", "replace"))
            assert found is None, f"{path}: {found}"


def test_nothing_is_left_half_done() -> None:
    marks = re.compile("TO" + "DO|FIX" + "ME|X" + "XX|NotImple" + "mentedError")
    for path in SOURCES:
        assert not marks.search(path.read_text("utf-8")), path


def test_every_public_name_of_the_core_has_a_docstring() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree) or path.name == "__main__.py", path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_every_document_of_the_root_bundle_tells_editors_its_schema() -> None:
    documents = [path for name in ("specs", "policies", "fixtures") for path in (ROOT / name).rglob("*.yaml")]
    assert len(documents) > 40
    for path in documents:
        first, second = path.read_text("utf-8").splitlines()[:2]
        schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
        assert schema.resolve() == ROOT / "schemas" / f"{second.removeprefix('kind: ').lower()}.schema.json"


def test_no_line_of_an_agent_or_a_tool_of_ours_is_too_long_to_read() -> None:
    specs = [path for at in (ROOT, ROOT / "engine/cli/starter") for path in (at / "specs").rglob("*.yaml")]
    assert len(specs) > 15
    for path in specs:
        long = [line for line in path.read_text("utf-8").splitlines() if len(line) > 120]
        assert not long, f"{path.relative_to(ROOT)}: {long}"


# who writes to a terminal or a pipe, and from whom what they write has been shown already
WRITERS = {
    "engine/cli/console/output.py": "every text passes `line` or `block` here",
    "engine/cli/console/trace_printer.py": "cells and labels pass `line`, tables are of the rich library without markup",
    "engine/cli/main.py": "the last words on a fault of ours",
    "engine/cli/commands/validate.py": "diagnostics, which `render` and `reports` have shown",
    "engine/cli/commands/promote.py": "diagnostics",
    "engine/cli/console/bundle.py": "diagnostics",
    "engine/cli/commands/test.py": "reports of fixtures, whose names pass `line`",
}


def _writes(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "Console"):
                return True
    return False


def test_texts_reach_a_terminal_through_few_doors() -> None:
    found = {str(path.relative_to(ROOT)) for path in SOURCES if _writes(path) and "starter" not in path.parts}
    assert found == set(WRITERS)


def test_what_is_imported_is_declared_where_it_is_needed() -> None:
    """What only comes along with another library may go with it; an extra is told by the modules that it brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    modules = {"pyyaml": "yaml", "z3_solver": "z3"}

    def brought(declared: list[str]) -> set[str]:
        names = (re.split(r"[>\[]", one)[0].replace("-", "_") for one in declared)
        return {modules.get(name, name) for name in names}

    for extra, needed in MODULES.items():
        assert set(needed) == brought(optional[extra])
    known = (
        brought(project["dependencies"]) | brought(optional["test"]) | {m for some in MODULES.values() for m in some}
    )
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"engine"}
            assert outside <= known, path


BORDER = ("engine/bundle/documents/", "engine/session/wire_models.py")


def test_no_class_name_stands_for_two_things() -> None:
    """A model of the border is the written form of what it is named after, so it may share its name."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "engine").rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        if where.startswith(BORDER):
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name.lstrip("_"), []).append(where)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


# words that end like participles and are nouns of the trade
NOUNS = {"opening", "pending", "spelling", "testing", "tuning"}


def test_no_module_is_called_after_a_participle() -> None:
    for path in (ROOT / "engine").rglob("*.py"):
        last = path.stem.rpartition("_")[2]
        if path.parent.name != "checks" and re.search(r"(ing|ed)$", last):
            assert last in NOUNS, f"{path.relative_to(ROOT)}: what is the thing called?"


def _imports(name: str, source: str, modules: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & modules) - {name}


# what the core needs of others: none of it is a clock, dice, a wire or a disk, as it is used there
PURE = frozenset(
    [
        "__future__",
        "ast",
        "bisect",
        "collections",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fnmatch",
        "functools",
        "hashlib",
        "hmac",
        "html",
        "itertools",
        "json",
        "json.encoder",
        "keyword",
        "math",
        "operator",
        "orjson",
        "pydantic",
        "re",
        "reprlib",
        "simpleeval",
        "tokenize",
        "typing",
        "unicodedata",
        "warnings",
    ]
)
# rules and expressions are compiled; what is evaluated was made by the engine's own compiler
COMPILED = {("engine/policy/rule_function.py", "exec"), ("engine/language/compile.py", "eval")}


@pytest.mark.parametrize("room", ["session", "spec", "policy", "language"])
def test_the_core_reaches_no_clock_dice_wire_or_disk(room: str) -> None:
    """Import contracts forbid what is known to reach them; here only what is known not to is allowed."""
    for path in sorted((ROOT / "engine" / room).rglob("*.py")):
        place = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
                outside = {name for name in names if name.split(".")[0] != "engine"}
                assert outside <= PURE, f"{place}:{node.lineno} imports {outside - PURE}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                risky = node.func.id in ("open", "__import__", "eval", "exec", "input", "print")
                assert not risky or (place, node.func.id) in COMPILED, f"{place}:{node.lineno} calls {node.func.id}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                timely = node.func.attr in ("now", "utcnow", "today", "fromtimestamp", "import_module")
                assert not timely, f"{place}:{node.lineno} calls {node.func.attr}"


def test_no_module_comes_back_to_itself_by_its_imports() -> None:
    """Those of types alone and those within functions count too."""
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
        for path in (ROOT / "engine").rglob("*.py")
    }
    # the door names what it loads when it is asked for
    del sources["engine"]
    left = {name: _imports(name, source, set(sources)) for name, source in sources.items()}
    while leaves := {name for name, needed in left.items() if not needed & left.keys()}:
        left = {name: needed for name, needed in left.items() if name not in leaves}
    # what is left imports what is left; a circle is what is needed by it as well
    while ends := left.keys() - {name for needed in left.values() for name in needed}:
        left = {name: needed for name, needed in left.items() if name not in ends}
    assert sorted(left) == []
