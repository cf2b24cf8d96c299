"""Training pairs: a frame to segment, and the frame, maybe earlier, whose context it is given.

The first half of a batch sees its own context, the other half that of a frame up to `longest_age`
frames older, as at a key frame and between two of them. A batch depends on seed and step alone, so
a run that is taken up again goes on with the batches it would have had.
"""

import dataclasses
import math
import queue
import threading
import time
from collections.abc import Sequence
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import Clip, DataSplit, Frames, Masks
from jejunet_nas.resize import Box, resize_frame, resize_mask

_SMALLEST_AREA = 0.5  # of the picture, that a crop keeps
_WIDEST_ASPECT = 1.25  # of a crop, over the picture's own
_JITTER = 0.2  # of brightness, contrast and saturation, up and down
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's grey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBatch:
    """Pairs of one training step.

    frames and context_frames: uint8 [batch, height, width, 3], RGB. masks: uint8 [batch, height,
    width], the classes of `frames`. ages: int64 [batch], how many frames older the context frame
    is; where it is 0, it is the frame itself.
    """

    frames: Frames
    context_frames: Frames
    masks: Masks
    ages: npt.NDArray[np.int64]


class PairSampler:
    """Draws the batch of any step from the clips of a split."""

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        height: int,
        width: int,
        pairs: int,
        longest_age: int,
        seed: int,
    ) -> None:
        """Draw `pairs` pairs of `height` x `width` pixels a batch.

        Raises `DataError` where no frame is annotated.
        """
        assert pairs >= 1, pairs
        assert longest_age >= 0, longest_age
        self._clips = tuple(clips)
        self._annotated = [
            (number, int(t))
            for number, clip in enumerate(self._clips)
            for t in np.flatnonzero(clip.annotated)
        ]
        if not self._annotated:
            raise DataError(
                f"None of {len(self._clips)} training clips has an annotated frame; expected: at "
                "least one. Choose a split whose masks are published."
            )
        self._height, self._width = height, width
        self._pairs, self._longest_age, self._seed = pairs, longest_age, seed

    def batch(self, step: int) -> PairBatch:
        """Return the batch of `step`, the same one whenever it is asked for."""
        rng = np.random.default_rng([self._seed, step])
        shape = self._pairs, self._height, self._width
        frames, context = np.empty((*shape, 3), np.uint8), np.empty((*shape, 3), np.uint8)
        masks, ages = np.empty(shape, np.uint8), np.zeros(self._pairs, np.int64)
        for pair, drawn in enumerate(rng.integers(len(self._annotated), size=self._pairs)):
            number, t = self._annotated[drawn]
            clip, view = self._clips[number], _View.draw(rng)
            ages[pair] = self._age(rng, pair, t)
            frames[pair] = view.frame(clip.frames[t], self._height, self._width)
            masks[pair] = view.mask(clip.masks[t], self._height, self._width)
            context[pair] = (
                view.frame(clip.frames[t - ages[pair]], self._height, self._width)
                if ages[pair]
                else frames[pair]
            )
        return PairBatch(frames=frames, context_frames=context, masks=masks, ages=ages)

    def _age(self, rng: np.random.Generator, pair: int, t: int) -> int:
        """Return 0 for the first half of a batch; a clip's first frames know no older ones."""
        own = self._longest_age == 0 or pair < (self._pairs + 1) // 2
        return 0 if own else min(int(rng.integers(1, self._longest_age + 1)), t)


class Prefetcher:
    """Computes batches ahead in a thread, so that training need not wait for them.

    A context manager and an iterator: it yields the batches of `first_step` up to, not including,
    `steps`. An error of the thread is raised where its batch was due. `wait_s` is how long the
    consumer has waited so far.
    """

    def __init__(
        self, sampler: PairSampler, *, first_step: int = 0, steps: int, ahead: int = 3
    ) -> None:
        """Keep up to `ahead` batches ready."""
        assert ahead >= 1, ahead
        self.wait_s = 0.0
        self._sampler = sampler
        self._range = range(first_step, steps)
        self._ready: queue.SimpleQueue[PairBatch | Exception | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefetcher", daemon=True)

    def __enter__(self) -> "Prefetcher":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._room.release()  # wakes the thread where it waits for the consumer
        self._thread.join()

    def __iter__(self) -> "Prefetcher":
        return self

    def __next__(self) -> PairBatch:
        assert self._thread.ident is not None, "a Prefetcher is used in a with statement"
        asked = time.perf_counter()
        item = self._ready.get()
        self.wait_s += time.perf_counter() - asked
        if isinstance(item, PairBatch):
            self._room.release()
            return item
        self._ready.put(None)  # whoever asks again learns that it is over
        if item is None:
            raise StopIteration
        raise item

    def _run(self) -> None:
        try:
            for step in self._range:
                self._room.acquire()
                if self._stopped.is_set():
                    break
                self._ready.put(self._sampler.batch(step))
        except Exception as error:  # any: it is the consumer's to handle
            self._ready.put(error)
        self._ready.put(None)


def calibration_frames(
    split: DataSplit, *, height: int, width: int, count: int, seed: int
) -> Frames:
    """Return `count` frames, whole and as they are, evenly spread over the split's clips.

    uint8 [count, height, width, 3]. `seed` shifts the first one. Raises `SettingError` where the
    split has fewer frames.
    """
    if not 1 <= count <= split.frame_count:
        raise SettingError(
            f"calibration_frames is {count}; allowed: 1 to {split.frame_count}, the frames of "
            f"{split.dataset}'s {split.split} split. The nearest is "
            f"{max(1, min(count, split.frame_count))}."
        )
    places = [(clip, t) for clip in split.clips for t in range(len(clip))]
    shift = np.random.default_rng(seed).random()
    chosen = (places[int((k + shift) * len(places) / count)] for k in range(count))
    return np.stack([resize_frame(clip.frames[t], height, width) for clip, t in chosen])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """How both frames of a pair are looked at: a crop, maybe mirrored, in other light."""

    box: Box
    mirrored: bool
    colour: tuple[float, ...]  # 3x4 row by row: RGB out = 3x3 @ RGB in + offset

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_View":
        aspect = _WIDEST_ASPECT ** rng.uniform(-0.5, 0.5)
        side = math.sqrt(rng.uniform(_SMALLEST_AREA, 1))
        width, height = min(1.0, side * aspect), min(1.0, side / aspect)
        left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        return cls(
            box=(left, top, left + width, top + height),
            mirrored=bool(rng.random() < 0.5),
            colour=_colour_matrix(*rng.uniform(1 - _JITTER, 1 + _JITTER, 3)),
        )

    def frame(self, frame: Frames, height: int, width: int) -> Frames:
        seen = Image.fromarray(resize_frame(frame, height, width, self.box))
        return self._turned(seen.convert("RGB", self.colour))

    def mask(self, mask: Masks, height: int, width: int) -> Masks:
        return self._turned(Image.fromarray(resize_mask(mask, height, width, self.box)))

    def _turned(self, seen: Image.Image) -> npt.NDArray[np.uint8]:
        if self.mirrored:  # by Pillow: ten times as fast as copying from mirrored strides
            seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(seen)


def _colour_matrix(brightness: float, contrast: float, saturation: float) -> tuple[float, ...]:
    """Return the 3x4 matrix that changes all three; contrast turns about middle grey."""
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    offset = np.full((3, 1), 128 * (1 - contrast))
    return tuple(brightness * np.hstack([contrast * mix, offset]).ravel())
