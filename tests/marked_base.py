"""Bundles over tests/marked/base, made of text: what is said of them."""

from __future__ import annotations

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.diagnostic import Diagnostic
from tests.test_marked import MARKED

BASE = {
    path.relative_to(MARKED / "base").as_posix(): path.read_text("utf-8")
    for path in sorted((MARKED / "base").rglob("*"))
    if path.is_file() and path.suffix in (".yaml", ".sql", ".j2", ".py")
}
POLICY, CLERK, PAY, FIND = (
    "policies/refunds.yaml", "specs/agents/clerk.yaml", "specs/tools/refund_order.yaml", "specs/tools/find_order.yaml",
)  # fmt: skip
WORDS = "specs/vocabularies/words.yaml"


def changed(path: str, *pairs: tuple[str, str]) -> dict[str, str]:
    """One file of the base with some texts in the place of others, each of which has to be there."""
    text = BASE[path]
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return {path: text}


def with_when(condition: str, *, params: str = "", lets: str = "") -> dict[str, str]:
    """The base with one more condition in its first rule, and words for it."""
    quoted = condition.replace("'", "''")
    return changed(
        POLICY,
        ("limit_usd: 100\n", f"limit_usd: 100\n{params}"),
        ("rules:\n", f"{lets}rules:\n"),
        (
            "when: order.found and input.amount_usd <= order.total_usd",
            f"when: '({quoted}) and order.found and input.amount_usd <= order.total_usd'",
        ),
    )


def said_of(files: dict[str, str]) -> list[Diagnostic]:
    """All diagnostics of the base under some files."""
    return list(load(BundleFiles({path: text.encode() for path, text in {**BASE, **files}.items()})).diagnostics)


def codes_of(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(d.code, d.place.file) for d in said_of(files)]
