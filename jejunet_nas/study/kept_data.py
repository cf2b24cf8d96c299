"""What a study's database keeps of its data, so that a report needs none: user attributes.

class_names     names, in the order of the class indices
data            `records.DataFacts` as JSON; studies of earlier versions have none

A damaged attribute raises ValueError or TypeError, which `storage.readable` words.
"""

from collections.abc import Mapping
from typing import Any

from jejunet_nas.records import DataFacts, from_json

CLASS_NAMES, DATA = "class_names", "data"


def kept_class_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes."""
    names = attributes.get(CLASS_NAMES, ())
    if not isinstance(names, list | tuple) or not {*map(type, names)} <= {str}:
        raise ValueError(f"class_names is {names}")
    return tuple(names)


def kept_data(attributes: Mapping[str, Any]) -> DataFacts:
    """Return what is known about the data."""
    text = attributes.get(DATA)
    return DataFacts() if text is None else from_json(DataFacts, text)
