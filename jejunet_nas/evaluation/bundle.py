"""A bundle's int8 graphs, scored on any split of a data set.

Masks are compared with the annotation at its size; ignored pixels do not count, and a class that no
annotation holds has no IoU. All clips share one confusion matrix. Own-frame mIoU with every frame a
keyframe is what published tables hold; streaming mIoU needs the latencies, which are the bundle's.

Ratios are in [0, 1].
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.catalog import class_names, open_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.network import Evaluation, PolicyScore
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, GraphName, Latency, LatencySource, PathLatencies
from jejunet_nas.records.words import counted, one_line
from jejunet_nas.space.architecture import EVERY_FRAME, Policy
from jejunet_nas.video.manifest import LatencyFigures, Manifest

_SPARSE_FPS = 5.0  # of a clip whose frames are too far apart for a video policy
_MOST_SHOWN = 400  # characters of the classes' names, in an error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SplitWanted:
    """A split of a data set as a command names it; `options` are those of the data set."""

    dataset: str
    split: Split
    root: Path | None
    options: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        split: Split,
        *,
        dataset: str | None,
        root: Path | None,
        options: Mapping[str, Any],
    ) -> "SplitWanted":
        """Return what is asked for; the rest is as in the study that the bundle comes from.

        The study's options count for its own data set alone.
        """
        source = manifest.source
        same = dataset in (None, source.dataset)
        known = source.data_options if same else {}
        return cls(
            dataset=dataset or source.dataset, split=split, root=root, options={**known, **options}
        )

    def open(self, manifest: Manifest, tell: Tell) -> DataSplit:
        """Return the clips of the split.

        Raises `SettingError` if its classes are not those of the bundle, in their order, and as
        `open_split` does.
        """
        _require_same(manifest, self, class_names(self.dataset, self.root, self.options))
        return open_split(
            self.dataset, self.split, root=self.root, options=self.options, progress=tell
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleScore:
    """The scores of a bundle on `split`.

    scored: under `policy`. every_frame: with every frame a keyframe; the same object where that is
    the policy. notes: what to know about the figures, a sentence each.
    """

    split: DataSplit
    policy: Policy
    scored: PolicyScore
    every_frame: PolicyScore
    notes: tuple[str, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each class in the annotated pixels that are not ignored."""
        columns = zip(*(clip.annotated for clip in self.scored.own_frame.clips), strict=True)
        pixels = [sum(column) for column in columns]
        return tuple(each / sum(pixels) for each in pixels)

    @property
    def annotated_frames(self) -> int:
        """The frames with an annotation."""
        return sum(int(clip.annotated.sum()) for clip in self.split.clips)


def score_bundle(
    manifest: Manifest,
    graphs: Mapping[GraphName, Path],
    split: DataSplit,
    *,
    every_frame: bool,
    tell: Tell,
) -> BundleScore:
    """Return the scores of a bundle's `graphs` on `split`, at its target and with its latencies.

    every_frame: every frame is a keyframe, whatever the bundle's policy. Nothing is written beside
    the graphs.
    """
    spares = manifest.policy.spares_frames and not every_frame
    policies = [manifest.policy, EVERY_FRAME] if spares else [EVERY_FRAME]
    scores = Evaluation(split, graphs, keep=False).score(
        policies,
        path_latencies(manifest.metrics.latency),
        target_fps=manifest.target_fps,
        tell=tell,
    )
    return BundleScore(
        split=split,
        policy=policies[0],
        scored=scores[0],
        every_frame=scores[-1],
        notes=(*split.notes, *_notes(manifest, split)),
    )


def path_latencies(figures: LatencyFigures) -> PathLatencies:
    """Return the latencies of a bundle's graphs."""

    def at(ms: float, source: LatencySource) -> Latency:
        return Latency(median_ms=ms, low_ms=ms, high_ms=ms, source=source, threads=figures.threads)

    graphs = (figures.key_ms, figures.propagate_ms, figures.gate_ms)
    key, propagate, gate = (at(ms, figures.graphs_source) for ms in graphs)
    move = None if figures.move_ms is None else at(figures.move_ms, "predicted")
    return PathLatencies(key=key, propagate=propagate, gate=gate, move=move)


def _require_same(manifest: Manifest, wanted: SplitWanted, names: tuple[str, ...]) -> None:
    """Raise `SettingError` unless `names`, of the data set, are the classes of the bundle."""
    ours, theirs = manifest.class_names, tuple(map(one_line, names))
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        differ = f"which has {len(theirs)} classes, and the bundle has {len(ours)}"
    else:
        index = next(i for i in range(len(ours)) if ours[i] != theirs[i])
        differ = f"whose class {index} is {theirs[index]}, and the bundle's is {ours[index]}"
    raise SettingError(
        f"--dataset is {wanted.dataset}, {differ}; they must be the same, in the same order. "
        f"{_fix(wanted.dataset, manifest)}"
    )


def _fix(dataset: str, manifest: Manifest) -> str:
    """Return what to do about classes of `dataset` that are not those of the bundle."""
    ours = shortened(", ".join(manifest.class_names), _MOST_SHOWN)
    if dataset == "folder":
        return f"Write classes.yaml with the bundle's, each with its values: {ours}."
    if dataset == manifest.source.dataset:
        return f"The bundle's are: {ours}."
    return f"The bundle was trained on {manifest.source.dataset}."


def _notes(manifest: Manifest, split: DataSplit) -> list[str]:
    notes = []
    source = manifest.source
    trained_on = ("train", "val") if source.trained_on == "all" else ("train",)
    if split.split in trained_on and split.fingerprint in source.fingerprints.values():
        notes.append("the bundle's network was trained on this split: its scores are too good")
    pans = sum(clip.origin == "photo" and len(clip) > 1 for clip in split.clips)
    if pans:
        notes.append(
            f"{pans} of {counted(len(split.clips), 'clip')} {'is' if pans == 1 else 'are'} "
            f"simulated from photos: add "
            "--option frames=1 to score the photos themselves, as published tables do"
        )
    sparse = [each.fps for each in split.clips if each.fps < _SPARSE_FPS and len(each) > 1]
    if sparse:
        notes.append(
            f"{counted(len(sparse), 'clip')} of {len(split.clips)}: frames {1 / min(sparse):g} s "
            "apart, no video. Only own-frame mIoU with every frame a keyframe means something "
            "there, see --every-frame"
        )
    return notes
