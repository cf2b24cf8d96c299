"""Evaluation: the scores of any policy of a trained network, on whole validation clips.

Neither the masks of a network (`video.results`) nor their scores depend on the policy that shows
them. Both are cached, masks and gate scores also in a file beside the graphs, so that the second
policy of a network costs a fraction of the first.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jejunet_nas.evaluation.gate import judge_gate
from jejunet_nas.files import sha256_of
from jejunet_nas.progress import Tell
from jejunet_nas.records import Clip, DataSplit, FramePath, FramePaths, GateRecord, GraphName
from jejunet_nas.records.scores import ClipScore, ClipTemporal, Score, TemporalScore
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import FrameAccuracy, region_and_boundary
from jejunet_nas.scoring.miou import ClassMap, Counts
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.scoring.temporal import clip_temporal, combine_temporal, flicker, object_classes
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Mask, NetworkGraphs
from jejunet_nas.video.policy import Gate, Walk, walk
from jejunet_nas.video.results import ClipResults, Shown, read_results, write_results

GateOf = Callable[[ClipResults], Gate]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScore:
    """The scores of one policy on all validation clips, and the path of each frame."""

    score: Score
    temporal: TemporalScore
    walks: tuple[FramePaths, ...]


def own_gate(results: ClipResults) -> Gate:
    """Return the score of the network's own gate."""
    return results.gate


class Evaluation:
    """One network's graphs on the clips of a validation split."""

    def __init__(self, val: DataSplit, files: Mapping[GraphName, Path]) -> None:
        """Open the graphs; read the masks and gate scores that an earlier evaluation kept."""
        graphs = NetworkGraphs(files)
        self._val = val
        self._graphs = " ".join(f"{name} {sha256_of(file)}" for name, file in files.items())
        self._file = files["key"].with_name(f"results-{val.fingerprint}.npz")
        results = [ClipResults(clip, graphs) for clip in val.clips]
        self._known = read_results(self._file, results, graphs=self._graphs)
        self._clips = [
            _ClipEvaluation(clip, each, val.class_names)
            for clip, each in zip(val.clips, results, strict=True)
        ]

    def judge_gate(self, *, longest_age: int) -> GateRecord:
        """Return the errors of the gate's scores."""
        results = [clip.results for clip in self._clips]
        judged = judge_gate(results, len(self._val.class_names), longest_age=longest_age)
        self._keep()
        return judged

    def score(
        self,
        policies: Sequence[Policy],
        *,
        lag: int,
        gate_of: GateOf = own_gate,
        tell: Tell = lambda what, done, total: None,
    ) -> list[PolicyScore]:
        """Return the scores of each of `policies`.

        lag: frames that a keyframe takes in the background. gate_of: replaces the gate's score.
        tell: receives the number of frames done.
        """
        found: list[list[tuple[ClipScore, ClipTemporal, FramePaths]]] = [[] for _ in policies]
        done = 0
        for clip in self._clips:
            tell("evaluate", done, self._val.frame_count)
            for policy, clips in zip(policies, found, strict=True):
                taken, paths = clip.walk(policy, lag, gate_of)
                clips.append((clip.score(taken), clip.temporal(taken), paths))
            clip.results.forget_frames()
            done += len(clip)
        self._keep()
        return [
            PolicyScore(score=combine(scores), temporal=combine_temporal(temporal), walks=walks)
            for scores, temporal, walks in (zip(*clips, strict=True) for clips in found)
        ]

    def walks(
        self, policy: Policy, *, lag: int, gate_of: GateOf = own_gate
    ) -> tuple[FramePaths, ...]:
        """Return the path of each frame under `policy`, without computing masks."""
        found = []
        for clip in self._clips:
            found.append(clip.walk(policy, lag, gate_of)[1])
            clip.results.forget_frames()
        return tuple(found)

    def masks(
        self, clip: str, times: Sequence[int], policy: Policy, *, lag: int
    ) -> list[tuple[Mask, FramePath]]:
        """Return the masks shown on the frames `times` of the clip named `clip`, and their paths.

        Masks are uint8 [height, width], class indices at the graphs' own resolution.
        """
        (found,) = (each for each in self._clips if each.name == clip)
        taken, paths = found.walk(policy, lag, own_gate)
        shown = [(found.results.mask(taken.shown[t]), paths.paths[t]) for t in times]
        found.results.forget_frames()
        return shown

    def _keep(self) -> None:
        results = [clip.results for clip in self._clips]
        known = sum(each.size for each in results)
        if known > self._known:
            write_results(self._file, results, graphs=self._graphs)
            self._known = known


class _ClipEvaluation:
    """One clip, and the scores of each mask that was shown on it."""

    def __init__(self, clip: Clip, results: ClipResults, class_names: Sequence[str]) -> None:
        self.name, self.results = clip.name, results
        self._clip, self._classes = clip, len(class_names)
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

    def walk(self, policy: Policy, lag: int, gate_of: GateOf) -> tuple[Walk, FramePaths]:
        in_background = lag if policy.asynchronous else None
        taken = walk(len(self), policy, gate_of(self.results), lag=in_background)
        gated = [score is not None for score in taken.gate_scores]
        return taken, FramePaths.of(self.name, taken.paths, gated, lag=in_background)

    def score(self, taken: Walk) -> ClipScore:
        counts = [self._counts(t, taken.shown[t]) for t in self._annotated]
        return clip_score(self._clip, counts, self._classes)

    def temporal(self, taken: Walk) -> ClipTemporal:
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

    def counts(self, t: int, shown: Shown) -> Counts:
        return frame_counts(self.clip, t, self.results.mask(shown), self.classes)

    def accuracy(self, t: int, shown: Shown) -> FrameAccuracy:
        return region_and_boundary(*self._both(t, shown), self.objects)

    def flicker(self, before: tuple[int, Shown], now: tuple[int, Shown]) -> tuple[int, int]:
        (first, first_mask), (second, mask) = self._both(*before), self._both(*now)
        return flicker(first, second, first_mask, mask)

    def _both(self, t: int, shown: Shown) -> tuple[ClassMap, ClassMap]:
        annotation = self.clip.masks[t]
        return annotation, resize_mask(self.results.mask(shown), *annotation.shape)
