"""Watch: validation in the course of a long training: its curve, its best weights, its early end.

    <folder>/    curve.json  best.npz

A checkpoint is written before each validation, so that a training that resumes has no part of its
curve ahead of it.

The best of many validations had some luck, so the final figure is that of the int8 graphs, on all
frames.

Units: mIoU in [0, 1].
"""

import json
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.files import write_text_whole, write_whole
from jejunet_nas.networks.build import KerasNetwork

VALIDATIONS = 20  # in the course of a training
PATIENCE = 7  # validations without a better one, a third of them: then the training ends early

Curve = tuple[tuple[int, float], ...]  # steps done and the mIoU after them
Settle = Callable[[], None]  # sets the statistics of batch norms for the weights as they are


class Watch:
    """Watches nothing: a training takes all its steps and keeps its last weights."""

    @property
    def curve(self) -> Curve:
        """The validations so far."""
        return ()

    @property
    def is_over(self) -> bool:
        """Whether the training ends early."""
        return False

    def resume(self, network: KerasNetwork, done: int, settle: Settle) -> None:
        """Take up what was known of a training that resumes after `done` steps."""

    def look(self, network: KerasNetwork, done: int, settle: Settle) -> None:
        """Look at `network` after `done` steps; settle: writes a checkpoint and settles norms."""

    def finish(self, network: KerasNetwork, settle: Settle, done: int) -> int:
        """Give `network` the weights to keep, batch norms settled; return the steps they took."""
        settle()
        return done


class Validation(Watch):
    """Validates one training of `steps` steps, and keeps its state in `folder`.

    miou: validates the network as it is.
    """

    def __init__(self, miou: Callable[[KerasNetwork], float], folder: Path, *, steps: int) -> None:
        self._miou, self._folder, self._steps = miou, folder, steps
        self._every = max(1, steps // VALIDATIONS)
        self._curve: dict[int, float] = {}

    @property
    def curve(self) -> Curve:
        """The steps and the mIoU of each validation so far."""
        return tuple(sorted(self._curve.items()))

    @property
    def best(self) -> tuple[int, float]:
        """The best point of the curve, the first of equal ones."""
        return max(self.curve, key=lambda point: point[1])

    @property
    def is_over(self) -> bool:
        """Whether the last `PATIENCE` validations were no better than an earlier one."""
        return bool(self._curve) and sum(n > self.best[0] for n in self._curve) >= PATIENCE

    def resume(self, network: KerasNetwork, done: int, settle: Settle) -> None:
        """Take up the curve of a training that resumes after `done` steps."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            curve = {int(step): float(miou) for step, miou in kept}
        except (OSError, ValueError, TypeError):
            curve = {}
        self._curve = {step: miou for step, miou in curve.items() if step <= done}
        self.look(network, done, settle)

    def look(self, network: KerasNetwork, done: int, settle: Settle) -> None:
        """Validate `network` if it is time; keep its weights if they are the best."""
        if not self._is_due(done):
            return
        settle()
        miou = self._miou(network)
        if not self._curve or miou > self.best[1]:
            write_whole(self._weights, network.save_weights)
        self._curve[done] = miou
        # Written after the weights: a curve never names weights that are not there.
        write_text_whole(self._file, json.dumps(self.curve))

    def _is_due(self, done: int) -> bool:
        return done not in self._curve and (done == self._steps or done % self._every == 0 < done)

    def finish(self, network: KerasNetwork, settle: Settle, done: int) -> int:
        """Give `network` the best weights; return the steps they took."""
        network.load_weights(self._weights)
        return self.best[0]

    @property
    def _file(self) -> Path:
        return self._folder / "curve.json"

    @property
    def _weights(self) -> Path:
        return self._folder / "best.npz"
