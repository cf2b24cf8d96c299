"""Time of a training batch compared with a training step, at every resolution.

.venv/bin/python -m tests.benchmarks.batches --data-root ../shared/data/DAVIS > reports/batches.txt

Three minutes on 2 cores. Frames are opened as in a trial, resized for the input; batches come from
a warm cache, on one thread, as in the prefetcher. The steps are those of the fastest network of the
space and of a wide one. A batch should take at most a fifth of the step, in every row.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.networks.build import build_network
from jejunet_nas.records import DataSplit
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.study_file import read_study
from jejunet_nas.training.loop import _forward, _make_step
from jejunet_nas.training.optimizer import Optimizer
from jejunet_nas.training.settings import TrainingSettings

STUDY = Path(__file__).parents[2] / "studies" / "davis_pixel2.yaml"
PAIRS, LONGEST_AGE, BATCHES, REPEATS = 8, 11, 5, 15


def main() -> None:
    """Print a row for each resolution and network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-root", type=Path, required=True)
    root = parser.parse_args().data_root
    space = read_study(STUDY).search_space
    train = open_split("davis", "train", root=root)
    print(f"DAVIS train, batches of {PAIRS} pairs; medians of {REPEATS}, ms")
    print(f"{'px':>4}{'network':>28}{'batch':>9}{'step':>9}{'step / batch':>14}")
    for size in space.resolution:
        for name, network in _networks(size).items():
            batch_ms, step_ms = _time(train, network)
            print(
                f"{size:>4}{name:>28}{batch_ms:>9.1f}{step_ms:>9.1f}{step_ms / batch_ms:>14.1f}",
                flush=True,
            )


def _networks(size: int) -> dict[str, Network]:
    common = {"output_stride": 16, "logit_stride": 8, "input_height": size, "input_width": size}
    return {
        "0.25, blocks 0-9, thin": Network(
            depth_multiplier=0.25, last_block=9, decoder_channels=16, detail="thin", **common
        ),
        "1.0, blocks 0-12, shared": Network(
            depth_multiplier=1.0, last_block=12, decoder_channels=48, detail="shared", **common
        ),
    }


def _time(train: DataSplit, network: Network) -> tuple[float, float]:
    """Return the median ms of a batch and of a training step."""
    height, width = network.input_height, network.input_width
    sampler = PairSampler(
        train.clips,
        height=height,
        width=width,
        pairs=PAIRS,
        longest_age=LONGEST_AGE,
        seed=0,
        frames=input_frames(train, height=height, width=width),
    )
    batches = [sampler.batch(number) for number in range(BATCHES)]  # warms the cache of pages
    batch_ms = _median_ms(lambda number: sampler.batch(number % BATCHES))
    keras = build_network(network, len(train.class_names), seed=0)
    variables = [v for layer in keras.path_layers() for v in layer.trainable_weights]
    settings = TrainingSettings(pairs_per_step=PAIRS, learning_rate=1e-3, steps=100)
    forward, optimizer = _forward(keras, sampler.own), Optimizer(variables, (), settings)
    step = _make_step(forward, variables, optimizer)
    step(batches[0].frames, batches[0].context_frames, batches[0].masks)  # traced

    def train_step(number: int) -> None:
        batch = batches[number % BATCHES]
        float(step(batch.frames, batch.context_frames, batch.masks))

    return batch_ms, _median_ms(train_step)


def _median_ms(run: Callable[[int], object]) -> float:
    times = []
    for number in range(REPEATS):
        began = time.perf_counter()
        run(number)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


if __name__ == "__main__":
    main()
