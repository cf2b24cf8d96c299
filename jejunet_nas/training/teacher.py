"""A teacher: a trained graph that tells the classes of a frame, so that nobody has to.

Any `.tflite` file will do that takes one image, [1, height, width, 3] of uint8, int8 or float32,
and gives a class map (integers, [1, h, w], [1, h, w, 1] or flat) or a score for each class
([1, h, w, classes], quantised or not; logits, or probabilities where a SOFTMAX made them).

uint8 pixels go in as they are and int8 ones less 128, whatever the quantisation says they stand
for; float ones as [-1, 1], as MobileNetV2 takes them.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.litert import Graph, TensorInfo, list_operators
from jejunet_nas.records import IGNORE
from jejunet_nas.resize import resize_frame
from jejunet_nas.training.settings import SAME

Picture = npt.NDArray[np.uint8]
Kind = Literal["classes", "logits", "probabilities"]
IGNORED = "ignore"  # in teacher_classes: nothing is learnt from this class
_SHAPES_ONLY = ("QUANTIZE", "DEQUANTIZE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RESHAPE")
_THREADS = 4  # at most


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a teacher says of one frame, in the data set's classes, at its own resolution.

    mask: uint8 [h, w], `IGNORE` where its class has none here. sureness: uint8 [h, w], 255 times
    the probability of the mask's class among those that count; None where it gives classes alone.
    """

    mask: Picture
    sureness: Picture | None


class Teacher:
    """A graph that answers for frames. Raises `SettingError` for a file that cannot."""

    def __init__(self, file: Path) -> None:
        self._graph, self._file = _open(file), file
        kinds = [operator.kind for operator in list_operators(file)]
        inputs, outputs = _sides(self._graph)
        self._input, image = _the_only(inputs, file, "input")
        self._output, answer = _the_only(outputs, file, "output")
        if len(image.shape) != 4 or image.shape[0] != 1 or image.shape[3] != 3 or _odd_type(image):
            raise SettingError(
                f"teacher {file} takes {_told(image)}; allowed: one image, [1, height, width, 3] "
                "of uint8, int8 or float32. Export it for a single picture."
            )
        self.height, self.width = image.shape[1:3]
        self._info, self._image_type = answer, image.dtype
        self.kind: Kind = _kind(answer, image, kinds, file)
        self.rows, self.columns = _resolution(answer, image, self.kind)
        self.classes = answer.shape[3] if self.kind != "classes" else _classes_of(file)

    def ask(self, frame: Picture, table: Picture, classes: int) -> Answer:
        """Return what the teacher says of `frame`, uint8 [h, w, 3].

        table: uint8 [256], the data set's class for each of the teacher's; classes: of the data
        set. Raises `SettingError` where a class map holds what `table` cannot say.
        """
        pixels: Any = resize_frame(frame, self.height, self.width)
        if self._image_type == np.int8:
            pixels = (pixels.astype(np.int16) - 128).astype(np.int8)
        elif self._image_type == np.float32:
            pixels = pixels.astype(np.float32) / 127.5 - 1.0
        answer = self._graph.run(**{self._input: pixels[None]})[self._output]
        if self.kind == "classes":
            return self._of_classes(answer.reshape(self.rows, self.columns), table, classes)
        scores = answer[0].astype(np.float32)
        if self._info.scale:
            scores = (scores - self._info.zero_point) * self._info.scale
        return _of_scores(scores, self.kind, table, classes)

    def _of_classes(self, told: npt.NDArray[Any], table: Picture, classes: int) -> Answer:
        low, high = int(told.min()), int(told.max())
        if low < 0 or high > IGNORE:
            raise SettingError(
                f"teacher {self._file} tells class {low if low < 0 else high}; allowed: 0 to "
                f"{IGNORE}. Use a graph with fewer classes."
            )
        mask = table[told.astype(np.uint8)]
        beyond = mask[(mask >= classes) & (mask != IGNORE)]
        if beyond.size:
            raise SettingError(
                f"teacher {self._file} tells class {int(beyond.max())}, and the data set has "
                f"{classes} classes; allowed: 0 to {classes - 1}. List the classes in "
                "teacher_classes."
            )
        return Answer(mask=mask, sureness=None)


def class_table(
    teacher: Teacher,
    wanted: str | Sequence[int | str] | None,
    class_names: Sequence[str],
    dataset: str,
) -> Picture:
    """Return uint8 [256], the data set's class for each of the teacher's, `IGNORE` for none.

    Without `wanted`, the classes must be as many. Raises `SettingError` otherwise, and for what is
    no class.
    """
    count = len(class_names)
    if wanted is None or isinstance(wanted, str):
        if (wanted == SAME and teacher.classes is None) or teacher.classes == count:
            return np.arange(256, dtype=np.uint8)
        told = "an unknown number of" if teacher.classes is None else teacher.classes
        raise SettingError(
            f"teacher_classes is {'not given' if wanted is None else wanted}, with a teacher of "
            f"{told} classes and {count} of {dataset}; allowed: a list with one of {dataset}'s for "
            "each of the teacher's, the last standing for all that follow. Write for instance "
            f"teacher_classes: [{class_names[0]}, {class_names[-1]}]."
        )
    if not wanted or (teacher.classes is not None and len(wanted) > teacher.classes):
        raise SettingError(
            f"teacher_classes has {len(wanted)} entries; allowed: 1 to {teacher.classes or 256}, "
            "one for each class of the teacher. Mend the list."
        )
    entries = [_entry(entry, class_names, dataset) for entry in wanted[:256]]
    return np.array(entries + entries[-1:] * (256 - len(entries)), np.uint8)


def _entry(entry: int | str, class_names: Sequence[str], dataset: str) -> int:
    if entry == IGNORED:
        return IGNORE
    if entry in class_names:
        return list(class_names).index(str(entry))
    if isinstance(entry, int) and (0 <= entry < len(class_names) or entry == IGNORE):
        return entry
    known = [*class_names, IGNORED]
    raise SettingError(
        f"teacher_classes holds {entry}, which is no class of {dataset}; allowed: "
        f"{', '.join(known)}, or 0 to {len(class_names) - 1}.{closest(str(entry), known)}"
    )


def _of_scores(scores: npt.NDArray[np.float32], kind: Kind, table: Picture, classes: int) -> Answer:
    """Return the most probable class of the data set, each the sum of the teacher's that are it."""
    if kind == "logits":
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores = scores / np.maximum(scores.sum(axis=-1, keepdims=True), 1e-9)
    of_classes = np.zeros((*scores.shape[:2], classes), np.float32)
    ignored = np.zeros(scores.shape[:2], np.float32)
    for number in range(scores.shape[2]):
        kept = table[number]
        if kept == IGNORE:
            ignored += scores[..., number]
        else:
            of_classes[..., kept] += scores[..., number]
    top = of_classes.max(axis=-1)
    mask = np.where(ignored > top, IGNORE, of_classes.argmax(axis=-1)).astype(np.uint8)
    share = top / np.maximum(of_classes.sum(axis=-1), 1e-9)
    sureness = np.where(mask == IGNORE, 0, np.rint(255 * share)).astype(np.uint8)
    return Answer(mask=mask, sureness=sureness)


def _open(file: Path) -> Graph:
    """Open a graph with LiteRT's delegate, or without where it does not load with it."""
    if not file.is_file():
        raise SettingError(
            f"training.teacher is {file}, which is no file; allowed: a .tflite graph of a trained "
            "segmentation network. Give its path, or leave the teacher out."
        )
    threads = min(_THREADS, os.cpu_count() or 1)
    try:
        return Graph(file, threads=threads)
    except SettingError:
        return Graph(file, threads=threads, delegate=False)


def _sides(graph: Graph) -> tuple[dict[str, TensorInfo], dict[str, TensorInfo]]:
    """Return inputs and outputs; what a run returns are the outputs."""
    graph.fill_inputs(seed=0)
    graph.invoke()
    given = graph.run()
    inputs = {name: info for name, info in graph.tensors.items() if name not in given}
    return inputs, {name: graph.tensors[name] for name in given}


def _the_only(tensors: dict[str, TensorInfo], file: Path, side: str) -> tuple[str, TensorInfo]:
    if len(tensors) != 1:
        raise SettingError(
            f"teacher {file} has {len(tensors)} {side}s ({', '.join(tensors)}); allowed: one. "
            "Export it with the picture in and the classes out."
        )
    return next(iter(tensors.items()))


def _kind(answer: TensorInfo, image: TensorInfo, operators: Sequence[str], file: Path) -> Kind:
    shape, whole = answer.shape, answer.dtype.kind in "iu"
    if whole and not answer.scale and _map_size(answer, image) is not None:
        return "classes"
    if len(shape) == 4 and shape[0] == 1 and shape[3] > 1 and not _odd_type(answer):
        last = next((kind for kind in reversed(operators) if kind not in _SHAPES_ONLY), "")
        return "probabilities" if last == "SOFTMAX" else "logits"
    raise SettingError(
        f"teacher {file} gives {_told(answer)}; allowed: a class map, [1, height, width] of "
        "integers, or scores, [1, height, width, classes]. Export it without what follows these."
    )


def _map_size(answer: TensorInfo, image: TensorInfo) -> tuple[int, int] | None:
    """Return rows and columns of a class map, None where the shape is none's."""
    shape = answer.shape
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) == 3 and shape[0] == 1:
        return shape[1], shape[2]
    if len(shape) == 2 and shape[0] == 1 and shape[1] == image.shape[1] * image.shape[2]:
        return image.shape[1], image.shape[2]
    return None


def _resolution(answer: TensorInfo, image: TensorInfo, kind: Kind) -> tuple[int, int]:
    size = _map_size(answer, image) if kind == "classes" else answer.shape[1:3]
    assert size is not None
    return size[0], size[1]


def _classes_of(file: Path) -> int | None:
    """Return how many classes the last ARG_MAX of a graph chooses from, None where none does."""
    last = [operator for operator in list_operators(file) if operator.kind == "ARG_MAX"][-1:]
    for operator in last:
        value_bytes = 4 if operator.float32 else 1
        classes, rest = divmod(operator.bytes_in, operator.elements_out * value_bytes)
        if rest == 0 and classes > 1:
            return classes
    return None


def _odd_type(tensor: TensorInfo) -> bool:
    return tensor.dtype not in (np.uint8, np.int8, np.float32)


def _told(tensor: TensorInfo) -> str:
    return f"{list(tensor.shape)} of {tensor.dtype}"
