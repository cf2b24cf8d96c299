"""Study: a search that was made, opened again by a notebook or a command.

    study = jejunet_nas.open_study("davis_pixel2")
    study.front()                                  # a DataFrame, best mIoU first
    with study.trial(3).segmenter() as segmenter:
        shown = segmenter.segment(frame)           # uint8 [height, width, 3]

What it tells is read anew each time, as the study stands then, so that a search that goes on is
followed. It trains and measures nothing.

Units: mIoU in [0, 1] in tables, in per cent in words; latencies in ms a frame.
"""

import dataclasses
import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jejunet_nas.errors import SettingError
from jejunet_nas.files import state_folder, study_file
from jejunet_nas.records import GraphName, StudyHistory, TrialResult
from jejunet_nas.records.words import architecture_words, one_line, per_cent, source_words
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.bundles import bundle_of
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger, require_ledger
from jejunet_nas.study.settings import StudySettings, read_study
from jejunet_nas.study.tables import front_table, summary, trials_table
from jejunet_nas.video.bundle import Bundle
from jejunet_nas.video.graphs import graphs_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from jejunet_nas.video.runtime import Pace, VideoSegmenter

_NAMED = 20  # trials in a message, at most
_COLUMNS = ("trial", "miou", "mean_ms", "worst_ms", "sustained_fps", "latency_source")


def open_study(
    study: str | Path,
    *,
    storage: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> "Study":
    """Return the study that was searched under a name, or of a YAML file.

    study: the name of a file in `studies/` of the current folder, or the path of a YAML file.
    storage: the address of its Optuna storage, where that is not the one in its folder. overrides:
    settings by their dotted names, as `{"data.root": "DAVIS"}`.

    Raises `SettingError` where there is no such study, its file is wrong, it has no trials yet, or
    they were made with other settings.
    """
    file = study_file(str(study))
    settings = read_study(file, overrides or {})
    folder = state_folder(file, settings.name)
    ledger = require_ledger(settings, folder, storage)
    return Study(settings=settings, file=file, folder=folder, ledger=ledger)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Study:
    """A study that was searched.

    settings: what its file says. file: that file. folder: its state, `studies/NAME`. ledger: its
    trials in Optuna's storage; all that they tell is in `history`.
    """

    settings: StudySettings
    file: Path
    folder: Path
    ledger: Ledger

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def networks(self) -> Path:
        """The folder of its trained networks, one folder each by their ids."""
        return self.folder / NETWORKS

    @property
    def history(self) -> StudyHistory:
        """All that it has found so far; what a phone measured stands in the place of predictions.

        Raises `SettingError` where its trials were written by another version.
        """
        return with_measured(self.ledger.history(), self.networks)

    def front(self) -> "pd.DataFrame":
        """Return the front, one row a trial, best mIoU first; no row where nothing is feasible.

        `miou` and shares are in [0, 1], names with `_pct` in per cent, with `_ms` in ms a frame;
        `latency_source` says whether a latency was measured or predicted.
        """
        return front_table(self.history)

    def trials(self) -> "pd.DataFrame":
        """Return every trial that has ended, by number: complete, refused and failed ones.

        Columns are those of `front`, and `state`, the seconds of each stage, and the `reason` of
        what was not finished. A refused trial's `mean_ms` is the least that it can take.
        """
        return trials_table(self.history)

    def summary(self) -> dict[str, Any]:
        """Return the content of the report's `summary.json`, plain JSON values."""
        return summary(self.history)

    def trial(self, number: int) -> "Trial":
        """Return a complete trial. Raises `SettingError` where it is none, with the reason."""
        history = self.history
        for result in history.complete:
            if result.number == number:
                return Trial(result=result, history=history, networks=self.networks)
        raise SettingError(
            f"trial is {number}{_what_became_of(number, history)}; allowed: "
            f"{trial_numbers(history)}."
        )

    def best(self) -> "Trial":
        """Return the front's best mIoU. Raises `SettingError` where nothing meets the target."""
        history = self.history
        for result in front_of(history):
            return Trial(result=result, history=history, networks=self.networks)
        raise SettingError(
            f"no trial of {self.name} meets {history.target_fps:g} fps, so that none is the best; "
            "allowed: a study with a front. Search on, or choose a trial by its number."
        )

    def plot_front(self) -> "Figure":
        """Return the chart of the front, as the report's `front.png`: mIoU in per cent over ms."""
        from jejunet_nas.drawing.front import front_figure

        return front_figure(self.history)

    def __repr__(self) -> str:
        return f"<Study {self.name}: {_in_short(self.history)}>"

    def _repr_html_(self) -> str:
        history = self.history
        table = front_table(history)[list(_COLUMNS)].assign(
            architecture=[architecture_words(trial.architecture) for trial in front_of(history)]
        )
        words = html.escape(f"{self.name}: {_in_short(history)}")
        return f"<p>{words}</p>{table.to_html(index=False, float_format='{:.3f}'.format)}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trial:
    """A complete trial of a study.

    result: all that is known of it. history: the study when it was opened. networks: the folder in
    which its graphs lie.
    """

    result: TrialResult
    history: StudyHistory
    networks: Path

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.result.number

    @property
    def graphs(self) -> dict[GraphName, Path]:
        """Its `.tflite` files: key, propagate, gate. Raises `SettingError` where one is gone."""
        return graphs_of(self.result.network, self.networks)

    def bundle(self) -> Bundle:
        """Return what it takes to run the trial: graphs, policy, class names, input size in px.

        Raises `SettingError` where a graph is gone.
        """
        graphs_of(self.result.network, self.networks)
        return bundle_of(self.result, self.history, self.networks)

    def segmenter(self, *, threads: int = 1, pace: "Pace" = "scored") -> "VideoSegmenter":
        """Return what segments a video with the trial's graphs under its policy, frame by frame.

        Each frame is uint8 [height, width, 3], RGB, of any size; `segment(frame).mask` is uint8
        [height, width], class indices of `bundle().class_names`. Close it, or use it with `with`.
        Raises `SettingError` where a graph is gone or does not load, or `threads` or `pace` is none
        that is allowed.
        """
        from jejunet_nas.video.runtime import VideoSegmenter

        return VideoSegmenter(self.bundle(), threads=threads, pace=pace)

    def __repr__(self) -> str:
        words = architecture_words(self.result.architecture)
        study = one_line(self.history.study)
        return f"<Trial {self.number} of {study}: {_figures(self.result)}: {words}>"


def trial_numbers(history: StudyHistory) -> str:
    """Return the numbers of the complete trials, of many the first ones, for a message."""
    numbers = [str(trial.number) for trial in history.complete]
    if not numbers:
        return "none: search the study first"
    more = len(numbers) - _NAMED
    return ", ".join(numbers[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _what_became_of(number: int, history: StudyHistory) -> str:
    """Return, say, `, which was refused: too slow`, or nothing for a trial that never was."""
    for verb, trials in (("was refused", history.refused), ("failed", history.failed)):
        for trial in trials:
            if trial.number == number:
                return f", which {verb}: {one_line(trial.reason)}"
    return ""


def _in_short(history: StudyHistory) -> str:
    front = front_of(history)
    counts = (
        f"{len(history.complete)} complete, {len(history.refused)} refused, "
        f"{len(history.failed)} failed"
    )
    if not front:
        return f"{counts}; nothing meets {history.target_fps:g} fps"
    return f"{counts}; {len(front)} on the front, best {_figures(front[0])}"


def _figures(trial: TrialResult) -> str:
    return (
        f"{per_cent(trial.score.miou)} mIoU in {trial.latency.mean_ms:.1f} ms a frame "
        f"({source_words(trial)})"
    )
