"""Rounds of networks, without training: what a network scores grows with its rung."""

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import JejunetError, TrialError
from jejunet_nas.records import StudyHistory, TrialResult, as_added
from jejunet_nas.scoring.score import combine
from jejunet_nas.search import attempts
from jejunet_nas.search.loop import search
from jejunet_nas.space.architecture import Architecture, Network, Policy, canonical_json
from jejunet_nas.study import ledger as ledger_module
from tests.made_up import scored
from tests.scoring.networks import clips_of
from tests.search.build import SPACE, QuietView, install, result, tiny_study

RUNGS = "training: {steps: 9, rungs: [3]}\n"


def true_miou(network: Network) -> float:
    """From 0.3 to 0.7, no two alike within the noise."""
    return 0.3 + (zlib.crc32(canonical_json(network).encode()) % 400) / 1000


class FakeNetworks:
    """Stands for `run_trial`: each network has two policies, and gains 0.1 with each rung."""

    def __init__(self, breaks: dict[int, BaseException] | None = None) -> None:
        self.trained: list[tuple[Network, int]] = []
        self.breaks, self.calls = breaks or {}, 0

    def __call__(
        self, number: int, network: Network, setup: Any, tell: object
    ) -> list[TrialResult]:
        self.calls += 1
        if error := self.breaks.get(self.calls):
            raise error
        if (network, setup.rung) not in self.trained:
            self.trained.append((network, setup.rung))
        return [
            self._result(number, network, setup.rung, interval=1, ms=30.0),
            as_added(self._result(number, network, setup.rung, interval=3, ms=10.0)),
        ]

    def _result(
        self, number: int, network: Network, rung: int, *, interval: int, ms: float
    ) -> TrialResult:
        architecture = Architecture(network=network, policy=Policy(keyframe_interval=interval))
        done = result(number, architecture, mean_ms=ms)
        miou = true_miou(network) + 0.1 * rung - 0.01 * interval
        return scored(done, combine(clips_of([miou] * 2)))

    def at(self, rung: int) -> list[Network]:
        return [network for network, reached in self.trained if reached == rung]


def run(
    folder: Path,
    more: str = "trials: 7\n",
    rungs: str = RUNGS,
    space: str = SPACE,
    **options: Any,
) -> StudyHistory:
    settings = tiny_study(folder, rungs + more, space)
    return search(settings, folder / "tiny", QuietView(), **options)


def outcome(history: StudyHistory) -> set[tuple[str, float]]:
    """The architectures of a study and what they scored."""
    return {(canonical_json(t.architecture), round(t.score.miou, 6)) for t in history.complete}


def installed(
    monkeypatch: pytest.MonkeyPatch, breaks: dict[int, BaseException] | None = None
) -> FakeNetworks:
    fake = FakeNetworks(breaks)
    install(monkeypatch, fake)  # type: ignore[arg-type]
    return fake


def test_after_the_first_network_the_two_best_of_six_are_trained_on_and_all_completed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch)

    history = run(tmp_path)

    ordered = sorted(fake.at(0), key=true_miou, reverse=True)
    first, first_rung = fake.trained[0]
    assert [len(ordered), first_rung] == [6, 1]
    assert fake.at(1) == [first, *ordered[:2]]
    assert [len(history.drawn), len(history.complete)] == [7, 14]
    for trial in history.drawn:
        network = trial.architecture.network
        rung = int(network in fake.at(1))
        assert trial.score.miou == pytest.approx(true_miou(network) + 0.1 * rung - 0.01)
        assert trial.stage_s["train"] == 1.0 + rung * (network != first)  # of both rungs


def test_the_trials_that_are_left_make_a_smaller_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch)

    history = run(tmp_path, "trials: 5\nsampler: {name: random, round: 3}\n")

    assert len(history.drawn) == 5
    assert [rung for _, rung in fake.trained] == [1, 0, 0, 0, 1, 0, 1]


def test_with_two_rungs_the_best_of_the_best_climb_to_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch)

    run(tmp_path, rungs="training: {steps: 9, rungs: [3, 5]}\n")

    assert [rung for _, rung in fake.trained] == [2] + [0] * 6 + [1, 1, 2]
    assert fake.at(2)[1:] == [max(fake.at(0), key=true_miou)]


@pytest.mark.parametrize("stop", [1, 3, 9])
def test_a_round_that_was_interrupted_ends_as_an_undisturbed_one(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = installed(monkeypatch)
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole")

    fake = installed(monkeypatch, {stop: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    history = run(tmp_path)

    assert fake.trained == undisturbed.trained
    assert outcome(history) == outcome(whole)
    assert [len(history.drawn), len(history.complete), len(fake.at(1))] == [7, 14, 3]


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("write", [0, 5, 6, 7, 9, 12, 17, 18])
def test_a_process_that_dies_beside_any_write_of_a_trial_loses_and_doubles_nothing(
    write: int, written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """written: it dies after the trial's rows are written, else before."""
    fake, count = installed(monkeypatch), iter(range(99))

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def write_or_die(*given: Any) -> Any:
            dies = next(count) == write
            if dies and not written:
                raise KeyboardInterrupt
            made = method(*given)
            if dies:
                raise KeyboardInterrupt
            return made

        return write_or_die

    for name in ("insert_trial", "update_trial"):
        monkeypatch.setattr(ledger_module, name, dying(getattr(ledger_module, name)))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    history = run(tmp_path)

    assert [len(fake.at(0)), len(fake.at(1))] == [6, 3]
    assert [len(history.drawn), len(history.complete), len(outcome(history))] == [7, 14, 14]
    assert history.duplicates == 0


def test_a_network_that_fails_above_the_first_rung_leaves_its_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch, {8: TrialError("the loss became nan")})

    history = run(tmp_path)

    assert [len(history.failed), len(history.drawn)] == [1, 7]
    assert history.failed[0].reason == "the loss became nan"
    assert max(fake.at(0)[:6], key=true_miou) not in fake.at(1)


def test_five_failures_in_a_row_above_the_first_rung_stop_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = TrialError("the loss became nan")
    fake = installed(monkeypatch, {call: nan for call in (8, 9, 16, 17, 18)})

    with pytest.raises(JejunetError, match=r"the last 5 trainings to 9 steps failed; .* nan"):
        run(tmp_path, "trials: 99\n", space=SPACE.replace("[64, 96]", "[64, 96, 128, 160]"))

    assert fake.calls == 18


def test_a_network_that_ends_the_process_twice_above_the_first_rung_counts_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, {8: KeyboardInterrupt(), 15: KeyboardInterrupt()})
    monkeypatch.setattr(attempts, "end_training", lambda trial: None)  # as a kill has it
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)

    history = run(tmp_path)

    assert [each.reason for each in history.failed] == [
        "ended the process 2 times: a crash, or not enough memory"
    ]


def test_a_round_that_the_time_budget_cuts_short_trains_the_best_so_far_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch)
    monkeypatch.setattr(time, "monotonic", lambda: 10.0 * len(fake.trained))

    history = run(tmp_path, seconds=35.0)

    assert [rung for _, rung in fake.trained] == [1, 0, 0, 0, 1]
    assert len(history.drawn) == 4
