"""A teacher: a trained segmentation graph that gives pseudo-labels to frames.

Any `.tflite` file is accepted whose input is one image, [1, height, width, 3] of uint8, int8 or
float32, and whose output is a class map (integers, [1, h, w], [1, h, w, 1] or flat) or a score for
each class ([1, h, w, classes], quantised or float; logits, or probabilities from a SOFTMAX).

uint8 images are passed as they are, int8 ones less 128, whatever their quantisation; float images
in [-1, 1], as MobileNetV2 expects.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.litert import Graph, TensorInfo, list_operators
from jejunet_nas.records import IGNORE, Operator
from jejunet_nas.resize import resize_frame
from jejunet_nas.training.settings import SAME

Picture = npt.NDArray[np.uint8]
Kind = Literal["classes", "logits", "probabilities"]
IGNORED = "ignore"  # in teacher_classes: this class gives no pseudo-labels
_SHAPES_ONLY = ("QUANTIZE", "DEQUANTIZE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RESHAPE")
_IMAGE_TYPES = (np.uint8, np.int8, np.float32)
_THREADS = 4  # at most


class Answer(NamedTuple):
    """A teacher's pseudo-labels of one frame, in the data set's classes, at its own resolution.

    mask: uint8 [h, w], `IGNORE` where the teacher's class is ignored. sureness: uint8 [h, w], 255
    times the probability of the mask's class; None if the teacher gives only classes.
    """

    mask: Picture
    sureness: Picture | None


class Teacher:
    """A teacher's graph. Raises `SettingError` if the file cannot be used as a teacher."""

    def __init__(self, file: Path) -> None:
        self._graph, self._file = _open(file), file
        operators = list_operators(file)
        self._input, image = self._only_one(self._graph.input_names, "input")
        self._output, output = self._only_one(self._graph.output_names, "output")
        shape = image.shape
        if len(shape) != 4 or (shape[0], shape[3]) != (1, 3) or image.dtype not in _IMAGE_TYPES:
            raise SettingError(
                f"teacher {file} takes {_words(image)}; allowed: one image, [1, height, width, 3] "
                "of uint8, int8 or float32. Export it for a single image."
            )
        self.height, self.width = shape[1:3]
        self._info, self._image_type = output, image.dtype
        map_size = _map_size(output, image)
        self.kind: Kind = "classes"
        if map_size is None:
            self.kind = _kind_of_scores(output, operators, file)
        self.rows, self.columns = map_size or output.shape[1:3]
        self.classes = _classes(operators) if map_size else output.shape[3]

    def ask(self, frame: Picture, table: Picture, classes: int) -> Answer:
        """Return the pseudo-labels of `frame`, uint8 [h, w, 3].

        table: uint8 [256], the data set's class for each class of the teacher. classes: of the data
        set. Raises `SettingError` if the teacher's class map has a class that is not in `table`.
        """
        pixels: Any = resize_frame(frame, self.height, self.width)
        if self._image_type == np.int8:
            pixels = (pixels.astype(np.int16) - 128).astype(np.int8)
        elif self._image_type == np.float32:
            pixels = pixels.astype(np.float32) / 127.5 - 1.0
        output = self._graph.run(**{self._input: pixels[None]})[self._output]
        if self.kind == "classes":
            return self._of_classes(output.reshape(self.rows, self.columns), table, classes)
        scores = output[0].astype(np.float32)
        if self._info.scale:
            scores = (scores - self._info.zero_point) * self._info.scale
        return _of_scores(scores, self.kind, table, classes)

    def _of_classes(self, output: npt.NDArray[Any], table: Picture, classes: int) -> Answer:
        mask = table[np.clip(output, 0, 255)]
        bad = output[(output < 0) | (output > 255) | ((mask >= classes) & (mask != IGNORE))]
        if bad.size:
            raise SettingError(
                f"teacher {self._file} gives class {int(bad[0])}; allowed: 0 to {classes - 1}, the "
                "data set's. Map the teacher's classes in teacher_classes."
            )
        return Answer(mask=mask, sureness=None)

    def _only_one(self, names: Sequence[str], side: str) -> tuple[str, TensorInfo]:
        if len(names) != 1:
            raise SettingError(
                f"teacher {self._file} has {len(names)} {side}s ({', '.join(names)}); allowed: 1. "
                "Export it with the image as input and the classes as output."
            )
        return names[0], self._graph.tensors[names[0]]


def class_table(
    teacher: Teacher,
    wanted: str | Sequence[int | str] | None,
    class_names: Sequence[str],
    dataset: str,
) -> Picture:
    """Return uint8 [256], the data set's class for each class of the teacher, or `IGNORE`.

    wanted: the setting `teacher_classes`; without a list, both must have equally many classes.
    Raises `SettingError`.
    """
    count = len(class_names)
    if wanted is None or isinstance(wanted, str):
        if (wanted == SAME and teacher.classes is None) or teacher.classes == count:
            return np.arange(256, dtype=np.uint8)
        known = "an unknown number of" if teacher.classes is None else teacher.classes
        raise SettingError(
            f"teacher_classes is {'not given' if wanted is None else wanted}, but the teacher has "
            f"{known} classes and {dataset} has {count}. List the class of {dataset} for each "
            "class of the teacher; the last entry holds for all that follow. Example: "
            f"teacher_classes: [{class_names[0]}, {class_names[-1]}]."
        )
    if not wanted or (teacher.classes is not None and len(wanted) > teacher.classes):
        raise SettingError(
            f"teacher_classes has {len(wanted)} entries; allowed: 1 to {teacher.classes or 256}, "
            "one for each class of the teacher. Fix the list."
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
        f"teacher_classes holds {entry}, which is not a class of {dataset}; allowed: "
        f"{', '.join(known)}, or 0 to {len(class_names) - 1}.{closest(str(entry), known)}"
    )


def _of_scores(scores: npt.NDArray[np.float32], kind: Kind, table: Picture, classes: int) -> Answer:
    """Return the most probable class; classes of the teacher with one target class are summed."""
    if kind == "logits":
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores = scores / np.maximum(scores.sum(axis=-1, keepdims=True), 1e-9)
    of_classes = np.zeros((*scores.shape[:2], classes), np.float32)
    ignored = np.zeros(scores.shape[:2], np.float32)
    for number in range(scores.shape[2]):
        target = table[number]
        if target == IGNORE:
            ignored += scores[..., number]
        else:
            of_classes[..., target] += scores[..., number]
    top = of_classes.max(axis=-1)
    mask = np.where(ignored > top, IGNORE, of_classes.argmax(axis=-1)).astype(np.uint8)
    share = top / np.maximum(of_classes.sum(axis=-1), 1e-9)
    sureness = np.where(mask == IGNORE, 0, np.rint(255 * share)).astype(np.uint8)
    return Answer(mask=mask, sureness=sureness)


def _open(file: Path) -> Graph:
    """Load a graph and run it once; without the delegate if the delegate does not load it."""
    if not file.is_file():
        raise SettingError(
            f"training.teacher is {file}, which does not exist. Give the path of a .tflite file, "
            "or remove the teacher."
        )
    threads = min(_THREADS, os.cpu_count() or 1)
    try:
        graph = Graph(file, threads=threads)
    except SettingError:
        graph = Graph(file, threads=threads, delegate=False)
    graph.fill_inputs(seed=0)
    graph.invoke()
    return graph


def _map_size(output: TensorInfo, image: TensorInfo) -> tuple[int, int] | None:
    """Return rows and columns of a class map, or None if `output` is not a class map."""
    if output.dtype.kind not in "iu" or output.scale:
        return None
    shape = output.shape[:3] if output.shape[3:] == (1,) else output.shape
    if len(shape) == 3 and shape[0] == 1:
        return shape[1], shape[2]
    rows, columns = image.shape[1:3]
    return (rows, columns) if shape == (1, rows * columns) else None


def _kind_of_scores(output: TensorInfo, operators: Sequence[Operator], file: Path) -> Kind:
    shape = output.shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] == 1 or output.dtype not in _IMAGE_TYPES:
        raise SettingError(
            f"teacher {file} gives {_words(output)}; allowed: a class map, [1, height, width] of "
            "integers, or scores, [1, height, width, classes]. Export it without later layers."
        )
    kinds = [operator.kind for operator in operators if operator.kind not in _SHAPES_ONLY]
    return "probabilities" if kinds[-1:] == ["SOFTMAX"] else "logits"


def _classes(operators: Sequence[Operator]) -> int | None:
    """Return the number of classes that the last ARG_MAX chooses from, if there is one."""
    for operator in [operator for operator in operators if operator.kind == "ARG_MAX"][-1:]:
        value_bytes = 4 if operator.float32 else 1
        classes, rest = divmod(operator.bytes_in, operator.elements_out * value_bytes)
        if rest == 0 and classes > 1:
            return classes
    return None


def _words(tensor: TensorInfo) -> str:
    return f"{list(tensor.shape)} of {tensor.dtype}"
