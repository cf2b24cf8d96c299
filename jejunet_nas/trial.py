"""The verbs of a trial, in the order in which they happen: build, train, convert, time, score.

What belongs to a network and not to the policy that runs it is kept under the network's id, and
found again: a second trial of the same network only walks the validation clips anew.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.sampling import PairSampler, Taught, calibration_frames
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.stream import background_lag, stream_latency
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.records import (
    GRAPH_NAMES,
    Clip,
    DataSplit,
    GraphName,
    NetworkRecord,
    PathLatencies,
    Pictures,
    TrainingRecord,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import combine, score_clip
from jejunet_nas.space.architecture import Architecture, Network, canonical_json, network_id
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.inherit import Source, inherit, source_for
from jejunet_nas.training.loop import LoopRecord, train_paths
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.video.graphs import NetworkGraphs

Tell = Callable[[str, int, int], None]  # what is being done, how much is done, of how much
CHECKED_FRAMES = 64  # validation frames on which float and int8 masks are compared


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialSetup:
    """All that the trials of one study have in common.

    recipe: plain JSON values that, beside the network, decide its weights. longest_age: of a
    context, in frames. source: backbone weights to begin with, of one width or several. taught:
    what a teacher says of the training frames. folder: where networks are kept.
    """

    train: DataSplit
    val: DataSplit
    training: TrainingSettings
    compression: PostTrainingInt8
    meter: LatencyMeter
    target_fps: float
    longest_age: int
    recipe: Mapping[str, Any]
    source: Sequence[Source] | None
    taught: Taught | None = None
    folder: Path


def run_trial(
    number: int, architecture: Architecture, setup: TrialSetup, tell: Tell
) -> TrialResult:
    """Build, train, quantise, time and score one architecture.

    Raises `TrialError` or another `JejunetError` where that cannot be done.
    """
    network, reused = prepare_network(architecture.network, setup, tell)
    clock = Clock({} if reused else network.stage_s)
    with clock.stage("evaluate"):
        (found,) = _evaluation(network, setup).score(
            [architecture.policy],
            lag=background_lag(network.latencies, target_fps=setup.target_fps),
            tell=lambda done, total: tell("evaluate", done, total),
        )
    assert found.temporal is not None, "asked for"
    return TrialResult(
        number=number,
        architecture=architecture,
        network=network,
        score=found.score,
        temporal=found.temporal,
        walks=found.walks,
        predicted=stream_latency(found.walks, network.latencies, target_fps=setup.target_fps),
        stage_s=clock.stage_s,
        network_reused=reused,
    )


def prepare_network(network: Network, setup: TrialSetup, tell: Tell) -> tuple[NetworkRecord, bool]:
    """Return the record of `network`, and whether it was there already.

    A network is made in a folder beside its own and renamed into place when it is whole.
    """
    name = network_id(network, setup.recipe)
    folder = setup.folder / name
    kept = _read_record(folder / "record.json")
    if kept:
        return kept, True
    part = setup.folder / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    record = _make_network(name, network, setup, part, tell)
    (part / "network.json").write_text(canonical_json(network))
    (part / "recipe.json").write_text(json.dumps(setup.recipe, indent=2, sort_keys=True))
    (part / "record.json").write_text(to_json(record, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return record, False


def _read_record(file: Path) -> NetworkRecord | None:
    """Return the record in `file`; None where there is none, or none that can be read."""
    try:
        return from_json(NetworkRecord, file.read_bytes())
    except (OSError, ValidationError):
        return None


@dataclasses.dataclass(slots=True)
class Clock:
    """Seconds spent in each stage."""

    stage_s: dict[str, float]

    def __post_init__(self) -> None:
        self.stage_s = dict(self.stage_s)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to the stage `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.stage_s[name] = self.stage_s.get(name, 0.0) + spent

    def move(self, source: str, target: str, seconds: float) -> None:
        """Take `seconds` from the stage `source` and give them to `target`."""
        self.stage_s[source] -= seconds
        self.stage_s[target] = self.stage_s.get(target, 0.0) + seconds


def _make_network(
    name: str, network: Network, setup: TrialSetup, folder: Path, tell: Tell
) -> NetworkRecord:
    clock = Clock({})
    with clock.stage("build"):
        tell("build", 0, 1)
        keras = build_network(network, len(setup.val.class_names), seed=setup.training.seed)
        pretrained = _inherit(keras, setup)
    with clock.stage("resize"):
        pictures = input_frames(
            setup.train,
            height=network.input_height,
            width=network.input_width,
            augment=setup.training.augment,
            progress=tell,
        )
    with clock.stage("train"):
        loop = _train(keras, pictures, pretrained, setup, tell)
    clock.move("train", "trace", loop.trace_s)
    with clock.stage("gate"):
        tell("train the gate", 0, 1)
        gate_loss = train_gate(keras, setup.train, setup.training, longest_age=setup.longest_age)
    with clock.stage("convert"):
        tell("convert", 0, 1)
        keras.save_weights(folder / "weights.npz")
        graphs = quantize_after_training(keras, _calibration(network, setup), folder)
        checked = {graph: check_graph(file) for graph, file in graphs.items()}
    with clock.stage("compare"):
        tell("compare float and int8", 0, 1)
        float_miou, int8_miou, frames = _compare(keras, graphs, setup)
    with clock.stage("judge the gate"):
        tell("judge the gate", 0, 1)
        gate = Evaluation(setup.val, graphs).judge_gate(longest_age=setup.longest_age)
    with clock.stage("latency"):
        latencies = PathLatencies(**{graph: setup.meter.measure(graphs[graph]) for graph in graphs})
    return NetworkRecord(
        network_id=name,
        network=network,
        class_names=setup.val.class_names,
        training=TrainingRecord(
            steps=setup.training.steps,
            loss_every_steps=loop.loss_every_steps,
            losses=loop.losses,
            gate_loss=gate_loss,
            median_step_ms=loop.median_step_ms,
            input_wait_share=loop.input_wait_share,
            parameters=keras.parameters,
        ),
        graphs=checked,
        latencies=latencies,
        float_miou=float_miou,
        int8_miou=int8_miou,
        checked_frames=frames,
        gate=gate,
        stage_s=clock.stage_s,
    )


def _inherit(keras: KerasNetwork, setup: TrialSetup) -> set[str]:
    """Set the backbones from the source; return the layers whose weights came whole."""
    if setup.source is None:
        return set()
    backbones = {"": keras.network.depth_multiplier}
    if keras.network.detail == "narrow":
        backbones[NARROW_PREFIX] = NARROW_DEPTH_MULTIPLIER
    whole: set[str] = set()
    for prefix, depth_multiplier in backbones.items():
        source = source_for(setup.source, depth_multiplier)
        names = inherit(keras.layers, source, depth_multiplier, prefix=prefix)
        if source.is_as_wide_as(depth_multiplier):
            whole |= names
    return whole


def _train(
    keras: KerasNetwork,
    frames: Sequence[Pictures],
    pretrained: set[str],
    setup: TrialSetup,
    tell: Tell,
) -> LoopRecord:
    sampler = PairSampler(
        setup.train.clips,
        height=keras.network.input_height,
        width=keras.network.input_width,
        pairs=setup.training.pairs_per_step,
        longest_age=setup.longest_age,
        seed=setup.training.seed,
        sampling=setup.training.sampling,
        augment=setup.training.augment,
        taught=setup.taught,
        frames=frames,
    )
    return train_paths(
        keras,
        sampler,
        setup.training,
        pretrained=pretrained,
        on_step=lambda done, total, loss: tell(f"train, loss {loss:.3f}", done, total),
    )


def _calibration(network: Network, setup: TrialSetup) -> npt.NDArray[np.uint8]:
    return calibration_frames(
        setup.train,
        height=network.input_height,
        width=network.input_width,
        count=setup.compression.calibration_frames,
        seed=setup.training.seed,
    )


def _compare(
    keras: KerasNetwork, graphs: Mapping[GraphName, Path], setup: TrialSetup
) -> tuple[float, float, int]:
    """Return float and int8 mIoU on the same annotated validation frames, and how many they are."""
    places = [(clip, int(t)) for clip in setup.val.clips for t in np.flatnonzero(clip.annotated)]
    chosen = [places[i] for i in _spread(len(places), CHECKED_FRAMES)]
    height, width = keras.network.input_height, keras.network.input_width
    frames = np.stack([resize_frame(clip.frames[t], height, width) for clip, t in chosen])
    int8 = NetworkGraphs(graphs)
    int8_masks = np.stack([int8.key(frame)[0] for frame in frames])
    both = [
        combine(
            [
                score_clip(_one_frame(clip, t), mask[None], keras.classes)
                for (clip, t), mask in zip(chosen, masks, strict=True)
            ]
        ).miou
        for masks in (keras.masks(frames), int8_masks)
    ]
    return both[0], both[1], len(chosen)


def _spread(count: int, wanted: int) -> list[int]:
    """Return `wanted` indices below `count`, evenly spread; all of them where there are fewer."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, wanted)).round()})


def _one_frame(clip: Clip, time: int) -> Clip:
    one = slice(time, time + 1)
    return dataclasses.replace(
        clip, frames=clip.frames[one], masks=clip.masks[one], annotated=clip.annotated[one]
    )


def _evaluation(network: NetworkRecord, setup: TrialSetup) -> Evaluation:
    folder = setup.folder / network.network_id
    return Evaluation(setup.val, {name: folder / network.graphs[name].file for name in GRAPH_NAMES})
