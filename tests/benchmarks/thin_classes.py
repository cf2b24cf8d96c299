"""Why thin classes are lost: what IoU the best masks have that a network of a size can output.

.venv/bin/python -m tests.benchmarks.thin_classes --camvid CAMVID

No network is trained. The first rows shrink the true masks to a class map and enlarge them again,
as a phone does with a network's class map. The other rows fit the logits themselves to each true
mask, by the loss of training: that is what a perfect network of this input and logit stride says.
What is missing to 100 is due to the sizes and the loss, whatever is learnt.
Writes reports/thin_classes.md, in about 5 minutes on one core.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.files import write_text_whole
from jejunet_nas.networks.paths import CLASS_MAP_STRIDE, class_map_factor
from jejunet_nas.records import IGNORE, DataSplit
from jejunet_nas.records.scores import Score
from jejunet_nas.records.words import markdown_table, per_cent
from jejunet_nas.resize import resize_mask
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.study_file import read_study
from jejunet_nas.training.losses import segmentation_loss
from tests.benchmarks.quantization import STUDY, _network
from tests.benchmarks.search_runs import machine

OUT = Path(__file__).parents[2] / "reports" / "thin_classes.md"
SIZES = ((224, 288), (288, 384), (352, 480))
STEPS, RATE = 150, 0.5
Row = tuple[str, Score]


def rows(val: DataSplit, count: int) -> Iterator[Row]:
    """Yield what limits the masks, and the score under it alone."""
    classes = len(val.class_names)
    for size in SIZES:
        network = _sized(4, size)
        frames = Keyframes(val, network, count=count)
        words = f"{size[0]}x{size[1]}"
        for stride, of in ((1, "class map of the input's size"), (CLASS_MAP_STRIDE, "half of it")):
            small = (size[0] // stride, size[1] // stride)
            maps = [shrunk(c.masks[t], small, classes) for c, t in frames.chosen]
            yield f"{words}, {of}", frames.score(np.stack(maps))
    for size, stride, dice_weight in (
        (SIZES[0], 8, 0.0),
        (SIZES[0], 4, 0.0),
        (SIZES[0], 4, 0.5),
        (SIZES[1], 4, 0.5),
        (SIZES[2], 4, 0.5),
    ):
        network = _sized(stride, size)
        frames = Keyframes(val, network, count=count)
        loss = "cross-entropy and Dice" if dice_weight else "cross-entropy"
        words = f"{size[0]}x{size[1]}, logits at stride {stride}, fitted by {loss}"
        masks = np.stack([resize_mask(c.masks[t], *size) for c, t in frames.chosen])
        logits = fitted(masks, network, classes, dice_weight)
        yield words, frames.score(class_maps(logits, network))


def shrunk(mask: Any, size: tuple[int, int], classes: int) -> Any:
    """Return `mask` as a class map of `size`: the class at a pixel's centre.

    Where that is not annotated, the class with the largest share of the pixel.
    """
    found = resize_mask(mask, *size)
    shares = tf.image.resize(tf.one_hot(mask, classes), size, method="area")
    return np.where(found == IGNORE, np.argmax(shares, axis=-1), found).astype(np.uint8)


def _sized(stride: int, size: tuple[int, int]) -> Network:
    network = _network(1.0, 12, 16, 48, "thin", stride, size[0])
    return dataclasses.replace(network, input_height=size[0], input_width=size[1])


def fitted(masks: Any, network: Network, classes: int, dice_weight: float) -> Any:
    """Return the logits [count, h, w, classes] that the loss of training is lowest for."""
    stride = network.logit_stride
    shape = (len(masks), network.input_height // stride, network.input_width // stride, classes)
    logits, adam = tf.Variable(tf.zeros(shape)), tf.keras.optimizers.Adam(RATE)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = segmentation_loss(masks, logits, dice_weight=dice_weight)
        adam.apply_gradients([(tape.gradient(loss, logits), logits)])
        return loss

    for _ in range(STEPS):
        step()
    return logits


def class_maps(logits: Any, network: Network) -> Any:
    """Return the class maps [count, height, width] that a graph outputs for `logits`."""
    factor = class_map_factor(network)
    enlarged = tf.image.resize(logits, [side * factor for side in logits.shape[1:3]])
    return tf.argmax(enlarged, -1).numpy().astype(np.uint8)


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--camvid", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    study = read_study(STUDY.with_name("camvid_pixel2.yaml"), {"data.root": asked.camvid})
    val = study.data.open_split("val", lambda *_: None)
    table = []
    for words, score in rows(val, asked.frames):
        print(words, per_cent(score.miou), file=sys.stderr, flush=True)
        table.append([words, per_cent(score.miou), *map(per_cent, score.class_iou)])
    names = ["what limits", "mIoU", *val.class_names]
    text = (
        "# Thin classes\n\n"
        f"`python -m tests.benchmarks.thin_classes` on {machine()}, {time.strftime('%Y-%m-%d')}: "
        f"IoU % of {asked.frames} frames of CamVid's val, 360x480, for the best masks that a size "
        "allows. No network is trained: true masks are shrunk to class maps, or logits are fitted "
        "to them.\n\n"
        f"{markdown_table(names, table, text=('what limits',))}\n"
    )
    print(write_text_whole(asked.out, text).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
