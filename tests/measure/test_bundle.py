"""What is measured of a bundle comes into it, and into the record of the study that it is of."""

import dataclasses
import functools
import json
import re
import shutil
from pathlib import Path

import pytest

from jejunet_nas.export.facts import facts_of
from jejunet_nas.export.write import write_bundle
from jejunet_nas.files import sha256_of
from jejunet_nas.latency import device
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.measure.bundle import bundle_at, save_timings
from jejunet_nas.measure.graphs import TimedGraph
from jejunet_nas.records import to_json
from jejunet_nas.study.kept_measurements import read_measurements as read_saved
from jejunet_nas.study.opened import open_study
from jejunet_nas.video.bundle import MEASUREMENTS, read_measurements
from tests.builders import tiny_run
from tests.cli.commands import BY_THE_GRAPH, answer, exit_code
from tests.latency.build import TODAY, write_program
from tests.phone.stand_in import StandIn
from tests.search.measured import network_measurement
from tests.searched_study import give_graphs, network_folder, searched_study

KEY_MS = 20.0


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The YAML file of a study with graphs, in the folder in which commands are called."""
    file = searched_study(tmp_path, class_names=tiny_run().train.class_names)
    give_graphs(file)
    file = file.rename(tmp_path / "studies" / "tiny.yaml")
    trial = open_study(file).trial(0)
    (trial.study.networks / trial.result.network_id / "record.json").write_text(
        to_json(trial.result.network)
    )
    monkeypatch.chdir(tmp_path)
    return file


@pytest.fixture
def bundle(study: Path) -> Path:
    """A bundle of the study's trial 0."""
    opened = open_study(study)
    trial = opened.trial(0)
    facts = facts_of(trial.result, trial.history, opened.settings, fingerprints={})
    write_bundle(trial.graphs, facts, Path("bundle"))
    return Path("bundle")


def save(place: Path, *, key_ms: float = KEY_MS, threads: int = 1) -> list[str]:
    """Save fake measurements of the bundle in `place`; return the lines."""
    found = bundle_at(place)
    assert found is not None
    taken = {
        name: dataclasses.replace(one, graph_sha256=sha256_of(found.graphs[name]))
        for name, one in network_measurement(key_ms, threads=threads).graphs.items()
        if name in found.graphs
    }
    lines: list[str] = []
    timed = [
        TimedGraph(file=found.graphs[name], latency=one.latency, measurement=one)
        for name, one in taken.items()
    ]
    save_timings(found, place, timed, lines.append)
    return lines


def network(study: Path) -> Path:
    return network_folder(study.parent.parent / study.name)


def test_what_is_no_bundle_is_none(tmp_path: Path) -> None:
    (tmp_path / "key.tflite").write_bytes(b"")

    assert bundle_at(tmp_path) is None
    assert bundle_at(tmp_path / "key.tflite") is None
    assert bundle_at(tmp_path / "nothing.zip") is None


def test_a_measurement_is_in_the_bundle_and_in_the_studys_report(study: Path, bundle: Path) -> None:
    lines = save(bundle)

    (in_bundle,) = read_measurements(bundle).measured
    assert in_bundle.graphs["key"].latency.median_ms == KEY_MS
    assert "gate" not in in_bundle.graphs  # the policy does not run it
    opened = open_study(study)
    assert opened.trials()["latency_source"][:2].tolist() == ["measured"] * 2
    assert opened.trial(0).result.predicted.mean_ms == 30.0
    assert lines[0] == f"saved in bundle/{MEASUREMENTS}"
    assert lines[-1].endswith("; update the report: jejunet-nas report tiny")
    (in_study,) = read_saved(network(study), threads=1)
    assert in_study.graphs["key"].graph_sha256 == sha256_of(network(study) / "key.tflite")


def test_a_measurement_off_the_predictions_interval_is_remarked_on(bundle: Path) -> None:
    lines = save(bundle, key_ms=60.0)

    words = r"network \w+, key: measured 60\.00 ms, 3\.00 of the predicted 20\.00"
    assert any(re.match(words, line) for line in lines)


def test_other_threads_than_the_studys_are_kept_and_said_not_to_count(
    study: Path, bundle: Path
) -> None:
    lines = save(bundle, threads=4)

    assert any(
        "measured with 4 threads: its study is ranked by figures with 1" in line for line in lines
    )
    assert open_study(study).front()["latency_source"].tolist() == ["predicted"] * 2


def test_a_study_that_is_elsewhere_learns_nothing(
    study: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    lines = save(tmp_path / bundle)

    assert lines[1] == "study tiny is not in studies/ here; it was not updated"
    assert len(read_measurements(tmp_path / bundle).measured) == 1
    assert read_saved(network(study), threads=1) == []


def test_a_study_whose_graphs_are_others_learns_nothing(study: Path, bundle: Path) -> None:
    (network(study) / "propagate.tflite").write_bytes(b"another")

    lines = save(bundle)

    assert "the bundle's graphs differ from those in " in lines[1]
    assert read_saved(network(study), threads=1) == []


def test_a_zipped_bundle_stays_as_it_is_and_its_study_learns_of_it(
    study: Path, bundle: Path
) -> None:
    zipped = Path(shutil.make_archive("zipped", "zip", bundle))
    before = zipped.read_bytes()

    lines = save(zipped)

    assert "was not changed. To save measurements in it, unpack it" in lines[0]
    assert zipped.read_bytes() == before
    assert len(read_saved(network(study), threads=1)) == 1


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.adb
def test_the_command_measures_a_bundle_and_the_report_shows_it(
    study: Path,
    bundle: Path,
    phone: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        device, "MeasuringPlan", functools.partial(MeasuringPlan, rounds=1, rest_s=0)
    )
    words = BY_THE_GRAPH.replace('$(tail -n 1 "${word#--graph=}")', "25000")
    program = write_program(tmp_path, words + TODAY)
    options = ["--device", f"adb:{phone.serial}", "--benchmark-binary", program]

    shown, said = answer(capfd, "measure", bundle, *options)

    assert [Path(graph["file"]).stem for graph in shown["graphs"]] == ["key", "propagate"]
    assert {graph["median_ms"] for graph in shown["graphs"]} == {25.0}
    assert f"saved in bundle/{MEASUREMENTS}" in said
    assert exit_code("report", "tiny", "--out", tmp_path / "out") == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [(p["mean_ms"], p["latency_source"]) for p in summary["front"]] == [(25.0, "measured")]
    front = (tmp_path / "out" / "front.csv").read_text().splitlines()
    assert "30.0" in front[1].split(",")  # what was predicted stands beside


@pytest.mark.parametrize("device", ["host", "predicted"])
def test_only_a_phones_figures_are_saved(
    device: str, study: Path, bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer(capfd, "measure", bundle, "--device", device)

    assert read_saved(network(study), threads=1) == []
    assert not (bundle / MEASUREMENTS).exists()


def test_a_bundle_that_was_measured_is_whole(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save(bundle)

    assert exit_code("verify", bundle) == 0
