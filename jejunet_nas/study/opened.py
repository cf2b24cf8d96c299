"""Study: a searched study, opened by a notebook or a command.

    study = jejunet_nas.open_study("davis_pixel2")
    study.front()                                  # a DataFrame, best mIoU first
    with study.trial(3).segmenter() as segmenter:
        shown = segmenter.segment(frame)           # uint8 [height, width, 3]

Results are read again at each call, so a running search can be followed.

Units: mIoU in [0, 1] in tables, in per cent in words; latencies in ms a frame.
"""

import dataclasses
import html
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jejunet_nas.errors import SettingError
from jejunet_nas.files import study_word
from jejunet_nas.latency.stream import keyframe_lag
from jejunet_nas.progress import Tell
from jejunet_nas.records import GraphName, StudyHistory, TrialResult
from jejunet_nas.records.words import architecture_words, one_line, trial_architecture_words
from jejunet_nas.scoring.ranking import front_of, picks
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.named import find_named
from jejunet_nas.study.opened_words import (
    counts_words,
    figures_words,
    reason_words,
    trial_numbers,
)
from jejunet_nas.study.rescoring import rescored_study
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.tables import front_table, summary, trials_table
from jejunet_nas.video.bundle import Bundle, BundleSource
from jejunet_nas.video.graphs import graphs_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from jejunet_nas.video.runtime import Pace, VideoSegmenter

_SHOWN = ["trial", "miou", "mean_ms", "worst_ms", "dropped_frames_pct", "latency_source"]


def open_study(
    study: str | Path,
    *,
    storage: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> "Study":
    """Return a study that has trials.

    study: its name or YAML file. storage: its Optuna storage's URL. overrides: settings, as in
    `{"data.root": "DAVIS"}`. Both default to those of the search.

    Raises `SettingError` if the study does not exist, its file is wrong, it has no trials yet, or
    its trials were made with other settings.
    """
    named = find_named(str(study), overrides, storage)
    ledger = Ledger.find(named.settings, named.storage or storage_url(named.folder))
    if ledger is None:
        search = f"jejunet-nas search {shlex.quote(named.word)}"
        raise SettingError(f"{named.settings.name} has no trials yet. Run `{search}` first.")
    return Study(settings=named.settings, file=named.file, folder=named.folder, ledger=ledger)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Study:
    """A searched study.

    settings: the content of `file`, its YAML file. folder: its state, `studies/NAME`. ledger: its
    trials in Optuna's storage; `history` has their results. rescored_history: those of `at`.
    """

    settings: StudySettings
    file: Path
    folder: Path
    ledger: Ledger
    rescored_history: StudyHistory | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def word(self) -> str:
        """Its name on a command line, or the path of its file."""
        return study_word(self.file, self.name)

    @property
    def networks(self) -> Path:
        """The folder of its trained networks, one folder per network id."""
        return self.folder / NETWORKS

    @property
    def history(self) -> StudyHistory:
        """The results of all trials so far; measured latencies replace predicted ones.

        Raises `SettingError` if its trials were written by another version.
        """
        return self.rescored_history or with_measured(self.ledger.history(), self.networks)

    def at(
        self,
        *,
        target_fps: float | None = None,
        device: str | None = None,
        tell: Tell = lambda what, done, total: None,
    ) -> "Study":
        """Return the study with its present trials scored for another target or device.

        Nothing is trained. device: a device profile's name or file. Architectures that the search
        refused stay refused. Raises `SettingError` if a value is not allowed or a graph is missing.
        """
        history, settings = rescored_study(
            self.ledger, self.settings, self.networks, target_fps, device, tell
        )
        return dataclasses.replace(self, settings=settings, rescored_history=history)

    def front(self) -> "pd.DataFrame":
        """Return the Pareto front, one row per trial, best mIoU first; empty if none is feasible.

        `miou` and shares are in [0, 1], `_pct` columns in per cent, `_ms` columns in ms a frame;
        `latency_source` is measured, predicted or host.
        """
        return front_table(self.history)

    def trials(self) -> "pd.DataFrame":
        """Return every trial that has ended, by number: complete, refused and failed ones.

        Columns are those of `front`, `state`, the seconds of each stage, and the `reason` of
        refusals and failures. The `mean_ms` of a refused trial is a lower bound.
        """
        return trials_table(self.history)

    def summary(self) -> dict[str, Any]:
        """Return the content of the report's `summary.json`, plain JSON values."""
        return summary(self.history)

    def trial(self, number: int) -> "Trial":
        """Return a complete trial. Raises `SettingError`, with the reason, for any other."""
        history = self.history
        for result in history.complete:
            if result.number == number:
                return Trial(result=result, history=history, study=self)
        raise SettingError(
            f"trial is {number}{reason_words(number, history)}; allowed: {trial_numbers(history)}."
        )

    def best(self) -> "Trial":
        """Return the best at the target. Raises `SettingError` if no trial meets it."""
        history = self.history
        if found := picks(history):
            return Trial(result=found["best"], history=history, study=self)
        raise SettingError(
            f"no trial of {self.name} meets {history.target_fps:g} fps. Resume the search, or "
            "choose a trial by its number."
        )

    def plot_front(self) -> "Figure":
        """Return the chart of the front, as the report's `front.png`: mIoU in per cent over ms."""
        from jejunet_nas.drawing.front import front_figure

        return front_figure(self.history)

    def __repr__(self) -> str:
        return f"<Study {self.name}: {counts_words(self.history)}>"

    def _repr_html_(self) -> str:
        history = self.history
        table = front_table(history)[_SHOWN].assign(
            architecture=[trial_architecture_words(trial) for trial in front_of(history)]
        )
        words = html.escape(f"{self.name}: {counts_words(history)}")
        return f"<p>{words}</p>{table.to_html(index=False, float_format='{:.3f}'.format)}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trial:
    """A complete trial of `study`.

    result: its figures. history: the study's results when the trial was looked up.
    """

    result: TrialResult
    history: StudyHistory
    study: Study

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.result.number

    @property
    def graphs(self) -> dict[GraphName, Path]:
        """Its `.tflite` files: key, propagate, gate. Raises `SettingError` if one is missing."""
        return graphs_of(self.result.network, self.study.networks)

    def bundle(self) -> Bundle:
        """Return its graphs, policy, class names and input size in px, as a bundle.

        If keyframes ran in the background when it was scored, the bundle has the lag of the score.
        Raises `SettingError` if a graph is missing.
        """
        result, history = self.result, self.history
        network = result.network.network
        return Bundle(
            graphs=self.graphs,
            class_names=result.network.class_names,
            policy=result.architecture.policy,
            input_height=network.input_height,
            input_width=network.input_width,
            keyframe_lag=keyframe_lag(result, target_fps=history.target_fps),
            target_fps=history.target_fps,
            source=BundleSource(
                study=history.study, trial=self.number, network_id=result.network_id
            ),
        )

    def segmenter(self, *, threads: int = 1, pace: "Pace" = "scored") -> "VideoSegmenter":
        """Return a segmenter that runs the trial's graphs under its policy, frame by frame.

        Each frame is uint8 [height, width, 3], RGB, of any size; `segment(frame).mask` is uint8
        [height, width], class indices of `bundle().class_names`. Close it, or use it with `with`.
        Raises `SettingError` if a graph is missing or does not load, or if `threads` or `pace` is
        not allowed.
        """
        from jejunet_nas.video.runtime import VideoSegmenter

        return VideoSegmenter(self.bundle(), threads=threads, pace=pace)

    def __repr__(self) -> str:
        words = architecture_words(self.result.architecture)
        study = one_line(self.history.study)
        return f"<Trial {self.number} of {study}: {figures_words(self.result)}: {words}>"
