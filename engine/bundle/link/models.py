"""Planners by models: how a server is asked, within which bounds, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from engine.bundle.checks import e206_constraint, e301_duplicate_name, w603_no_price, w615_not_strict
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.linker import PlannerLinker
from engine.bundle.link.model_servers import MAX_TOKENS, OURS, SERVERS
from engine.bundle.link.secrets import check_references, values
from engine.bundle.node import Node
from engine.language.value import span
from engine.spec.planner_spec import ModelSpec, PlannerSpec, Price
from engine.spec.retry import Retry
from engine.strict_schema import unsayable

STRICT_ANSWERS = "json_schema"
ANSWERS = {"openai": "json_schema", "anthropic": "tools"}


def link_model(linker: PlannerLinker) -> PlannerSpec:
    """How a model is asked; what is wrong with it is said."""
    documents, node, plain = linker.documents, linker.node, linker.node.plain
    check_references(documents, values(node.get("headers")))
    price = linker.prices.get(plain["model"])
    if price is None and documents.readable("Prices"):
        documents.say(w603_no_price.at(node.at("model"), plain["model"]))
    history, longest = plain.get("history_tokens", 6_000), plain.get("max_prompt_tokens", 16_000)
    if history >= longest:
        message = f"must be less than `max_prompt_tokens` ({longest})"
        documents.say(
            e206_constraint.at(node.get("history_tokens") or node.at("max_prompt_tokens"), "history_tokens", message)
        )
    preset = SERVERS.get(plain.get("server", ""), {})
    for name, key, _ in node.get("extra_body").pairs() if node.get("extra_body") is not None else ():  # type: ignore[union-attr]
        if name in OURS:
            documents.say(e206_constraint.at(key, "extra_body", f"must not hold `{name}`: the engine itself says that"))
    model = ModelSpec(
        model=plain["model"],
        base_url=plain.get("base_url"),
        api_key=plain.get("api_key"),
        headers=plain.get("headers", {}),
        answers=plain.get("answers", preset.get("answers", ANSWERS[plain["kind"]])),
        strict=plain.get("strict", False),
        temperature=plain.get("temperature"),
        max_prompt_tokens=longest,
        max_answer_tokens=plain.get("max_answer_tokens", 1_000),
        max_text=plain.get("max_text"),
        history_tokens=history,
        stream=plain.get("stream", True),
        timeout=span(plain.get("timeout", "60s")),
        retry=_retry(plain.get("retry", {})),
        price=price,
        top_p=plain.get("top_p"),
        reasoning_effort=plain.get("reasoning_effort"),
        extra_body=plain_json(plain.get("extra_body", {})),
        limit_key=plain.get("answer_limit", preset.get("answer_limit", MAX_TOKENS)),
        stream_usage=plain.get("stream_usage", preset.get("stream_usage", True)),
        short_ids=preset.get("short_ids", False),
        tail_in_last=preset.get("tail_in_last", False),
        beside_calls=preset.get("beside_calls", {}),
    )
    if model.strict and model.answers == STRICT_ANSWERS and plain["kind"] == "openai":
        for tool in (linker.tools[name] for name in linker.offered if name in linker.tools):
            for where, what in islice(unsayable(tool.input_schema), 1):
                documents.say(w615_not_strict.at(node.at("strict").place, tool.name, where, what))
    return PlannerSpec(plain["kind"], usage=model.usage, model=model)


def link_prices(documents: DocumentSet) -> dict[str, Price]:
    """What models cost, from all tables of the bundle; a model in two of them is said."""
    found: dict[str, Price] = {}
    first: dict[str, Node] = {}
    for document in documents.well_formed("Prices"):
        for name, key, value in document.node.at("models").pairs():
            if name in found:
                documents.say(e301_duplicate_name.at(key, "price", first[name].place))
                continue
            first[name] = key
            found[name] = Price(**value.plain)
    return found


def plain_json(value: Any) -> Any:
    """A value as every encoder takes it: exact numbers become plain ones."""
    if isinstance(value, Mapping):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def _retry(plain: dict[str, Any]) -> Retry:
    return Retry(
        plain.get("attempts", 3),
        frozenset(),
        span(plain.get("delay", "500ms")),
        Decimal(plain.get("factor", 2)),
        span(plain.get("max_delay", "30s")),
        Decimal(plain.get("jitter", Decimal("0.5"))),
    )
