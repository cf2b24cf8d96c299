"""Architectures predicted per second, from their choices to the latency of every path.

.venv/bin/python -m tests.benchmarks.predictions

Six seconds. One core should reach at least 2,000 a second: it reached 3,400 on an idle 2-core
machine without a GPU, and 2,500 beside other programs.
"""

import random
import statistics
import time
from pathlib import Path

from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.space.draw import draw
from jejunet_nas.space.space_file import read_search_space
from jejunet_nas.study.prediction import predict_paths

SPACE = Path(__file__).parents[2] / "search_spaces" / "mobile_video.yaml"
ARCHITECTURES, ROUNDS = 3000, 5


def main() -> None:
    """Print the rate of each round and their median."""
    space, dice, profile = read_search_space(SPACE), random.Random(0), load_profile("pixel2")
    drawn = [draw(space, lambda _, choices: dice.choice(choices)) for _ in range(ARCHITECTURES)]
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for architecture in drawn:
            predict_paths(architecture, profile, classes=21, threads=1)
        rates.append(ARCHITECTURES / (time.perf_counter() - began))
    print(f"{statistics.median(rates):.0f} architectures a second, of", *map(round, rates))


if __name__ == "__main__":
    main()
