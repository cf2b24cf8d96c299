"""Gather: what a page shows beside the history, from a study's storage, networks and data set.

What is not at hand is left out and said so: a report can always be written.
"""

from collections.abc import Callable
from pathlib import Path

from jejunet_nas.errors import JejunetError
from jejunet_nas.records import DataSplit, StudyHistory, TrialResult
from jejunet_nas.reporting.pictures import TrialPictures, kept_pictures, trial_pictures
from jejunet_nas.reporting.site.content import Beside, shown_front
from jejunet_nas.search.importance import importances
from jejunet_nas.search.ledger import Ledger
from jejunet_nas.search.measurements import NETWORKS
from jejunet_nas.search.settings import StudySettings

Tell = Callable[[str, int, int], None]  # what is being done, how much is done, of how much

PICTURES = "pictures"  # in a study's folder


def gather(
    settings: StudySettings,
    ledger: Ledger,
    history: StudyHistory,
    folder: Path,
    tell: Tell,
    *,
    baseline: StudyHistory | None = None,
) -> Beside:
    """Return what the page of a study shows beside its `history`; `folder` is the study's own."""
    pictures, missing = _pictures(settings, shown_front(history), folder, tell)
    return Beside(
        importances=importances(settings, history),
        pictures=pictures,
        no_pictures=missing,
        baseline=baseline,
        seeds=(
            f"Each network was trained once for {settings.training.steps} steps, with seed "
            f"{settings.training.seed}; the sampler's seed is {settings.sampler.seed}. What "
            "another seed would change is in no interval here."
        ),
    )


def _pictures(
    settings: StudySettings, front: list[TrialResult], folder: Path, tell: Tell
) -> tuple[dict[int, TrialPictures], str | None]:
    """Return the pictures of the front's trials, and why any are missing."""
    found: dict[int, TrialPictures] = {}
    val: DataSplit | None = None
    try:
        for done, trial in enumerate(front):
            kept = kept_pictures(trial, folder / PICTURES)
            if kept is None:
                tell("draw masks", done, len(front))
                val = val or _val(settings)
                kept = trial_pictures(trial, folder / NETWORKS, val, folder / PICTURES)
            found[trial.number] = kept
    except JejunetError as error:
        return found, str(error)
    return found, None


def _val(settings: StudySettings) -> DataSplit:
    from jejunet_nas.datasets.catalog import open_split

    root = Path(settings.data.root) if settings.data.root else None
    return open_split(settings.data.dataset, "val", root=root, options=settings.data.options)
