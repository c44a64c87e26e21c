"""What an error of a connection says of its cause."""

from __future__ import annotations


def why(error: BaseException) -> str:
    """Its own words; where it has none those of the nearest error that led to it, such as TLS's; else its kind."""
    one: BaseException | None = error
    while one is not None:
        if text := str(one).strip():
            return text
        one = one.__cause__ or one.__context__
    return type(error).__name__
