"""The schema knows what a study file may say; each shipped file agrees with it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from jejunet_nas.files import SPACES, STUDIES, shipped_folder
from jejunet_nas.study.schema import study_schema
from jejunet_nas.study.starter import starter_study

SCHEMA = study_schema()
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def agrees(value: Any, schema: dict[str, Any]) -> bool:
    """Whether `value` agrees with the words of JSON schema that pydantic uses for a study."""
    if "$ref" in schema:
        return agrees(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    if "anyOf" in schema:
        return any(agrees(value, each) for each in schema["anyOf"])
    kinds = schema.get("type", list(KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, KINDS[kind]) for kind in kinds):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        open_ended = schema.get("additionalProperties", True)
        return (
            set(schema.get("required", ())) <= set(value)
            and (bool(open_ended) or set(value) <= set(known))
            and all(agrees(value[key], known[key]) for key in value if key in known)
        )
    if isinstance(value, list):
        return all(agrees(each, schema.get("items", {})) for each in value)
    return True


@pytest.mark.parametrize(
    "file", sorted(shipped_folder(STUDIES).glob("*.yaml")), ids=lambda file: file.stem
)
def test_a_shipped_study_agrees_with_its_space_named_or_inline(file: Path) -> None:
    content = yaml.safe_load(file.read_text())

    assert agrees(content, SCHEMA)
    if isinstance(name := content["search_space"], str):
        space = shipped_folder(SPACES) / f"{name}.yaml"
        assert agrees({**content, "search_space": yaml.safe_load(space.read_text())}, SCHEMA)


@pytest.mark.parametrize("wrong", [{"trails": 3}, {"training": {"stepz": 1}}, {"trials": "ten"}])
def test_a_wrong_key_or_kind_does_not_agree(wrong: dict[str, Any]) -> None:
    starter = yaml.safe_load(starter_study("street", None))

    assert agrees(starter, SCHEMA)
    assert not agrees({**starter, **wrong}, SCHEMA)


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
