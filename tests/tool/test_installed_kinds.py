"""Kinds of adapters and planners that installed packages bring: the guide's package, and packages that are broken."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from engine import BadStoreUrl, EnvironmentFault, InvalidBundle, Status, load_bundle, open_engine, open_store
from engine.bundle import installed_kinds
from engine.bundle.documents import agent as agents
from engine.bundle.documents import tool as tools
from engine.bundle.files import BundleFiles
from engine.bundle.load import LoadedBundle, load, load_stored
from engine.fixtures.border import leaves
from engine.ports import kinds
from engine.ports.resources import MissingSecret
from engine.ports.tool import AdapterResources
from engine.runtime import environment
from engine.runtime.connections import ConnectionPool
from engine.runtime.host_secrets import HostSecrets
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, policy, tool

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs/guides/packages.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
(TOML,) = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
(TOOL,) = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the guide's package is installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name, text in zip(("acme_ledger.py", "acme_greeter.py", "acme_store.py"), PYTHON, strict=True):
        (source / name).write_text(text)
    (source / "pyproject.toml").write_text(TOML)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--no-index", "--target", target, source], check=True)
    return target


def forget() -> None:
    """What is remembered of the packages of this process."""
    kinds._installed.cache_clear()
    installed_kinds.schema_with.cache_clear()
    installed_kinds._definitions.cache_clear()
    for made in ("_fits", "_validator"):
        getattr(sys.modules["engine.bundle.schema_check"], made).cache_clear()


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide's package, for the time of a test."""
    monkeypatch.syspath_prepend(str(site))
    forget()
    yield
    for name in ("acme_ledger", "acme_greeter", "acme_store"):
        sys.modules.pop(name, None)
    forget()


def documents(planner: str, tool_text: str = TOOL) -> dict[str, bytes]:
    """A bundle with the guide's tool, and a planner in the place of the script."""
    bot = agent("[book_refund]", policies="[rules]")
    script = "script: {kind: scripted, decisions: [{message: hi, done: true}]}"
    assert script in bot[1]
    files = dict([(bot[0], bot[1].replace(script, f"script: {planner}")), policy(ALLOW)])
    files["specs/tools/book_refund.yaml"] = tool_text
    return {path: text.encode() for path, text in files.items()}


BOOKING = """
    kind: scripted
    decisions:
      - message: booking
        tool_calls: [{id: a, name: book_refund, input: {order_id: o1, amount_usd: 5}}]
      - {message: booked, done: true}
"""
GREETING = "{kind: greeter, word: good day, tokens: 12}"


def told(loaded: LoadedBundle) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in loaded.diagnostics]


def lay_out(at: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_bytes(content)
    return at


@pytest.mark.usefixtures("installed")
async def test_a_tool_of_an_installed_kind_acts_behind_the_same_gate_and_log(tmp_path: Path) -> None:
    at = lay_out(tmp_path / "bundle", documents(BOOKING))
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=at) as one:
        session = await one.start(load_bundle(at), agent="bot", message="hi", attributes={"tenant": "acme"})
        view = await session.settled()
        assert (view.status, view.outcome) == (Status.DONE, "answered")
        (call,) = view.calls
        assert call.output == {"number": 1}
    (line,) = (at / "refunds.jsonl").read_text().splitlines()
    assert json.loads(line)["entry"] == "o1: 5 USD"


@pytest.mark.usefixtures("installed")
async def test_a_planner_of_an_installed_kind_proposes_and_is_counted(tmp_path: Path) -> None:
    made = load_bundle(lay_out(tmp_path / "bundle", documents(GREETING)))
    assert made.agents["bot"].planners["script"].usage.tokens == 12
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path) as one:
        session = await one.start(made, agent="bot", message="hi", attributes={"tenant": "acme"})
        view = await session.settled()
        assert (view.status, view.message) == (Status.DONE, "good day")
        answers = [event.payload async for event in session.events() if event.kind == "decision_recorded"]
        assert [one["usage"]["tokens"] for one in answers] == [12]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("book: refunds", "book: re/funds", "E206", "`book` must be a name of letters, digits and `_`"),
        ("book: refunds", "bok: refunds", "E201", "key `bok` is not known here"),
        ("book: refunds", "book: 7", "E202", "`book` must be text"),
        ("input.order_id }}: {{", "input.order_no }}: {{", "E402", "`order_no`"),
    ],
)
def test_its_settings_are_checked_with_their_place(old: str, new: str, code: str, message: str) -> None:
    assert old in TOOL
    loaded = load(BundleFiles(documents(GREETING, TOOL.replace(old, new))))
    found = [one for one in loaded.diagnostics if one.code == code and message in one.message]
    assert found, told(loaded)
    assert found[0].place.file == "specs/tools/book_refund.yaml"
    assert found[0].place.line > 16


def test_a_kind_that_nothing_brings_does_not_enter_and_says_which_are_here() -> None:
    loaded = load(BundleFiles(documents(GREETING)))
    assert told(loaded) == [
        ("E317", "nothing that is installed here brings the planner kind `greeter`"),
        ("E317", "nothing that is installed here brings the adapter kind `ledger`"),
    ]
    assert "sql, python, handoff, http, mcp, command" in loaded.diagnostics[1].note


@pytest.mark.usefixtures("installed")
def test_a_mistyped_kind_is_offered_the_installed_one() -> None:
    loaded = load(BundleFiles(documents(GREETING, TOOL.replace("kind: ledger", "kind: leger"))))
    (found,) = loaded.diagnostics
    assert (found.code, found.help) == ("E204", "did you mean `ledger`?")


async def test_a_session_whose_kinds_are_elsewhere_is_left_as_it_is(site: Path, tmp_path: Path) -> None:
    bundle = load_stored(documents(BOOKING)).bundle
    assert bundle is not None, "a stored bundle loads, so that its sessions are not stranded"
    needs = environment.needs(bundle, bundle.agents["bot"], ["script"], ["book_refund"])
    assert [(need.kind, need.name, need.by) for need in needs] == [("adapter", "ledger", "tool book_refund")]
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path) as one:
        session = await one.start(bundle, agent="bot", message="hi", attributes={"tenant": "acme"})
        with pytest.raises(EnvironmentFault, match="adapter kind `ledger`: install its package"):
            await session.settled()
        assert (await session.view()).status is Status.RUNNING


def test_a_fixture_never_lets_such_a_tool_act_unless_it_says_so() -> None:
    bundle = load_stored(documents(BOOKING)).bundle
    assert bundle is not None
    assert leaves(bundle.tools["book_refund"])


@pytest.mark.usefixtures("installed")
async def test_a_store_of_an_installed_scheme_keeps_sessions(tmp_path: Path) -> None:
    made = load_bundle(lay_out(tmp_path / "bundle", documents(GREETING)))
    with pytest.raises(BadStoreUrl, match="there is no store acme:one"):
        async with open_store("acme:one", make=False):
            raise AssertionError("there is none")
    async with open_engine("acme:one", root=tmp_path) as one:
        session = await one.start(made, agent="bot", message="hi", attributes={"tenant": "acme"})
        await session.settled()
    async with open_engine("acme:one", root=tmp_path) as other:
        assert (await other.session(session.id).view()).message == "good day"


async def test_a_scheme_that_nothing_brings_is_told() -> None:
    with pytest.raises(BadStoreUrl, match="the store acme:one is not understood"):
        async with open_store("acme:one"):
            raise AssertionError("there is none")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("text", ["${secret:}", "${secret:ENGINE_LOG_KEY}", "x ${secret:A"])
def test_references_to_secrets_are_checked_whatever_the_package_does(text: str) -> None:
    loaded = load(BundleFiles(documents(f"{{kind: greeter, word: '{text}'}}")))
    found = [one for one in loaded.diagnostics if "reference to a secret" in one.message]
    assert [one.code for one in found] == ["E206"], told(loaded)


async def test_a_reference_is_filled_with_the_secret_it_names() -> None:
    resources = AdapterResources(cast(Any, None), TrioClock(), HostSecrets({"A": "a secret"}), ConnectionPool())
    assert resources.fill_secrets("Bearer ${secret:A}") == "Bearer a secret"
    with pytest.raises(MissingSecret):
        resources.fill_secrets("${secret:B}")


BROKEN = {
    "exits": ("raise SystemExit(0)", "can't be loaded: SystemExit: 0"),
    "fetches": (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel):\n"
        "        x: str = pydantic.Field(json_schema_extra={'$ref': 'http://127.0.0.1:1/x'})\n"
        "    async def run(self, call): pass",
        "has settings that can't be used: `$ref: http://127.0.0.1:1/x` leads out of them",
    ),
    "pattern": (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel):\n"
        "        x: str = pydantic.Field(json_schema_extra={'pattern': '(?<=a'})\n    async def run(self, call): pass",
        "has settings that can't be used",
    ),
    "kindly": (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel):\n        kind: int\n"
        "    async def run(self, call): pass",
        "has settings that can't be used: they must be a model with fields, none of which is called `kind`",
    ),
    "raises": ("raise RuntimeError('no disk')", "can't be loaded: RuntimeError: no disk"),
    "plain": ("class Kind:\n    pass", "has no pydantic model `Settings`"),
    "idle": ("import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel): pass", "has no method `run`"),
    "link": (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel): pass\n"
        "    async def run(self, call): pass\n    @classmethod\n    def link(cls, linker): return linker.nothing",
        "can't be linked: AttributeError",
    ),
    "links": (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel): pass\n"
        "    async def run(self, call): pass\n    @classmethod\n    def link(cls, linker): return 7",
        "links to no mapping of settings",
    ),
}


def broken_package(site: Path, name: str, code: str, *dists: str) -> None:
    """A package whose module is this code, as pip lays packages out."""
    (site / f"broken_{name}.py").write_text(code)
    for dist in dists or (f"broken-{name}",):
        info = site / f"{dist.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[engine.adapters]\n{name} = broken_{name}:Kind\n")


def tool_of(kind: str) -> dict[str, bytes]:
    files = dict([agent("[act]"), tool("act", more=f"adapter: {{kind: {kind}}}")])
    return {path: text.encode() for path, text in files.items()}


@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_is_broken_is_told_and_breaks_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, problem = BROKEN[name]
    broken_package(tmp_path, name, code)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    (found,) = load(BundleFiles(tool_of(name))).diagnostics
    assert (found.code, found.place.file) == ("E317", "specs/tools/act.yaml")
    assert f"`{name}`, which broken-{name} brings, {problem}" in found.message
    forget()


NESTED = """
import pydantic
from typing import Literal, Optional, Union
class Cat(pydantic.BaseModel):
    sort: Literal["cat"]
    lives: int
class Dog(pydantic.BaseModel):
    sort: Literal["dog"]
class Kind:
    class Settings(pydantic.BaseModel):
        pet: Union[Cat, Dog] = pydantic.Field(discriminator="sort")
        sub: Optional["Settings"] = None
    async def run(self, call): pass
Kind.Settings.model_rebuild(_types_namespace={"Settings": Kind.Settings})
"""


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("pet: {sort: cat, lives: 9}", None),
        ("pet: {sort: dog}, sub: {pet: {sort: dog}}", None),
        ("pet: {sort: cat, lives: x}", "E202"),
        ("pet: {sort: fish}", "E204"),
        ("pet: {sort: dog, bark: w}", "E201"),
        ("pet: {sort: dog}, sub: {pet: {sort: dog}, more: 1}", "E201"),
    ],
)
def test_nested_settings_are_checked_like_those_of_a_document(
    settings: str, code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_package(tmp_path, "nested", NESTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("broken_nested", None)
    forget()
    files = dict([agent("[act]"), tool("act", more=f"adapter: {{kind: nested, {settings}}}")])
    loaded = load(BundleFiles({path: text.encode() for path, text in files.items()}))
    assert [one.code for one in loaded.diagnostics] == ([code] if code else [])
    forget()


def test_a_kind_of_two_packages_is_neithers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_package(tmp_path, "twice", "", "one", "two")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    (found,) = load(BundleFiles(tool_of("twice"))).diagnostics
    assert found.message == "`twice` is brought by more than one package: one and two"
    forget()


async def test_one_that_can_not_be_made_is_the_environments_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import pydantic\nclass Kind:\n    class Settings(pydantic.BaseModel): pass\n"
        "    def __init__(self, resources): raise OSError('no device')\n    async def run(self, call): pass\n"
    )
    broken_package(tmp_path, "unmade", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    files = tool_of("unmade")
    act = "{kind: scripted, decisions: [{message: m, tool_calls: [{id: a, name: act, input: {}}]}]}"
    bot = files["specs/agents/bot.yaml"].decode()
    files["specs/agents/bot.yaml"] = re.sub(r"script: \{kind: .*\}", f"script: {act}", bot).encode()
    at = lay_out(tmp_path / "bundle", files)
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=at) as one:
        session = await one.start(load_bundle(at), agent="bot", message="hi", attributes={"tenant": "acme"})
        with pytest.raises(EnvironmentFault, match="can't be made: OSError: no device"):
            await session.settled()
        assert (await session.view()).status is Status.RUNNING
    forget()


def test_a_package_can_not_take_the_place_of_a_built_in_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_package(tmp_path, "python", "raise RuntimeError('taken over')")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    assert kinds.adapter_kind("python") is kinds.ADAPTERS["python"]
    forget()


# -- the table is whole


def kinds_of(union: object) -> dict[str, type]:
    """The models of a union, by the word that stands for each."""
    return {get_args(one.model_fields["kind"].annotation)[0]: one for one in get_args(get_args(union)[0])}


def test_the_built_in_kinds_are_those_that_documents_have() -> None:
    for table, union in ((kinds.ADAPTERS, tools.Adapter), (kinds.PLANNERS, agents.Planner)):
        assert {name: kind.load_settings() for name, kind in table.items()} == kinds_of(union)
        for kind in table.values():
            assert callable(kind.load_link())
            assert kind.acts == "" or callable(kind.load())
    assert [name for name, kind in kinds.ADAPTERS.items() if not kind.acts] == ["handoff"], "a person acts"


def test_a_bundle_of_built_in_kinds_asks_nothing_of_installed_packages() -> None:
    code = (
        "import sys\nfrom engine.bundle.load import load_directory\nfrom pathlib import Path\n"
        "assert load_directory(Path('.')).bundle\n"
        "print([name for name in ('importlib.metadata', 'pydantic', 'trio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert ast.literal_eval(done.stdout) == []


def test_an_invalid_bundle_names_the_kind_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="E317"):
        load_bundle(lay_out(tmp_path, documents(GREETING)))
