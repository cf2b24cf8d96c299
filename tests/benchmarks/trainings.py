"""Trainings of networks as the units of a benchmark: trained, scored, and kept as lines of a file.

For `shared_weights.py` and `training_noise.py`.
"""

import contextlib
import dataclasses
import hashlib
import json
import sys
import time
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.files import write_text_whole
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.progress import Tell
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.inherit import inherit_backbones
from jejunet_nas.training.material import Schedule
from jejunet_nas.trial.setup import TrialSetup

KEYFRAMES = 250  # of val, evenly spread; fewer where fewer are annotated


class Unit(Protocol):
    """What is kept of one training: a named tuple of plain JSON values."""

    def __new__(cls, *values: Any) -> Self: ...

    def __iter__(self) -> Iterator[Any]: ...

    @property
    def key(self) -> tuple[Any, ...]:
        """Says which training it is."""


U = TypeVar("U", bound=Unit)


class Kept(Generic[U]):
    """The units so far, by their keys, each a line of a file. Lines made from other data are left.

    made_from: a digest of `about`, which holds what units depend on and their keys do not say.
    """

    def __init__(self, file: Path, unit: type[U], about: Any) -> None:
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
        self.made_from, self._file = digest.hexdigest()[:12], file
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        self._rows = [json.loads(line) for line in lines]
        units = [unit(*values) for made_from, *values in self._rows if made_from == self.made_from]
        self.units = {unit.key: unit for unit in units}

    def add(self, unit: U) -> None:
        """Add a unit to the file, whole or not at all."""
        self.units[unit.key] = unit
        self._rows.append([self.made_from, *unit])
        write_text_whole(self._file, "".join(f"{json.dumps(row)}\n" for row in self._rows))


class Trained(NamedTuple):
    """seconds: of building and training, without scoring. miou: of keyframes, float."""

    seconds: float
    step_ms: float
    miou: float


def _from_source(keras: KerasNetwork, setup: TrialSetup) -> set[str]:
    return inherit_backbones(keras, setup.source)


def train_network(
    network: Network,
    setup: TrialSetup,
    tell: Tell,
    *,
    inherit: Callable[[KerasNetwork, TrialSetup], set[str]] = _from_source,
    schedule: Schedule | None = None,
    keras_models: bool = False,
) -> Trained:
    """Build, train and score one network, without its gate and without the study's rungs.

    inherit: sets the first weights, and returns the names of the layers that are trained already.
    schedule: replaces that of the setup. keras_models: train through the Keras models, in which the
    backbone runs twice over the frames that have their own context.
    """
    setup = dataclasses.replace(setup, rungs=())
    setup.material.pictures(network, tell)  # resizing is nobody's training
    began = time.perf_counter()
    keras = build_network(network, len(setup.val.class_names), seed=setup.training.seed)
    pretrained = inherit(keras, setup)
    wrapped = unittest.mock.patch.object(KerasNetwork, "wrapped", True)
    with wrapped if keras_models else contextlib.nullcontext():
        record = setup.material.train(keras, tell, pretrained=pretrained, schedule=schedule)
    seconds = time.perf_counter() - began
    keyframes = Keyframes(setup.val, network, count=KEYFRAMES)
    miou = keyframes.miou(keras.masks(keyframes.frames))
    return Trained(seconds, record.median_step_ms, miou)


def tell_hundreds(what: str, done: int, total: int) -> None:
    """Print every hundredth step of what takes long."""
    if done % 100 == 0 and done:
        print(f"{what} ({done} of {total})", file=sys.stderr, flush=True)
