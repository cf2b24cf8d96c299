"""What brief training is told; part of every network's id."""

import dataclasses
from typing import Any, Literal, get_args

from jejunet_nas.datasets.sampling import Sampling
from jejunet_nas.datasets.view import PLAIN, Augment
from jejunet_nas.errors import SettingError, check_choice, check_range

SCRATCH = "scratch"
IMAGENET = "imagenet"
SAME = "same"  # as teacher_classes: the teacher tells the data set's own classes

TeacherTargets = Literal["hard", "soft"]
TeacherOn = Literal["unannotated", "all"]
# Settings that came later: a recipe names them only where they are not as training was before, so
# that a network keeps its id.
_LATER = ("sampling", "augment")
_NOT_OF_THE_RECIPE = ("tensorboard",)  # weights do not depend on it
_OF_TEACHER = (
    "teacher",
    "teacher_classes",
    "teacher_targets",
    "teacher_weight",
    "teacher_threshold",
    "teacher_on",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """The recipe of brief training.

    init: `scratch`, `imagenet`, or a file of backbone weights. steps: of `pairs_per_step` pairs of
    frames each. learning_rate: Adam's at its highest; layers that came with all their weights take
    `pretrained_rate` times it. Layers that were cut take the whole of it: they must find anew what
    the lost channels did. gate_pairs: pairs of frames that the gate learns from, made 28 at a time.

    sampling: `frames` draws each frame as often as any other, `classes` each class. augment: how
    far what is seen differs from the frames.

    teacher: a .tflite graph that tells the classes of frames that nobody has annotated, or of all
    (`teacher_on`). teacher_classes: `same`, or for each class of the teacher the data set's, by
    index or name, or `ignore`; the last stands for all that follow. teacher_targets: the teacher's
    classes (hard) or how sure it is of them (soft). teacher_weight: of a pixel that it tells, over
    an annotated one. Where it is less sure than teacher_threshold, nothing is learnt.

    tensorboard: whether scalars of each step are left for TensorBoard, beside the network.
    """

    init: str = SCRATCH
    steps: int = 300
    pairs_per_step: int = 8
    learning_rate: float = 4e-3
    pretrained_rate: float = 0.3
    gate_pairs: int = 1680
    gate_steps: int = 400
    seed: int = 0
    sampling: Sampling = "frames"
    augment: Augment = PLAIN
    teacher: str | None = None
    teacher_classes: str | tuple[int | str, ...] | None = None
    teacher_targets: TeacherTargets = "hard"
    teacher_weight: float = 1.0
    teacher_threshold: float = 0.0
    teacher_on: TeacherOn = "unannotated"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("steps", 1, 10_000_000),
            ("pairs_per_step", 2, 1024),
            ("learning_rate", 1e-8, 1.0),
            ("pretrained_rate", 0.0, 1.0),
            ("gate_pairs", 10, 1_000_000),
            ("gate_steps", 1, 1_000_000),
            ("seed", 0, 2**31 - 1),
            ("teacher_weight", 0.0, 100.0),
            ("teacher_threshold", 0.0, 1.0),
        ):
            check_range(name, getattr(self, name), low, high)
        for name, kinds in (
            ("sampling", get_args(Sampling)),
            ("teacher_targets", get_args(TeacherTargets)),
            ("teacher_on", get_args(TeacherOn)),
        ):
            check_choice(name, getattr(self, name), kinds)
        if isinstance(self.teacher_classes, str) and self.teacher_classes != SAME:
            raise SettingError(
                f"teacher_classes is {self.teacher_classes}; allowed: {SAME}, or a list of the "
                "data set's classes, one for each of the teacher's."
            )
        self._require_teacher()

    def _require_teacher(self) -> None:
        """Raise where a teacher's options are given and no teacher is: they would do nothing."""
        if self.teacher is not None:
            return
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in _OF_TEACHER and value != field.default:
                raise SettingError(
                    f"{field.name} is {value}, and there is no teacher; allowed: with teacher: "
                    "FILE.tflite. Name one, or leave it out."
                )

    def recipe(self) -> dict[str, Any]:
        """Return the settings that say how a network is trained, as plain values.

        What came later is left out where it changes nothing.
        """
        plain = dataclasses.asdict(self)
        left_out = [
            field.name
            for field in dataclasses.fields(self)
            if field.name in _NOT_OF_THE_RECIPE
            or (field.name in _LATER and getattr(self, field.name) == field.default)
            or (field.name in _OF_TEACHER and self.teacher is None)
        ]
        return {name: value for name, value in plain.items() if name not in left_out}
