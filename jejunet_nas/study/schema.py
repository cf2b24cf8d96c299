"""The JSON schema of study files, for editors that complete and check YAML as it is written.

pydantic writes it from `StudySettings`. It is widened by what files may say in other words: the
name of a search space, ranges, and `off`.
"""

from typing import Any

from jejunet_nas.space.search_space import DIMENSIONS
from jejunet_nas.study.settings import StudySettings

_RANGE = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("from", "to", "step")},
    "required": ["from", "to"],
    "additionalProperties": False,
}
_CHOICE = {"type": ["string", "number", "boolean"]}  # YAML 1.1 reads `off` as false


def study_schema() -> dict[str, Any]:
    """Return the schema of a study's YAML file, as plain JSON values."""
    schema: dict[str, Any] = StudySettings.model_json_schema()
    kinds = schema["$defs"]
    for kind in (schema, *kinds.values()):
        if "properties" in kind:
            kind["additionalProperties"] = False
    space = kinds["SearchSpace"]
    space["description"] = "What may vary: the choices of each dimension, or a range."
    for name in DIMENSIONS:
        choices = {"type": "array", "items": _CHOICE, "minItems": 1}
        space["properties"][name] = {"anyOf": [choices, _RANGE]}
    schema["properties"]["search_space"] = {
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/SearchSpace"}],
        "description": "The name of a search space, its file, or the space itself.",
    }
    schema["properties"]["start_with"]["items"] = {
        "type": "object",
        "properties": dict.fromkeys(DIMENSIONS, _CHOICE),
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
