"""Planners by models: how a server is asked, within which bounds, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.bundle.corpus import Corpus
from engine.bundle.link.secrets import check_references, values
from engine.bundle.node import Node
from engine.bundle.rules import e206_constraint, e301_duplicate_name, w603_no_price
from engine.policy.value import span
from engine.session.bundle import ModelSpec, PlannerSpec, Price, Retry

MODELS = frozenset({"openai", "anthropic"})
ANSWERS = {"openai": "json_schema", "anthropic": "tools"}


def link_model(corpus: Corpus, node: Node, prices: Mapping[str, Price]) -> PlannerSpec:
    """The planner that a node of a kind in `MODELS` describes; what is wrong with it is said."""
    plain = node.plain
    check_references(corpus, values(node.get("headers")))
    price = prices.get(plain["model"])
    if price is None:
        corpus.say(w603_no_price.at(node.at("model"), plain["model"]))
    history, longest = plain.get("history_tokens", 6_000), plain.get("max_prompt_tokens", 16_000)
    if history >= longest:
        message = f"must be less than `max_prompt_tokens` ({longest})"
        corpus.say(
            e206_constraint.at(node.get("history_tokens") or node.at("max_prompt_tokens"), "history_tokens", message)
        )
    model = ModelSpec(
        model=plain["model"],
        base_url=plain.get("base_url"),
        api_key=plain.get("api_key"),
        headers=plain.get("headers", {}),
        answers=plain.get("answers", ANSWERS[plain["kind"]]),
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
    )
    return PlannerSpec(plain["kind"], usage=model.usage, model=model)


def link_prices(corpus: Corpus) -> dict[str, Price]:
    """What models cost, from all tables of the bundle; a model in two of them is said."""
    found: dict[str, Price] = {}
    first: dict[str, Node] = {}
    for document in corpus.sound("Prices"):
        for name, key, value in document.node.at("models").pairs():
            if name in found:
                corpus.say(e301_duplicate_name.at(key, "price", first[name].place))
                continue
            first[name] = key
            found[name] = Price(value.plain["input_usd"], value.plain["output_usd"])
    return found


def _retry(plain: dict[str, Any]) -> Retry:
    return Retry(
        plain.get("attempts", 3),
        frozenset(),
        span(plain.get("delay", "500ms")),
        Decimal(plain.get("factor", 2)),
        span(plain.get("max_delay", "30s")),
        Decimal(plain.get("jitter", Decimal("0.5"))),
    )
