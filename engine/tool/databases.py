"""The SQLite files of a bundle: made from their content when they are absent."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from engine.errors import EngineError
from engine.ports.tool import ToolError
from engine.private_files import make_folder
from engine.spec.bundle import Bundle, Database


class MissingRoot(EngineError):
    """The directory that a session's databases lie in is gone."""

    def __init__(self, root: str) -> None:
        super().__init__(f"the bundle's directory {root} is not there; name it with --bundle DIR")
        self.root = root


def locate(bundle: Bundle, database: Database, root: str) -> Path:
    """The file of a database, made from its `init` SQL if it is absent; raises MissingRoot, ToolError."""
    base = Path(root)
    if not base.is_dir():
        raise MissingRoot(root)
    path = base / database.path
    if database.derived:
        path = path.with_name(f"{path.stem}.{_content_digest(bundle.files, database)[:12]}{path.suffix}")
    if not path.exists():
        make(bundle.files, database, path)
    return path


def make(files: Mapping[str, bytes], database: Database, path: Path) -> None:
    """Make a database beside its place and move it there whole; whoever is first wins."""
    try:
        make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _not_made(database, error) from None
    os.close(handle)
    try:
        connection = sqlite3.connect(name, isolation_level=None)
        try:
            # one transaction: a script of many statements would otherwise wait for the disk at each
            connection.execute("PRAGMA synchronous = OFF")
            for script in database.init:
                connection.executescript(f"BEGIN;\n{files[script].decode()}\n;COMMIT;")
            for table, paths in database.documents.items():
                rows = [(document, *_title_and_body(files[document])) for document in paths]
                connection.execute("BEGIN")
                connection.executemany(f"INSERT INTO {table} (path, title, body) VALUES (?, ?, ?)", rows)
                connection.execute("COMMIT")
            if not database.derived:
                connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        os.chmod(name, 0o600)
        with suppress(FileExistsError):  # another process made it first, from the same content
            os.link(name, path)
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        raise _not_made(database, error) from None
    finally:
        Path(name).unlink(missing_ok=True)


def _not_made(database: Database, error: Exception) -> ToolError:
    return ToolError("database_init_failed", f"database {database.name} can't be made: {error}", acted=False)


def _title_and_body(raw: bytes) -> tuple[str, str]:
    """A Markdown file's first heading, and the rest."""
    text = raw.decode("utf-8")
    first, _, rest = text.partition("\n")
    return (first.lstrip("# ").strip(), rest.strip()) if first.startswith("#") else ("", text.strip())


def _content_digest(files: Mapping[str, bytes], database: Database) -> str:
    hashed = sha256()
    documents = [path for paths in database.documents.values() for path in paths]
    for path in (*database.init, *documents):
        hashed.update(f"{path}\0{len(files[path])}\0".encode())
        hashed.update(files[path])
    return hashed.hexdigest()
