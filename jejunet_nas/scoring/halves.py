"""Halves: the validation clips in two, so that a pick is scored on clips it was not picked on.

The split follows from the clips alone, so all trials of a study share it: clips go one by one,
the heaviest first, to the half that needs them, so that both have about as many clips, frames and
pixels of each class. With fewer than four clips, long ones are cut in time: their first and last
four ninths are in different halves, and the ninth between them is in neither, because frames
next to each other are alike.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

from jejunet_nas.errors import SettingError
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.records.words import counted

MOST_CUT = 3  # clips; a split with more is split by whole clips
STRETCHES = 9  # of a clip that is cut in time; odd, because the middle one is the gap
_LEAST_FRAMES = 2 * STRETCHES + 1  # the first frame of a clip is not scored


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """The names of the clips, or of the stretches of clips, in each half.

    in_time: whether clips were cut.
    """

    first: frozenset[str]
    second: frozenset[str]
    in_time: bool

    def clips_of(self, clips: Sequence[ClipScore]) -> tuple[ClipScore, ...]:
        """Return those clips or stretches that are in either half.

        Raises `SettingError` where one of them is missing.
        """
        wanted = self.first | self.second
        found = tuple(each for each in _pieces(clips) if each.name in wanted)
        if missing := wanted - {each.name for each in found}:
            raise SettingError(
                f"the scores lack {min(missing)}: they were made of other clips, or by an earlier "
                "version. Search again in a new study, or set both keys of validation to all."
            )
        return found


def stretches_of(clips: int) -> int:
    """Return how many parts the score of a clip keeps in a split of so many annotated clips."""
    return STRETCHES if clips <= MOST_CUT else 1


def require_two(annotated_frames: Sequence[int]) -> None:
    """Raise `SettingError` where clips with so many annotated frames cannot be split in two."""
    annotated = [count for count in annotated_frames if count]
    if len(annotated) < 2 and max(annotated, default=0) < _LEAST_FRAMES:
        raise _not_in_two(len(annotated))


def _not_in_two(annotated: int) -> SettingError:
    return SettingError(
        f"validation is half, but val has {counted(annotated, 'annotated clip')} that cannot be "
        f"split in two; allowed: two or more, or one with at least {_LEAST_FRAMES} annotated "
        "frames that was scored by this version. Set both keys of validation to all."
    )


def halves(clips: Sequence[ClipScore]) -> Halves:
    """Return the halves of a split.

    Raises `SettingError` where a half would be without annotation.
    """
    first: list[ClipScore] = []
    second: list[ClipScore] = []
    cut = [clip for clip in clips if clip.parts]
    for clip, (early, late) in zip(
        cut, itertools.cycle([(first, second), (second, first)]), strict=False
    ):
        middle = len(clip.parts) // 2
        early += clip.parts[:middle]
        late += clip.parts[middle + 1 :]
    _share_out([clip for clip in clips if clip not in cut], first, second)
    if not all(any(any(clip.annotated) for clip in half) for half in (first, second)):
        raise _not_in_two(sum(any(clip.annotated) for clip in clips))
    return Halves(
        first=frozenset(clip.name for clip in first),
        second=frozenset(clip.name for clip in second),
        in_time=bool(cut),
    )


def _pieces(clips: Sequence[ClipScore]) -> list[ClipScore]:
    return [piece for clip in clips for piece in (clip, *clip.parts)]


def _share_out(clips: Sequence[ClipScore], first: list[ClipScore], second: list[ClipScore]) -> None:
    """Add each of `clips` to the half that lacks most of what it has."""
    if not clips:
        return
    pixels = np.array([clip.annotated for clip in clips], np.float64)
    frames = np.array([[clip.frames, 1.0] for clip in clips])
    pixels /= np.maximum(pixels.sum(axis=0), 1.0) * np.sqrt(pixels.shape[1])
    frames /= np.maximum(frames.sum(axis=0), 1.0)  # clips beside cut ones may have no annotation
    shares = np.hstack([frames, pixels])
    weights = np.square(shares).sum(axis=1).tolist()
    # Equally heavy clips go by the hashes of their names: names in order may be alike.
    hashes = [hashlib.sha256(clip.name.encode()).digest() for clip in clips]
    lead = np.zeros(shares.shape[1])  # of the first half
    for index in sorted(range(len(clips)), key=lambda i: (-weights[i], hashes[i])):
        to_first = float(lead @ shares[index]) <= 0
        (first if to_first else second).append(clips[index])
        lead += shares[index] if to_first else -shares[index]
