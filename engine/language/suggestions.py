"""What was probably meant: words that other languages have, and names that stand a level higher or lower here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.diagnostic import MOST_SHOWN, did_you_mean, nearest
from engine.language import types
from engine.language.functions import FUNCTIONS

_NO_PATTERNS = "the language has no regular expressions: `*` stands for any text"
_NO_CONVERSION = "nothing is converted: a value is what its schema says"
_OF_TIME = "compare with a span of time: `a - b > duration('3d')`"
TIME_OF_DAY = "the time of day is a span from midnight: `now - datetime(date(now)) > duration('18h')`"
_NO_FILTERS = "there are no filters: a value is shown as it is"
_NO_ROUNDING = "nothing is rounded: numbers are exact"

# names of functions without case and `_`; what begins with `=` is the name of ours
_FUNCTIONS: Mapping[str, str] = {
    **dict.fromkeys(("size", "length", "strlen", "cardinality", "arraylength"), "=len"),
    **dict.fromkeys(("isempty", "empty"), "use `len`: `len(a) == 0`"),
    **dict.fromkeys(
        ("has", "exists", "defined", "isdefined", "ispresent", "present", "isnotnull", "notnull", "hasvalue"), "=is_set"
    ),
    **dict.fromkeys(("isnull", "isnone", "isundefined", "isnil"), "compare with null: `a == null`"),
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "default", "orelse"), "write `b if a == null else a`"),
    **dict.fromkeys(("now", "currenttimestamp", "getdate", "utcnow"), "`now` is a name: write it without parentheses"),
    **dict.fromkeys(("today", "currentdate"), "write `date(now)`"),
    **dict.fromkeys(("timestamp", "todatetime", "parsedatetime", "totimestamp", "time", "parsetime"), "=datetime"),
    **dict.fromkeys(("todate", "parsedate"), "=date"),
    **dict.fromkeys(("interval", "timedelta", "parseduration", "toduration"), "=duration"),
    **dict.fromkeys(("days", "hours", "minutes", "seconds", "datediff", "age", "dateadd"), _OF_TIME),
    **dict.fromkeys(("startswith", "hasprefix", "beginswith"), "=starts_with"),
    **dict.fromkeys(("endswith", "hassuffix"), "=ends_with"),
    **dict.fromkeys(
        ("matches", "regex", "regexmatch", "rematch", "match", "like", "regexp", "regexplike", "rlike", "ismatch"),
        f"use `glob`: `glob(text, 'a*')`; {_NO_PATTERNS}",
    ),
    **dict.fromkeys(("some", "anyof", "forany", "existsone"), "=any"),
    **dict.fromkeys(("every", "allof", "forall"), "=all"),
    **dict.fromkeys(("unique", "dedupe", "uniq"), "=distinct"),
    **dict.fromkeys(("tolower", "lowercase", "lcase", "casefold", "downcase"), "=lower"),
    **dict.fromkeys(("upper", "toupper", "uppercase", "ucase"), "use `lower` on both sides"),
    **dict.fromkeys(("includes", "include", "contain", "inlist", "indexof", "instr", "strpos"), "=contains"),
    **dict.fromkeys(("total", "add"), "=sum"),
    **dict.fromkeys(("least", "minimum"), "=min"),
    **dict.fromkeys(("greatest", "maximum"), "=max"),
    **dict.fromkeys(("head", "firstitem"), "=first"),
    **dict.fromkeys(("avg", "average", "mean"), "write `sum(a) / len(a)`"),
    **dict.fromkeys(("last", "lastitem"), "write `a[-1]`"),
    **dict.fromkeys(("abs",), "write `a if a >= 0 else -a`"),
    **dict.fromkeys(("if", "iif", "cond", "ternary"), "write `b if a else c`"),
    **dict.fromkeys(("object", "dict", "struct", "map"), "=record"),
    **dict.fromkeys(("keys",), "a loop over an object goes over its keys: `[k for k in a]`"),
    **dict.fromkeys(
        (
            "int",
            "float",
            "number",
            "str",
            "string",
            "text",
            "bool",
            "boolean",
            "decimal",
            "tonumber",
            "tostring",
            "parseint",
            "parsefloat",
            "toint",
            "tofloat",
            "double",
        ),
        _NO_CONVERSION,
    ),
    **dict.fromkeys(("round", "floor", "ceil", "trunc"), _NO_ROUNDING),
}

# methods, by the same names: `{o}` is what it is called on, `{a}` its argument, `{v}` and `{c}` a loop's variable and
# condition
_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("size", "length", "len", "count"), "write `len({o})`"),
    **dict.fromkeys(("isempty", "empty"), "write `len({o}) == 0`"),
    **dict.fromkeys(("contains", "includes", "include", "has", "indexof", "contain"), "write `contains({o}, {a})`"),
    **dict.fromkeys(("startswith", "hasprefix", "beginswith"), "write `starts_with({o}, {a})`"),
    **dict.fromkeys(("endswith", "hassuffix"), "write `ends_with({o}, {a})`"),
    **dict.fromkeys(("lower", "tolower", "tolowercase", "lowercase", "downcase", "casefold"), "write `lower({o})`"),
    **dict.fromkeys(("upper", "toupper", "touppercase", "uppercase"), "write `lower({o})` on both sides"),
    **dict.fromkeys(
        ("matches", "match", "test", "search", "regex", "like", "fullmatch"),
        f"write `glob({{o}}, 'a*')`; {_NO_PATTERNS}",
    ),
    **dict.fromkeys(("any", "some", "exists", "existsone", "anymatch", "find"), "write `any({c} for {v} in {o})`"),
    **dict.fromkeys(("all", "every", "allmatch"), "write `all({c} for {v} in {o})`"),
    **dict.fromkeys(("filter", "where", "select"), "write `[{v} for {v} in {o} if {c}]`"),
    **dict.fromkeys(("map", "collect", "pluck"), "write `[{c} for {v} in {o}]`"),
    **dict.fromkeys(("first", "head"), "write `first({o})`"),
    **dict.fromkeys(("last", "tail"), "write `{o}[-1]`"),
    **dict.fromkeys(("keys",), "a loop over an object goes over its keys: `[k for k in {o}]`"),
    **dict.fromkeys(("unique", "distinct"), "write `distinct({o})`"),
    **dict.fromkeys(("values", "sum", "min", "max"), "write `{n}({o})`"),
    **dict.fromkeys(("equals", "eq", "equalsto"), "write `{o} == {a}`"),
    **dict.fromkeys(("isnull", "isnone"), "write `{o} == null`"),
    **dict.fromkeys(("days", "hours", "totalseconds", "seconds", "minutes"), _OF_TIME),
    **dict.fromkeys(("date", "todate"), "write `date({o})`"),
    **dict.fromkeys(("hour", "minute", "timeofday"), TIME_OF_DAY),
    **dict.fromkeys(("strip", "trim", "replace", "split", "substring", "slice"), "no text is changed but by `lower`"),
    **dict.fromkeys(("tostring", "str", "tonumber", "toint", "int"), _NO_CONVERSION),
}

# what templates of other languages write behind a `|`
FILTERS = (
    "abs",
    "capitalize",
    "ceil",
    "currency",
    "date",
    "default",
    "downcase",
    "first",
    "float",
    "floor",
    "format",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "max",
    "min",
    "money",
    "replace",
    "round",
    "safe",
    "size",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upcase",
    "upper",
)

# names, by the same form
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("null", "none", "nil", "undefined", "nan", "nul", "nulll", "nll", "nill"), "write `null`"),
    **dict.fromkeys(("true", "yes", "on", "tru", "ture", "treu", "truee"), "write `true`"),
    **dict.fromkeys(("false", "no", "off", "fals", "flase", "fasle", "falsee"), "write `false`"),
    **dict.fromkeys(
        ("args", "arguments", "arg", "request", "payload", "body", "toolinput", "inputs", "parameters", "data"),
        "=input",
    ),
    **dict.fromkeys(("user", "context", "ctx", "attributes", "attrs", "principal", "subject", "auth"), "=session"),
    **dict.fromkeys(("param", "config", "settings", "vars", "constants"), "=params"),
    **dict.fromkeys(("tool", "toolname", "action", "function", "functionname"), "=call.name"),
    **dict.fromkeys(("today", "currenttime", "time", "timestamp", "currentdate"), "=now"),
    **dict.fromkeys(("message", "lastmessage", "text", "prompt"), "=messages[-1]"),
    **dict.fromkeys(("history", "previous", "past"), "=calls"),
    **dict.fromkeys(("result", "response", "returned"), "=output"),
    **dict.fromkeys(("budgets", "limits", "usage"), "=budget"),
}

# records that are looked into for a name, in this order; those of histories are by tool, and not
_OWNERS = ("input", "session", "params", "output", "call", "step", "budget", "meters")
_HISTORIES = frozenset({"calls", "seen", "denied", "results"})
_OURS = frozenset({*_OWNERS, *_HISTORIES, "now", "messages", "key", "secret"})


@dataclass(frozen=True, slots=True)
class UnquotedWord:
    """The text that a name would be part of, and those that what it is compared with may be; none if it may be any."""

    text: str
    among: frozenset[str] = frozenset()


def for_function(name: str) -> str:
    """What to write for a function that there is not."""
    return _ours(_FUNCTIONS, name, "use") or did_you_mean(name, [*FUNCTIONS, "record"])


def for_method(owner: str, name: str, arguments: Sequence[str]) -> str:
    """What to write for a method: values have none."""
    plain = _bare(name)
    if plain == "get" and arguments:
        key = re.fullmatch(r"'([A-Za-z_]\w*)'|\"([A-Za-z_]\w*)\"", arguments[0])
        return f"write `{owner}.{key[1] or key[2]}`" if key else f"write `{owner}[{arguments[0]}]`"
    variable, condition = _loop(arguments)
    form = _METHODS.get(plain)
    if form is None:
        near = nearest(name, FUNCTIONS)
        form = f"write `{near}({{o}}{', {a}' if arguments else ''})`" if near else "functions are written `len({o})`"
    given = ", ".join(arguments) or "..."
    return form.format(o=owner, a=given, v=variable, c=condition, n=plain)


def for_filter(owner: str, name: str) -> str:
    """What to write for a filter of another language: some are functions here."""
    form = _METHODS.get(_bare(name)) or _FUNCTIONS.get(_bare(name), "")
    return form.format(o=owner, a="...", v="x", c="...", n=_bare(name)) if form[:1] not in ("", "=") else _NO_FILTERS


def for_part(owner: str, name: str) -> str:
    """What to write for a part of a value that has no fields, such as the length of a list."""
    form = _METHODS.get(_bare(name), "")
    return "" if "{a}" in form or "{c}" in form else form.format(o=owner, n=_bare(name))


def for_name(
    name: str, scope: Mapping[str, types.Type], others: Iterable[str] = (), unquoted: UnquotedWord | None = None
) -> str:
    """What to write for a name that has no value: text, a word of ours, a field of what has one, or a near name.

    `unquoted` is the text that it may have been meant to be, where text may stand.
    """
    known = [one for one in {*scope, *others} if one.isidentifier()]
    among = unquoted.among if unquoted is not None else frozenset()
    meant = next((word for word in sorted(among) if unquoted and _bare(word) == _bare(unquoted.text)), None)
    if meant is not None:
        return f"text stands in quotes: write `'{meant}'`"
    constant, near = _NAMES.get(_bare(name), "="), nearest(name, known)
    if not constant.startswith("="):
        return constant
    if any(name in record.fields for record in _records(scope.get("calls", types.UNKNOWN))):
        return f"`input` is of the call that is judged, `calls.{name}` are those before it"
    return _by_fields(name, scope, near) or _ours(_NAMES, name, "write", known) or _else(name, scope, known, unquoted)


def _by_fields(name: str, scope: Mapping[str, types.Type], near: str | None) -> str:
    """A field of just that name, or a name that is near."""
    exact = [f"{owner}.{name}" for owner, fields in _fields(scope) if name in fields]
    if exact and (near is None or near.lower() != name.lower()):
        return f"did you mean {_either(exact)}?"
    return f"did you mean `{near}`?" if near is not None else ""


def _else(name: str, scope: Mapping[str, types.Type], known: Sequence[str], unquoted: UnquotedWord | None) -> str:
    """A text that is near, a field that is, or any text."""
    if unquoted is not None and unquoted.among:
        close = nearest(unquoted.text, sorted(unquoted.among))
        listed = ", ".join(f"`'{word}'`" for word in sorted(unquoted.among)[:MOST_SHOWN])
        return f"text stands in quotes: did you mean `'{close}'`?" if close else f"text stands in quotes: {listed}"
    fields = [f"{owner}.{field}" for owner, fields in _fields(scope) if (field := nearest(name, fields))]
    if fields and name not in _OURS:
        return f"did you mean {_either(fields)}?"
    if unquoted is not None and name not in _OURS:
        return f"text is written `'{unquoted.text}'`; {did_you_mean(name, known)}"
    return did_you_mean(name, known)


def for_field(owner: str, name: str, known: Iterable[str], scope: Mapping[str, types.Type]) -> str:
    """What to write for a field that a record does not have: one of its own, or another record's of that name."""
    known = sorted(known)
    if nearest(name, known) is None:
        others = [f"{other}.{name}" for other, fields in _fields(scope) if name in fields and other != owner]
        if others:
            return f"did you mean {_either(others)}?"
    return did_you_mean(name, known)


def _either(forms: Sequence[str]) -> str:
    return " or ".join(f"`{form}`" for form in forms[:3])


def _fields(scope: Mapping[str, types.Type]) -> Iterator[tuple[str, list[str]]]:
    """The records that have a name, with their fields: those of the call first."""
    for owner in (*_OWNERS, *sorted(set(scope) - set(_OWNERS) - _HISTORIES)):
        yield from ((owner, list(record.fields)) for record in _records(scope.get(owner, types.UNKNOWN)))


def _records(type_: types.Type) -> list[types.Record]:
    return [option for option in types.options(type_) if isinstance(option, types.Record)]


def _ours(table: Mapping[str, str], name: str, verb: str, known: Iterable[str] | None = None) -> str:
    found = table.get(_bare(name), "")
    if not found.startswith("="):
        return found
    word = found[1:]
    return f"{verb} `{word}`" if known is None or re.split(r"\W", word)[0] in known else ""


def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _loop(arguments: Sequence[str]) -> tuple[str, str]:
    """The variable and the condition of a loop that is written as a function's arguments."""
    if len(arguments) == 2 and arguments[0].isidentifier():
        return arguments[0], arguments[1]
    found = re.fullmatch(r"(?:lambda\s+)?\(?(\w+)\)?\s*(?::|=>|->)\s*(.+)", arguments[0]) if arguments else None
    return (found[1], found[2]) if found else ("x", arguments[0] if arguments else "...")
