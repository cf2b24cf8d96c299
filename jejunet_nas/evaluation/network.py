"""Evaluation: the scores of any policy of a trained network, on whole validation clips.

Neither the masks of a network (`video.results`) nor their scores depend on the policy that shows
them. Both are cached, masks and gate scores also in a file beside the graphs, so that the second
policy of a network costs a fraction of the first.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jejunet_nas.evaluation.clip import (
    ClipEvaluation,
    ClipStream,
    GateOf,
    beside_every_frame,
    combine_streams,
    own_gate,
)
from jejunet_nas.evaluation.gate import judge_gate
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
        graphs = NetworkGraphs(files)
        self._val = val
        self._graphs = " ".join(f"{name} {sha256_of(file)}" for name, file in files.items())
        self._file = files["key"].with_name(f"results-{val.fingerprint}.npz")
        results = [ClipResults(clip, graphs) for clip in val.clips]
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
        own: list[list[tuple[ClipScore, ClipTemporal]]] = [[] for _ in policies]
        streams: list[list[ClipStream]] = [[] for _ in (*policies, EVERY_FRAME)]
        for clip in self._each_clip(tell):
            for streamed, found in zip(
                streams,
                clip.streamed((*policies, EVERY_FRAME), latencies, target_fps, gate_of),
                strict=True,
            ):
                streamed.append(found)
            walks = [clip.walk(policy, lag, gate_of) for policy in policies]
            for scores, both in zip(own, clip.own_frame(walks), strict=True):
                scores.append(both)
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
        streams: list[list[ClipStream]] = [[] for _ in (*policies, EVERY_FRAME)]
        for clip in self._each_clip(tell):
            shown = clip.streamed((*policies, EVERY_FRAME), latencies, target_fps, own_gate)
            for streamed, found in zip(streams, shown, strict=True):
                streamed.append(found)
        return _beside_last(streams, latencies, target_fps, doubts)

    def timed(
        self, policies: Sequence[Policy], latencies: PathLatencies, *, target_fps: float
    ) -> list[StreamLatency]:
        """Return the latency of each of `policies`; gates run, but no masks are computed."""
        walks: list[list[FramePaths]] = [[] for _ in policies]
        for clip in self._each_clip():
            for policy, taken in zip(policies, walks, strict=True):
                taken.append(clip.screen(policy, latencies, target_fps, own_gate).walk)
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
        return tuple(
            clip.screen(policy, latencies, target_fps, gate_of).walk for clip in self._each_clip()
        )

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

    def _each_clip(self, tell: Tell = lambda what, done, total: None) -> Iterator[ClipEvaluation]:
        """Yield each clip, and keep what was computed for it.

        Frames and contexts stay for the next pass, as many as `KEPT_BYTES` hold.
        """
        done, frames = 0, self._val.frame_count
        for clip in self._clips:
            tell("evaluate", done, frames)
            clip.seen = functools.partial(_tell_frame, tell, done, frames)
            yield clip
            clip.forget_pictures()
            if sum(each.results.frame_bytes for each in self._clips) > KEPT_BYTES:
                clip.results.forget_frames()
            done += len(clip)
        self._keep()

    def _keep(self) -> None:
        results = [clip.results for clip in self._clips]
        known = sum(each.size for each in results)
        if self._keeps and known > self._known:
            write_results(self._file, results, graphs=self._graphs)
            self._known = known


def _tell_frame(tell: Tell, before: int, frames: int, done: int) -> None:
    tell("evaluate", before + done, frames)


def _beside_last(
    streams: Sequence[Sequence[ClipStream]],
    latencies: PathLatencies,
    target_fps: float,
    doubts: tuple[str, ...] = (),
) -> list[Streamed]:
    """Return the screens of all clips but the last, which has every frame a keyframe, beside it."""
    *found, whole = (combine_streams(each, latencies, target_fps, doubts) for each in streams)
    return [beside_every_frame(each, whole) for each in found]
