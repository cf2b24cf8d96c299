"""How commands find one trial of a study, and a bundle by either name."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jejunet_nas.cli.arguments import state_folder, study_file
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.records import GraphName, StudyHistory, TrialResult
    from jejunet_nas.search.settings import StudySettings
    from jejunet_nas.video.bundle import Bundle


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTrial:
    """A trial, and the study that it belongs to; `networks` is the folder of all its networks."""

    trial: "TrialResult"
    history: "StudyHistory"
    settings: "StudySettings"
    file: Path
    networks: Path

    def graphs(self) -> "dict[GraphName, Path]":
        """Return the files of its graphs. Raises `SettingError` where one is gone."""
        from jejunet_nas.search.measurements import graph_files

        files = graph_files(self.trial.network, self.networks)
        for file in files.values():
            if not file.is_file():
                raise SettingError(
                    f"{file} does not exist; allowed: the graphs that the search left there. Copy "
                    "the study's folder again, or search it again."
                )
        return files


def choose_trial(
    study: str, number: int | None, storage: str | None, overrides: dict[str, Any] | None = None
) -> ChosenTrial:
    """Return the trial `number` of a study, or the front's best mIoU. Raises `SettingError`."""
    from jejunet_nas.reporting.tables import front_of
    from jejunet_nas.search.ledger import require_ledger
    from jejunet_nas.search.measurements import NETWORKS, with_measured
    from jejunet_nas.search.settings import read_study

    file = study_file(study)
    settings = read_study(file, overrides or {})
    folder = state_folder(file, settings.name)
    ledger = require_ledger(settings, folder, storage)
    history = with_measured(ledger.history(), folder / NETWORKS)
    known = {each.number: each for each in history.complete}
    best = next(iter(front_of(history)), None)
    chosen = known.get(number) if number is not None else best
    if chosen is None:
        numbers = ", ".join(map(str, known)) or "none: search the study first"
        raise SettingError(
            f"--trial is {'not given, and nothing meets the target' if number is None else number};"
            f" allowed: {numbers}."
        )
    return ChosenTrial(
        trial=chosen, history=history, settings=settings, file=file, networks=folder / NETWORKS
    )


def find_bundle(target: str, number: int | None, storage: str | None) -> "Bundle":
    """Return the bundle in the folder `target`, or that of a trial of the study `target`.

    Raises `SettingError`, also where a trial's graphs are gone.
    """
    if Path(target).is_dir():
        if number is not None:
            raise SettingError(
                f"--trial is {number} and {target} is a bundle's folder, of one trial alone; "
                "allowed: a study. Leave --trial out."
            )
        from jejunet_nas.video.bundle import read_bundle

        return read_bundle(Path(target))
    from jejunet_nas.search.bundles import bundle_of

    chosen = choose_trial(_study(target), number, storage)
    chosen.graphs()
    return bundle_of(chosen.trial, chosen.history, chosen.networks)


def _study(target: str) -> str:
    try:
        study_file(target)
    except SettingError as error:
        raise SettingError(f"{error} A bundle is named by its folder.") from None
    return target
