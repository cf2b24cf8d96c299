"""Noise: by how much the mIoU of a network changes when it is trained again with another seed.

Units: mIoU in [0, 1].
"""

import dataclasses
import math
from collections.abc import Iterable

from jejunet_nas.records import TrialResult
from jejunet_nas.scoring.repeats import Repeats, trainings

# Two trainings of one network on DAVIS differed by 1 to 2 points, see reports/davis_pixel2.
TYPICAL_STD = 0.010


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeedNoise:
    """The standard deviation of a network's mIoU between trainings.

    std: of one training; a difference of two trained networks has sqrt(2) times as much. freedom:
    degrees of freedom behind it; 0 where nothing was trained twice and `std` is `TYPICAL_STD`.
    """

    std: float
    freedom: int

    @property
    def of_difference(self) -> float:
        """The standard deviation of a difference between two networks, trained once each."""
        return math.sqrt(2) * self.std


def pooled(*noises: SeedNoise) -> SeedNoise:
    """Return the noise of several studies together; the typical one where none measured it."""
    freedom = sum(noise.freedom for noise in noises)
    if not freedom:
        return SeedNoise(std=TYPICAL_STD, freedom=0)
    squares = sum(noise.freedom * noise.std**2 for noise in noises)
    return SeedNoise(std=math.sqrt(squares / freedom), freedom=freedom)


def seed_noise(trials: Iterable[TrialResult], repeats: Repeats) -> SeedNoise:
    """Return the noise of a study: pooled over the trials whose network was trained again.

    trials: complete ones, feasible or not.
    """
    squares, freedom = 0.0, 0
    for trial in trials:
        mious = [each.score.miou for each in trainings(trial, repeats)]
        mean = sum(mious) / len(mious)
        squares += sum((miou - mean) ** 2 for miou in mious)
        freedom += len(mious) - 1
    return pooled(SeedNoise(std=math.sqrt(squares / max(1, freedom)), freedom=freedom))
