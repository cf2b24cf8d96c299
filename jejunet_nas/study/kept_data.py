"""What a study's database keeps of its data, so that a report needs none: user attributes.

class_names     names, in the order of the class indices
data            `records.DataFacts` as JSON; studies of earlier versions have none
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from jejunet_nas.records import DataFacts, from_json
from jejunet_nas.study.history import damaged

CLASS_NAMES, DATA = "class_names", "data"


def kept_class_names(attributes: Mapping[str, Any], study: str) -> tuple[str, ...]:
    """Return the names of the classes. Raises `SettingError` for a damaged attribute."""
    names = attributes.get(CLASS_NAMES, ())
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise damaged(study, f"class_names is {names}")
    return tuple(names)


def kept_data(attributes: Mapping[str, Any], study: str) -> DataFacts:
    """Return what is known about the data. Raises `SettingError` for a damaged attribute."""
    text = attributes.get(DATA)
    if text is None:
        return DataFacts()
    try:
        return from_json(DataFacts, text)
    except (ValidationError, TypeError):
        raise damaged(study, f"data is {text}") from None
