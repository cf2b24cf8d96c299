"""Gather: the content of a page that is not in the history, from storage, networks and data set.

Missing parts are left out and named, so that a report can always be written.
"""

from pathlib import Path

from jejunet_nas.drawing.pictures import kept_pictures, trial_pictures
from jejunet_nas.errors import JejunetError
from jejunet_nas.files import remove_leftovers
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit, StudyHistory
from jejunet_nas.reporting.site.content import Extras, shown_front
from jejunet_nas.study.importance import importances
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.video.graphs import damage_of, graphs_of

PICTURES = "pictures"  # in a study's folder


def gather(
    settings: StudySettings,
    history: StudyHistory,
    folder: Path,
    tell: Tell,
    *,
    name: str = "",
    baseline: StudyHistory | None = None,
) -> Extras:
    """Return the content of a study's page that is not in `history`.

    folder: the study's state. name: the study's name on the command line.
    """
    remove_leftovers(folder / PICTURES)  # where all are kept, nothing is written there again
    front = shown_front(history)
    kept = {trial.number: kept_pictures(trial, folder / PICTURES) for trial in front}
    pictures = {number: found for number, found in kept.items() if found}
    missing = [trial for trial in front if trial.number not in pictures]
    damages = (damage_of(t.network.graphs, folder / NETWORKS / t.network_id) for t in front)
    reasons: list[str] = []
    val: DataSplit | None = None
    for done, trial in enumerate(missing):
        tell("draw masks", done, len(missing))
        try:
            graphs_of(trial.network, folder / NETWORKS)  # raises before the data set is read
            val = val or settings.data.open_split("val")
            made = trial_pictures(trial, folder / NETWORKS, val, folder / PICTURES)
            pictures[trial.number] = made
        except (JejunetError, OSError) as error:
            reasons.append(f"trial {trial.number}: {error}")
    return Extras(
        name=name,
        importances=importances(settings, history),
        pictures=pictures,
        no_pictures=reasons[0] if reasons else None,
        damage=next(filter(None, damages), None),
        baseline=baseline,
        seeds=(
            f"Each network was first trained for {_steps_words(settings)} steps, with seed "
            f"{settings.training.seed}; the sampler's seed is {settings.sampler.seed}."
        ),
    )


def _steps_words(settings: StudySettings) -> str:
    """Return, say, `160`, or `40, the best of a round for 160` with rungs."""
    first, *others = (*settings.training.rungs, settings.training.steps)
    return ", ".join([f"{first}", *(f"the best of a round for {steps}" for steps in others)])
