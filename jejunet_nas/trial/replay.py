"""Replay: makes the network of a trial again, in an empty folder, and compares both.

The network is trained from the same initial weights with the same seed, over all rungs up to that
of the trial. A network that was pruned, or trained with rounding, is made again from its plainly
trained one, which is made again first. Both are scored under the trial's policy, with the trial's
latencies: these do not depend on the weights.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.documents.json_file import read_json
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.progress import Tell
from jejunet_nas.records import PathLatencies
from jejunet_nas.space.architecture import Policy
from jejunet_nas.trial.comparison import Comparison, Training, compare
from jejunet_nas.trial.run import make_network
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import RECIPE, WEIGHTS, network_name, recipe_of
from jejunet_nas.video.graphs import graph_files


def replay(
    then: Training,
    policy: Policy,
    latencies: PathLatencies,
    setup: TrialSetup,
    tell: Tell,
    *,
    tolerance: float,
) -> Comparison:
    """Make the network of `then` again in the folder of `setup`, and compare both.

    policy, latencies: of the screen of `then`. setup: of the study, with the seed of that training.
    tolerance: see `Comparison`.

    Raises `SettingError` where the recipe or the initial weights are not those of `then`.
    """
    setup = _reached(then, setup)
    made = make_network(then.record.network, setup, tell)
    evaluation = Evaluation(setup.val, graph_files(made, setup.folder))
    (screen,) = evaluation.streams([policy], latencies, target_fps=setup.target_fps, tell=tell)
    weights = setup.folder / made.network_id / WEIGHTS
    now = Training(record=made, weights=weights, streamed=screen)
    return compare(then, now, tolerance=tolerance)


def require_data(fingerprints: Mapping[str, str], setup: TrialSetup) -> None:
    """Raise `SettingError` unless the data of `setup` have the known `fingerprints`, by split."""
    for split in (setup.train, setup.val):
        before = fingerprints.get(split.split, split.fingerprint)
        if before != split.fingerprint:
            raise SettingError(
                f"the fingerprint of {split.dataset} {split.split} is {split.fingerprint}, but the "
                f"trial was made with {before}: files were added, removed or changed. Restore "
                "them, or give --data-root with the data of the search."
            )


def _reached(then: Training, setup: TrialSetup) -> TrialSetup:
    """Return `setup` at the rung to which the network of `then` was trained."""
    name = then.record.network_id
    for rung in range(setup.top + 1):
        if network_name(then.record.network, setup.at_rung(rung)) == name:
            return setup.at_rung(rung)
    raise SettingError(
        f"network {name} was made with another recipe"
        f"{_differing(then.weights.with_name(RECIPE), setup)}. Restore the study's file and its "
        "initial weights, or use the version of jejunet_nas that searched it."
    )


def _differing(file: Path, setup: TrialSetup) -> str:
    """Return what differs from the recipe in `file`, in words; nothing where it is missing."""
    try:
        before = dict(_flat(read_json(file)))
    except (OSError, ValueError, SettingError):
        return ""
    now = dict(_flat(json.loads(json.dumps(recipe_of(setup)))))
    for key in {**before, **now}:
        if before.get(key) != now.get(key) and key != "rung":
            was, is_now = (shortened(json.dumps(each.get(key)), 100) for each in (before, now))
            return f": {key} was {was}, now {is_now}"
    return ""


def _flat(recipe: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each setting of a recipe."""
    if not isinstance(recipe, dict):
        yield before.removesuffix("."), recipe
        return
    for key, value in recipe.items():
        yield from _flat(value, f"{before}{key}.")
