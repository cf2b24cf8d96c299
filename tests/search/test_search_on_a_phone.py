import dataclasses
import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from jejunet_nas.errors import DeviceAwayError
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.search import closing
from jejunet_nas.search import loop as search_module
from jejunet_nas.search import phone as opening
from jejunet_nas.search import phone_queue as measuring
from jejunet_nas.search.loop import search
from jejunet_nas.space.architecture import Network, canonical_json
from jejunet_nas.study.kept_measurements import read_measurements, with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study
from tests.builders import write_graph
from tests.made_up import as_in
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn, benchmark_binary
from tests.search.build import SPACE, FakeTrials, QuietView, install, write_study
from tests.search.measured import PATIENCE_S, Lines
from tests.search.test_kill import NETWORKS, SMALL

pytestmark = pytest.mark.adb

# Behind a graph's end stand the microseconds it takes, or a word: then no program can run it.
BENCHMARK = """\
#!/bin/sh
for word; do
    case "$word" in --graph=*) us=$(tail -n 1 "${word#--graph=}") ;; esac
done
while [ -e "$CONDITIONS/hanging" ]; do
    : > "$CONDITIONS/hangs"
    sleep 0.05
done
case "$us" in
*[!0-9]*) echo "ERROR: Failed to load model" >&2; echo "ERROR: Benchmarking failed." >&2; exit 1 ;;
esac
echo "INFO: STARTING!"
echo "INFO: count=50 first=$us curr=$us min=$us max=$us avg=$us std=0 p5=$us median=$us p95=$us"
echo "INFO: Inference timings in us: Init: 9, First inference: $us, Warmup (avg): $us, " \\
    "Inference (avg): $us"
"""


class LoudView(QuietView):
    """Keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.said = Lines()

    @property
    def lines(self) -> list[str]:  # type: ignore[override]
        return self.said.lines

    def say(self, line: str) -> None:
        self.said.say(line)


class TrialsWithGraphs(FakeTrials):
    """Trials that leave graphs behind, as real ones do, each with the time it takes at its end.

    meanwhile: what happens while a network trains, by the number of the try. unfit: the tries whose
    networks no phone can run.
    """

    def __init__(self, networks: Path, graph: Path) -> None:
        super().__init__()
        self.networks, self.graph = networks, graph.read_bytes()
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.unfit: set[int] = set()

    def __call__(
        self, number: int, network: Network, setup: object, tell: object
    ) -> list[TrialResult]:
        results = super().__call__(number, network, setup, tell)
        self.meanwhile.get(len(self.tried), lambda: None)()
        folder = self.networks / results[0].network_id
        if not folder.exists():  # otherwise trained before: its graphs stay as they are
            folder.mkdir(parents=True)
            for place, graph in enumerate(results[0].network.graphs.values()):
                us = f"{30_000 + 1000 * len(self.tried) + place}"
                words = "broken" if len(self.tried) in self.unfit else us
                (folder / graph.file).write_bytes(self.graph + f"\n{words}".encode())
        return [as_in_folder(result, folder) for result in results]


def as_in_folder(result: TrialResult, folder: Path) -> TrialResult:
    return dataclasses.replace(result, network=as_in(folder, result.network))


class Setting:
    """A study, its fake trials and the phone that it measures on."""

    def __init__(
        self, folder: Path, phone: StandIn, server: AdbServer, trials: TrialsWithGraphs
    ) -> None:
        self.folder, self.phone, self.server, self.trials = folder, phone, server, trials
        self.hanging = phone.conditions / "hanging"

    def run(
        self, budget: int, view: QuietView, *, space: str = SPACE, more: str = ""
    ) -> StudyHistory:
        settings = self.settings(space, more).model_copy(update={"trials": budget})
        return search(settings, self.folder / "tiny", view)

    def settings(self, space: str = SPACE, more: str = "") -> StudySettings:
        (self.folder / "benchmark").write_text(BENCHMARK)
        latency = f"{{backend: adb, benchmark_binary: {self.folder / 'benchmark'}}}"
        return read_study(write_study(self.folder, f"latency: {latency}\n{more}", space))

    def told(self) -> list[str]:
        """Return by what the sampler was told of each complete trial."""
        ledger = Ledger(self.settings(), storage_url(self.folder / "tiny"))
        return [trial.latency.source for trial in ledger.history().complete]

    def unplug(self) -> None:
        """Take the phone away for good: adb does not look for it any more."""
        self.phone.unplug()
        self.server.disconnect(self.phone)

    def replug(self) -> None:
        self.phone.replug()
        self.server.reconnect(self.phone)

    def measures(self) -> list[int]:
        """Return how many measurements each network of the study has."""
        return [
            len(read_measurements(folder, threads=1)) for folder in self.trials.networks.iterdir()
        ]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graph") / "graph.tflite"
    return write_graph(file, lambda x: {"y": tf.nn.relu(x)}, (1, 2, 2, 1))


@pytest.fixture
def setting(
    phone: StandIn,
    adb_server: AdbServer,
    graph: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Setting]:
    """A study on a phone; what was begun in the background has ended when the test has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(measuring, "LOOK_AGAIN_S", 0.1)
    monkeypatch.setattr(opening, "MeasuringPlan", functools.partial(MeasuringPlan, rounds=1))
    trials = TrialsWithGraphs(tmp_path / "tiny" / "networks", graph)
    install(monkeypatch, trials)
    setting = Setting(tmp_path, phone, adb_server, trials)
    yield setting
    setting.hanging.unlink(missing_ok=True)
    for thread in threading.enumerate():
        if thread.name == "measuring":
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "measuring continues"


def wait_for(file: Path) -> None:
    """Wait until `file` is there, which another process makes."""
    ends = time.monotonic() + PATIENCE_S
    while not file.exists():
        assert time.monotonic() < ends, f"nobody makes {file.name}"
        time.sleep(0.02)


def sources(history: StudyHistory) -> list[str]:
    return [trial.latency.source for trial in history.complete]


def expected_ms(history: StudyHistory, trials: TrialsWithGraphs) -> list[float]:
    """Return what each trial takes a frame, all of them keyframes: the end of its key graph."""
    folders = [trials.networks / trial.network_id for trial in history.complete]
    return [
        int((folder / "key.tflite").read_bytes().rpartition(b"\n")[2]) / 1000 for folder in folders
    ]


def assert_each_tried_once(history: StudyHistory, trials: TrialsWithGraphs, count: int) -> None:
    tried = [canonical_json(each) for each in trials.tried]
    complete = [canonical_json(trial.network.network) for trial in history.complete]
    assert len(set(tried)) == len(tried) == count
    assert sorted(tried) == sorted(complete)
    assert history.failed == ()


def test_every_trial_is_ranked_by_what_the_phone_measured(setting: Setting) -> None:
    history = setting.run(3, view := LoudView())

    assert sources(history) == setting.told() == ["measured"] * 3
    means_ms = [trial.latency.mean_ms for trial in history.complete]
    assert means_ms == expected_ms(history, setting.trials)
    assert [trial.predicted.mean_ms for trial in history.complete] == [20.0] * 3
    assert (history.phone, history.latency_source) == ("Google Pixel 2", "measured")
    assert len(view.said.with_words(" of the predicted 20.0; meets the target")) == 3
    assert not setting.phone.locate("/data/local/tmp/jejunet_nas").exists()


def test_all_policies_of_one_network_share_its_measurement(setting: Setting) -> None:
    setting.trials.intervals = (1, 2, 3)

    history = setting.run(1, LoudView())

    assert sources(history) == setting.told() == ["measured"] * 3
    assert [trial.added for trial in history.complete] == [False, True, True]
    assert len({trial.network_id for trial in history.complete}) == 1
    assert len([path for path in setting.phone.pushed if path.endswith(".tflite")]) == 3


def test_a_phone_that_leaves_in_the_middle_and_comes_back_measures_all_in_the_end(
    setting: Setting,
) -> None:
    view = LoudView()
    setting.trials.meanwhile = {
        3: setting.unplug,
        4: lambda: view.said.wait_for("measuring pauses, and predictions are used meanwhile: "),
        5: setting.replug,
        6: lambda: view.said.wait_for("the phone is back: measuring continues"),
    }

    history = setting.run(7, view)

    assert_each_tried_once(history, setting.trials, 7)
    assert sources(history) == ["measured"] * 7
    means_ms = [trial.latency.mean_ms for trial in history.complete]
    assert means_ms == expected_ms(history, setting.trials)
    assert setting.told()[2:4] == ["predicted"] * 2  # the third waited when the phone left
    assert setting.told()[6] == "measured"
    assert setting.measures() == [1] * 7


def test_a_phone_that_leaves_for_good_costs_no_trial_and_the_same_command_measures_the_rest(
    setting: Setting,
) -> None:
    view = LoudView()
    setting.trials.meanwhile = {
        2: lambda: view.said.wait_for("outside the interval"),  # the first is measured
        3: setting.unplug,
        4: lambda: view.said.wait_for("measuring pauses, and predictions are used meanwhile: "),
    }

    history = setting.run(5, view)

    assert_each_tried_once(history, setting.trials, 5)
    assert sources(history)[0] == "measured"
    assert sources(history)[2:] == ["predicted"] * 3
    left = sources(history).count("predicted")
    assert view.lines[-1].startswith(f"{left} network(s) stay predicted, since the phone is away")

    with pytest.raises(DeviceAwayError, match="no phone is attached"):
        setting.run(5, LoudView())
    setting.replug()
    again = setting.run(5, LoudView())
    assert_each_tried_once(again, setting.trials, 5)
    assert sources(again) == ["measured"] * 5
    means_ms = [trial.latency.mean_ms for trial in again.complete]
    assert means_ms == expected_ms(again, setting.trials)

    setting.unplug()
    assert setting.run(5, LoudView()) == again  # nothing is left to do, and no phone needed


def test_a_phone_that_leaves_in_the_middle_of_a_run_loses_nothing(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.phone.unplug_on = "run"
    view = LoudView()
    setting.trials.meanwhile = {
        2: lambda: view.said.wait_for("measuring pauses, and predictions are used meanwhile: "),
        3: setting.replug,
        4: lambda: view.said.wait_for("the phone is back: measuring continues"),
    }

    history = setting.run(4, view)

    assert_each_tried_once(history, setting.trials, 4)
    assert sources(history) == ["measured"] * 4
    assert setting.told()[0] == "predicted"


def test_a_network_that_the_phone_cannot_run_stays_predicted_and_is_named(
    setting: Setting,
) -> None:
    setting.trials.unfit = {2}
    view = LoudView()

    history = setting.run(3, view)

    assert sources(history) == ["measured", "predicted", "measured"]
    (line,) = view.said.with_words("stays predicted")
    assert line.startswith(f"network {history.complete[1].network_id} stays predicted: ")
    assert "Failed to load model" in line


def test_a_greater_budget_measures_first_what_the_last_run_left(setting: Setting) -> None:
    setting.trials.meanwhile = {1: setting.unplug}
    assert sources(setting.run(1, LoudView())) == ["predicted"]
    setting.replug()

    history = setting.run(2, LoudView())

    assert sources(history) == ["measured"] * 2
    assert setting.told() == ["predicted", "measured"]
    assert_each_tried_once(history, setting.trials, 2)


def test_without_a_phone_no_data_set_is_decoded(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*_: Any) -> None:
        raise AssertionError("the data set was opened")

    monkeypatch.setattr(search_module, "prepare", prepare)
    setting.unplug()

    with pytest.raises(DeviceAwayError, match=r"no phone is attached\. .*`adb devices`"):
        setting.run(3, LoudView())

    assert setting.trials.tried == []
    assert DeviceAwayError.exit_code == 4


def test_an_interrupted_search_ends_at_once_though_a_measurement_hangs(setting: Setting) -> None:
    def interrupt() -> None:
        wait_for(setting.phone.conditions / "hangs")
        raise KeyboardInterrupt

    setting.hanging.touch()
    setting.trials.meanwhile = {2: interrupt}
    ended: list[BaseException] = []

    def run() -> None:
        try:
            setting.run(3, LoudView())
        except BaseException as error:
            ended.append(error)

    searching = threading.Thread(target=run, daemon=True)
    searching.start()
    searching.join(PATIENCE_S)  # a hanging round is given up after 90 s only
    assert [type(error) for error in ended] == [KeyboardInterrupt]
    assert setting.told() == []

    setting.hanging.unlink()
    setting.trials.meanwhile = {}
    history = setting.run(3, view := LoudView())

    assert sources(history) == ["measured"] * 3
    assert view.lines[0] == "1 interrupted trial of tiny will be tried again"
    tried = [canonical_json(each) for each in setting.trials.tried]
    assert tried[1] == tried[2]  # the one that was interrupted
    assert tried.count(tried[0]) == 1  # the held one was closed as it was
    assert history.complete[0].number == 0


KILLED = """\
import os, pathlib, signal, sys
import pytest
from jejunet_nas.search.loop import search
from jejunet_nas.study.study_file import read_study
from tests.search.build import QuietView, install
from tests.search.test_search_on_a_phone import TrialsWithGraphs, wait_for

def die():
    wait_for(pathlib.Path(sys.argv[3]))
    os.kill(os.getpid(), signal.SIGKILL)

study = pathlib.Path(sys.argv[1])
folder = study.parent / "tiny"
trials = TrialsWithGraphs(folder / "networks", pathlib.Path(sys.argv[2]))
trials.meanwhile = {2: die}
install(pytest.MonkeyPatch(), trials)
search(read_study(study, {"trials": 2}), folder, QuietView())
"""


def test_a_search_killed_while_a_trial_is_held_closes_it_in_the_next_run(
    setting: Setting, graph: Path
) -> None:
    setting.settings()
    setting.hanging.touch()

    hangs = setting.phone.conditions / "hangs"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, setting.folder / "tiny.yaml", graph, hangs],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=3 * PATIENCE_S,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert setting.told() == []

    setting.hanging.unlink()
    history = setting.run(2, LoudView())

    assert sources(history) == ["measured"] * 2
    assert history.complete[0].number == 0
    assert setting.trials.tried == [history.complete[1].architecture.network]


def test_a_search_in_rounds_that_ends_before_they_are_measured_closes_each_trial_once(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.trials.intervals = (1, 3)
    rounds = "training: {steps: 9, rungs: [3]}\nsampler: {name: random, round: 2}\n"

    def stop(self: closing.Closing) -> None:
        raise KeyboardInterrupt

    setting.hanging.touch()
    with monkeypatch.context() as stopped:
        stopped.setattr(closing.Closing, "settle", stop)
        with pytest.raises(KeyboardInterrupt):
            setting.run(3, LoudView(), more=rounds)
    setting.hanging.unlink()
    history = setting.run(3, LoudView(), more=rounds)

    assert [trial.added for trial in history.complete].count(False) == 3
    assert sources(history) == ["measured"] * 6
    assert len({canonical_json(trial.architecture) for trial in history.complete}) == 6
    assert len({*setting.trials.tried}) == 3


# The command line, with a phone that is looked for often and measured in one short round.
COMMAND = """\
import functools, sys
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.search import phone
from jejunet_nas.search import phone_queue as measuring

measuring.LOOK_AGAIN_S = 0.1
phone.MeasuringPlan = functools.partial(MeasuringPlan, rounds=1, warmup_s=0, attempts=1)
from jejunet_nas.cli import main

main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_real_search_measures_on_a_phone_that_leaves_and_comes_back(
    phone: StandIn, adb_server: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program = benchmark_binary(tmp_path)
    latency = f"{{backend: adb, serial: '{phone.serial}', benchmark_binary: {program}}}"
    study = write_study(tmp_path, f"{SMALL}latency: {latency}\n", NETWORKS)
    phone.unplug_on = "run"

    shown = []
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "search", str(study), "--trials", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            shown.append(line)
            if "measuring pauses" in line:
                phone.replug()
                adb_server.reconnect(phone)

    assert running.returncode == 0, shown
    assert len([line for line in shown if "the phone is back" in line]) == 1
    folder = tmp_path / "studies" / "tiny"
    ledger = Ledger(read_study(study), storage_url(folder))
    history = with_measured(ledger.history(), folder / "networks")
    assert len(history.drawn) == 2
    assert {*sources(history)} == {"measured"}
    for trial in history.complete:
        (taken,) = read_measurements(folder / "networks" / trial.network_id, threads=1)
        for one in taken.graphs.values():
            assert re.fullmatch("[0-9a-f]{12}", one.phone.serial_hash)
            assert (one.phone.name, one.phone.build[:15]) == ("Google Pixel 2", "google/walleye/")
            assert (one.core_mask, one.latency.threads, one.rounds) == ("f0", 1, 1)
            assert one.latency.runs >= 50
            assert [core.now_khz for core in one.before.cores] == 4 * [1_900_800] + 4 * [2_457_600]
            assert re.fullmatch("benchmark_model [0-9a-f]{12}", one.runtime)
            assert 0 < one.latency.low_ms <= one.latency.median_ms <= one.latency.high_ms
    assert set(phone.taskset_masks) == {"f0"}
