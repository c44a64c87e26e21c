"""What every store has to do with bundles; see `store_contract`."""

from __future__ import annotations

from engine.ports import Store


async def a_bundle_is_kept_by_its_digest(store: Store) -> None:
    """Once, byte for byte."""
    assert await store.load_bundle("d") is None
    await store.save_bundle("d", {"a.yaml": b"x\x00\xff", "b": b""})
    await store.save_bundle("d", {"a.yaml": b"something else"})
    assert await store.load_bundle("d") == {"a.yaml": b"x\x00\xff", "b": b""}


async def an_urgent_bundle_is_found_from_those_that_were_kept_before_it(store: Store) -> None:
    """The newest one, and not by those that were kept after it."""
    for digest, urgent in (("a", False), ("b", True), ("c", False), ("d", True), ("e", False)):
        await store.save_bundle(digest, {"x.yaml": b""}, urgent=urgent)
    found = {digest: await store.urgent_bundle(digest) for digest in ("a", "b", "c", "d", "e", "unknown")}
    assert found == {"a": "d", "b": "d", "c": "d", "d": None, "e": None, "unknown": None}


BUNDLES = (a_bundle_is_kept_by_its_digest, an_urgent_bundle_is_found_from_those_that_were_kept_before_it)
