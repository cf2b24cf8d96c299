"""The study, trial or bundle that the words of a command name."""

import dataclasses
import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from jejunet_nas.cli.arguments import data_root_override, find_study
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.study.opened import Study, Trial
    from jejunet_nas.video.bundle import Bundle


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A study as a command wants it: of this data, at this target, on this device profile.

    None: as in its search.
    """

    storage: str | None
    data_root: Path | None = None
    target_fps: float | None = None
    device: str | None = None


def open_wanted(study: str, wanted: Wanted, printer: Printer) -> "Study":
    """Return the study of a name or YAML file, as `wanted`. Raises `SettingError`."""
    opened = open_named(study, wanted.storage, wanted.data_root)
    if wanted.target_fps is None and wanted.device is None:
        return opened
    names = {"target_fps": "--target-fps", "device profile": "--device"}
    with naming_options(names), printer.status("scoring again") as say:
        return opened.at(
            target_fps=wanted.target_fps,
            device=wanted.device and wanted.device.removeprefix("predicted:"),
            tell=lambda what, done, total: say(f"{what}: {done} of {total}"),
        )


def open_named(study: str, storage: str | None, data_root: Path | None = None) -> "Study":
    """Return the study of a name or YAML file, its data in `data_root`. Raises `SettingError`."""
    overrides = data_root_override(data_root)
    from jejunet_nas.study.opened import open_study

    return open_study(study, storage=storage, overrides=overrides)


def choose_trial(
    study: str, number: int | None, storage: str | None, data_root: Path | None = None
) -> "Trial":
    """Return trial `number` of a study, or its front's best mIoU. Raises `SettingError`."""
    return trial_of(open_named(study, storage, data_root), number)


def trial_of(opened: "Study", number: int | None) -> "Trial":
    """Return trial `number` of a study, or its front's best mIoU. Raises `SettingError`."""
    if number is not None:
        with naming_options({"trial": "--trial"}):
            return opened.trial(number)
    try:
        return opened.best()
    except SettingError:
        raise SettingError(_why_none(opened)) from None


def _why_none(opened: "Study") -> str:
    """Return why no trial of a study can be chosen without its number, and what to do."""
    from jejunet_nas.study.opened_words import trial_numbers

    history, word = opened.history, shlex.quote(opened.word)
    if not history.complete:
        return (
            f"{opened.name} has no complete trial to choose from. Continue its search: "
            f"jejunet-nas search {word}."
        )
    return (
        f"no trial of {opened.name} meets {history.target_fps:g} fps, so --trial has to name one; "
        f"allowed: {trial_numbers(history)}."
    )


def under_row(chosen: "Trial", row: int, option: str, printer: Printer) -> "Trial":
    """Return a trial with the policy of a row that `policies` prints for it, and its figures.

    Raises `SettingError`, which names `option`, if there is no such row or no bundle can run it.
    """
    from jejunet_nas.evaluation.network import Evaluation
    from jejunet_nas.evaluation.policies import policy_of_row
    from jejunet_nas.study.rescoring import under_policy

    study, result, history = chosen.study, chosen.result, chosen.history
    open_val = functools.cache(lambda: study.settings.data.open_split("val"))
    with naming_options({"row": option}), printer.status(f"scoring row {row} of the policies"):
        policy = policy_of_row(
            row,
            Evaluation(open_val(), chosen.graphs),
            result.graph_latencies,
            target_fps=history.target_fps,
            propagates=result.architecture.network.propagates,
        )
        scored = under_policy(result, policy, history, study.networks, open_val)
    return dataclasses.replace(chosen, result=scored)


def find_bundle(target: str, number: int | None, storage: str | None) -> "Bundle":
    """Return the bundle in `target`, a folder or `.zip`, or of a trial of the study `target`.

    Raises `SettingError`, also if a trial's graphs are missing.
    """
    if find_study(target, "For a bundle, give its folder or .zip.") is None:
        if number is not None:
            raise SettingError(
                f"--trial is {number}, but {target} is a bundle, which has one trial only. Leave "
                "--trial out."
            )
        from jejunet_nas.video.bundle import read_bundle

        if Path(target).is_file() and not target.lower().endswith(".zip"):
            raise SettingError(
                f"TARGET is {target}, a file that is no .zip; allowed: a bundle (folder or .zip), "
                "or a study. It comes first: jejunet-nas segment BUNDLE VIDEO."
            )
        return read_bundle(Path(target))
    return choose_trial(target, number, storage).bundle()
