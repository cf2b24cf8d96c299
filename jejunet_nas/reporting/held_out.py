"""Held out, in words: how far the figure of the pick can be trusted, and what it is made from.

Units: mIoU in per cent and points.
"""

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import counted, per_cent, points
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.contenders import contenders_of
from jejunet_nas.scoring.held_out import HeldOut, held_out
from jejunet_nas.scoring.noise import seed_noise

TURN_ON = "`validation: {pick_on: half, report_on: half}`"


def held_out_note(history: StudyHistory) -> str | None:
    """Return sentences on the held-out figure; None where the study has none at its target."""
    try:
        found = held_out(history)
    except SettingError as error:
        return f"There is no held-out mIoU: {error}"
    return _note(found) if found else None


def held_out_short(history: StudyHistory) -> tuple[str, str] | None:
    """Return, say, `76.9 %` and ` (95 % CI 70.1 to 82.0)`, for the pick's card."""
    try:
        found = held_out(history)
    except SettingError:
        return None
    if found is None:
        return None
    return f"{per_cent(found.miou)} %", _interval(found.interval)


def plain(markdown: str) -> str:
    """Return a sentence without the marks of code in it, for HTML."""
    return markdown.replace("`", "")


def selection_note(history: StudyHistory) -> str:
    """Return what selection does to the figures of the front, and what accounts for it."""
    said = (
        "The trials are ranked by the same clips that their figures come from, so the figures of "
        "the front are too high (selection bias)"
    )
    if history.validation == "half":
        if held_out_short(history) is None:
            return f"{said}, and their intervals do not account for it."
        return (
            f"{said}. The held-out mIoU of the pick is not: its clips are not those that it was "
            "picked on. The networks that the search proposed do depend on all clips."
        )
    return (
        f"{said}, and their intervals do not account for it. With {TURN_ON} in the study's file "
        "`report` gives the pick's mIoU on clips that it was not picked on, without training."
    )


def seeds_note(history: StudyHistory) -> str:
    """Return what the intervals hold of the chance in training."""
    noise = seed_noise(history.complete, history.repeats)
    std = points(noise.std, 1).lstrip("+")
    if noise.freedom:
        return (
            f"Contenders were trained several times: the mIoU of a network has a standard "
            f"deviation of {std} points between seeds ({noise.freedom} degrees of freedom), and "
            "the held-out interval holds it. Other intervals are over clips alone."
        )
    return (
        f"Each network was trained once; another seed changes its mIoU by about {std} point, "
        f"which no interval holds. {_last_round(history)}"
    )


def _last_round(history: StudyHistory) -> str:
    """Return why nothing was trained again."""
    if history.last_round is None:
        return "`last_round: {seeds: 3}` in the study's file trains the best again."
    if history.searched_for is not None:
        return "No training of the last round is there to be scored for another target or device."
    contenders, failed = contenders_of(history), len(history.failed_repeats)
    if not contenders:
        return "The last round trained none again: no fully trained network meets the target."
    if len(contenders) == 1:
        return (
            "The last round trained none again: no other network is within the noise of the best."
        )
    if failed:
        return f"The last round has no result: {counted(failed, 'training')} of it failed."
    return (
        f"The last round has not trained its {len(contenders)} contenders again yet: "
        f"`jejunet-nas search` goes on with it."
    )


def _note(found: HeldOut) -> str:
    figure = f"Held-out mIoU of the pick: {per_cent(found.miou)} %{_interval(found.interval)}."
    clips = "all clips and trainings" if found.trainings else "all clips"
    difference = points(found.in_sample_miou - found.miou)
    pick = (
        f"Trial {found.trial} is the pick of {clips}: {per_cent(found.in_sample_miou)} % on these, "
        f"which selection bias may raise; it differs from the held-out figure by {difference} "
        "points."
    )
    return " ".join([figure, *_made(found), pick, _holds(found)])


def _made(found: HeldOut) -> list[str]:
    """Return sentences on how the figure was made."""
    said = []
    if len(found.clips) == 2:
        first, second = map(_trials, found.picked)
        what = "clips, cut in time," if found.in_time else "validation clips"
        sizes = " and ".join(map(str, found.clips))
        parts = "parts" if found.in_time else "clips"
        said.append(
            f"The {what} were split into halves of {sizes} {parts}; the first half picks {first}, "
            f"the second {second}, and each pick is scored on the other half."
        )
    if found.trainings:
        said.append(
            f"It is the mean of {counted(found.trainings, 'further training')} with other seeds, "
            "each scored for the pick of the other trainings."
        )
    return said


def _trials(numbers: tuple[int, ...]) -> str:
    return f"{'trial' if len(numbers) == 1 else 'trials'} {' and '.join(map(str, numbers))}"


def _holds(found: HeldOut) -> str:
    if found.interval is None:
        return "There are too few clips for a confidence interval."
    over = "parts of these clips, not over other clips" if found.in_time else "clips"
    if found.noise.freedom:
        return f"The interval is over {over}, and over training seeds."
    return f"The interval is over {over}; it does not hold training seeds."


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" (95 % CI {per_cent(interval.low)} to {per_cent(interval.high)})"
