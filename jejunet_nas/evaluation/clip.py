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
        self._clip, self._classes, self._stretches = clip, len(class_names), stretches
        self._objects = object_classes(class_names)
        self._annotated = [t for t in range(len(clip)) if clip.annotated[t]]
        # Policies show many masks in common: each is scored once. The caches refer to another
        # object than this one, so that it is freed immediately, and the graphs and masks with it.
        masks = _MaskScores(clip, results, self._classes, self._objects)
        self._counts = functools.cache(masks.counts)
        self._accuracy = functools.cache(masks.accuracy)
        self._flicker = functools.cache(masks.flicker)

    def __len__(self) -> int:
        return len(self._clip)

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

    def score(self, taken: Walk) -> ClipScore:
        """Return the score of each mask of `taken` against its own frame."""
        return self._scored([self._counts(t, taken.shown[t]) for t in self._annotated])

    def streamed(
        self, policy: Policy, latencies: PathLatencies, target_fps: float, gate_of: GateOf
    ) -> ClipStream:
        """Return the score of what the screen shows, see `scored_on_screen`, and its paths."""
        screen = self.screen(policy, latencies, target_fps, gate_of)
        shown = {t: screen.shown[t] for t in scored_on_screen(self._clip)}
        if shown.keys() == {0}:  # a still picture
            shown = {0: Shown(0, 0)}
        return self._scored([self._counts(t, mask) for t, mask in shown.items()]), screen.walk

    def _scored(self, counts: Sequence[Counts]) -> ClipScore:
        return clip_score(self._clip, counts, self._classes, stretches=self._stretches)

    def temporal(self, taken: Walk) -> ClipTemporal:
        """Return the scores over time of the masks of `taken`, each on its own frame."""
        at = [(t, taken.shown[t]) for t in self._annotated]
        return clip_temporal(
            self._clip.name,
            [self._accuracy(*each) for each in at],
            [self._flicker(*pair) for pair in itertools.pairwise(at)],
            taken.ages,
            len(self._objects),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _MaskScores:
    """Scores of single masks of a clip, or of two consecutive ones."""

    clip: Clip
    results: ClipResults
    classes: int
    objects: Sequence[int]

    def counts(self, t: int, shown: Shown | None) -> Counts:
        if shown is None:
            return counts_without_mask(self.clip, t, self.classes)
        return frame_counts(self.clip, t, self.results.mask(shown), self.classes)

    def accuracy(self, t: int, shown: Shown) -> FrameAccuracy:
        return region_and_boundary(*self._both(t, shown), self.objects)

    def flicker(self, before: tuple[int, Shown], now: tuple[int, Shown]) -> tuple[int, int]:
        (first, first_mask), (second, mask) = self._both(*before), self._both(*now)
        return flicker(first, second, first_mask, mask)

    def _both(self, t: int, shown: Shown) -> tuple[ClassMap, ClassMap]:
        annotation = self.clip.masks[t]
        return annotation, resize_mask(self.results.mask(shown), *annotation.shape)
