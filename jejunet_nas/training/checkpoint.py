"""Checkpoint: where a long training stands, in one file that the same training finds again.

It holds all weights of the paths, what the optimizer remembers of each, and the losses so far,
whose number is that of the steps done. Batches follow from seed and step alone, so that a training
which is gone on with ends with the weights of one that nobody disturbed. The file is written beside
its name and renamed: at any moment it is whole, or there is none.
"""

import hashlib
import json
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.files import write_whole
from jejunet_nas.training.settings import TrainingSettings

EVERY_S = 30.0  # what an interruption loses at most; writing 8 MB takes less than 0.1 s


class Checkpoint:
    """The state of one training: `variables`, in their order, and the losses of its steps.

    It belongs to a training by its settings, the layers that are `pretrained` and the values that
    `variables` begin with; what another one left is not taken up. file: None keeps nothing.
    """

    def __init__(
        self,
        file: Path | None,
        variables: Sequence[Any],
        settings: TrainingSettings,
        pretrained: Collection[str],
    ) -> None:
        self._file, self._variables = file, variables
        self._began = _digest(variables, settings, pretrained) if file else ""
        self._written_s = time.monotonic()

    def resume(self) -> list[float]:
        """Set the variables to where the training stood; return the losses up to there."""
        if self._file is None:
            return []
        try:
            with self._file.open("rb") as opened, np.load(opened) as stored:
                if str(stored["began"]) != self._began:
                    return []
                values = [stored[f"{number}"] for number in range(len(self._variables))]
                losses: list[float] = stored["losses"].tolist()
        except Exception:  # whatever zipfile or NumPy find wrong: it is as good as none
            return []
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        return losses

    def keep(self, losses: Sequence[float], *, last: bool) -> None:
        """Write where the training stands, if it is the `last` step or time for it again."""
        if self._file is None or not (last or time.monotonic() - self._written_s >= EVERY_S):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        stands = {f"{number}": each.numpy() for number, each in enumerate(self._variables)}
        stands |= {"began": np.array(self._began), "losses": np.array(losses, np.float64)}

        def write(file: Path) -> None:
            with file.open("wb") as opened:
                np.savez(opened, **stands)
                opened.flush()
                os.fsync(opened.fileno())

        write_whole(self._file, write)
        self._written_s = time.monotonic()


def _digest(
    variables: Sequence[Any], settings: TrainingSettings, pretrained: Collection[str]
) -> str:
    told = [settings.recipe(), sorted(pretrained), [each.shape.as_list() for each in variables]]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for variable in variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
