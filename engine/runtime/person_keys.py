"""Keys of people: each has one that was drawn for them, kept wrapped and outside of the store.

What is sealed under such a key is gone for good once the key is destroyed, also in copies of the store.  A file is
named by an HMAC of the person under the folder's own key, which nothing but the folder holds: whatever else is
replaced, a person's file is found.

    HEX.person   a person's key, wrapped, and by a second line the folder's key that names it
    HEX.folder   the folder's own key, wrapped
    HEX.erased   one that was destroyed; empty     HEX.moved    where one of an earlier version is now
    HEX.key      one of an earlier version, named under `compared_with`; renamed when it is met
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.language.value import canonical
from engine.ports.resources import PERSON_KEYS, MissingSecret
from engine.runtime.cipher import COMPARABLE, Cipher, NotOpened
from engine.runtime.key_folder import KeyFolder

_KEY, _EARLIER, _MOVED, _ERASED, _FOLDER = ".person", ".key", ".moved", ".erased", ".folder"


class KeyAway(NotOpened):
    """The key of a person is not where the keys lie, and nobody has said that it was destroyed."""

    def __init__(self, folder: Path) -> None:
        MissingSecret.__init__(self, f"the key of the person that it is about is not in {folder}: it lies elsewhere")


class KeyDestroyed(NotOpened):
    """The key of a person was destroyed."""

    def __init__(self) -> None:
        told = "the key of the person that it is about was destroyed: what it sealed is erased"
        MissingSecret.__init__(self, f"{told}, and a session that still waits is ended by: engine resume ID")


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A person's key, and what a session calls it by: the name of its file, and which of those that it ever held."""

    key: str
    called: str


@dataclass(frozen=True, slots=True)
class UnsearchedFiles:
    """Files of a folder under which a person may have keys that are not found by who they are.

    `closed` are keys of the folder that no key at hand opens, `nameless` keys of people that were named under a key of
    the folder that is not there or not opened, `earlier` keys that have a name of an earlier version.
    """

    closed: tuple[str, ...]
    nameless: tuple[str, ...]
    earlier: tuple[str, ...]


class PersonKeys:
    """The keys in a folder; errors of the disk are raised as they are."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder

    @property
    def folder(self) -> Path:
        """Where they lie; raises MissingSecret if nobody has said it."""
        if self._path is None:
            told = f"{PERSON_KEYS} has to name a folder for the keys of people, outside of the store and its backups"
            raise MissingSecret(told)
        if self._path.exists() and not self._path.is_dir():
            raise MissingSecret(f"{PERSON_KEYS} names {self._path}, which is no folder")
        return self._path

    def drawn(self, person: Any, cipher: Cipher) -> PersonKey:
        """A person's key, drawn if they have none; raises NotOpened where it is wrapped with none of the cipher's."""
        files = self._files()
        found = _key_file(files, person, cipher)
        if found is None:
            with files.changing():
                # another may have made it meanwhile
                found = _key_file(files, person, cipher) or _placed(files, person, cipher)
        name, wrapped = found
        key = str(cipher.opened(wrapped))
        return PersonKey(key, f"{name}.{_which(key)}")

    def of(self, called: str, cipher: Cipher) -> str:
        """The key that a session calls so; raises KeyDestroyed, KeyAway, and NotOpened where another key wraps it."""
        files = self._files()
        name, _, which = called.partition(".")
        wrapped = _wrapped(files, name + _KEY) or files.read(name + _EARLIER)
        if wrapped is None and (place := files.read(name + _MOVED)) is not None:
            wrapped = _wrapped(files, place + _KEY)
        key = str(cipher.opened(wrapped)) if wrapped is not None else ""
        if wrapped is None or (which and which != _which(key)):
            raise KeyDestroyed if files.has(name + _ERASED) else KeyAway(self.folder)
        return key

    def has(self, person: Any, cipher: Cipher) -> bool:
        """Whether a person has a key, under whatever name."""
        files = self._files()
        return any(map(files.has, _files_of(files, person, cipher)))

    def destroy(self, person: Any, cipher: Cipher) -> bool:
        """Destroy every key of a person; False if they have none.  Their sessions count as erased from now on."""
        files = self._files()
        with files.changing():
            files.clean()
            destroyed = [files.remove(file) for file in _files_of(files, person, cipher)]
            names = [*_names(files, person, cipher), *_earlier_names(person, cipher)]
            for file in files.names(_MOVED):
                if files.read(file) in names:
                    files.remove(file)
                    names.append(file.removesuffix(_MOVED))
            for name in dict.fromkeys(names):
                files.write(name + _ERASED, "")
        return any(destroyed)

    def unsearched(self, cipher: Cipher) -> UnsearchedFiles:
        """Where a person may have keys that are not found by who they are."""
        files = self._files()
        opened = _folder_keys(files, cipher)
        known = {_which(key) for key in opened.values()}
        nameless = [file for file in files.names(_KEY) if _named_under(files, file) not in known]
        closed = [file for file in files.names(_FOLDER) if file not in opened]
        return UnsearchedFiles(tuple(closed), tuple(nameless), tuple(files.names(_EARLIER)))

    def wrapped_anew(self, cipher: Cipher) -> Iterator[tuple[str, bool]]:
        """Wrap every key with the first of the cipher's; each file's name, and whether one of the cipher's opened it.

        The keys of the folder itself come first, and are told only if they were not opened.
        """
        files = self._files()
        with files.changing():
            files.clean()
        for file in [*files.names(_FOLDER), *files.names(_EARLIER), *files.names(_KEY)]:
            # one at a time, so that nobody waits for all of them
            with files.changing():
                content = files.read(file)
                if content is None:
                    continue
                wrapped, end, named = content.partition("\n")
                done = True
                try:
                    files.write(file, cipher.seal(cipher.opened(wrapped)) + end + named)
                except NotOpened:
                    done = False
            if not (done and file.endswith(_FOLDER)):
                yield file, done

    def _files(self) -> KeyFolder:
        return KeyFolder(self.folder)


def person_keys() -> PersonKeys:
    """Those in the folder that the environment names."""
    named = os.environ.get(PERSON_KEYS)
    return PersonKeys(Path(named) if named else None)


def _which(key: str) -> str:
    """What tells a key from one that was drawn later for the same person."""
    return hmac.new(key.encode(), b"the id of this key", sha256).hexdigest()[:16]


def _key_file(files: KeyFolder, person: Any, cipher: Cipher) -> tuple[str, str] | None:
    """The name and the content of the file with a person's key."""
    for name in _names(files, person, cipher):
        if wrapped := _wrapped(files, name + _KEY):
            return name, wrapped
    return None


def _wrapped(files: KeyFolder, file: str) -> str | None:
    """The key of a person's file, wrapped."""
    content = files.read(file)
    return None if content is None else content.partition("\n")[0]


def _named_under(files: KeyFolder, file: str) -> str:
    """Which key of the folder names a person's file; empty where nobody has written it down."""
    return (files.read(file) or "").partition("\n")[2]


def _placed(files: KeyFolder, person: Any, cipher: Cipher) -> tuple[str, str]:
    """The same of one that was moved there from its earlier name, or drawn."""
    if not files.names(_FOLDER) and files.names(_KEY):
        # another would name every person anew, and what is sealed under the keys that lie here could not be erased
        told = f"the folder of the keys of people ({PERSON_KEYS}) has lost its own key: put its .folder file back"
        raise MissingSecret(told)
    if not _folder_keys(files, cipher):
        files.write(secrets.token_hex(8) + _FOLDER, cipher.seal(secrets.token_hex(32)))
    own = next(iter(_folder_keys(files, cipher).values()))
    name = _names(files, person, cipher)[0]
    earlier = next((one for one in _earlier_names(person, cipher) if files.has(one + _EARLIER)), None)
    wrapped = files.read(earlier + _EARLIER) if earlier is not None else None
    wrapped = wrapped or cipher.seal(secrets.token_hex(32))
    if earlier is not None:
        # sessions call it by this name still
        files.write(earlier + _MOVED, name)
    files.write(name + _KEY, f"{wrapped}\n{_which(own)}")
    if earlier is not None:
        files.remove(earlier + _EARLIER)
    return name, wrapped


def _files_of(files: KeyFolder, person: Any, cipher: Cipher) -> list[str]:
    """Every file that may hold a person's key."""
    now = [name + _KEY for name in _names(files, person, cipher)]
    return now + [name + _EARLIER for name in _earlier_names(person, cipher)]


def _names(files: KeyFolder, person: Any, cipher: Cipher) -> list[str]:
    """What a person's key may be called, under each of the folder's own keys that the cipher opens."""
    told = canonical(["person", person]).encode()
    return [hmac.new(key.encode(), told, sha256).hexdigest() for key in _folder_keys(files, cipher).values()]


def _earlier_names(person: Any, cipher: Cipher) -> Sequence[str]:
    """What it was called by earlier versions, under each key that it may have been compared with."""
    return [token.removeprefix(COMPARABLE) for token in cipher.comparable_by_each(["person", person])]


def _folder_keys(files: KeyFolder, cipher: Cipher) -> dict[str, str]:
    """The folder's own keys that a cipher opens, by file: one, but where agents share a folder and no key."""
    found = {}
    for file in files.names(_FOLDER):
        try:
            found[file] = str(cipher.opened(files.read(file) or ""))
        except NotOpened:
            continue
    return found
