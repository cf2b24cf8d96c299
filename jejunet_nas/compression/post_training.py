"""Post-training int8: a trained network's three graphs, quantised and written."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.convert import convert_int8
from jejunet_nas.networks.build import KerasNetwork, as_input
from jejunet_nas.records import GRAPH_NAMES, GraphName
from jejunet_nas.resize import thumbnails

MOST_SHIFTS = 8  # of the calibration frames against themselves, for the gate


def quantize_after_training(
    network: KerasNetwork, frames: npt.NDArray[np.uint8], folder: Path
) -> dict[GraphName, Path]:
    """Write key.tflite, propagate.tflite and gate.tflite of `network` into `folder`.

    frames: uint8 [count, height, width, 3] at the network's input size, to calibrate on. The
    propagate graph is calibrated on the contexts of the same frames as the key graph: so both
    find the same range for the context, and its int8 values pass from one to the other as they are.
    """
    folded = network.folded()
    pixels = as_input(with_full_range(frames)).numpy()
    contexts = folded.key(pixels)[1].numpy()
    small = as_input(with_full_range(thumbnails(frames))).numpy()
    image, context, thumbnail = pixels.shape[1:], contexts.shape[1:], small.shape[1:]
    made: dict[GraphName, bytes] = {
        "key": convert_int8(
            lambda image: dict(zip(("class_map", "context"), folded.key(image), strict=True)),
            {"image": (1, *image)},
            [{"image": frame} for frame in pixels[:, None]],
        ),
        "propagate": convert_int8(
            lambda image, context: {"class_map": folded.propagate(image, context)},
            {"image": (1, *image), "context": (1, *context)},
            [
                {"image": frame, "context": carried}
                for frame, carried in zip(pixels[:, None], contexts[:, None], strict=True)
            ],
            int8_inputs=("context",),
        ),
        "gate": convert_int8(
            lambda now, keyframe: {"score": folded.gate(now, keyframe)},
            {"now": (1, *thumbnail), "keyframe": (1, *thumbnail)},
            # Each thumbnail against all, itself and its negative too: from unchanged pictures to
            # changes larger than any, or scores would end at the largest that was seen here.
            [
                {"now": now, "keyframe": keyframe}
                for others in (*_rolled(small), -small)
                for now, keyframe in zip(small[:, None], others[:, None], strict=True)
            ],
        ),
    }
    files = {name: folder / f"{name}.tflite" for name in GRAPH_NAMES}
    for name, file in files.items():
        file.write_bytes(made[name])
    return files


def _rolled(small: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the thumbnails in each of their cyclic orders, some of them where there are many."""
    for shift in range(0, len(small), -(-len(small) // MOST_SHIFTS)):
        yield np.roll(small, shift, axis=0)


def with_full_range(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a copy of `frames` with a black and a white pixel in each.

    The converter then finds the input's range to be exactly [-1, 1], and uint8 pixels go in as
    they are, whatever the calibration frames look like.
    """
    frames = frames.copy()
    frames[:, 0, 0], frames[:, 0, 1] = 0, 255
    return frames
