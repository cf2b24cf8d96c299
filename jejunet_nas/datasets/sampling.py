"""Training pairs: a frame to segment, and the frame that provides its context.

The first half of a batch uses its own context, as a keyframe does; the other half uses that of a
frame up to `longest_age` frames older, as the frames after a keyframe do. A batch depends only on
seed and step, so a resumed run gets the same batches.

Frames are drawn from all that are annotated: with equal probability for each frame, or for each
class.
"""

import collections
import dataclasses
import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from jejunet_nas.datasets.view import PLAIN, Augment, View
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, Clip, Frames, Masks, Pictures

Sampling = Literal["frames", "classes"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBatch:
    """Pairs of one training step.

    frames and context_frames: uint8 [batch, height, width, 3], RGB. masks: uint8 [batch, height,
    width], the classes of `frames`. ages: int64 [batch], by how many frames the context frame is
    older; 0: it is the frame itself.
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
        sampling: Sampling = "frames",
        augment: Augment = PLAIN,
        frames: Sequence[Pictures] | None = None,
    ) -> None:
        """Draw `pairs` pairs of `height` x `width` pixels a batch.

        frames: of each clip in another size, as `input_frames` returns them; None: the clips' own.
        Raises `DataError` if no frame is annotated.
        """
        assert pairs >= 1, pairs
        assert longest_age >= 0, longest_age
        self._clips = tuple(clips)
        self._frames = tuple(frames or (clip.frames for clip in self._clips))
        assert [*map(len, self._frames)] == [*map(len, self._clips)], "other clips' frames"
        self._places = _places(self._clips)
        if not self._places:
            raise DataError(
                f"None of the {len(self._clips)} training clips has an annotated frame. Use a "
                "split whose masks are published."
            )
        self._of_class = _frames_of_classes(self._clips) if sampling == "classes" else None
        self._augment = augment
        self._height, self._width = height, width
        self._pairs, self._longest_age, self._seed = pairs, longest_age, seed

    @property
    def own(self) -> int:
        """The first pairs of each batch, whose context frame is the frame itself."""
        return self._pairs if self._longest_age == 0 else (self._pairs + 1) // 2

    def batch(self, step: int) -> PairBatch:
        """Return the batch of `step`, always the same."""
        rng = np.random.default_rng([self._seed, step])
        pairs = [self._pair(rng, number, place) for number, place in enumerate(self._draw(rng))]
        frames, context_frames, masks, ages = zip(*pairs, strict=True)
        return PairBatch(
            frames=np.stack(frames),
            context_frames=np.stack(context_frames),
            masks=np.stack(masks),
            ages=np.array(ages, np.int64),
        )

    def _pair(self, rng: np.random.Generator, pair: int, place: int) -> tuple[Any, ...]:
        """Return one row of each field of `PairBatch`, in their order."""
        number, t = self._places[place]
        size = self._height, self._width
        pictures = self._frames[number]
        view, age = View.draw(rng, self._augment), self._age(rng, pair, t)
        frame = view.frame(pictures[t], *size)
        context = view.frame(pictures[t - age], *size) if age else frame
        return frame, context, view.mask(self._clips[number].masks[t], *size), age

    def _draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        if self._of_class is None:
            return rng.integers(len(self._places), size=self._pairs)
        kinds = rng.integers(len(self._of_class), size=self._pairs)
        return np.array([rng.choice(self._of_class[kind]) for kind in kinds], np.int64)

    def _age(self, rng: np.random.Generator, pair: int, t: int) -> int:
        """Return 0 for the first half of a batch, else a random age within the clip."""
        return 0 if pair < self.own else min(int(rng.integers(1, self._longest_age + 1)), t)


def _places(clips: Sequence[Clip]) -> list[tuple[int, int]]:
    return [
        (number, int(t))
        for number, clip in enumerate(clips)
        for t in np.flatnonzero(clip.annotated)
    ]


@functools.lru_cache(maxsize=2)  # all trials of a study share clips
def _frames_of_classes(clips: tuple[Clip, ...]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return, for each class that occurs, the indices in `_places` of the frames that hold it."""
    places = _places(clips)
    holds = np.zeros((len(places), IGNORE + 1), np.bool_)
    for index, (number, t) in enumerate(places):
        holds[index] = np.bincount(clips[number].masks[t].ravel(), minlength=IGNORE + 1) > 0
    holds = holds[:, :IGNORE]
    if not holds.any():  # only unknown pixels: all frames are alike
        return (np.arange(len(places)),)
    return tuple(np.flatnonzero(column) for column in holds.T if column.any())


class Prefetcher:
    """Computes the batches of `first_step` up to, but not including, `steps` ahead in a thread.

    A context manager and an iterator. An error of the thread is raised in place of its batch.
    `wait_s` is the time that the consumer has waited.
    """

    def __init__(
        self, sampler: PairSampler, *, first_step: int = 0, steps: int, ahead: int = 3
    ) -> None:
        """Keep up to `ahead` batches ready."""
        assert ahead >= 1, ahead
        self.wait_s = 0.0
        self._sampler, self._ahead = sampler, ahead
        self._steps = iter(range(first_step, steps))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetcher")
        self._pending: collections.deque[Future[PairBatch]] = collections.deque()
        self._batches = self._results()

    def __enter__(self) -> Self:
        self._submit(self._ahead)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> PairBatch:
        return next(self._batches)

    def _results(self) -> Iterator[PairBatch]:
        while self._pending:
            asked = time.perf_counter()
            batch = self._pending.popleft().result()
            self.wait_s += time.perf_counter() - asked
            self._submit(1)
            yield batch

    def _submit(self, count: int) -> None:
        for step in itertools.islice(self._steps, count):
            self._pending.append(self._pool.submit(self._sampler.batch, step))
