"""What every store has to do with bundles; see `store_contract`."""

from __future__ import annotations

from engine.ports.store import Store


async def a_bundle_is_kept_by_its_digest(store: Store) -> None:
    """Once, byte for byte."""
    assert await store.load_bundle("d") is None
    await store.save_bundle("d", {"a.yaml": b"x\x00\xff", "b": b""})
    await store.save_bundle("d", {"a.yaml": b"something else"})
    assert await store.load_bundle("d") == {"a.yaml": b"x\x00\xff", "b": b""}


async def urgent_bundles_are_found_from_those_that_were_kept_before_them(store: Store) -> None:
    """All of them, the oldest first, and not by those that were kept after them."""
    await _save_all(store)
    assert await _urgent_of(store) == {"a": "bd", "b": "d", "c": "d", "d": "", "e": "", "unknown": ""}
    assert list(await store.urgent_bundles()) == ["b", "d"]


async def a_bundle_that_is_urged_again_judges_beside_what_was_kept_meanwhile(store: Store) -> None:
    """As the newest one; it is none beside itself."""
    await _save_all(store)
    assert await store.set_urgent("b", urgent=True)
    assert await _urgent_of(store) == {"a": "db", "b": "d", "c": "db", "d": "b", "e": "b", "unknown": ""}
    await store.save_bundle("f", {"x.yaml": b""})
    assert list(await store.urgent_bundles("f")) == []


async def a_bundle_that_is_urged_no_more_judges_beside_none(store: Store) -> None:
    """Nor does one that nobody knows."""
    await _save_all(store)
    assert await store.set_urgent("d", urgent=False)
    assert await _urgent_of(store) == {"a": "b", "b": "", "c": "", "d": "", "e": "", "unknown": ""}
    assert not await store.set_urgent("unknown", urgent=True)


async def _save_all(store: Store) -> None:
    for digest, urgent in (("a", False), ("b", True), ("c", False), ("d", True), ("e", False)):
        await store.save_bundle(digest, {"x.yaml": b""}, urgent=urgent)


async def _urgent_of(store: Store) -> dict[str, str]:
    return {digest: "".join(await store.urgent_bundles(digest)) for digest in ("a", "b", "c", "d", "e", "unknown")}


BUNDLES = (
    a_bundle_is_kept_by_its_digest,
    urgent_bundles_are_found_from_those_that_were_kept_before_them,
    a_bundle_that_is_urged_again_judges_beside_what_was_kept_meanwhile,
    a_bundle_that_is_urged_no_more_judges_beside_none,
)
