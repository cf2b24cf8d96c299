"""Studies without training: a tiny space, results made up from the architecture, a quiet view."""

import dataclasses
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jejunet_nas.records import (
    GRAPH_NAMES,
    DataSplit,
    FramePaths,
    StreamLatency,
    TrialResult,
    as_added,
)
from jejunet_nas.records.scores import Score, Streamed
from jejunet_nas.search.view import SearchProgress, View
from jejunet_nas.space.architecture import Architecture, Network, Policy, canonical_json, network_id
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.made_up import TEMPORAL, graph_record, network_record

SPACE = """\
search_space:
  depth_multiplier: [0.25, 0.5]
  last_block: [9]
  output_stride: [16]
  decoder_channels: [8, 16, 24]
  detail: [thin]
  logit_stride: [8]
  resolution: [64, 96]
  keyframe_interval: {from: 1, to: 3}
  between_keyframes: [propagate]
  reuse_below: [off]
  refresh_above: [off]
"""
NETWORKS = 2 * 2 * 3  # in the space
GRAPHS = {name: graph_record(f"{name}.tflite") for name in GRAPH_NAMES}


def write_study(folder: Path, more: str = "", space: str = SPACE) -> Path:
    """Write a study that samples at random and trains from scratch; `more` is YAML."""
    if not re.search("^training:", more, re.MULTILINE):
        more = f"training: {{init: scratch}}\n{more}"
    elif "init:" not in more:
        more = re.sub("^training: {", "training: {init: scratch, ", more, flags=re.MULTILINE)
    sampler = "" if "sampler:" in more else "sampler: {name: random}\n"
    file = folder / "tiny.yaml"
    file.write_text(f"name: tiny\n{space}{sampler}{more}")
    return file


def tiny_study(folder: Path, more: str = "", space: str = SPACE) -> StudySettings:
    return read_study(write_study(folder, more, space))


def result(
    number: int, architecture: Architecture, *, mean_ms: float = 20.0, reused: bool = False
) -> TrialResult:
    """A trial whose score is as good as any, but always the same for one architecture."""
    miou = (zlib.crc32(canonical_json(architecture).encode()) % 1000) / 1000
    network = network_record(
        network_id(architecture.network, {}),
        architecture.network,
        float_miou=miou,
        int8_miou=miou,
    )
    score = Score(miou=miou, class_iou=(miou,), clips=())
    return TrialResult(
        number=number,
        architecture=architecture,
        network=dataclasses.replace(network, graphs=GRAPHS),
        own_frame_score=score,
        temporal=TEMPORAL,
        on_prediction=Streamed(
            latency=StreamLatency(
                mean_ms=mean_ms,
                worst_ms=mean_ms,
                every_frame=True,
                dropped_frames=0.0,
                source="predicted",
            ),
            score=score,
            # A still picture: the screen shows the same, however long it takes.
            walks=(FramePaths(clip="bear", letters="k"),),
            every_frame_miou=miou,
            every_frame_dropped=0.0,
        ),
        stage_s={"train": 1.0},
        network_reused=reused,
    )


class QuietView(View):
    """Keeps the lines that it is given, and shows nothing."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.lines: list[str] = []

    def stage(self, what: str, done: int, total: int) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, progress: SearchProgress) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class FakeSetup:
    """Stands for a setup; rung, seed: with which networks are trained."""

    train: DataSplit
    val: DataSplit
    folder: Path = Path()
    rung: int = 0
    seed: int = 0
    shared: Any = None

    def at_rung(self, rung: int) -> "FakeSetup":
        return dataclasses.replace(self, rung=rung)

    def with_seed(self, seed: int) -> "FakeSetup":
        return dataclasses.replace(self, seed=seed)


class FakeTrials:
    """Stands for `run_trial`: remembers what was tried; `breaks` says which tries raise what.

    Each network has a result for each of the keyframe `intervals`.
    """

    def __init__(
        self, breaks: dict[int, BaseException] | None = None, intervals: Sequence[int] = (1,)
    ) -> None:
        self.tried: list[Network] = []
        self.breaks, self.intervals = breaks or {}, intervals
        self._trained: set[str] = set()

    def __call__(
        self, number: int, network: Network, setup: object, tell: object
    ) -> list[TrialResult]:
        self.tried.append(network)
        if error := self.breaks.get(len(self.tried)):
            raise error
        name = network_id(network, {})
        reused = name in self._trained
        self._trained.add(name)
        architectures = [
            Architecture(network=network, policy=Policy(keyframe_interval=interval))
            for interval in self.intervals
        ]
        best, *others = (result(number, each, reused=reused) for each in architectures)
        return [best, *map(as_added, others)]


def install(
    monkeypatch: pytest.MonkeyPatch,
    trials: FakeTrials,
    class_names: tuple[str, ...] = ("background", "object"),
) -> FakeTrials:
    """Put `trials` in the place of real ones, and an empty data set behind them."""
    from jejunet_nas.search import loop as search
    from jejunet_nas.search import work

    def prepare(*given: Any) -> FakeSetup:
        *_, before_decoding = given
        before_decoding()
        split = DataSplit(
            dataset="davis", split="val", class_names=class_names, clips=(), fingerprint="0"
        )
        return FakeSetup(train=split, val=split)

    monkeypatch.setattr(search, "prepare", prepare)
    monkeypatch.setattr(search, "made_from", lambda *_: {"train_fingerprint": "0"})
    monkeypatch.setattr(work, "run_trial", trials)
    return trials
