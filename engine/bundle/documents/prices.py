"""kind: Prices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.bundle.documents.parts import DocumentModel, Name

Usd = Annotated[int | float, Field(ge=0, description="USD for a million tokens.")]


class ModelPrice(DocumentModel):
    """What a model costs."""

    input_usd: Usd
    output_usd: Usd
    cached_input: Annotated[
        Usd | None, Field(description="Of tokens that are read from the server's cache; as any input unless given.")
    ] = None
    cache_write: Annotated[
        Usd | None, Field(description="Of tokens that are put into it; twice any input unless given.")
    ] = None


class Prices(DocumentModel):
    """What models cost; of a model that stands in no table only the tokens are counted."""

    kind: Literal["Prices"]
    name: Name
    models: Annotated[dict[str, ModelPrice], Field(min_length=1, description="By the names that planners use.")]
