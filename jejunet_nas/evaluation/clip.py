"""Clip: the scores of any policy on one validation clip, and of all clips together.

Each mask that a policy shows is scored once, however many policies show it.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TypeAlias

from jejunet_nas.evaluation.screen import Screen, simulate
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import Clip, FramePaths, PathLatencies
from jejunet_nas.records.scores import ClipScore, ClipTemporal, Streamed
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import FrameAccuracy, region_and_boundary
from jejunet_nas.scoring.miou import ClassMap, Counts
from jejunet_nas.scoring.score import (
    clip_score,
    combine,
    counts_without_mask,
    frame_counts,
    scored_on_screen,
)
from jejunet_nas.scoring.temporal import clip_temporal, flicker, object_classes
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import Gate, Walk, walk
from jejunet_nas.video.results import ClipResults, Shown

_ENLARGED = 64  # masks that are kept at the annotations' size: of two frames, under all policies
GateOf = Callable[[ClipResults], Gate]
ClipStream: TypeAlias = tuple[ClipScore, FramePaths]  # of one clip on the screen


def own_gate(results: ClipResults) -> Gate:
    """Return the score of the network's own gate."""
    return results.gate


def combine_streams(
    clips: Sequence[ClipStream],
    latencies: PathLatencies,
    target_fps: float,
    doubts: tuple[str, ...] = (),
) -> Streamed:
    """Return the screen of all clips; `doubts`: why the latencies are unstable."""
    scores, walks = zip(*clips, strict=True)
    latency = stream_latency(walks, latencies, target_fps=target_fps, doubts=doubts)
    return Streamed(latency=latency, score=combine(scores), walks=walks)


def beside_every_frame(streamed: Streamed, whole: Streamed) -> Streamed:
    """Return `streamed` with the figures of `whole`, which has every frame a keyframe."""
    return dataclasses.replace(
        streamed,
        every_frame_miou=whole.score.miou,
        every_frame_dropped=whole.latency.dropped_frames,
    )


class ClipEvaluation:
    """One clip, and the scores of each mask that was shown on it."""

    def __init__(
        self, clip: Clip, results: ClipResults, class_names: Sequence[str], *, stretches: int = 1
    ) -> None:
        """Score nothing yet; stretches: see `clip_score`."""
        self.name, self.results = clip.name, results
        # Receives the frames done; the own frames' scores are the second half of the work.
        self.seen: Callable[[int], None] = lambda done: None
        self._clip, self._classes, self._stretches = clip, len(class_names), stretches
        self._objects = object_classes(class_names)
        self._annotated = [t for t in range(len(clip)) if clip.annotated[t]]
        # Policies show many masks in common: each is scored once. The caches refer to another
        # object than this one, so that it is freed immediately, and the graphs and masks with it.
        self._masks = masks = _MaskScores(clip, results, self._classes, self._objects)
        self._counts = functools.cache(masks.counts)
        self._accuracy = functools.cache(masks.accuracy)
        self._flicker = functools.cache(masks.flicker)

    def __len__(self) -> int:
        return len(self._clip)

    def forget_pictures(self) -> None:
        """Free annotations and masks at their size; the scores stay."""
        self._masks.forget()

    def walk(self, policy: Policy, lag: int, gate_of: GateOf) -> Walk:
        """Return the walk of `policy` over every frame; `lag`: of background keyframes."""
        in_background = lag if policy.asynchronous else None
        return walk(len(self), policy, gate_of(self.results), lag=in_background)

    def screen(
        self, policy: Policy, latencies: PathLatencies, target_fps: float, gate_of: GateOf
    ) -> Screen:
        """Return what the screen shows under `policy`, without computing masks."""
        gate = gate_of(self.results)
        return simulate(self.name, len(self), policy, gate, latencies, target_fps=target_fps)

    def streamed(
        self,
        policies: Sequence[Policy],
        latencies: PathLatencies,
        target_fps: float,
        gate_of: GateOf,
    ) -> list[ClipStream]:
        """Return, of each policy, the score of what the screen shows, and its paths.

        Which frames are scored: see `scored_on_screen`.
        """
        screens = [self.screen(each, latencies, target_fps, gate_of) for each in policies]
        counts: list[list[Counts]] = [[] for _ in policies]
        scored = scored_on_screen(self._clip)
        for t in scored:  # frame by frame: an annotation is read once for all policies
            for screen, found in zip(screens, counts, strict=True):
                still = scored == [0]  # a picture
                found.append(self._counts(t, Shown(0, 0) if still else screen.shown[t]))
            self.seen(t // 2)
        return [
            (self._scored(found), screen.walk)
            for screen, found in zip(screens, counts, strict=True)
        ]

    def own_frame(self, walks: Sequence[Walk]) -> list[tuple[ClipScore, ClipTemporal]]:
        """Return the scores of the masks of each walk against their own frames, and over time."""
        before: int | None = None
        for t in self._annotated:  # frame by frame: an annotation is read once for all walks
            for taken in walks:
                self._counts(t, taken.shown[t])
                self._accuracy(t, taken.shown[t])
                if before is not None:
                    self._flicker((before, taken.shown[before]), (t, taken.shown[t]))
            before = t
            self.seen((len(self) + t) // 2)
        return [(self._score(taken), self._temporal(taken)) for taken in walks]

    def _score(self, taken: Walk) -> ClipScore:
        return self._scored([self._counts(t, taken.shown[t]) for t in self._annotated])

    def _scored(self, counts: Sequence[Counts]) -> ClipScore:
        return clip_score(self._clip, counts, self._classes, stretches=self._stretches)

    def _temporal(self, taken: Walk) -> ClipTemporal:
        at = [(t, taken.shown[t]) for t in self._annotated]
        return clip_temporal(
            self._clip.name,
            [self._accuracy(*each) for each in at],
            [self._flicker(*pair) for pair in itertools.pairwise(at)],
            taken.ages,
            len(self._objects),
        )


class _MaskScores:
    """Scores of single masks of a clip, or of two consecutive ones."""

    def __init__(
        self, clip: Clip, results: ClipResults, classes: int, objects: Sequence[int]
    ) -> None:
        self._clip, self._results = clip, results
        self._classes, self._objects = classes, objects
        # Scores are asked for frame by frame: what they compare is needed again.
        pictures = _Pictures(clip, results)
        self._annotation = functools.lru_cache(2)(pictures.annotation)
        self._mask = functools.lru_cache(_ENLARGED)(pictures.mask)

    def forget(self) -> None:
        self._annotation.cache_clear()
        self._mask.cache_clear()

    def counts(self, t: int, shown: Shown | None) -> Counts:
        annotation = self._annotation(t)
        if shown is None:
            return counts_without_mask(self._clip, t, self._classes, annotation)
        mask = self._results.mask(shown)
        return frame_counts(self._clip, t, mask, self._classes, annotation)

    def accuracy(self, t: int, shown: Shown) -> FrameAccuracy:
        return region_and_boundary(self._annotation(t), self._mask(shown), self._objects)

    def flicker(self, before: tuple[int, Shown], now: tuple[int, Shown]) -> tuple[int, int]:
        annotations = (self._annotation(t) for t, _ in (before, now))
        return flicker(*annotations, *(self._mask(shown) for _, shown in (before, now)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Pictures:
    """The annotations of a clip, and the masks at their size."""

    clip: Clip
    results: ClipResults

    def annotation(self, t: int) -> ClassMap:
        return self.clip.masks[t]

    def mask(self, shown: Shown) -> ClassMap:
        return resize_mask(self.results.mask(shown), *self.clip.masks.shape[1:])
