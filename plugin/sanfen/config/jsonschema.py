"""The configuration's JSON Schema, made from the models."""

from typing import Any

from sanfen.config.schema import Config

__all__ = ["config_schema"]


def config_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of ``sanfen.yaml``; every scalar may be written as text."""
    made = Config.model_json_schema(by_alias=True)
    made["properties"]["version"] = {"enum": [1, "1"], "description": "Of this format."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sanfen.yaml"} | made
