"""Bundles by digest: a session goes on under the one it started with."""

from __future__ import annotations

import trio

from engine.bundle.load import load_stored
from engine.ports.external_work import outside
from engine.ports.records import DamagedBundle
from engine.ports.store import Store
from engine.runtime.errors import BundleUnavailable
from engine.spec.bundle import Bundle

# how often the store is asked for an urgent bundle, in seconds
LOOK_EVERY = 1.0

_NEVER: tuple[float, tuple[str, ...]] = (float("-inf"), ())


class Bundles:
    """The bundles of a store, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Bundle] = {}
        self._saved: set[str] = set()
        self._beside: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._looking: dict[str, trio.Event] = {}
        self._reading: dict[str, trio.Event] = {}

    def know(self, bundle: Bundle) -> None:
        """Take in a bundle that this process has read already."""
        self._known[bundle.digest] = bundle

    async def keep(self, bundle: Bundle) -> None:
        """Store a bundle before the first session under it starts."""
        self.know(bundle)
        if bundle.digest not in self._saved:
            await self._store.save_bundle(bundle.digest, bundle.files, urgent=bundle.urgent)
            self._saved.add(bundle.digest)

    async def overlays(self, digest: str) -> tuple[Bundle, ...]:
        """The urgent bundles that judge beside one with a digest, as the store had them within the last second."""
        at, found = self._beside.get(digest, _NEVER)
        while trio.current_time() - at >= LOOK_EVERY:
            await self._look(digest)
            at, found = self._beside.get(digest, _NEVER)
        return tuple([await self._urgent(digest) for digest in found]) if found else ()

    async def _look(self, digest: str) -> None:
        """Ask the store, or wait for who is asking: a thousand sessions find at once that the second is over."""
        looking = self._looking.get(digest)
        if looking is not None:
            await looking.wait()
            return
        asked = self._looking[digest] = trio.Event()
        try:
            found = tuple(await self._store.urgent_bundles(digest))
            self._beside[digest] = trio.current_time(), found
        finally:
            del self._looking[digest]
            asked.set()

    async def _urgent(self, digest: str) -> Bundle:
        """An urgent bundle; raises BundleUnavailable, since without it nobody knows what it would deny."""
        try:
            return await self.get(digest)
        except BundleUnavailable as error:
            lift = f"if it is not to judge: engine deploy --lift {digest[:12]}"
            raise BundleUnavailable(f"an urgent bundle judges beside every older one: {error}; {lift}") from None

    async def get(self, digest: str) -> Bundle:
        """The bundle with a digest; raises BundleUnavailable."""
        while digest not in self._known:
            reading = self._reading.get(digest)
            if reading is not None:
                # it is read once, however many sessions need it at once; where that fails each finds out for itself
                await reading.wait()
                continue
            read = self._reading[digest] = trio.Event()
            try:
                self._known[digest] = await self._read(digest)
            finally:
                del self._reading[digest]
                read.set()
        return self._known[digest]

    async def _read(self, digest: str) -> Bundle:
        try:
            files = await self._store.load_bundle(digest)
        except DamagedBundle as error:
            raise BundleUnavailable(str(error)) from None
        if files is None:
            raise BundleUnavailable(f"the store has no bundle {digest}")
        with outside():
            bundle = (await trio.to_thread.run_sync(load_stored, files)).bundle
        if bundle is None:
            raise BundleUnavailable(f"this version of the engine can't read the bundle {digest}")
        if bundle.digest != digest:
            raise BundleUnavailable(f"the store's bundle {digest} was changed: its content has another digest")
        return bundle
