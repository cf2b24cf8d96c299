"""Evaluation: the scores of any policy of a trained network, on whole validation clips.

Neither the masks of a network (`video.results`) nor their scores depend on the policy that shows
them. Both are cached, masks and gate scores also in a file beside the graphs, so that the second
policy of a network costs a fraction of the first.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from jejunet_nas.evaluation.clip import (
    ClipEvaluation,
    ClipStream,
    GateOf,
    beside_every_frame,
    combine_streams,
    own_gate,
)
from jejunet_nas.evaluation.gate import judge_gate
from jejunet_nas.evaluation.shares import Progress, divide, run, threads_for
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.stream import background_lag, stream_latency
from jejunet_nas.progress import Tell
from jejunet_nas.records import (
    DataSplit,
    FramePath,
    FramePaths,
    GateRecord,
    GraphName,
    PathLatencies,
    StreamLatency,
)
from jejunet_nas.records.scores import ClipScore, ClipTemporal, Score, Streamed, TemporalScore
from jejunet_nas.scoring.halves import stretches_of
from jejunet_nas.scoring.score import combine
from jejunet_nas.scoring.temporal import combine_temporal
from jejunet_nas.space.architecture import EVERY_FRAME, Policy
from jejunet_nas.video.graphs import Mask, NetworkGraphs
from jejunet_nas.video.results import ClipResults, read_results, write_results

T = TypeVar("T")
_Scored: TypeAlias = tuple[list[ClipStream], list[tuple[ClipScore, ClipTemporal]]]  # of one clip
KEPT_BYTES = 256 << 20  # of frames and contexts: those of 1,500 frames of 224 px


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScore:
    """The scores of one policy on all validation clips.

    own_frame, temporal: of each mask against its own frame, none dropped. streamed: as on the
    screen, beside the same network with every frame a keyframe.
    """

    own_frame: Score
    temporal: TemporalScore
    streamed: Streamed


class Evaluation:
    """One network's graphs on the clips of a validation split."""

    def __init__(
        self, val: DataSplit, files: Mapping[GraphName, Path], *, keep: bool = True
    ) -> None:
        """Open the graphs; read the masks and gate scores that an earlier evaluation kept.

        keep: whether to read and keep them, in the folder of the graphs.
        """
        self._val = val
        self._shares = divide([len(clip) for clip in val.clips], threads_for(len(val.clips)))
        self._graphs = " ".join(f"{name} {sha256_of(file)}" for name, file in files.items())
        self._file = files["key"].with_name(f"results-{val.fingerprint}.npz")
        graphs = {
            number: opened
            for share in self._shares
            for opened in [NetworkGraphs(files)]
            for number in share
        }
        results = [ClipResults(clip, graphs[number]) for number, clip in enumerate(val.clips)]
        self._keeps = keep
        self._known = read_results(self._file, results, graphs=self._graphs) if keep else 0
        stretches = stretches_of(sum(bool(clip.annotated.any()) for clip in val.clips))
        self._clips = [
            ClipEvaluation(clip, each, val.class_names, stretches=stretches)
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
        latencies: PathLatencies,
        *,
        target_fps: float,
        gate_of: GateOf = own_gate,
        tell: Tell = lambda what, done, total: None,
    ) -> list[PolicyScore]:
        """Return the scores of each of `policies`, by `latencies`, at the camera's `target_fps`.

        gate_of: replaces the gate's score. tell: receives the number of frames done.
        """
        lag = background_lag(latencies, target_fps=target_fps)

        def work(clip: ClipEvaluation) -> _Scored:
            shown = clip.streamed((*policies, EVERY_FRAME), latencies, target_fps, gate_of)
            walks = [clip.walk(policy, lag, gate_of) for policy in policies]
            return shown, clip.own_frame(walks)

        of_clips = self._of_clips(work, tell)
        streams = [*zip(*(shown for shown, _ in of_clips), strict=True)]
        own = [*zip(*(both for _, both in of_clips), strict=True)]
        return [
            PolicyScore(
                own_frame=combine([score for score, _ in both]),
                temporal=combine_temporal([temporal for _, temporal in both]),
                streamed=streamed,
            )
            for both, streamed in zip(
                own, _beside_last(streams, latencies, target_fps), strict=True
            )
        ]

    def streams(
        self,
        policies: Sequence[Policy],
        latencies: PathLatencies,
        *,
        target_fps: float,
        doubts: tuple[str, ...] = (),
        tell: Tell = lambda what, done, total: None,
    ) -> list[Streamed]:
        """Return what the screen shows under each of `policies`, in one pass over the clips.

        doubts: why latencies are unstable. tell: as in `score`.
        """
        wanted = (*policies, EVERY_FRAME)
        of_clips = self._of_clips(
            lambda clip: clip.streamed(wanted, latencies, target_fps, own_gate), tell
        )
        streams = [*zip(*of_clips, strict=True)]
        return _beside_last(streams, latencies, target_fps, doubts)

    def timed(
        self, policies: Sequence[Policy], latencies: PathLatencies, *, target_fps: float
    ) -> list[StreamLatency]:
        """Return the latency of each of `policies`; gates run, but no masks are computed."""
        of_clips = self._of_clips(
            lambda clip: [
                clip.screen(policy, latencies, target_fps, own_gate).walk for policy in policies
            ]
        )
        walks = zip(*of_clips, strict=True)
        return [stream_latency(taken, latencies, target_fps=target_fps) for taken in walks]

    def walks(
        self,
        policy: Policy,
        latencies: PathLatencies,
        *,
        target_fps: float,
        gate_of: GateOf = own_gate,
    ) -> tuple[FramePaths, ...]:
        """Return the path of each frame on the screen under `policy`, without computing masks."""
        found = self._of_clips(
            lambda clip: clip.screen(policy, latencies, target_fps, gate_of).walk
        )
        return tuple(found)

    def masks(
        self, clip: str, times: Sequence[int], policy: Policy, *, lag: int
    ) -> list[tuple[Mask, FramePath]]:
        """Return the masks shown on the frames `times` of the clip named `clip`, and their paths.

        Masks are uint8 [height, width], class indices at the graphs' own resolution.
        """
        (found,) = (each for each in self._clips if each.name == clip)
        taken = found.walk(policy, lag, own_gate)
        shown = [(found.results.mask(taken.shown[t]), taken.paths[t]) for t in times]
        found.results.forget_frames()
        return shown

    def _of_clips(
        self,
        work: Callable[[ClipEvaluation], T],
        tell: Tell = lambda what, done, total: None,
    ) -> list[T]:
        """Return `work` of each clip, in their order, and keep what was computed for it.

        Frames and contexts stay for the next pass, as many as `KEPT_BYTES` hold.
        """
        progress = Progress(tell, self._val.frame_count)
        share_of = {number: share for share in self._shares for number in share}

        def take(number: int) -> T:
            clip = self._clips[number]
            clip.seen = functools.partial(progress.seen, number)
            clip.seen(0)
            found = work(clip)
            clip.seen(len(clip))
            clip.forget_pictures()
            mine = [self._clips[each].results for each in share_of[number]]
            if sum(each.frame_bytes for each in mine) * len(self._shares) > KEPT_BYTES:
                clip.results.forget_frames()
            return found

        found = run(self._shares, take, progress)
        self._keep()
        return found

    def _keep(self) -> None:
        results = [clip.results for clip in self._clips]
        known = sum(each.size for each in results)
        if self._keeps and known > self._known:
            write_results(self._file, results, graphs=self._graphs)
            self._known = known


def _beside_last(
    streams: Sequence[Sequence[ClipStream]],
    latencies: PathLatencies,
    target_fps: float,
    doubts: tuple[str, ...] = (),
) -> list[Streamed]:
    """Return the screens of all clips but the last, which has every frame a keyframe, beside it."""
    *found, whole = (combine_streams(each, latencies, target_fps, doubts) for each in streams)
    return [beside_every_frame(each, whole) for each in found]
