"""Keys of people: each has one that was drawn for them, kept wrapped and outside of the store.

What is sealed under such a key is gone for good once the key is destroyed, also in copies of the store.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from engine.own_files import make_folder, write_bytes
from engine.reach import PERSON_KEYS, MissingSecret
from engine.runtime.cipher import Cipher, NotOpened

_ENDING = ".key"


class KeyDestroyed(NotOpened):
    """The key of a person is not there any more."""

    def __init__(self, folder: Path) -> None:
        MissingSecret.__init__(
            self, f"the key of the person that it is about is not in {folder}: it was destroyed, or lies elsewhere"
        )


class PersonKeys:
    """The keys in a folder; a person is named by what the cipher makes of them, which says nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where they lie; raises MissingSecret if nobody has said it."""
        if self._folder is None:
            told = f"{PERSON_KEYS} has to name a folder for the keys of people, outside of the store and its backups"
            raise MissingSecret(told)
        return self._folder

    def drawn(self, name: str, cipher: Cipher) -> str:
        """A person's key, drawn if they have none."""
        try:
            return self.of(name, cipher)
        except KeyDestroyed:
            make_folder(self.folder)
            fresh = self.folder / f".{secrets.token_hex(8)}.new"
            write_bytes(fresh, cipher.seal(secrets.token_hex(32)).encode())
            try:
                # of two that draw at once, both have the one that was first
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, self._path(name))
            finally:
                fresh.unlink()
            _settle(self.folder)
            return self.of(name, cipher)

    def of(self, name: str, cipher: Cipher) -> str:
        """A person's key; raises KeyDestroyed, and NotOpened where it is wrapped with another key than the cipher's."""
        try:
            return str(cipher.opened(self._path(name).read_text("ascii")))
        except FileNotFoundError:
            raise KeyDestroyed(self.folder) from None

    def destroy(self, name: str) -> bool:
        """Destroy a person's key; False if they have none."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        _settle(self.folder)
        return True

    def wrapped_anew(self, cipher: Cipher) -> Iterator[str]:
        """Wrap every key with the first of the cipher's; each name as it is done.  Raises NotOpened."""
        for path in sorted(self.folder.glob(f"*{_ENDING}")):
            token = cipher.seal(cipher.opened(path.read_text("ascii")))
            fresh = path.with_suffix(".new")
            write_bytes(fresh, token.encode())
            fresh.replace(path)
            yield path.stem
        _settle(self.folder)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_ENDING}"


def person_keys() -> PersonKeys:
    """Those in the folder that the environment names."""
    named = os.environ.get(PERSON_KEYS)
    return PersonKeys(Path(named) if named else None)


def _settle(folder: Path) -> None:
    """Have what was made or removed in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
