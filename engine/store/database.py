"""What the store asks of a database: questions that see one moment of it, and writes that hold what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")

# where a query has no limit: a database takes no other word for that which all take
UNLIMITED = 2**62


class SqlRows(Protocol):
    """What a statement found, and how many rows it changed."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class SqlConnection(Protocol):
    """Runs statements inside of a transaction that others begin and end.

    Values stand as `?`, or as `?1` and so on by their number.  Texts are compared by their bytes; times are texts.
    Functions that all have are `is_moment(text)`, `instr(text, part)` and `substr`.
    """

    @property
    def for_update(self) -> str:
        """What stands behind a query whose rows nobody else may change until the end of the transaction."""
        ...

    @property
    def skip_taken(self) -> str:
        """The same behind a query that passes over rows which somebody else is about to change."""
        ...

    @property
    def DatabaseError(self) -> type[Exception]:
        """What all its errors are."""
        ...

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> SqlRows:
        """Run a statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> SqlRows:
        """Run a statement once for each row of values."""
        ...

    def among(self, query: str, texts: Sequence[str], behind: str = "", /) -> SqlRows:
        """Ask a query that ends with a column for the rows in which that is one of some texts; a text may follow.

        connection.among("SELECT number FROM sessions WHERE id", ids, " ORDER BY id")
        """
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """Add rows, of which each has its values in the order of the columns."""
        ...

    def update(self, table: str, columns: Sequence[str], key: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Change the columns of rows; behind the values of each stands that of the key by which it is found."""
        ...

    def by_index(self, name: str, /) -> str:
        """What stands behind a table that is to be read by an index which the database would not choose by itself."""
        ...

    def columns(self, table: str, /) -> list[str]:
        """The columns of a table."""
        ...

    def number_on(self, table: str, column: str, /) -> None:
        """Rows that get a number in a column get one behind those that are there, however these have got theirs."""
        ...

    def tell_of(self, session_ids: Sequence[str], /) -> None:
        """Once the transaction is durable, tell the other processes on the store that sessions have changed."""
        ...

    def overwrite_deleted(self) -> None:
        """From here on nothing that is deleted is left in parts of a file that are free."""
        ...


class SqlDatabase(Protocol):
    """Tables, as one process reaches them."""

    async def problems(self) -> list[str]:
        """What is wrong with the database as a whole."""
        ...

    async def overwritten(self) -> None:
        """Whatever was deleted is nowhere any more when this returns."""
        ...

    async def read(self, job: Callable[[SqlConnection], T]) -> T:
        """Ask; all that one job asks sees the same moment."""
        ...

    async def write(self, job: Callable[[SqlConnection], T], *names: str) -> T:
        """Write, and return once it is durable; raises what the job raises, and nothing is written then.

        Of those that name the same no two run at once, in whatever process: what a job reads of what it has named
        stays so until its transaction is over.  A job may be run again, where nobody knows whether it was done.
        What a statement that nobody asks for rows would raise may come only with the end of the transaction.
        """
        ...

    async def write_each(self, job: Callable[[SqlConnection, Sequence[W]], Sequence[R]], wanted: W, *names: str) -> R:
        """The same of a job that does many of a kind at once, in their order: it is given what is wanted of it by then.

        It says what came of each.
        """
        ...

    def table_of(self, error: Exception) -> str:
        """The table of a row that a write could not add since it is there; empty where that is not what went wrong."""
        ...
