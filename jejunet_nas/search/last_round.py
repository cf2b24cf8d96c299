"""The last round: the contenders at the target are trained again with other seeds.

The best of many networks, trained once each, had good luck. So those within the noise of the best
are trained again, one training at a time, until the pick is told apart or `last_round` is spent.
What comes next follows from what the ledger holds, so a search that was killed resumes here too.
"""

import contextlib
import traceback
from collections.abc import Callable

from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.faults import fault_of
from jejunet_nas.progress import Tell
from jejunet_nas.records import Repeat, StudyHistory, TrialResult, to_json
from jejunet_nas.records.scores import Streamed
from jejunet_nas.records.words import counted, per_cent
from jejunet_nas.scoring.contenders import contenders_of, left_to_train, undecided
from jejunet_nas.scoring.repeats import mean_miou, pick_of, trainings
from jejunet_nas.search.attempts import Streak
from jejunet_nas.search.view import View
from jejunet_nas.study.interrupted import MOST_ENDS, ended_words
from jejunet_nas.study.kept_data import begun_key, repeat_key
from jejunet_nas.study.kept_measurements import with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.trial.run import make_network
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import find_network
from jejunet_nas.video.graphs import graph_files


def next_training(settings: StudySettings, history: StudyHistory) -> tuple[TrialResult, int] | None:
    """Return the contender to train next and the seed, or None where the last round is over.

    The contender with the fewest trainings is next; what failed is not tried again.
    """
    seeds = [settings.training.seed + number for number in range(1, settings.last_round.seeds)]
    if not seeds:
        return None
    left = []
    for trial in left_to_train(history):
        done = {  # one that was scored with latencies of another source is scored again
            each.seed
            for each in history.repeats.get(trial.number, ())
            if each.streamed.latency.source == trial.latency.source
        }
        open_seeds = [
            seed
            for seed in seeds
            if seed not in done and (trial.number, seed) not in history.failed_repeats
        ]
        if open_seeds:
            left.append((len(seeds) - len(open_seeds), trial, open_seeds[0]))
    if not left:
        return None
    _, trial, seed = min(left, key=lambda each: each[0])
    return trial, seed


def train_again(trial: TrialResult, setup: TrialSetup, tell: Tell) -> tuple[str, Streamed]:
    """Find or make the network of `trial` with the seed of `setup`.

    Returns its id, and what the screen shows under the trial's policy with the trial's latencies:
    they depend on the network, not on its weights.
    """
    network = trial.architecture.network
    record = find_network(network, setup) or make_network(network, setup, tell)
    evaluation = Evaluation(setup.val, graph_files(record, setup.folder))
    (streamed,) = evaluation.streams(
        [trial.architecture.policy], trial.graph_latencies, target_fps=setup.target_fps, tell=tell
    )
    return record.network_id, streamed


class LastRound:
    """The last round of one search."""

    def __init__(self, ledger: Ledger, setup: TrialSetup, view: View) -> None:
        self._settings, self._ledger, self._setup = ledger.settings, ledger, setup
        self._view, self._streak = view, Streak("trainings with other seeds")

    def run(self, over: Callable[[], bool]) -> None:
        """Train contenders until the pick is told apart, the round is spent, or it is `over`.

        Raises `JejunetError` after too many failures in a row.
        """
        if self._settings.last_round.seeds == 1:
            return
        begun = False
        while not over():
            history = self._history()
            following = next_training(self._settings, history)
            if following is None:
                self._say_pick(history)
                return
            if not begun:
                self._say_begin(len(left_to_train(history)))
                begun = True
            self._train(*following)

    def _say_begin(self, networks: int) -> None:
        count, target_fps = counted(networks, "network"), self._settings.target_fps
        if self._settings.last_round.until == "seeds":
            self._view.say(f"last round: {count} trained again with other seeds")
            return
        self._view.say(
            f"last round: {count} within the noise of the best at {target_fps:g} fps, trained "
            "again until they differ"
        )

    def _history(self) -> StudyHistory:
        return with_measured(self._ledger.history(), self._setup.folder)

    def _train(self, trial: TrialResult, seed: int) -> None:
        begun = begun_key(trial.number)  # with any seed
        with self._ledger.readable():
            ends = int(self._ledger.noted(begun) or 0)
        if ends >= MOST_ENDS:
            self._fail(trial, seed, ended_words(ends))
            return
        self._ledger.note(begun, ends + 1)
        try:
            self._try(trial, seed)
        finally:  # not where the process is killed
            with contextlib.suppress(Exception):  # on a full disk
                self._ledger.note(begun, 0)

    def _try(self, trial: TrialResult, seed: int) -> None:
        try:
            network_id, streamed = train_again(trial, self._setup.with_seed(seed), self._view.stage)
        except Exception as error:  # one network's bug must not end a long search
            fault = fault_of(error)
            if fault is not None and not isinstance(fault, TrialError):
                raise
            traceback.print_exc()
            reason = str(error) if isinstance(error, JejunetError) else repr(error)
            self._fail(trial, seed, reason)
            self._streak.add(reason)
            return
        self._streak.end()
        repeat = Repeat(number=trial.number, seed=seed, network_id=network_id, streamed=streamed)
        self._ledger.note(repeat_key(trial.number, seed), to_json(repeat))
        self._view.say(
            f"trial {trial.number} with seed {seed}: {per_cent(streamed.score.miou)} mIoU; "
            f"{per_cent(trial.score.miou)} with the first"
        )

    def _fail(self, trial: TrialResult, seed: int, reason: str) -> None:
        self._ledger.note(repeat_key(trial.number, seed, failed=True), reason)
        self._view.say(f"trial {trial.number} with seed {seed} failed: {reason}")

    def _say_pick(self, history: StudyHistory) -> None:
        contenders = contenders_of(history)
        pick = pick_of(contenders, history.repeats)
        if pick is None:
            return
        if not history.repeats:
            self._view.say(
                f"last round: no other network is within the noise of the best, trial {pick.number}"
            )
            return
        told = "not told apart from the next" if undecided(contenders, history) else "told apart"
        of = counted(len(trainings(pick, history.repeats)), "training")
        self._view.say(
            f"last round: trial {pick.number} is the best at {self._settings.target_fps:g} fps, "
            f"{per_cent(mean_miou(pick, history.repeats))} mIoU in the mean of {of}; {told}"
        )
