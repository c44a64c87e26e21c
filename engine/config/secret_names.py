"""Secrets as documents refer to them."""

from __future__ import annotations

PREFIX = "${secret:"


def secret_name(reference: str) -> str:
    """The name in a reference: `${secret:NAME}`."""
    return reference[len(PREFIX) : -1]
