"""Files, environment and command line to the settings of a service, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.access.grants import Access, Grant, Provider
from engine.access.principal import CUSTOMER
from engine.access.rights import Role
from engine.bundle import yaml_reader
from engine.bundle.checks import (
    e101_not_utf8,
    e105_empty_bundle,
    e108_no_file,
    e203_missing_key,
    e206_constraint,
    e301_duplicate_name,
    e312_reserved_name,
    e401_expression,
)
from engine.bundle.node import Node
from engine.bundle.schema_check import check_kind, check_shape
from engine.bundle.schema_files import schema
from engine.config.notifications import load_notifications
from engine.config.schedules import load_schedules
from engine.config.secret_names import secret_name
from engine.config.settings import ServiceSettings
from engine.diagnostic import Diagnostic, Place, SourceFile, has_errors, sort
from engine.language import types
from engine.language.expression import Expression, compile_expression
from engine.language.syntax import SyntaxProblem
from engine.language.value import span
from engine.runtime.retention import RetentionRule
from engine.store.urls import SQLITE
from engine.telemetry.otlp import TraceTarget
from engine.web.server.client_address import networks
from engine.web.server.limits import ServerLimits
from engine.web.webhook import Webhook

PREFIX = "ENGINE_"
# what a variable of the environment may say: one value, and no map
BY_VARIABLE = ("bundle", "store", "host", "port", "workers", "url")
DEFAULT, FILE, VARIABLE, OPTION = "default", "file", "environment", "command line"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, unless some diagnostic is an error; the places are in `sources`."""

    settings: ServiceSettings | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]


def load_settings(
    file: Path | None, environment: Mapping[str, str], options: Mapping[str, Any], default_store: str
) -> LoadedSettings:
    """What a service runs with: an option before a variable, that before the file, and that before the default.

    `options` are those that were given, by the names of the settings.
    """
    reader = _ConfigFiles()
    service = reader.document(file, "Service") if file is not None else None
    named = _with_variables(service, environment, reader)
    if named is not None:
        reader.diagnostics += check_shape(named, "Service") or _check_proxies(named)
    folder = file.parent if file is not None else Path()
    included = service.get("include") if service is not None else None
    documents = [
        found
        for item in (included.items or () if included is not None else ())
        if isinstance(item.value, str)
        for found in [reader.included(folder / item.value, item)]
        if found is not None
    ]
    access = [node for node in documents if node.at("kind").value == "Access"]
    hooks = [node for node in documents if node.at("kind").value == "Webhook"]
    for node in access:
        reader.diagnostics += check_shape(node, "Access") or _check_access(node)
    for node in access[1:]:
        reader.diagnostics.append(e301_duplicate_name.at(node.at("kind"), "document", access[0].place))
    webhooks = _webhooks(hooks, reader)
    told = [node for node in documents if node.at("kind").value == "Notification"]
    notifications = load_notifications(told, reader.diagnostics)
    schedules = load_schedules(
        [node for node in documents if node.at("kind").value == "Schedule"], reader.diagnostics
    )  # fmt: skip
    found = tuple(sort(reader.diagnostics))
    if has_errors(found):
        return LoadedSettings(None, found, reader.sources)
    made = _settings(named, folder, options, default_store, access[0] if access else None, webhooks)
    made = replace(made, notifications=notifications, schedules=schedules)
    return LoadedSettings(made, found, reader.sources)


def _check_proxies(service: Node) -> list[Diagnostic]:
    """Each is an address, or a network without an address of it."""
    found: list[Diagnostic] = []
    proxies = service.get("proxies")
    for item in (proxies.items or ()) if proxies is not None else ():
        try:
            networks([str(item.value)])
        except ValueError as error:
            found.append(e206_constraint.at(item, "proxies", f"holds addresses and networks: {error}"))
    return found


class _ConfigFiles:
    """Reads files, and keeps what is wrong with them and where."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, SourceFile] = {}

    def document(self, file: Path, *kinds: str) -> Node | None:
        """The document in a file, of one of the kinds."""
        try:
            raw = file.read_bytes()
        except OSError as error:
            self.diagnostics.append(e108_no_file.missing_file(Place(str(file)), error.strerror or str(error)))
            return None
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            source = SourceFile(str(file), raw.decode("utf-8", "replace"))
            self.sources[source.file] = source
            self.diagnostics.append(e101_not_utf8.at(source, len(raw[: error.start].decode("utf-8"))))
            return None
        source = SourceFile(str(file), text)
        self.sources[source.file] = source
        before = len(self.diagnostics)
        node = yaml_reader.read(source, self.diagnostics.append)
        if node is None:
            if len(self.diagnostics) == before:
                empty = e105_empty_bundle.at(source.place(0, 1), "this file holds no document")
                self.diagnostics.append(replace(empty, help=f"write `kind: {kinds[0]}` into it"))
            return None
        found = check_kind(node, self.diagnostics.append, kinds)
        return node if found is not None and len(self.diagnostics) == before else None

    def included(self, file: Path, item: Node) -> Node | None:
        """The document in a file that another names."""
        if not file.is_file():
            self.diagnostics.append(e108_no_file.at(item, "there is no such file"))
            return None
        return self.document(file, "Access", "Webhook", "Notification", "Schedule")

    def variable(self, name: str, text: str) -> Node | None:
        """The value of a variable of the environment."""
        source = SourceFile(f"${name}", text)
        self.sources[source.file] = source
        return yaml_reader.read(source, self.diagnostics.append)


def _with_variables(service: Node | None, environment: Mapping[str, str], reader: _ConfigFiles) -> Node | None:
    """The document of a file with what variables say in the place of what it says."""
    given = {name: environment.get(PREFIX + name.upper(), "") for name in BY_VARIABLE}
    told = {name: reader.variable(PREFIX + name.upper(), text) for name, text in given.items() if text}
    if not told:
        return service
    source = SourceFile("environment", "")
    kept = [(key, value) for key, value in (service.entries or () if service is not None else ())]
    entries = [(key, value) for key, value in kept if key.value not in told]
    entries += [(Node(value.source, 0, 0, value=name), value) for name, value in told.items() if value is not None]
    if service is None:
        entries.append((Node(source, 0, 0, value="kind"), Node(source, 0, 0, value="Service")))
    return Node(service.source if service is not None else source, 0, 0, entries=entries)


def _settings(
    node: Node | None,
    folder: Path,
    options: Mapping[str, Any],
    default_store: str,
    access: Node | None,
    webhooks: Mapping[str, Webhook],
) -> ServiceSettings:
    own: dict[str, Any] = node.plain if node is not None else {}
    defaults = {name: field["default"] for name, field in schema("Service")["properties"].items() if "default" in field}
    known = defaults | {"store": default_store, "url": None} | own | dict(options)
    limits = schema("Service")["$defs"]["ServiceLimits"]["properties"]
    bounds = {name: field["default"] for name, field in limits.items()} | known.get("limits", {})
    metrics = {"host": "127.0.0.1", "port": 9464} | known["metrics"] if known.get("metrics") is not None else None
    log = {"format": "text", "level": "info"} | known.get("log", {})
    # a path in a file is one from that file; one on the command line or in a variable from where one stands
    from_file = node is not None and "bundle" in own and _origin(node, "bundle", options) == FILE
    bundle = (
        folder / known["bundle"] if from_file or ("bundle" not in own and "bundle" not in options) else known["bundle"]
    )
    return ServiceSettings(
        bundle=Path(bundle),
        store=_store(known["store"], folder if _origin(node, "store", options) == FILE else None),
        host=known["host"],
        port=known["port"],
        workers=known["workers"],
        url=known["url"].rstrip("/") if known["url"] else None,
        limits=ServerLimits(
            connections=bounds["connections"],
            body_size=bounds["body"],
            header_time=_seconds(bounds["header_time"]),
            body_time=_seconds(bounds["body_time"]),
            idle_time=_seconds(bounds["idle_time"]),
            write_time=_seconds(bounds["write_time"]),
            drain_time=_seconds(bounds["drain_time"]),
            proxies=networks(known["proxies"]),
        ),
        metrics=(metrics["host"], metrics["port"]) if metrics is not None else None,
        traces=TraceTarget(known["traces"]["url"], known["traces"].get("headers", {})) if known.get("traces") else None,
        log_format=log["format"],
        log_level=log["level"],
        takes_code=known.get("bundles", {}).get("code") == "allow",
        retention=tuple(
            RetentionRule(span(rule["after"]), rule.get("outcome"), rule.get("tenant"))
            for rule in known.get("retention", ())
        ),
        access=_access(access.plain) if access is not None else Access(),
        webhooks=webhooks,
        plain={
            **{name: value for name, value in known.items() if name != "kind"},
            "limits": bounds,
            "log": log,
            "access": access.plain if access is not None else None,
        },
        origins={name: _origin(node, name, options) for name in known if name != "kind"},
    )


def _store(url: str, folder: Path | None) -> str:
    """The URL of a store; a file that a document names lies where that document says."""
    path = url.removeprefix(SQLITE)
    if folder is None or path == url or not path or Path(path).is_absolute():
        return url
    return f"{SQLITE}{(folder / path).absolute()}"


def _origin(node: Node | None, name: str, options: Mapping[str, Any]) -> str:
    """Where a value came from: the command line, a variable, a file with its line, or nowhere."""
    if name in options:
        return OPTION
    value = node.get(name) if node is not None else None
    if value is None:
        return DEFAULT
    if value.source.file.startswith("$"):
        return value.source.file
    return FILE


def _seconds(text: str) -> float:
    found: timedelta = span(text)
    return found.total_seconds()


# -- access


def _check_access(node: Node) -> list[Diagnostic]:
    """What the shape of an Access document does not tell."""
    found: list[Diagnostic] = []
    say: Callable[[Diagnostic], None] = found.append
    grants = node.get("grants")
    for item in (grants.items or ()) if grants is not None else ():
        meant = [key for key in ("group", "subject", "client") if item.get(key) is not None]
        if not meant:
            say(e203_missing_key.at(item, "group"))
        elif meant == ["client"] and node.get("machines") is None:
            say(e206_constraint.at(item.at("client"), "client", "is of `machines`, and there are none here"))
        elif len(meant) > 1:
            say(e206_constraint.at(item.at(meant[1]), meant[1], f"stands beside `{meant[0]}`: a grant is for one"))
    persons = node.get("persons")
    subjects: dict[Any, Node] = {}
    for name, key, value in persons.pairs() if persons is not None else ():
        if name == CUSTOMER:
            say(e312_reserved_name.at(key, "a person"))
        if value.value in subjects:
            say(e301_duplicate_name.at(value, "subject", subjects[value.value].place))
        subjects.setdefault(value.value, value)
    people, machines = node.get("people"), node.get("machines")
    if people is not None and machines is not None:
        same = people.at("issuer").value == machines.at("issuer").value
        if same and people.at("client_id").value == machines.at("audience").value:
            told = "is that of people's logins: a person's token would be a machine's"
            say(e206_constraint.at(machines.at("audience"), "audience", told))
    if people is None and machines is None:
        say(e203_missing_key.at(node, "people"))
    return found


def _access(plain: Mapping[str, Any]) -> Access:
    people, machines = plain.get("people"), plain.get("machines")
    return Access(
        people=_people(people) if people is not None else None,
        machines=_machines(machines) if machines is not None else None,
        grants=tuple(
            Grant(
                tuple(Role(role) for role in one["roles"]),
                one.get("group"),
                one.get("subject"),
                one.get("client"),
                one.get("tenant"),
            )
            for one in plain.get("grants", ())
        ),
        persons={subject: name for name, subject in plain.get("persons", {}).items()},
    )


def _people(plain: Mapping[str, Any]) -> Provider:
    secret = plain.get("client_secret")
    return Provider(
        plain["issuer"].rstrip("/"),
        plain["client_id"],
        secret_name(secret) if secret is not None else None,
        tuple(dict.fromkeys(["openid", *plain.get("scopes", ["profile"])])),
        plain.get("groups", "groups"),
        plain.get("name", "name"),
    )


def _machines(plain: Mapping[str, Any]) -> Provider:
    return Provider(plain["issuer"].rstrip("/"), plain["audience"], groups_claim=plain.get("groups", "groups"))


# -- webhooks


def _webhooks(nodes: list[Node], reader: _ConfigFiles) -> dict[str, Webhook]:
    """The webhooks of some documents, by name; what is wrong with them is said."""
    found: dict[str, Webhook] = {}
    for node in nodes:
        wrong = check_shape(node, "Webhook")
        reader.diagnostics += wrong
        if wrong:
            continue
        plain, name = node.plain, node.at("name")
        attributes = node.get("attributes")
        pairs = list(attributes.pairs()) if attributes is not None else []
        made = Webhook(
            plain["name"],
            secret_name(plain["secret"]),
            plain.get("agent"),
            plain.get("tenant"),
            _over_body(node.at("message"), reader),
            {key: _over_body(value, reader) for key, _, value in pairs},
        )
        if made.name in found:
            reader.diagnostics.append(e301_duplicate_name.at(name, "webhook", name.place))
        found[made.name] = made
    return found


def _over_body(node: Node, reader: _ConfigFiles) -> Expression:
    """An expression over what was delivered, of which nothing is known before."""
    text = str(node.value) if not isinstance(node.value, bool) else str(node.value).lower()
    try:
        compiled, problems = compile_expression(text, {"body": types.UNKNOWN})
    except SyntaxProblem as error:
        problems = (error.problem,)
        compiled, _ = compile_expression("null", {})
    for problem in problems:
        reader.diagnostics.append(e401_expression.at(node.place, problem.message, problem.help))
    return compiled
