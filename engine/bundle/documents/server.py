"""kind: Server, of the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.bundle.documents.parts import WEB_ADDRESS, DocumentModel, Name, Span


class Server(DocumentModel):
    """A server of the Model Context Protocol: a command that the engine starts, or a URL."""

    kind: Literal["Server"]
    name: Name
    description: str = ""
    command: Annotated[
        list[str], Field(description="A program and its arguments; it speaks the protocol over its pipes.")
    ] = []
    environment: Annotated[
        dict[str, str | None],
        Field(
            description="All that it gets beside PATH and HOME; null passes the engine's own on, secrets may be named."
        ),
    ] = {}
    url: Annotated[str | None, Field(pattern=WEB_ADDRESS, description="Streamable HTTP.")] = None
    headers: Annotated[dict[str, str], Field(description="For `url`; values may refer to secrets.")] = {}
    allow_private: Annotated[bool, Field(description="Whether `url` may lead to this machine or network.")] = False
    start_timeout: Span = "30s"
    optional: Annotated[
        bool, Field(description="Whether sessions run without it: its tools are unavailable then, each for itself.")
    ] = False
