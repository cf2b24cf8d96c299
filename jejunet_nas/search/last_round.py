"""The last round: the contenders at the target are trained again with other seeds.

The best of many networks, trained once each, had good luck. So those within the noise of the best
are trained again, one training at a time, until the pick is told apart or `last_round` is spent.
What comes next follows from what the ledger holds, so a search that was killed resumes here too.
"""

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path

from jejunet_nas.faults import fault_of
from jejunet_nas.records import Repeat, StudyHistory, TrialResult, to_json
from jejunet_nas.records.words import counted, per_cent
from jejunet_nas.scoring.contenders import contenders_of, left_to_train, undecided
from jejunet_nas.scoring.repeats import mean_miou, pick_of, trainings
from jejunet_nas.search.attempts import Streak
from jejunet_nas.search.view import View
from jejunet_nas.search.work import Executor, Outcome, Work
from jejunet_nas.study.interrupted import ended_words
from jejunet_nas.study.jobs import MOST_ENDS
from jejunet_nas.study.kept_data import begun_key, repeat_key
from jejunet_nas.study.kept_measurements import with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings


def next_training(
    settings: StudySettings, history: StudyHistory, *, but: Collection[tuple[int, int]] = ()
) -> tuple[TrialResult, int] | None:
    """Return the contender to train next and the seed, or None where the last round is over.

    The contender with the fewest trainings is next; what failed is not tried again. but: numbers of
    trials and seeds of trainings that are under way.
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
            if seed not in done
            and (trial.number, seed) not in history.failed_repeats
            and (trial.number, seed) not in but
        ]
        if open_seeds:
            left.append((len(seeds) - len(open_seeds), trial, open_seeds[0]))
    if not left:
        return None
    _, trial, seed = min(left, key=lambda each: each[0])
    return trial, seed


class LastRound:
    """The last round of one search."""

    def __init__(self, ledger: Ledger, networks: Path, executor: Executor, view: View) -> None:
        self._settings, self._ledger, self._networks = ledger.settings, ledger, networks
        self._executor, self._view = executor, view
        self._streak = Streak("trainings with other seeds")
        self._under_way: dict[tuple[int, int], TrialResult] = {}  # by trial and seed

    def run(self, over: Callable[[], bool]) -> None:
        """Train contenders until the pick is told apart, the round is spent, or it is `over`.

        Raises `JejunetError` after too many failures in a row.
        """
        if self._settings.last_round.seeds == 1:
            return
        begun = ended = False
        while True:
            free = len(self._under_way) < self._executor.slots
            if free and not ended and not (ended := over()):
                history = self._history()
                following = next_training(self._settings, history, but=self._under_way)
                if following is not None:
                    if not begun:
                        self._say_begin(len(left_to_train(history)))
                        begun = True
                    self._begin(*following)
                    continue
                if not self._under_way:
                    self._say_pick(history)
                    return
            if not self._under_way:
                return
            self._take()

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
        return with_measured(self._ledger.history(), self._networks)

    def _begin(self, trial: TrialResult, seed: int) -> None:
        with self._ledger.readable():
            ends = int(self._ledger.noted(begun_key(trial.number)) or 0)  # with any seed
        if ends >= MOST_ENDS:
            self._fail(trial, seed, ended_words(ends))
            return
        self._under_way[trial.number, seed] = trial
        network = trial.architecture.network
        top = len(self._settings.training.rungs)
        self._executor.submit(Work(network=network, rung=top, seed=seed, again=trial))

    def _take(self) -> None:
        """Wait for a training, and store what it scored."""
        upcoming = self._executor.upcoming
        begun = begun_key(upcoming.again.number) if upcoming and upcoming.again else None
        if begun:
            self._ledger.note(begun, int(self._ledger.noted(begun) or 0) + 1)
        try:
            work, outcome = self._executor.wait()
        except Exception as error:
            if fault := fault_of(error):
                raise fault from error
            raise
        finally:  # not where the process is killed
            if begun:
                with contextlib.suppress(Exception):  # on a full disk
                    self._ledger.note(begun, 0)
        assert work.again is not None
        assert work.seed is not None
        trial = self._under_way.pop((work.again.number, work.seed))
        if outcome.failure is not None:
            self._fail(trial, work.seed, outcome.failure)
            self._streak.add(outcome.failure)
            return
        self._keep(trial, work.seed, outcome)

    def _keep(self, trial: TrialResult, seed: int, outcome: Outcome) -> None:
        assert outcome.network_id is not None
        assert outcome.streamed is not None
        self._streak.end()
        repeat = Repeat(
            number=trial.number,
            seed=seed,
            network_id=outcome.network_id,
            streamed=outcome.streamed,
        )
        self._ledger.note(repeat_key(trial.number, seed), to_json(repeat))
        self._view.say(
            f"trial {trial.number} with seed {seed}: {per_cent(repeat.streamed.score.miou)} mIoU; "
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
