"""Generates docs/reference/ from the code, its drawings too; with --check, says what is out of date and exits 1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, is_typeddict

import click
import language_reference
import python_reference
import yaml
from drawings import NotDrawn, drawings

from engine.bundle import schema_files
from engine.bundle.checks.catalogue import MANUALS
from engine.bundle.documents.budgets import Budgets
from engine.bundle.json_schemas import schemas
from engine.bundle.not_available import KEYS, KINDS, VALUES
from engine.cli.main import COMMANDS, cli
from engine.language.value import duration_text
from engine.session.customer_texts import ENDS, TEXTS
from engine.session.state.events.definition import Definition
from engine.session.state.events.table import EVENTS
from engine.spec.limits import EXPIRING, LIMITS, Limits
from engine.web import openapi

REFERENCE = Path(__file__).resolve().parent / "reference"


def pages() -> dict[str, str]:
    """Every page by its path under docs/reference/."""
    found = {f"diagnostics/{code}.md": manual.page() for code, manual in MANUALS.items()}
    return {
        **found,
        "diagnostics/README.md": _diagnostics(),
        "documents.md": _documents(),
        "limits.md": _limits(),
        "texts.md": _texts(),
        "language.md": language_reference.page(),
        "events.md": _events(),
        "command-line.md": _command_line(),
        "not-available.md": _not_available(),
        "python.md": python_reference.page(),
        "openapi.json": openapi.text(),
        "http-api.md": _http_api(),
        "../glossary.md": _glossary(),
        **drawings(),
    }


def _http_api() -> str:
    """The routes as a table: what each does, what it needs, and what it answers with."""
    rows = []
    for path, methods in openapi.document()["paths"].items():
        for method, told in methods.items():
            needed = told.get("description", "Open to all.").removeprefix("Needs the right ").rstrip(".")
            good = ", ".join(status for status in told["responses"] if status < "300")
            rows.append(f"| `{method.upper()} {path}` | {told['summary'].rstrip('.')} | {needed} | {good} |")
    return (
        "# HTTP API\n\nEvery route, with the right that it needs. The whole of it, with bodies and answers, is an\n"
        "[OpenAPI document](openapi.json), which the service gives at `/v1/openapi.json`; the guide is\n"
        "[The HTTP API](../guides/http-api.md).\n\n| route | | right | gives |\n| --- | --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


def _glossary() -> str:
    terms = yaml.safe_load((REFERENCE.parent / "glossary.yaml").read_text("utf-8"))
    rows = "\n".join(
        f"| {term} | {entry['meaning']} | {', '.join(entry.get('not', ()))} |" for term, entry in terms.items()
    )
    return (
        "# Glossary\n\nOne word for one thing, in YAML, code, log, command line and docs. Words of others for the\n"
        "same thing stand in the last column; these pages do not use them.\n\n"
        f"| word | meaning | not |\n| --- | --- | --- |\n{rows}\n"
    )


def _diagnostics() -> str:
    rows = "\n".join(f"| [{code}]({code}.md) | {m.severity} | {m.title} |" for code, m in sorted(MANUALS.items()))
    return (
        "# Diagnostics\n\n`engine validate --explain CODE` prints these pages.\n\n"
        f"| code | severity | says |\n| --- | --- | --- |\n{rows}\n"
    )


def _documents() -> str:
    parts = ["# Documents\n\nThe kinds of YAML document and their keys. The schemas are in `schemas/`.\n"]
    parts.append("`Service` and `Access` are an operator's, and no part of a bundle.\n")
    for kind in (*schema_files.KINDS, *schema_files.SERVICE_KINDS):
        schema = schema_files.schema(kind)
        parts.append(f"## {kind}\n\n{schema.get('description', '')}\n\n{_table(schema)}")
        for name, part in schema.get("$defs", {}).items():
            if "properties" in part:
                parts.append(f"### {kind}: {name}\n\n{part.get('description', '')}\n\n{_table(part)}")
    return "\n".join(parts)


def _table(schema: dict[str, Any]) -> str:
    rows = []
    for name, field in schema["properties"].items():
        needed = "yes" if name in schema.get("required", ()) else ""
        default = f"`{field['default']}`" if field.get("default") and not isinstance(field["default"], dict) else ""
        about = field.get("description", "")
        rows.append(f"| `{name}` | {_type(field)} | {needed} | {default} | {about} |")
    return "| key | value | required | default | |\n| --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_type(option) for option in field[key]))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    return {"string": "text", "object": "map", "boolean": "true or false", "integer": "whole number"}.get(kind, kind)


def _span(value: timedelta | None) -> str:
    return "none" if value is None else duration_text(value)


def _limits() -> str:
    limits = Limits()
    rows = []
    for name, field in Budgets.model_fields.items():
        if name == "expires":
            continue
        if name == "meters":
            rows.append(f"| `meters` | none | block | {field.description} |")
            continue
        value = getattr(limits, "calls_per_other_tool" if name == "calls_per_tool" else name)
        shown = duration_text(value) if isinstance(value, timedelta) else value
        rows.append(f"| `{name}` | {shown} | {LIMITS[name].crossing} | {field.description} |")
    expires = "\n".join(
        f"| `expires: {{{kind}}}` | {_span(limits.expires[kind])} | | How long it may wait. |" for kind in EXPIRING
    )
    head = """# Limits

What an agent leaves out has the default below; `unlimited` has to be written out. Times count only while the
session runs. A crossing of `block` lets the calls beyond the limit never start, `stop` ends the session as
`out_of_budget` when the step is over.

| limit | default | crossing | |
| --- | --- | --- | --- |
"""
    return head + "\n".join([*rows, expires]) + "\n"


def _texts() -> str:
    ends = "\n".join(f"| `{state}` | {text} |" for state, text in ENDS.items())
    texts = "\n".join(f"| `{reason}` | {text} |" for reason, text in TEXTS.items())
    return f"""# Texts

What the customer is told where the agent says nothing of its own. The first four are said under `ends`, the others
under `texts`, each by its reason; a rule's own reason is known there too. Those of calls have no full stop, as the
messages of rules have none.

| `ends` | |
| --- | --- |
{ends}

| `texts` | |
| --- | --- |
{texts}
"""


def _events() -> str:
    parts = "\n".join(_event(definition) for definition in EVENTS.values())
    return (
        "# Events\n\nThe kinds of entry in a session's log. Each is `{session_id, seq, step, kind, payload, at}`\n"
        "(`schemas/event.schema.json`); `engine sessions events ID` prints them flat. Below stand the fields of each\n"
        "payload. A field with a *?* is not always there; one that was *added* is not in histories of earlier\n"
        "versions. What a field may hold of [sensitive values](../limits.md) decides what of it is sealed: nothing of\n"
        f"the engine's `own`, all of a `whole`, and of the others what is known to be sensitive.\n{parts}"
    )


def _event(definition: Definition) -> str:
    said = " ".join((definition.payload.__doc__ or "").split())
    by = " Written by people and workers, without the session's lease." if definition.others else ""
    rows = "".join(
        f"| `{name}`{'' if field.required else ' ?'} | {_type_name(field.type)} | {field.holds.value} "
        f"| {'added' if field.added else ''} |\n"
        for name, field in definition.fields.items()
    )
    table = f"\n| field | type | holds | |\n| --- | --- | --- | --- |\n{rows}" if rows else ""
    return f"\n## {definition.kind}\n\n{said}{by}\n{table}"


_TYPE_NAMES = {str: "text", int: "whole number", bool: "true or false", dict: "map", list: "list", Any: "anything"}


def _type_name(type_: Any) -> str:
    """A type of a payload as people say it."""
    if get_origin(type_) is UnionType:
        return " or ".join("null" if part is NoneType else _type_name(part) for part in get_args(type_))
    if get_origin(type_) is list:
        return f"list of {_type_name(get_args(type_)[0])}"
    if is_typeddict(type_):
        return f"map of {', '.join(f'`{name}`' for name in type_.__annotations__)}"
    return _TYPE_NAMES[get_origin(type_) or type_]


def _command_line() -> str:
    parts = ["# Command line\n", "```text", _help(cli, "engine"), "```\n"]
    for name, (module, _) in COMMANDS.items():
        command = import_module(module).command
        parts += [f"## engine {name}\n", "```text", _help(command, f"engine {name}"), "```\n"]
        for sub in getattr(command, "commands", {}).values():
            parts += [f"### engine {name} {sub.name}\n", "```text", _help(sub, f"engine {name} {sub.name}"), "```\n"]
    return "\n".join(parts)


def _help(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    return command.get_help(context).rstrip()


def _not_available() -> str:
    keys = "\n".join(f"- {kind}: {', '.join(f'`{key}`' for key in sorted(known))}" for kind, known in KEYS.items())
    values = "\n".join(
        f"- {kind}, `{path}`: {', '.join(f'`{value}`' for value in sorted(known))}"
        for kind, paths in VALUES.items()
        for path, known in paths.items()
    )
    kinds = "\n".join(f"- kind `{kind}`" for kind in sorted(KINDS))
    return (
        "# Not available in this version\n\nWhat the design has and this version refuses by name (E205), so that\n"
        f"nothing is accepted and ignored.\n\n{kinds}\n{keys}\n{values}\n"
    )


def differences() -> Iterator[str]:
    """What stands on disk otherwise than the code says."""
    wanted = {REFERENCE / path: text for path, text in pages().items()}
    wanted |= {schema_files.directory() / name: text for name, text in schemas().items()}
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            yield f"{path.name} is out of date"
    for path in [*REFERENCE.rglob("*.md"), *REFERENCE.rglob("*.svg"), *schema_files.directory().glob("*.json")]:
        if path not in wanted:
            yield f"{path.name} is nobody's"


def main() -> int:
    """Write or check."""
    try:
        return _main()
    except NotDrawn as missing:
        print(missing)
        return 1


def _main() -> int:
    if "--check" in sys.argv:
        found = list(differences())
        print("\n".join([*found, "run: make schemas"]) if found else "the reference is up to date")
        return 1 if found else 0
    for path, text in pages().items():
        (REFERENCE / path).parent.mkdir(parents=True, exist_ok=True)
        (REFERENCE / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
