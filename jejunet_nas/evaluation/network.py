"""Scores any policy of a trained network, running its graphs only for what no policy needed before.

What a network makes of the validation frames does not depend on the policy that shows it (see
`video.results`), nor does what one mask is worth. Both are kept, masks and gate scores also in a
file beside the graphs: so the second policy of a network costs a fraction of the first one.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jejunet_nas.evaluation.gate import judge_gate
from jejunet_nas.records import Clip, DataSplit, FramePath, FramePaths, GateRecord, GraphName
from jejunet_nas.records.scores import ClipScore, ClipTemporal, Score, TemporalScore
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import FrameAccuracy, region_and_boundary
from jejunet_nas.scoring.miou import ClassMap, Counts
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.scoring.temporal import (
    clip_temporal,
    combine_temporal,
    flicker,
    object_classes,
)
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Mask, NetworkGraphs
from jejunet_nas.video.results import ClipResults, Shown
from jejunet_nas.video.store import read_results, write_results
from jejunet_nas.video.walk import Gate, Walk, walk

Tell = Callable[[int, int], None]  # frames done, of how many


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScore:
    """What one policy of a network is worth on all validation clips.

    temporal: None where it was not asked for. walks: which path each frame took.
    """

    score: Score
    temporal: TemporalScore | None
    walks: tuple[FramePaths, ...]


class Evaluation:
    """One network's graphs on the clips of a validation split."""

    def __init__(
        self, val: DataSplit, files: Mapping[GraphName, Path], *, threads: int = 1
    ) -> None:
        """Take up what an earlier evaluation of the same clips has left beside the graphs."""
        graphs = NetworkGraphs(files, threads=threads)
        self._val = val
        self._file = files["key"].with_name(f"results-{val.fingerprint}.npz")
        results = [ClipResults(clip, graphs) for clip in val.clips]
        self._known = read_results(self._file, results)
        self._clips = [
            _ClipEvaluation(clip, each, val.class_names)
            for clip, each in zip(val.clips, results, strict=True)
        ]

    def judge_gate(self, *, longest_age: int) -> GateRecord:
        """Return how far the gate's scores can be believed."""
        results = [clip.results for clip in self._clips]
        judged = judge_gate(results, len(self._val.class_names), longest_age=longest_age)
        self._keep()
        return judged

    def score(
        self,
        policies: Sequence[Policy],
        *,
        lag: int,
        temporal: bool = True,
        gates: Callable[[ClipResults], Gate] = lambda results: results.gate,
        tell: Tell = lambda done, total: None,
    ) -> list[PolicyScore]:
        """Return what each of `policies` is worth, clip by clip.

        lag: frames that a keyframe takes where it runs in the background. temporal: whether the
        temporal scores are wanted, which take several times as long as mIoU. gates: another score
        in the gate's place.
        """
        scores: list[list[ClipScore]] = [[] for _ in policies]
        behaviours: list[list[ClipTemporal]] = [[] for _ in policies]
        walks: list[list[FramePaths]] = [[] for _ in policies]
        done = 0
        for clip in self._clips:
            tell(done, self._val.frame_count)
            for number, policy in enumerate(policies):
                taken, paths = clip.walk(policy, lag, gates)
                walks[number].append(paths)
                scores[number].append(clip.score(taken))
                if temporal:
                    behaviours[number].append(clip.temporal(taken))
            clip.results.forget_frames()
            done += len(clip)
        self._keep()
        return [
            PolicyScore(
                score=combine(scores[number]),
                temporal=combine_temporal(behaviours[number]) if temporal else None,
                walks=tuple(walks[number]),
            )
            for number in range(len(policies))
        ]

    def walks(
        self,
        policy: Policy,
        *,
        lag: int,
        gates: Callable[[ClipResults], Gate] = lambda results: results.gate,
    ) -> tuple[FramePaths, ...]:
        """Return which path each frame takes under `policy`; no mask is made for it."""
        found = []
        for clip in self._clips:
            found.append(clip.walk(policy, lag, gates)[1])
            clip.results.forget_frames()
        return tuple(found)

    def masks(
        self, clip: str, times: Sequence[int], policy: Policy, *, lag: int
    ) -> list[tuple[Mask, FramePath]]:
        """Return what is shown on the frames `times` of the clip named `clip`, and their paths.

        Masks are uint8 [height, width], class indices at the graphs' own resolution.
        """
        (found,) = (each for each in self._clips if each.name == clip)
        taken, paths = found.walk(policy, lag, lambda results: results.gate)
        shown = [(found.results.mask(taken.shown[t]), paths.paths[t]) for t in times]
        found.results.forget_frames()
        return shown

    def _keep(self) -> None:
        results = [clip.results for clip in self._clips]
        known = sum(each.size for each in results)
        if known > self._known:
            write_results(self._file, results)
            self._known = known


class _ClipEvaluation:
    """One clip, and what each mask shown on it is worth."""

    def __init__(self, clip: Clip, results: ClipResults, class_names: Sequence[str]) -> None:
        self.name, self.results = clip.name, results
        self._clip, self._classes = clip, len(class_names)
        self._objects = object_classes(class_names)
        self._annotated = [t for t in range(len(clip)) if clip.annotated[t]]
        self._counts: dict[tuple[int, Shown], Counts] = {}
        self._accuracies: dict[tuple[int, Shown], FrameAccuracy] = {}
        self._flickers: dict[tuple[int, Shown, int, Shown], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._clip)

    def walk(
        self, policy: Policy, lag: int, gates: Callable[[ClipResults], Gate]
    ) -> tuple[Walk, FramePaths]:
        """Return the walk of a policy over the clip, and as a trial keeps it."""
        in_background = lag if policy.asynchronous else None
        taken = walk(len(self), policy, gates(self.results), lag=in_background)
        gated = [score is not None for score in taken.gate_scores]
        return taken, FramePaths.of(self.name, taken.paths, gated, lag=in_background)

    def score(self, taken: Walk) -> ClipScore:
        """Return intersections and unions over the annotated frames."""
        counts = []
        for t in self._annotated:
            at = t, taken.shown[t]
            if at not in self._counts:
                mask = self.results.mask(taken.shown[t])
                self._counts[at] = frame_counts(self._clip, t, mask, self._classes)
            counts.append(self._counts[at])
        return clip_score(self._clip, counts, self._classes)

    def temporal(self, taken: Walk) -> ClipTemporal:
        """Return how the masks behave over time."""
        at = [(t, taken.shown[t]) for t in self._annotated]
        return clip_temporal(
            self._clip.name,
            [self._accuracy(*each) for each in at],
            [self._flicker(*a, *b) for a, b in itertools.pairwise(at)],
            taken.ages,
            len(self._objects),
        )

    def _accuracy(self, t: int, shown: Shown) -> FrameAccuracy:
        if (t, shown) not in self._accuracies:
            annotation, mask = self._both(t, shown)
            self._accuracies[t, shown] = region_and_boundary(annotation, mask, self._objects)
        return self._accuracies[t, shown]

    def _flicker(self, before: int, shown_before: Shown, t: int, shown: Shown) -> tuple[int, int]:
        pair = before, shown_before, t, shown
        if pair not in self._flickers:
            (first, first_mask), (second, mask) = (
                self._both(before, shown_before),
                self._both(t, shown),
            )
            self._flickers[pair] = flicker(first, second, first_mask, mask)
        return self._flickers[pair]

    def _both(self, t: int, shown: Shown) -> tuple[ClassMap, ClassMap]:
        annotation = self._clip.masks[t]
        return annotation, resize_mask(self.results.mask(shown), *annotation.shape)
