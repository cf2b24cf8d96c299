"""Screens: the streaming scores of a study's trials with other latencies than predicted ones.

    networks/<id>/screens/<key>.json

Another latency may show other masks at a frame's time. A score is therefore taken over only where
the screen shows the same masks, which needs no data; otherwise it is computed from the network's
graphs and the validation clips, and kept in a file whose key names policy, latencies and target.
Without the clips it is unknown: no score is shown for latencies that it was not computed with.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jejunet_nas.errors import JejunetError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.evaluation.screen import simulate
from jejunet_nas.files import keep_text
from jejunet_nas.latency.stream import frames_on_screen, stream_latency
from jejunet_nas.progress import Say
from jejunet_nas.records import (
    DataSplit,
    PathLatencies,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.records.scores import Streamed
from jejunet_nas.space.architecture import EVERY_FRAME, canonical_json
from jejunet_nas.video.graphs import graphs_of

FOLDER = "screens"
Kept = TypeVar("Kept")


class Screens:
    """The screens of a study's trials, at its target."""

    def __init__(
        self,
        networks: Path,
        target_fps: float,
        open_val: Callable[[], DataSplit] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """Read what is kept in `networks`; `open_val` opens the clips for what is not.

        Without `open_val` unknown scores stay unknown. say: receives why one could not be computed.
        """
        self._networks, self._target_fps, self._say = networks, target_fps, say
        self._open_val = open_val
        self._evaluation: tuple[str, Evaluation] | None = None  # of the last network

    def at(
        self, trial: TrialResult, latencies: PathLatencies, doubts: tuple[str, ...] = ()
    ) -> Streamed | None:
        """Return the screen of `trial` with `latencies`, or None where its score is unknown.

        doubts: why the latencies are unstable.
        """
        file = self._networks / trial.network_id / FOLDER / f"{self._key(trial, latencies)}.json"
        found = read_kept(Streamed, file) or same_screen(
            trial, latencies, target_fps=self._target_fps
        )
        if self._open_val is not None and (found is None or found.every_frame_miou is None):
            found = self._computed(trial, latencies, file) or found
        if found is None:
            return None
        source = latencies.source_of({path for walk in found.walks for path in walk.paths})
        latency = dataclasses.replace(found.latency, source=source, doubts=doubts)
        return dataclasses.replace(found, latency=latency)

    def _computed(
        self, trial: TrialResult, latencies: PathLatencies, file: Path
    ) -> Streamed | None:
        try:
            evaluation, policy = self._evaluation_of(trial), trial.architecture.policy
            (found,) = evaluation.streams([policy], latencies, target_fps=self._target_fps)
        except JejunetError as error:
            self._say(f"trial {trial.number} cannot be scored with its measured latency: {error}")
            return None
        keep_text(file, to_json(found))
        return found

    def _evaluation_of(self, trial: TrialResult) -> Evaluation:
        if self._evaluation is None or self._evaluation[0] != trial.network_id:
            assert self._open_val is not None
            files = graphs_of(trial.network, self._networks)
            self._evaluation = trial.network_id, Evaluation(self._open_val(), files)
        return self._evaluation[1]

    def _key(self, trial: TrialResult, latencies: PathLatencies) -> str:
        policy = canonical_json(trial.architecture.policy)
        decisive = f"{policy} {latencies.medians} {self._target_fps}"
        return hashlib.sha256(decisive.encode()).hexdigest()[:12]


def same_screen(
    trial: TrialResult, latencies: PathLatencies, *, target_fps: float
) -> Streamed | None:
    """Return the trial's predicted screen with `latencies`, if it shows the same masks with them.

    None where it shows others, or where keyframes run in the background. The figures of every frame
    a keyframe are left out where those masks differ.
    """
    known, before = trial.on_prediction, trial.network.latencies
    for walk in known.walks:
        now, then = (
            frames_on_screen(walk, each, target_fps=target_fps) for each in (latencies, before)
        )
        if now is None or then is None or now[1:] != then[1:]:
            return None  # the first frame of a clip does not count
    whole = all(
        _every_frame(len(walk.letters), latencies, target_fps)
        == _every_frame(len(walk.letters), before, target_fps)
        for walk in known.walks
    )
    return dataclasses.replace(
        known,
        latency=stream_latency(known.walks, latencies, target_fps=target_fps),
        every_frame_miou=known.every_frame_miou if whole else None,
        every_frame_dropped=known.every_frame_dropped if whole else None,
    )


def _every_frame(frames: int, latencies: PathLatencies, target_fps: float) -> tuple[object, ...]:
    """Return what the screen shows of a clip, its first frame left out, and what is dropped."""
    screen = simulate("", frames, EVERY_FRAME, _no_gate, latencies, target_fps=target_fps)
    return screen.shown[1:], screen.walk


def _no_gate(frame: int, keyframe: int) -> float:
    raise AssertionError("no gate where every frame is a keyframe")


def read_kept(kind: type[Kept], file: Path) -> Kept | None:
    """Return the record in `file`, or None where it is missing or damaged."""
    try:
        return from_json(kind, file.read_bytes())
    except (OSError, ValueError):
        return None
