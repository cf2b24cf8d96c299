"""The nouns of a trial, in the order in which they come to be.

The stages of a trial exchange only these records, and files. Ratios are in [0, 1]; units are in the
names: `_ms`, `_s`, `_bytes`, `_px`, `_macs`.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter

from jejunet_nas.errors import SettingError
from jejunet_nas.records.clips import IGNORE as IGNORE
from jejunet_nas.records.clips import Clip as Clip
from jejunet_nas.records.clips import DataFacts as DataFacts
from jejunet_nas.records.clips import DataSplit as DataSplit
from jejunet_nas.records.clips import Frames as Frames
from jejunet_nas.records.clips import Masks as Masks
from jejunet_nas.records.clips import Pictures as Pictures
from jejunet_nas.records.clips import VideoFacts as VideoFacts
from jejunet_nas.records.latencies import GRAPH_NAMES as GRAPH_NAMES
from jejunet_nas.records.latencies import OUTSIDE_DELEGATE as OUTSIDE_DELEGATE
from jejunet_nas.records.latencies import PATHS as PATHS
from jejunet_nas.records.latencies import FeasibleRule as FeasibleRule
from jejunet_nas.records.latencies import FramePath as FramePath
from jejunet_nas.records.latencies import FramePaths as FramePaths
from jejunet_nas.records.latencies import GraphName as GraphName
from jejunet_nas.records.latencies import Latency as Latency
from jejunet_nas.records.latencies import LatencySource as LatencySource
from jejunet_nas.records.latencies import Operator as Operator
from jejunet_nas.records.latencies import PathLatencies as PathLatencies
from jejunet_nas.records.latencies import StreamLatency as StreamLatency
from jejunet_nas.records.networks import AgreementRecord as AgreementRecord
from jejunet_nas.records.networks import GateBin as GateBin
from jejunet_nas.records.networks import GateRecord as GateRecord
from jejunet_nas.records.networks import GraphRecord as GraphRecord
from jejunet_nas.records.networks import LayerNoise as LayerNoise
from jejunet_nas.records.networks import NetworkRecord as NetworkRecord
from jejunet_nas.records.networks import TrainingRecord as TrainingRecord
from jejunet_nas.records.networks import graphs_run_by as graphs_run_by
from jejunet_nas.records.provenance import Provenance as Provenance
from jejunet_nas.records.trials import FailedTrial as FailedTrial
from jejunet_nas.records.trials import LastRoundPlan as LastRoundPlan
from jejunet_nas.records.trials import RefusedTrial as RefusedTrial
from jejunet_nas.records.trials import Repeat as Repeat
from jejunet_nas.records.trials import SearchedFor as SearchedFor
from jejunet_nas.records.trials import StudyHistory as StudyHistory
from jejunet_nas.records.trials import TrialResult as TrialResult
from jejunet_nas.records.trials import ValidationRule as ValidationRule
from jejunet_nas.records.trials import as_added as as_added

Record = TypeVar("Record")

# Cached, because creating an adapter takes milliseconds.
_adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)


def to_json(record: Any, *, indent: int | None = None) -> str:
    """Return a record as JSON text."""
    return _adapter(type(record)).dump_json(record, indent=indent).decode()


def from_json(kind: type[Record], text: str | bytes) -> Record:
    """Return the record of type `kind` that `to_json` wrote.

    Raises ValueError for any other text; pydantic's `ValidationError` is one.
    """
    try:
        record: Record = _adapter(kind).validate_json(text)
    except SettingError as error:  # of a record's own checks
        raise ValueError(str(error)) from error
    return record
