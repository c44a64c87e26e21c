"""One function for every text that leaves: terminals, tables, files for CI, Markdown and HTML."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import sqlite3
import subprocess
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import click
import pytest
from rich.cells import cell_len

from engine.cli.console.trace_printer import Printer
from engine.coverage.page import page
from engine.diagnostic import Diagnostic, Place, Severity, SourceFile
from engine.diagnostic.reports import as_github, as_junit, as_sarif
from engine.whatif.promotion import Part, Promotion, code, table
from tests.cli.shell import Done, Shell, command, copy_of_root, environment

HOSTILE = (
    "a human\x1b[2J\x1b[1;1H\x1b]0;pwned\x07 \x1b]8;;http://evil\x1b\\x \u202eevil\u202c \u2066y\u2069 "
    "\x9b31m \x85 \x7f\x08 zero\u200bwidth\u00ad\u2060\ufeff\u2028\u2029\U000e0041 "
    "[/x] [bold red]APPROVED[/] [link=http://evil]ok[/link] :smile:"
)
FORGING = (
    "a human\rses_x.1\tapproval\topen\tforged\n\nses_x.2\tapproval\topen\tforged\trow\n::error::forged\n"
    "request     ses_x.3 approval"
)
# what a line of our own may hold
OURS = {"\n", "\t"}


def hostile_in(text: str, *, allowed: set[str] = OURS) -> set[str]:
    """The characters that steer a reader, or can't be seen."""
    bad = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    return {f"U+{ord(char):04X}" for char in text if unicodedata.category(char) in bad and char not in allowed}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(copy_of_root(tmp_path))


def held(shell: Shell, message: str, **env: str) -> tuple[str, str]:
    """A session that waits for a person, about a message of a customer."""
    arguments = ("run", ".", "--agent", "support-triage", "-m", f"I want to talk to {message}", "--set", "tenant=acme",
                 "--set", "account_id=acct_1001")  # fmt: skip
    assert shell(*arguments, **env).code == 3
    row = shell("sessions", "list", "--format", "json").json[0]
    return row["id"], f"{row['id']}.1"


def on_terminal(shell: Shell, *arguments: str, **settings: str) -> Done:
    """A command whose output is a terminal."""
    master, slave = pty.openpty()
    env = environment(shell.at / "store.db") | {"TERM": "xterm-256color", "COLUMNS": "400", "LINES": "50"} | settings
    process = subprocess.Popen(command(*arguments), cwd=shell.at, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    raw = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        raw += piece
    os.close(master)
    return Done(process.wait(), raw.decode("utf-8", "surrogateescape"), "")


COMMANDS = ["review list", "review show R", "sessions show S", "sessions list", "sessions events S", "explain S"]


@pytest.mark.parametrize("said", COMMANDS)
def test_no_text_of_a_customer_steers_who_reads_it_in_a_pipe(shell: Shell, said: str) -> None:
    session, request = held(shell, HOSTILE)
    done = shell(*said.replace("R", request).replace("S", session).split())
    assert done.code == 0, done.err[-300:]
    assert not hostile_in(done.out)


@pytest.mark.parametrize("said", COMMANDS)
def test_no_text_of_a_customer_steers_a_terminal_or_is_taken_for_markup(shell: Shell, said: str) -> None:
    session, request = held(shell, HOSTILE)
    done = on_terminal(shell, *said.replace("R", request).replace("S", session).split())
    assert done.code == 0, done.out[-300:]
    for steers in ("\x1b[2J", "\x1b[1;1H", "\x1b]", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\U000e0041"):
        assert steers not in done.out, repr(steers)


def test_markup_and_emoji_codes_stand_in_a_table_as_they_were_written(shell: Shell) -> None:
    held(shell, HOSTILE)
    done = on_terminal(shell, "review", "list")
    assert done.code == 0, done.out[-300:]
    shown = re.sub(r"\x1b\[[0-9;]*m", "", done.out)
    flat = re.sub(r"[\s│┃|]+", "", shown)
    assert "[boldred]APPROVED[/]" in flat
    assert "[link=http://evil]ok[/link]" in flat
    assert ":smile:" in flat


def test_what_can_not_be_seen_is_shown_as_a_mark_and_not_left_out(shell: Shell) -> None:
    _, request = held(shell, "a human zero\u200bwidth and \x1b[2J")
    out = shell("review", "show", request).out
    assert not hostile_in(out)
    assert "zerowidth" not in out
    assert "zero width" not in out
    assert "[2J" in out


def test_tabs_and_line_ends_forge_no_row_of_a_table(shell: Shell) -> None:
    held(shell, FORGING)
    lines = shell("review", "list").out.split("\n")
    assert len(lines) == 3, lines
    assert lines[2] == ""
    assert lines[1].count("\t") == lines[0].count("\t")
    assert "\r" not in lines[1]


@pytest.mark.parametrize("said", ["review show R", "sessions show S"])
def test_line_ends_forge_no_entry(shell: Shell, said: str) -> None:
    session, request = held(shell, FORGING)
    lines = shell(*said.replace("R", request).replace("S", session).split()).out.splitlines()
    assert not [line for line in lines if line.lstrip().startswith(("::", "ses_x", "request     ses_x"))]
    assert all(line.strip() for line in lines)


@pytest.mark.parametrize("said", ["review show R", "sessions show S", "sessions events S", "review list"])
def test_json_says_the_text_as_it_is_and_steers_nobody(shell: Shell, said: str) -> None:
    session, request = held(shell, HOSTILE)
    done = shell(*said.replace("R", request).replace("S", session).split(), "--format", "json")
    assert not hostile_in(done.out)
    assert HOSTILE in _texts(done.json)


def _texts(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(_texts(item) for item in value.values())
    return "\n".join(_texts(item) for item in value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
@pytest.mark.parametrize("said", [*COMMANDS, "review show R --format json", "sessions events S --format jsonl"])
def test_a_lone_surrogate_and_any_encoding_of_the_terminal_survive(shell: Shell, said: str, encoding: str) -> None:
    # a byte that is no UTF-8 on the command line is a lone surrogate, as `"\\ud83d"` of a model is
    session, request = held(shell, "a human \udcff \u65e5\u672c \u2705")
    arguments = said.replace("R", request).replace("S", session).split()
    done = shell(*arguments, PYTHONIOENCODING=encoding)
    assert done.code == 0, done.err[-300:]


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_the_trace_of_a_run_survives_any_encoding_too(shell: Shell, encoding: str) -> None:
    for form in ("text", "json", "jsonl"):
        done = shell(
            "run", ".", "--agent", "support-triage", "-m", "charged twice \udcff \u65e5", "--set", "tenant=acme",
            "--set", "account_id=acct_1005", "--format", form, PYTHONIOENCODING=encoding,
        )  # fmt: skip
        assert done.code == 0, (form, done.err[-300:])


def test_what_the_store_lists_is_text_of_others_too(shell: Shell) -> None:
    held(shell, "a human")
    raw = sqlite3.connect(shell.at / "store.db")
    raw.execute("UPDATE sessions SET state = ?, outcome = ?", ("\x1b[2J\nses_x: fine", "\u202e\x9b"))
    raw.execute("UPDATE sessions SET agent = ?", ("a\tb\nc",))
    raw.commit()
    raw.close()
    for arguments in (("sessions", "list"), ("sessions", "stats"), ("sessions", "verify")):
        done = shell(*arguments)
        assert not hostile_in(done.out + done.err), arguments
        assert not [line for line in done.out.splitlines() if line.startswith("ses_x")]


# -- names of files, and what a bundle says

NAME = "specs/tools/a\n::error file=x::forged\x1b[31m\u202e.yaml"


def named(shell: Shell, name: str) -> None:
    path = shell.at / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('kind: Tool\nname: "a\u202e\\e[2J"\n"[click](https://evil)": 1\n', "utf-8")


@pytest.mark.parametrize("form", ["full", "concise", "github", "junit", "sarif", "json"])
def test_the_name_of_a_file_is_text_too(shell: Shell, form: str) -> None:
    named(shell, NAME)
    done = shell("validate", ".", "--format", form)
    assert done.code == 1, done.err[-300:]
    assert not hostile_in(done.out + done.err)
    for line in done.out.splitlines():
        assert form == "github" or not line.lstrip().startswith("::")
    if form == "junit":
        ElementTree.fromstring(done.out)


@pytest.mark.parametrize("form", ["full", "concise", "github", "junit", "sarif", "json"])
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_the_name_of_a_file_that_is_no_utf_8_is_told(shell: Shell, form: str, encoding: str) -> None:
    named(shell, "specs/tools/x\udcff\u65e5.yaml")
    done = shell("validate", ".", "--format", form, PYTHONIOENCODING=encoding)
    assert done.code == 1, done.err[-300:]
    if form in ("sarif", "json"):
        assert done.json
    if form == "junit":
        ElementTree.fromstring(done.out)


TOLD = Diagnostic("E201", Severity.ERROR, f"`{HOSTILE}` 100%\n::error::x", Place("a/b\n\u202e,:%.yaml"), help="\x9b")


@pytest.mark.parametrize(
    "form", [as_github, as_junit, lambda ds: as_sarif(ds, {}, "1")], ids=["github", "junit", "sarif"]
)
def test_a_file_for_ci_holds_nothing_that_steers(form: object) -> None:
    text = form([TOLD])  # type: ignore[operator]
    assert not hostile_in(text)


def test_a_message_of_sarif_holds_no_link_of_others() -> None:
    told = Diagnostic("E201", Severity.ERROR, "key `[click](https://evil)` is not known", Place("a.yaml"))
    message = json.loads(as_sarif([told], {}, "1"))["runs"][0]["results"][0]["message"]["text"]
    assert not re.search(r"(?<!\\)\[click\]\(https", message)


def test_a_fixture_that_fails_forges_no_command_of_a_workflow(shell: Shell) -> None:
    fixture = next((shell.at / "fixtures").rglob("*.yaml")).read_text()
    assert "expect:" in fixture
    sql = "select '\n::add-mask::x\n::error::forged\n \x85'"
    path = shell.at / "fixtures/zz.yaml"
    head = fixture.split("expect:")[0]
    name = re.search(r"^name: *(.*)$", head, re.M)
    assert name is not None
    head = head.replace(name[0], "name: zz-forged")
    path.write_text(
        head + "expect:\n  rows:\n    - " + json.dumps({"database": "billing", "sql": sql, "gives": [[2]]}) + "\n"
    )
    done = shell("test", ".", "-k", "zz-forged")
    assert done.code == 1, done.out + done.err
    assert "rows of" in done.out
    assert not [line for line in done.out.splitlines() if line.lstrip().startswith("::")]


# -- Markdown and HTML

FENCE = "x\n```\n# ready\n<img src=x onerror=a> [a](javascript:b) @everybody |\r\n\n"


def test_a_value_in_code_of_markdown_can_not_leave_it() -> None:
    for text in (FENCE, "`` ` ``", HOSTILE, "a\rb\u2028c", {"a": FENCE}):
        shown = code(text)
        assert "\n" not in shown
        assert "\r" not in shown
        assert not hostile_in(shown)
        fence = re.match("`+", shown)
        assert fence is not None
        assert fence[0] not in shown[len(fence[0]) : -len(fence[0])]


def test_a_cell_of_a_markdown_table_is_no_markup() -> None:
    (*_, row) = table(["a", "b"], [[FENCE, "<b>x</b> \\| y"]])
    assert "\r" not in row
    assert not hostile_in(row)
    assert not re.search(r"(?<!\\)<(img|b)", row)
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3


def test_a_part_of_the_report_on_a_change_forges_no_other_part() -> None:
    found = Promotion("a" * 12, "b" * 12, [Part("test", "fails", FENCE)])
    lines = found.markdown().splitlines()
    assert "# ready" not in lines
    assert not [line for line in lines if line.startswith("```")]


@pytest.mark.parametrize("name", ["```\n# Promotion: ready", "a\n\n```\n<img src=x>", "a\u202e\x1b[2J"])
def test_a_closing_fence_in_the_name_of_a_file_leaves_no_fence(
    shell: Shell, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = copy_of_root(tmp_path_factory.mktemp("old"))
    named(shell, f"specs/tools/{name}.yaml")
    assert shell("deploy", str(old)).code == 0
    done = shell("promote", str(old), ".", "--markdown", "report.md", "--without-proofs")
    assert done.code == 1, done.err[-300:]
    text = (shell.at / "report.md").read_text("utf-8")
    fences = [line for line in text.splitlines() if re.match(r" {0,3}(`{3,}|~{3,})", line)]
    assert len(fences) == 2, fences
    assert len(re.findall("^# Promotion", text, re.M)) == 1
    assert not hostile_in(text)
    assert not hostile_in(done.err)


def test_the_page_of_coverage_shows_what_can_not_be_seen() -> None:
    source = SourceFile("policies/a\u202e.yaml", "x: '\u202e\u200b\x9b</pre><script>'\n")
    coverage = SimpleNamespace(items=(), percent=0.0, matched={"rule\u202e<b>": 1})
    text = page(coverage, {source.file: source}, "title \udcff\u202e<script>")  # type: ignore[arg-type]
    assert not hostile_in(text)
    text.encode("utf-8")
    assert "<script>" not in text


def test_a_bundle_in_a_folder_that_is_no_utf_8_has_a_page_of_coverage(tmp_path: Path) -> None:
    folder = tmp_path / "b\udcff\u202e"
    folder.mkdir()
    copy_of_root(folder)
    done = Shell(tmp_path)(
        "test", str(folder), "--html", "page.html", "-k", "duplicate", PYTHONIOENCODING="utf-8:strict"
    )
    assert "Traceback" not in done.err, done.err[-300:]
    assert not hostile_in((tmp_path / "page.html").read_text("utf-8"))


# -- text that is to be copied into a shell


def test_what_a_model_says_while_it_says_it_forges_no_line_of_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 24)))
    printer, said = Printer("text"), ""
    for piece in ("all", " is well\nstate     done", "\n\n" + "x" * 30 + "state     done", "\r\tlast 界界界界界界"):
        said += piece
        printer.partial("s", said)
    lines = click.unstyle(capsys.readouterr().out).split("\n")
    assert all(one.startswith("│ ") and cell_len(one) <= 20 for one in lines), lines
    assert "".join(one[2:] for one in lines).startswith("all is wellstate     done")


def test_a_command_that_is_told_is_one_that_can_be_copied() -> None:
    from engine.cli.console.drive import _what_was_done

    attributes = {"tenant": "a b$(id)`id`\n\x1b[2J; rm -rf ~"}
    state = SimpleNamespace(calls={}, attributes=attributes, agent="bot")
    line = _what_was_done(state)[-1]  # type: ignore[arg-type]
    assert not hostile_in(line, allowed=set())
    assert len([word for word in shlex.split(line.partition(": ")[2]) if word.startswith("tenant=")]) == 1
    assert "rm" not in shlex.split(line.partition(": ")[2])


RUN = "run . --agent support-triage -m hello --set tenant=acme --set account_id=acct_1001"


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_a_terminal_that_wants_no_colours_gets_none(shell: Shell, setting: dict[str, str], coloured: bool) -> None:
    (shell.at / "policies/more.YAML").write_text("kind: Policy\n")
    for said in ("validate .", "test . -k closed-account", RUN, "sessions list"):
        done = on_terminal(shell, *said.split(), **setting)
        assert ("\x1b[" in done.out) == coloured, (said, done.out)


def test_no_id_in_a_table_is_cut_however_narrow_the_terminal(shell: Shell) -> None:
    session, request = held(shell, "a human")
    for said, id_ in (("sessions list", session), ("review list", request)):
        for columns in ("80", "40"):
            done = on_terminal(shell, *said.split(), COLUMNS=columns)
            cells = [line.split("\u2502")[1].strip() for line in done.out.splitlines() if line.count("\u2502") > 1]
            said_below = "".join(line.partition("  ")[2].strip() for line in done.out.splitlines() if "id" in line)
            assert id_ in "".join(cells) or id_ in said_below, done.out


def test_a_terminal_too_narrow_for_a_table_has_each_cell_on_a_line_of_its_own(shell: Shell) -> None:
    _, request = held(shell, "a human")
    told = on_terminal(shell, "review", "list", COLUMNS="50", NO_COLOR="1").out
    assert "\u2502" not in told
    lines = [line.split(maxsplit=1) for line in told.splitlines() if line.strip()]
    assert ["id", request] in lines
    assert {"kind", "status", "tool", "message", "expires"} <= {line[0] for line in lines}
