"""The shape of each kind of document, as pydantic models: `schemas/KIND.schema.json` are generated from these.

Loading checks documents against the generated schemas, so that it does not pay for pydantic's import.
"""
