"""Training pairs: a frame to segment, and the frame, maybe earlier, whose context it is given.

The first half of a batch sees its own context, the other half that of a frame up to `longest_age`
frames older, as at a key frame and between two of them. A batch depends on seed and step alone, so
a run that is taken up again goes on with the batches it would have had.

Frames are drawn from all that are annotated, or that a teacher has said something about; each as
often as any other, or each class as often as any other.
"""

import dataclasses
import functools
import queue
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from jejunet_nas.datasets.view import PLAIN, Augment, View
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, Clip, Frames, Masks, Pictures

Sampling = Literal["frames", "classes"]


class Taught(Protocol):
    """What a teacher says of the frames of a split's clips."""

    def times(self, clip: int) -> npt.NDArray[np.bool_]:
        """Return which frames of a clip the teacher was asked about, bool [time]."""

    def at(self, clip: int, t: int) -> tuple[Masks, Masks | None]:
        """Return the mask of a frame, uint8 [h, w], `IGNORE` where the teacher is unsure.

        Beside it, where it is kept, how sure it is of each pixel: uint8 [h, w], 255 is certain.
        """

    def __hash__(self) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBatch:
    """Pairs of one training step.

    frames and context_frames: uint8 [batch, height, width, 3], RGB. masks: uint8 [batch, height,
    width], the classes of `frames`. ages: int64 [batch], how many frames older the context frame
    is; where it is 0, it is the frame itself. taught, sureness: what a teacher says, as `Taught.at`
    does; None without a teacher, or without its being kept.
    """

    frames: Frames
    context_frames: Frames
    masks: Masks
    ages: npt.NDArray[np.int64]
    taught: Masks | None = None
    sureness: Masks | None = None

    @property
    def targets(self) -> tuple[Masks, ...]:
        """All that there is of masks, what the teacher says, and how sure it is."""
        return tuple(t for t in (self.masks, self.taught, self.sureness) if t is not None)


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
        taught: Taught | None = None,
        frames: Sequence[Pictures] | None = None,
    ) -> None:
        """Draw `pairs` pairs of `height` x `width` pixels a batch.

        frames: those of each clip in another size, as `input_frames` returns them; None: the
        clips' own. Raises `DataError` where no frame is annotated, and none is taught.
        """
        assert pairs >= 1, pairs
        assert longest_age >= 0, longest_age
        self._clips, self._taught = tuple(clips), taught
        self._frames = tuple(frames or (clip.frames for clip in self._clips))
        assert [*map(len, self._frames)] == [*map(len, self._clips)], "other clips' frames"
        self._places = _places(self._clips, taught)
        if not self._places:
            raise DataError(
                f"None of {len(self._clips)} training clips has an annotated frame; expected: at "
                "least one. Choose a split whose masks are published, or name a teacher."
            )
        self._of_class = _frames_of_classes(self._clips, taught) if sampling == "classes" else None
        self._augment = augment
        self._height, self._width = height, width
        self._pairs, self._longest_age, self._seed = pairs, longest_age, seed

    def batch(self, step: int) -> PairBatch:
        """Return the batch of `step`, the same one whenever it is asked for."""
        rng = np.random.default_rng([self._seed, step])
        shape = self._pairs, self._height, self._width
        frames, context = np.empty((*shape, 3), np.uint8), np.empty((*shape, 3), np.uint8)
        masks, ages = np.empty(shape, np.uint8), np.zeros(self._pairs, np.int64)
        said: list[tuple[Masks, Masks | None]] = []
        for pair, drawn in enumerate(self._draw(rng)):
            number, t = self._places[drawn]
            clip, view = self._clips[number], View.draw(rng, self._augment)
            pictures = self._frames[number]
            ages[pair] = self._age(rng, pair, t)
            frames[pair] = view.frame(pictures[t], self._height, self._width)
            masks[pair] = (
                view.mask(clip.masks[t], self._height, self._width) if clip.annotated[t] else IGNORE
            )
            context[pair] = (
                view.frame(pictures[t - ages[pair]], self._height, self._width)
                if ages[pair]
                else frames[pair]
            )
            if self._taught is not None:
                said.append(self._say(self._taught, number, t, view))
        sureness = [sure for _, sure in said if sure is not None]
        return PairBatch(
            frames=frames,
            context_frames=context,
            masks=masks,
            ages=ages,
            taught=np.stack([mask for mask, _ in said]) if said else None,
            sureness=np.stack(sureness) if sureness else None,
        )

    def _draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return the places of a batch's frames."""
        if self._of_class is None:
            return rng.integers(len(self._places), size=self._pairs)
        kinds = rng.integers(len(self._of_class), size=self._pairs)
        return np.array([rng.choice(self._of_class[kind]) for kind in kinds], np.int64)

    def _say(self, taught: Taught, number: int, t: int, view: View) -> tuple[Masks, Masks | None]:
        mask, sureness = taught.at(number, t)
        size = self._height, self._width
        seen = view.mask(mask, *size)
        return seen, None if sureness is None else view.mask(sureness, *size, around=0)

    def _age(self, rng: np.random.Generator, pair: int, t: int) -> int:
        """Return 0 for the first half of a batch; a clip's first frames know no older ones."""
        own = self._longest_age == 0 or pair < (self._pairs + 1) // 2
        return 0 if own else min(int(rng.integers(1, self._longest_age + 1)), t)


def _places(clips: Sequence[Clip], taught: Taught | None) -> list[tuple[int, int]]:
    """Return clip and time of each frame of which something is known."""
    return [
        (number, int(t))
        for number, clip in enumerate(clips)
        for t in np.flatnonzero(clip.annotated | taught.times(number) if taught else clip.annotated)
    ]


@functools.lru_cache(maxsize=2)  # clips and teacher are those of a study, and all its trials ask
def _frames_of_classes(
    clips: tuple[Clip, ...], taught: Taught | None
) -> tuple[npt.NDArray[np.int64], ...]:
    """Return, for each class that occurs, the indices of the frames that hold it."""
    places = _places(clips, taught)
    holds = np.zeros((len(places), IGNORE + 1), np.bool_)
    for index, (number, t) in enumerate(places):
        clip = clips[number]
        if clip.annotated[t]:
            holds[index] |= np.bincount(clip.masks[t].ravel(), minlength=IGNORE + 1) > 0
        if taught is not None and taught.times(number)[t]:
            holds[index] |= np.bincount(taught.at(number, t)[0].ravel(), minlength=IGNORE + 1) > 0
    holds = holds[:, :IGNORE]
    if not holds.any():  # nothing but unknown pixels: all frames are alike
        return (np.arange(len(places)),)
    return tuple(np.flatnonzero(column) for column in holds.T if column.any())


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
