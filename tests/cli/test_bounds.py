"""`engine validate` ends within bounds and without a traceback, whatever it is given: real processes with a limit on memory."""

from __future__ import annotations

import resource
import signal
import subprocess
from pathlib import Path

import pytest

from tests.bundle_texts import CODE, agent, policy, tool
from tests.cli.shell import Done, command, environment

# of the processor, which a busy machine has no less of; and of memory, in bytes
SECONDS, MEMORY = 20, 1 << 30
File = tuple[str, str]


def validated(at: Path, *files: File) -> Done:
    for path, text in (("specs/tools/code.py", CODE), *files):
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_text(text, "utf-8")
    done = subprocess.run(
        command("validate", ".", "--format", "concise"), cwd=at, env=environment(at / "store.db"), capture_output=True,
        text=True, timeout=600, preexec_fn=_limit,
    )  # fmt: skip
    assert done.returncode != -signal.SIGXCPU, f"it takes more than {SECONDS} seconds"
    assert "Traceback" not in done.stderr and "fault of engine" not in done.stderr, done.stderr[-600:]
    assert done.returncode in (0, 1)
    return Done(done.returncode, done.stdout, done.stderr)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


def schema(input_: str) -> list[File]:
    return [agent("[q]"), tool("q", input=input_)]


def prompt(text: str) -> list[File]:
    return [agent("[q]", more="prompt: p\n"), tool("q"), ("prompts/p.md.j2", text)]


def sql(script: str, more: str = "") -> list[File]:
    database = "kind: Database\nname: d\npath: data/d.db\ninit: [specs/databases/d.sql]\n"
    adapter = f"adapter: {{kind: sql, database: d, sql: SELECT 1 AS ok{more}}}"
    return [
        agent("[q]"),
        ("specs/databases/d.yaml", database),
        ("specs/databases/d.sql", script),
        tool("q", more=adapter),
    ]


def lets(pairs: list[tuple[str, str]], when: str) -> list[File]:
    listed = "".join(f"  {name}: {text}\n" for name, text in pairs)
    text = (
        f"kind: Policy\nname: rules\nlet:\n{listed}rules:\n  - {{id: a, tools: [q], effect: allow, when: '{when}'}}\n"
    )
    return [agent("[q]", policies="[rules]"), tool("q"), ("policies/rules.yaml", text)]


DAG = "".join(
    f"a{n}: {{type: object, properties: {{l: {{$ref: '#/$defs/a{n + 1}'}}, r: {{$ref: '#/$defs/a{n + 1}'}}}}}}, "
    for n in range(31)
)
COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000) SELECT count(*) FROM c;\n"
FILTER = "{type: object, properties: {and: {$ref: '#/$defs/f'}, or: {$ref: '#/$defs/f'}, not: {$ref: '#/$defs/f'}}}"
TWINS = [(f"{x}0", "record(a=1, b=2)") for x in "xy"] + [
    (f"{x}{n + 1}", f"record(a={x}{n}, b={x}{n})") for n in range(38) for x in "xy"
]
LISTS = [("x0", "[1]"), ("y0", "[true]")] + [
    pair for n in range(30) for pair in ((f"x{n + 1}", f"[x{n}, [y{n}]]"), (f"y{n + 1}", f"[y{n}, [x{n}]]"))
]
ENUM = ", ".join(f"abcdefgh{n}" for n in range(20_000))


@pytest.mark.parametrize(("files", "code"), [
    pytest.param(schema(f"{{type: object, properties: {{x: {{$ref: '#/$defs/f'}}}}, $defs: {{f: {FILTER}}}}}"), 0, id="filter"),
    pytest.param(schema("{type: object, properties: {a: {$ref: '#'}, b: {$ref: '#'}}, additionalProperties: {$ref: '#'}}"), 0, id="root"),
    pytest.param(schema("{type: object, properties: {a: {type: array, items: {$ref: '#'}}, b: {type: array, items: {$ref: '#'}}}}"), 0, id="items"),
    pytest.param(schema("{type: object, properties: {x: {anyOf: [{$ref: '#'}, {type: array, items: {$ref: '#'}}]}, y: {$ref: '#'}}}"), 0, id="any-of"),
    pytest.param(schema(f"{{type: object, properties: {{x: {{$ref: '#/$defs/a0'}}}}, $defs: {{{DAG}a31: {{type: string}}}}}}"), 0, id="shared"),
])  # fmt: skip
def test_a_schema_that_refers_to_itself_in_several_places_is_typed_in_bounds(
    tmp_path: Path, files: list[File], code: int
) -> None:
    assert validated(tmp_path, *files).code == code


@pytest.mark.parametrize("ref", ["#/anyOf/²", "#/anyOf/" + "0" * 5000])
def test_a_reference_to_no_place_of_a_list_is_a_diagnostic(tmp_path: Path, ref: str) -> None:
    assert (
        "E208"
        in validated(tmp_path, *schema(f"{{type: object, anyOf: [{{}}], properties: {{x: {{$ref: '{ref}'}}}}}}")).out
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 2000 + ")" * 2000,
        "a{99999999999999999999}",
        "a{" + "1" * 5000 + "}",
        "((a{1,999}){1,999}){1,999}",
        "[" * 5000,
    ],
)
@pytest.mark.parametrize(
    "place", ["properties: {{x: {{type: string, pattern: '{}'}}}}", "patternProperties: {{'{}': {{}}}}"]
)
def test_a_pattern_that_no_engine_takes_is_a_diagnostic(tmp_path: Path, pattern: str, place: str) -> None:
    flow = (
        place.format(pattern).replace("patternProperties: {'", "patternProperties: {? '").replace("': {}}", "' : {}}")
    )
    assert "E208" in validated(tmp_path, *schema(f"{{type: object, {flow}}}")).out


@pytest.mark.parametrize("number", ["1e60", "-1e60", "1" + "0" * 60])
def test_a_number_beyond_the_language_is_a_diagnostic_where_it_is_data(tmp_path: Path, number: str) -> None:
    assert validated(tmp_path, *sql("", f", absent: {{ok: {number}}}")).out


@pytest.mark.parametrize("text", [
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{% if 1 %}" * 1500 + "{% endif %}" * 1500, "{{ " + "not " * 3000 + "1 }}", "{{ 1" + "|upper" * 3000 + " }}",
    "{{ 1" + "+1" * 5000 + " }}", "{{ " + "9" * 5000 + " }}", "{{ agent" + ".name" * 3000 + " }}",
    "".join(f"{{% for a{n} in tools %}}{{{{ a{n} }}}}" for n in range(30)) + "{% endfor %}" * 30,
], ids=["parentheses", "lists", "if", "not", "filters", "sums", "digits", "fields", "for"])  # fmt: skip
def test_a_prompt_that_can_never_be_made_is_a_diagnostic(tmp_path: Path, text: str) -> None:
    assert "E408" in validated(tmp_path, *prompt(text)).out


@pytest.mark.parametrize("text", [
    "".join(f"{{% set a{n} = 1 %}}" for n in range(20_000)),
    "".join(f"{{% for t{n} in tools %}}{{{{ t{n}.name }}}}{{% endfor %}}" for n in range(3000)),
], ids=["sets", "loops"])  # fmt: skip
def test_a_prompt_of_many_statements_is_checked_in_bounds(tmp_path: Path, text: str) -> None:
    validated(tmp_path, *prompt(text))


def test_a_text_of_many_open_holes_is_checked_in_bounds(tmp_path: Path) -> None:
    stop = f"stop:\n  - {{outcome: x, message: '{'{{' * 200_000}'}}\n"
    assert "E401" in validated(tmp_path, agent("[q]", more=stop), tool("q")).out


def test_the_scripts_of_a_database_share_one_counter(tmp_path: Path) -> None:
    assert "E511" in validated(tmp_path, *sql(COUNT * 3000)).out


@pytest.mark.parametrize("expression", [
    "zeroblob(900000000)", "hex(randomblob(400000000))",
    "replace(hex(zeroblob(20000)), '0', hex(zeroblob(20000)))",
])  # fmt: skip
def test_the_values_of_a_script_have_a_bound(tmp_path: Path, expression: str) -> None:
    assert "E511" in validated(tmp_path, *sql(f"CREATE TABLE t(x); INSERT INTO t SELECT {expression};")).out


def test_the_memory_of_a_script_has_a_bound(tmp_path: Path) -> None:
    rows = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1500) INSERT INTO t SELECT zeroblob(999999) FROM c;"
    assert "E511" in validated(tmp_path, *sql(f"CREATE TABLE t(x); {rows}")).out


def test_a_script_with_a_null_character_is_a_diagnostic(tmp_path: Path) -> None:
    assert "E511" in validated(tmp_path, *sql("CREATE TABLE t(x);\0")).out


@pytest.mark.parametrize(
    "source", ["x = " + "-" * 200_000 + "1\n", "x = a" + ".a" * 20_000 + "\n", "x = 1" + "+1" * 100_000 + "\n"]
)
def test_a_file_that_python_can_t_parse_is_a_diagnostic(tmp_path: Path, source: str) -> None:
    code = ("specs/tools/code.py", source + CODE)
    assert "E313" in validated(tmp_path, agent("[q]"), tool("q"), code).out


@pytest.mark.parametrize(
    ("pairs", "when"), [(TWINS, "first([x38, y38]) == x38"), (LISTS, "x30 == y30")], ids=["records", "lists"]
)
def test_lets_that_share_their_parts_are_typed_in_bounds(
    tmp_path: Path, pairs: list[tuple[str, str]], when: str
) -> None:
    validated(tmp_path, *lets(pairs, when))


def test_suggestions_from_many_words_are_found_in_bounds(tmp_path: Path) -> None:
    rules = "".join(
        f"  - {{id: r{n}, tools: [q], effect: allow, when: \"input.x == 'abcdefg{n}x'\"}}\n" for n in range(100)
    )
    q = tool("q", input=f"{{type: object, properties: {{x: {{enum: [{ENUM}]}}}}}}")
    assert "E403" in validated(tmp_path, agent("[q]", policies="[rules]"), q, policy(rules)).out


def test_the_parameters_of_a_long_statement_are_checked_in_bounds(tmp_path: Path) -> None:
    many = "+".join(f":a{n}" for n in range(20_000))
    files = sql("")
    path, text = files[-1]
    validated(tmp_path, *files[:-1], (path, text.replace("SELECT 1 AS ok", f"SELECT {many}")))
