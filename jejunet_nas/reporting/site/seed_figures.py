"""Seed figures: published figures of JejuNet, this project's starting point, on PASCAL VOC 2012.

JejuNet (Deep Learning Camp Jeju, 2018), README.md and docs/trade-off-between-speed-fps-and-
accuracy-miou.png of github.com/tantara/JejuNet: DeepLabv3 over MobileNetV2 1.0, int8, on a Google
Pixel 2, one thread. mIoU is printed in the chart; latencies are digitised from its curve, at most
2.5 % off; the figure for 512 pixels is from the README's table.
"""

from typing import NamedTuple

SEED_DATASET = "voc2012"
SOURCE = "JejuNet's own chart, 2018: int8, Pixel 2, 1 thread"


class SeedPoint(NamedTuple):
    """One network of the chart: its square input, mIoU in [0, 1], and ms a frame."""

    input_px: int
    miou: float
    mean_ms: float


SEED = (
    SeedPoint(128, 0.3554, 28.4),
    SeedPoint(160, 0.3848, 44.0),
    SeedPoint(192, 0.5713, 61.8),
    SeedPoint(256, 0.6570, 109.0),
    SeedPoint(512, 0.7775, 451.0),
)
