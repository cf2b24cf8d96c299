"""Checkpoint of a training in one file, from which an interrupted training resumes.

It contains the weights, the optimizer's variables, and the losses so far, one per step. Batches
depend only on the seed and the step, so that a resumed training ends with the same weights as an
uninterrupted one.
"""

import hashlib
import json
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.documents.arrays import read_arrays, require_finite
from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_whole
from jejunet_nas.training.settings import TrainingSettings

EVERY_S = 30.0  # the work that an interruption can lose; writing 8 MB takes less than 0.1 s


class Checkpoint:
    """The state of one training: its `variables`, in order, and the losses of its steps.

    A checkpoint is used only by a training with the same settings, `pretrained` layers and initial
    values of the variables. file: None saves nothing.
    """

    def __init__(
        self,
        file: Path | None,
        variables: Sequence[Any],
        settings: TrainingSettings,
        pretrained: Collection[str],
    ) -> None:
        self._file, self._variables = file, variables
        self._start = _digest(variables, settings, pretrained) if file else ""
        self._written_s = time.monotonic()

    def resume(self) -> list[float]:
        """Load the variables of an interrupted training; return its losses, or [] without one."""
        if self._file is None:
            return []
        try:
            stored = read_arrays(self._file)
            require_finite(stored)
            if str(stored["began"]) != self._start:
                return []
            values = [stored[f"{number}"] for number in range(len(self._variables))]
            losses: list[float] = stored["losses"].astype(np.float64, casting="same_kind").tolist()
        except (
            SettingError,
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ):  # a broken checkpoint is ignored
            return []
        kinds = [(tuple(each.shape), each.numpy().dtype) for each in self._variables]
        if [(value.shape, value.dtype) for value in values] != kinds:
            return []
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        return losses

    def keep(self, losses: Sequence[float], *, last: bool) -> None:
        """Write the checkpoint if this is the `last` step or `EVERY_S` have passed."""
        if self._file is None or not (last or time.monotonic() - self._written_s >= EVERY_S):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        state = {f"{number}": each.numpy() for number, each in enumerate(self._variables)}
        state |= {"began": np.array(self._start), "losses": np.array(losses, np.float64)}

        def write(file: Path) -> None:
            with file.open("wb") as opened:
                np.savez(opened, **state)
                opened.flush()
                os.fsync(opened.fileno())

        write_whole(self._file, write)
        self._written_s = time.monotonic()


def _digest(
    variables: Sequence[Any], settings: TrainingSettings, pretrained: Collection[str]
) -> str:
    about = [settings.recipe(), sorted(pretrained), [each.shape.as_list() for each in variables]]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for variable in variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
