"""Published: results that others published on a data set, each with its source.

    tables:
      - citation: Chao et al., HarDNet, ICCV 2019, table 2
        split: test                      # of all rows, unless a row says otherwise
        ...
        rows:
          - {name: FC-HarDNet68, miou: 0.629, gmacs: 15}

`published_results/NAME.yaml` has those of the data set NAME.

Units: mIoU in [0, 1]; input sizes in pixels; GMACs, 10^9 multiply-accumulate operations a frame;
ms a frame.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.files import read_mapping
from jejunet_nas.study.settings_errors import first_problem

_RESULTS = Path(__file__).parent / "published_results"

_Text = Annotated[str, Field(min_length=1, max_length=300)]
_Pixels = Annotated[int, Field(ge=1, le=16384)]
_Amount = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class PublishedResult(BaseModel):
    """One published network.

    miou: of each picture's mask, compared with that picture's annotation. split: unknown where the
    source does not name it. hardware: that `latency_ms` is of. threads: None where it says nothing,
    as of a GPU.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Text
    miou: float
    split: Literal["val", "test", "unknown"]
    input_height: _Pixels
    input_width: _Pixels
    precision: Literal["float32", "int8"]
    hardware: _Text
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    gmacs: _Amount | None = None
    latency_ms: _Amount | None = None
    latency_source: Literal["measured", "predicted"] | None = None
    citation: _Text

    @field_validator("miou")
    @classmethod
    def _is_a_share(cls, miou: float) -> float:
        if not 0 < miou <= 1:
            fix = f"Write {miou / 100:g}." if 1 < miou <= 100 else "Fix that value."
            raise SettingError(f"miou is {miou}; allowed: more than 0, up to 1. {fix}")
        return miou

    @model_validator(mode="after")
    def _has_a_cost(self) -> "PublishedResult":
        if self.gmacs is None and self.latency_ms is None:
            raise SettingError(
                f"{shortened(self.name)} has neither gmacs nor latency_ms. Add one of them."
            )
        if self.latency_ms is not None and self.latency_source is None:
            raise SettingError(
                f"latency_source of {shortened(self.name)} is missing. Add `latency_source: "
                "measured`, or predicted."
            )
        return self


@functools.cache
def published_results(dataset: str) -> tuple[PublishedResult, ...]:
    """Return what is published on a data set of that name, best mIoU first; empty for others."""
    files = {file.stem: file for file in _RESULTS.glob("*.yaml")}
    found = read_published(files[dataset]) if dataset in files else ()
    return tuple(sorted(found, key=lambda row: -row.miou))


def read_published(file: Path) -> tuple[PublishedResult, ...]:
    """Return the rows of a YAML file, in its order.

    Raises `SettingError`, naming the file, the row and the key.
    """
    rows = [_row(place, plain) for place, plain in _plain_rows(file)]
    names = [row.name for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingError(
            f"{file} has {shortened(twice[0])} twice. Remove one, or give it another name."
        )
    return tuple(rows)


def _row(place: str, plain: dict[Any, Any]) -> PublishedResult:
    try:
        return PublishedResult.model_validate(plain)
    except ValidationError as error:
        raise SettingError(f"{place}: {first_problem(error, PublishedResult)}") from None
    except SettingError as error:
        raise SettingError(f"{place}: {error}") from None


def _plain_rows(file: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield the place of each row, and the row together with what its table says of all rows."""
    content = read_mapping(file)
    if unknown := [key for key in content if key != "tables"]:
        raise SettingError(f"{file}: {shortened(unknown[0])} is an unknown key; allowed: tables.")
    for place, table in _mappings(content, "tables", f"{file}: "):
        shared = {key: value for key, value in table.items() if key != "rows"}
        for at, row in _mappings(table, "rows", f"{place}."):
            yield at, shared | row


def _mappings(
    content: dict[Any, Any], key: str, place: str
) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield the place and the content of each item of a list of mappings, which has some."""
    items = content.get(key)
    if not isinstance(items, list) or not items:
        given = f"is {shortened(str(items))} instead of a list" if items else "is missing or empty"
        raise SettingError(f"{place}{key} {given}. Write an item `- key: value` below `{key}:`.")
    for number, item in enumerate(items):
        at = f"{place}{key}[{number}]"
        if not isinstance(item, dict):
            raise SettingError(
                f"{at} is {shortened(str(item))} instead of keys with values. Write `key: value`."
            )
        yield at, item
