import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jejunet_nas.latency import device
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.measurements import Measurement
from tests.cli.commands import answer, exit_code, failure, program, refusal, takes
from tests.cli.measured_study import MeasuredStudy
from tests.contracts.test_meters import write_float, write_int8
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn
from tests.test_layers import loaded_after

DATA = Path(os.environ.get("JEJUNET_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEED_GRAPH = DATA / "tflite" / "jejunet_mobilenet_v2_deeplab_v3_256_myquant.tflite"
KEYS = ["file", "median_ms", "low_ms", "high_ms", "source", "threads", "runs"]

needs_adb = pytest.mark.adb
Capfd = pytest.CaptureFixture[str]


@pytest.fixture
def graphs(graph: Path, tmp_path: Path) -> Path:
    """A network's three graphs and another one, which take 2 to 5 ms on the fake phone."""
    folder = tmp_path / "graphs"
    for us, name in ((5000, "another"), (4000, "gate"), (2000, "key"), (3000, "propagate")):
        takes(graph, folder / f"{name}.tflite", us)
    return folder


@pytest.fixture
def on_phone(phone: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The options of a measurement on the fake phone, in one round."""
    monkeypatch.setattr(
        device, "MeasuringPlan", functools.partial(MeasuringPlan, rounds=1, rest_s=0)
    )
    return ["--device", f"adb:{phone.serial}", "--benchmark-binary", program(tmp_path)]


@pytest.fixture
def study(phone: StandIn, graph: Path, tmp_path: Path) -> MeasuredStudy:
    return MeasuredStudy(tmp_path, graph)


# -- graphs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_int8, write_float], ids=["int8", "float"])
@pytest.mark.parametrize(("named", "runs"), [("predicted", 0), ("host", 10)])
def test_a_graph_is_one_object_of_seven_keys(
    write: Callable[[Path], Path], named: str, runs: int, tmp_path: Path, capfd: Capfd
) -> None:
    file = write(tmp_path / "g.tflite")

    shown, said = answer(
        capfd, "measure", file, "--device", named, "--threads", 1, "--runs", max(runs, 1)
    )

    ((graph,),) = ((each for each in value) for value in shown.values())
    assert [*shown] == ["graphs"]
    assert [*graph] == KEYS
    assert (graph["file"], graph["source"]) == (str(file), named)
    assert (graph["threads"], graph["runs"]) == (1, runs)
    assert 0 < graph["low_ms"] <= graph["median_ms"] <= graph["high_ms"]
    assert "g.tflite" in said


@needs_adb
def test_a_folder_is_measured_on_a_phone_key_propagate_and_gate_first(
    graphs: Path, on_phone: list[object], monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.setattr(device, "MeasuringPlan", MeasuringPlan)  # of 50 runs

    shown, said = answer(capfd, "measure", graphs, *on_phone)

    assert [*shown] == ["graphs"]
    assert [[*graph] for graph in shown["graphs"]] == [KEYS] * 4
    names = ["key", "propagate", "gate", "another"]
    assert [Path(graph["file"]).stem for graph in shown["graphs"]] == names
    assert [graph["median_ms"] for graph in shown["graphs"]] == [2.0, 3.0, 4.0, 5.0]
    assert {graph["source"] for graph in shown["graphs"]} == {"measured"}
    assert {graph["runs"] >= 50 for graph in shown["graphs"]} == {True}
    assert re.findall(r"measuring (\w+)\.tflite \((\d) of 4\)", said) == [
        (name, f"{number}") for number, name in enumerate(names, start=1)
    ]


def test_a_folder_is_predicted_in_the_same_order(graphs: Path, capfd: Capfd) -> None:
    shown, said = answer(capfd, "measure", graphs, "--device", "predicted")

    names = ["key.tflite", "propagate.tflite", "gate.tflite", "another.tflite"]
    assert [Path(graph["file"]).name for graph in shown["graphs"]] == names
    assert [line.split()[0] for line in said.splitlines()[1:]] == names


def test_without_json_the_table_is_on_standard_output(graphs: Path, capfd: Capfd) -> None:
    assert exit_code("measure", graphs, "--device", "predicted") == 0

    shown = capfd.readouterr()
    assert "propagate.tflite" in shown.out
    assert shown.err == ""


def test_a_long_name_is_not_cut_where_no_terminal_is(graph: Path, tmp_path: Path) -> None:
    names = {f"{'long_' * 30}{end}.tflite" for end in ("one", "two")}
    for name in names:
        takes(graph, tmp_path / "g" / name, 1000)
    command = [sys.executable, "-m", "jejunet_nas", "measure", str(tmp_path / "g")]

    ended = subprocess.run(
        [*command, "--device", "predicted"], capture_output=True, text=True, check=True
    )

    assert {word for word in ended.stdout.split() if word.endswith("tflite")} == names


def test_this_computers_figures_are_said_to_be_no_phones(graph: Path, capfd: Capfd) -> None:
    assert exit_code("measure", graph, "--device", "host", "--runs", 5) == 0

    assert "a phone's latencies differ" in capfd.readouterr().out


@needs_adb
def test_an_operators_table_is_written_and_summed_up_by_kind(
    graphs: Path, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    shown, said = answer(
        capfd, "measure", graphs / "key.tflite", *on_phone, "--operators", tmp_path / "a" / "b"
    )

    assert len(shown["graphs"]) == 1
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["key_operators.csv"]
    assert re.search(r"key\.tflite +CONV_2D +1 +3\.00 +75\.0\n", said)
    assert re.search(r"key\.tflite +RELU +1 +1\.00 +25\.0\n", said)


@needs_adb
def test_an_unstable_measurement_is_said_and_told_all_the_same(
    graphs: Path,
    on_phone: list[object],
    phone: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    monkeypatch.setattr("jejunet_nas.latency.phone_meter.wait", lambda seconds: None)
    phone.set_file("/sys/devices/system/cpu/cpu4/cpufreq/scaling_max_freq", "1000000\n")

    shown, said = answer(capfd, "measure", graphs / "key.tflite", *on_phone)

    assert shown["graphs"][0]["median_ms"] == 2.0
    assert "key.tflite is unstable: core 4 is limited to 1.00 of 2.46 GHz" in said


@needs_adb
def test_nothing_is_left_on_the_phone(
    graphs: Path, on_phone: list[object], phone: StandIn, capfd: Capfd
) -> None:
    answer(capfd, "measure", graphs / "key.tflite", *on_phone)

    assert not phone.locate("/data/local/tmp/jejunet_nas").exists()


@pytest.mark.data
@pytest.mark.skipif(not SEED_GRAPH.is_file(), reason=f"there is no {SEED_GRAPH}")
def test_an_old_graph_is_timed_here_without_the_delegate_and_predicted_for_the_pixel_2(
    capfd: Capfd,
) -> None:
    shown, said = answer(capfd, "measure", SEED_GRAPH, "--device", "host", "--runs", 3)
    predicted, _ = answer(capfd, "measure", SEED_GRAPH, "--device", "predicted")

    assert shown["graphs"][0]["source"] == "host"
    assert "is timed without LiteRT's default delegate, which refuses it" in said
    # Measured on a Pixel 2 in 2019; the profile's root mean square error is 2.7 %.
    assert predicted["graphs"][0]["median_ms"] == pytest.approx(109, rel=0.10)


# -- what is refused ------------------------------------------------------------------------------

GRAPH = "GRAPH"  # stands for a graph's file
BAD = [
    (["nothing"], r"study nothing does not exist; allowed: .* For a graph, give its \.tflite file"),
    (["nothing.tflite"], r"nothing\.tflite is not a file\. Give a \.tflite graph"),
    (["no.yaml"], r".*no\.yaml does not exist\. Check the path"),
    (["."], r"\. has no \.tflite file\. Give a \.tflite graph, a folder of them, "),
    (["notes.txt", "--device", "host"], r"notes\.txt is not a \.tflite graph: .* Convert it again"),
    ([GRAPH, "--device", "pixel"], r"--device is pixel; allowed: adb, .* mean predicted:pixel2\?"),
    ([GRAPH, "--device", "host:x"], r"--device is host:x; allowed: .* Did you mean host\?"),
    ([GRAPH, "--device", "predicted:pixl2"], r"device profile is pixl2; .* Did you mean pixel2"),
    ([GRAPH, "--device", "predicted", "--threads", "0"], r"--threads is 0; allowed: .*1 or more\."),
    ([GRAPH, "--device", "predicted", "--threads", "3"], r"--threads is 3; allowed .*: 1, 2, 4\."),
    ([GRAPH, "--device", "host", "--threads", "0"], r"--threads is 0; allowed: .* nearest is 1"),
    (
        [GRAPH, "--device", "host", "--runs", "0"],
        r"--runs is 0; allowed: a whole number from 1 to 100000\.",
    ),
    ([GRAPH, "--threads", "0"], r"--threads is 0; allowed: a whole number, 1 or more\."),
    ([GRAPH, "--runs", "10"], r"--runs is 10; allowed on a phone: at least 50\. The nearest is 50"),
    ([GRAPH, "--core-mask", "zz"], r"--core-mask is zz; allowed: a hexadecimal number .* Use f0"),
    (
        [GRAPH, "--device", "host", "--core-mask", "f0"],
        r"--core-mask works on a phone only, and --device is host",
    ),
    ([GRAPH, "--device", "host", "--operators", "t"], r"--operators works on a phone only"),
    ([GRAPH, "--device", "host", "--add-to", "p"], r"--add-to works on a phone only"),
    ([GRAPH, "--benchmark-binary", "no"], r"the benchmark program is no, .* Get LiteRT's"),
    ([GRAPH, "--input-size", "huge"], r"--input-size is huge; allowed: HEIGHTxWIDTH in pixels"),
    (
        [GRAPH, "--device", "predicted", "--input-size", "64x96"],
        r"--input-size is 64x96, and the inputs of .* are fixed: 1x2x2x8\. Leave it out",
    ),
    ([GRAPH, "--runs", "many"], r"--runs is many; allowed: a whole number from 1 to 100000\."),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda each: " ".join(each)[:40])
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str],
    words: str,
    graph: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no graph")

    line = refusal(capfd, "measure", *(graph if word == GRAPH else word for word in arguments))

    assert re.match(words, line), line


@needs_adb
def test_what_was_measured_before_a_graph_that_cannot_run_is_said(
    graphs: Path, on_phone: list[object], capfd: Capfd
) -> None:
    (graphs / "propagate.tflite").write_text("no graph")
    capfd.readouterr()

    shown, said = failure(capfd, "measure", graphs, *on_phone, code=2)

    assert "propagate.tflite is not a .tflite graph" in shown["error"]
    assert "key.tflite: 2.00 ms\n" in said
    assert said.endswith(f"jejunet-nas: {shown['error']}\n")


def test_without_adb_it_is_named_with_what_installs_it(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    monkeypatch.setenv("PATH", "")

    line = refusal(capfd, "measure", graph, "--benchmark-binary", program(tmp_path), code=4)

    assert re.match(r"adb is not installed.* Install it: `apt install adb`", line)
    assert "Without a phone: --device predicted, or --device host" in line


@needs_adb
def test_without_a_program_it_is_said_where_to_get_it(
    graph: Path, phone: StandIn, capfd: Capfd
) -> None:
    line = refusal(capfd, "measure", graph, code=4)

    assert re.match(r"there is no benchmark program at .* get .*: curl -L ", line)


@needs_adb
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adb", r"no phone is attached\. Plug one in .* Without a phone: --device predicted"),
        ("adb:HT7", r"device is adb:HT7, which is not attached\. .* Without a phone: --device"),
    ],
)
def test_without_a_phone_it_is_asked_for(
    name: str,
    words: str,
    graph: Path,
    on_phone: list[object],
    phone: StandIn,
    adb_server: AdbServer,
    capfd: Capfd,
) -> None:
    phone.unplug()
    adb_server.disconnect(phone)

    line = refusal(capfd, "measure", graph, "--device", name, *on_phone[2:], code=4)

    assert re.match(words, line), line


@needs_adb
@pytest.mark.parametrize("again", [[], ["--threads", "1"]])
def test_cores_that_the_phone_has_not_are_named(
    graph: Path, on_phone: list[object], again: list[str], tmp_path: Path, capfd: Capfd
) -> None:
    file = takes(graph, tmp_path / "g.tflite", 1000)
    capfd.readouterr()

    assert exit_code("measure", file, *on_phone, "--core-mask", "f00", *again) == 2

    line = capfd.readouterr().err.splitlines()[-1]
    assert re.search(r"--core-mask is f00, which has no core of .* 0, 1, .* 7\. Use f0\.", line)


@needs_adb
@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            "--operators",
            r"--operators is .*words\.json, and this folder cannot be made .*\. Name",
        ),
        ("--add-to", r"device profile .*words.* cannot be read|--add-to is .*words"),
    ],
)
def test_what_cannot_be_written_to_is_refused_before_anything_is_measured(
    option: str,
    words: str,
    graphs: Path,
    on_phone: list[object],
    phone: StandIn,
    tmp_path: Path,
    capfd: Capfd,
) -> None:
    (tmp_path / "words.json").write_text("{}")

    line = refusal(capfd, "measure", graphs, *on_phone, option, tmp_path / "words.json")

    assert re.match(words, line), line
    assert phone.pushed == []


@needs_adb
def test_a_profile_that_is_not_there_is_no_profile_to_add_to(
    graphs: Path, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    line = refusal(capfd, "measure", graphs, *on_phone, "--add-to", tmp_path / "p.json")

    assert re.match(
        r"--add-to is .*p\.json, which is not a file\. Make a profile of Google Pixel 2:", line
    )


# -- a study --------------------------------------------------------------------------------------


def front(history: StudyHistory) -> list[int]:
    from jejunet_nas.scoring.ranking import front_of

    return [trial.number for trial in front_of(history)]


@needs_adb
def test_a_front_is_measured_and_the_prediction_stays(
    study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)
    before, records = study.history(), study.written()

    shown, said = answer(capfd, "measure", study.file, *on_phone)

    assert [*shown] == ["study", "graphs", "trials", "front"]
    assert [trial["mean_ms"] for trial in shown["trials"]] == [35.0, 20.0]
    assert [trial["predicted_ms"] for trial in shown["trials"]] == [30.0, 20.0]
    assert {trial["source"] for trial in shown["trials"]} == {"measured"}
    assert shown["front"] == [0, 1]
    assert [(g["median_ms"], g["predicted_ms"]) for g in shown["graphs"][:3]] == [
        (35.0, 20.0),
        (17.5, 20.0),
        (17.5, 20.0),
    ]
    assert len(study.measurements()) == 2
    assert study.history() == before
    assert records.items() <= study.written().items()  # the ledger's and record.json's bytes
    assert "key: measured 35.00 ms, 1.75 of the predicted 20.00 ms; " in said
    assert "outside the interval 19.00 to 21.00" in said


@needs_adb
def test_a_trial_that_a_measurement_beats_leaves_the_front(
    study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=15_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)

    shown, said = answer(capfd, "measure", study.file, *on_phone)

    assert shown["front"] == [0]
    assert [trial["trial"] for trial in shown["trials"]] == [0, 1]
    assert re.search(
        r"^ +1 +1 +0 +60\.0 +60\.0 +15\.0 \(measured\) +30\.0 +0\.50 +66\.7", said, re.M
    )
    assert re.search(r"^ +off +2 +1 +50\.0 +50\.0 +20\.0 \(measured\) ", said, re.M)


@needs_adb
def test_what_comes_onto_the_front_in_place_of_another_is_measured_too(
    study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=20.0, us=60_000)  # too slow for 25 fps after all
    study.add(miou=0.5, predicted_ms=25.0, us=22_000)  # beaten, as it seemed
    assert front(study.history()) == [0]

    shown, said = answer(capfd, "measure", study.file, *on_phone)

    assert shown["front"] == [1]
    assert {(t["trial"], t["source"]) for t in shown["trials"]} == {
        (0, "measured"),
        (1, "measured"),
    }
    assert re.search(r"^ +1 +- +1 +50\.0 +50\.0 +22\.0 \(measured\) ", said, re.M)
    assert re.search(r"^ +off +1 +0 +60\.0 +60\.0 +60\.0 \(measured\) ", said, re.M)


@needs_adb
def test_two_trials_of_one_network_are_measured_once(
    study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=20_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000, network=0, letters="kp")

    shown, _ = answer(capfd, "measure", study.file, *on_phone)

    assert len(shown["graphs"]) == 3
    assert [trial["mean_ms"] for trial in shown["trials"]] == [20.0, 15.0]


@needs_adb
def test_a_second_run_measures_only_what_is_asked_for_again(
    study: MeasuredStudy, on_phone: list[object], phone: StandIn, capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    first, _ = answer(capfd, "measure", study.file, *on_phone)
    pushed, (taken,) = [*phone.pushed], study.measurements()

    second, said = answer(capfd, "measure", study.file, *on_phone)

    assert (second, phone.pushed) == (first, pushed)
    assert re.search(r"network \w+ was measured at 20.*; use --again to measure it again", said)
    answer(capfd, "measure", study.file, *on_phone, "--again")
    assert len(phone.pushed) > len(pushed)
    assert len(study.measurements()) == 1
    assert study.measurements()[0].taken_at >= taken.taken_at


@needs_adb
def test_other_cores_than_were_measured_are_measured(
    study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    answer(capfd, "measure", study.file, *on_phone)

    answer(capfd, "measure", study.file, *on_phone, "--core-mask", "f")

    (taken,) = study.measurements()
    assert {one.core_mask for one in taken.graphs.values()} == {"f"}


@needs_adb
def test_a_front_is_ranked_by_the_phone_at_hand_though_another_was_used_since(
    study: MeasuredStudy, on_phone: list[object], monkeypatch: pytest.MonkeyPatch, capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    answer(capfd, "measure", study.file, *on_phone)
    study.measured_elsewhere(0, key_ms=90.0)

    shown, _ = answer(capfd, "measure", study.file, *on_phone)

    assert shown["front"] == [0]
    assert shown["trials"][0]["mean_ms"] == 35.0


@needs_adb
def test_the_studys_own_phone_and_program_are_used_where_none_are_named(
    study: MeasuredStudy, on_phone: list[object], phone: StandIn, tmp_path: Path, capfd: Capfd
) -> None:
    study.configure(f"latency: {{serial: '{phone.serial}', benchmark_binary: {program(tmp_path)}}}")
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)

    shown, _ = answer(capfd, "measure", study.file)

    assert shown["trials"][0]["source"] == "measured"


@needs_adb
def test_other_threads_than_the_studys_are_refused_on_a_phone(
    study: MeasuredStudy, on_phone: list[object], phone: StandIn, capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)

    line = refusal(capfd, "measure", study.file, *on_phone, "--threads", 4)

    assert re.match(r"--threads is 4; allowed for tiny: 1, with which .*Leave it out", line)
    assert phone.pushed == []
    answer(capfd, "measure", study.file, *on_phone, "--threads", 1)


@needs_adb
@pytest.mark.parametrize("option", ["--operators", "--add-to"])
def test_what_is_for_graphs_alone_is_refused_with_a_study(
    option: str, study: MeasuredStudy, on_phone: list[object], capfd: Capfd
) -> None:
    line = refusal(capfd, "measure", study.file, *on_phone, option, "x")

    assert re.match(rf"{option} works with graphs only", line)


@needs_adb
def test_the_report_shows_what_was_measured(
    study: MeasuredStudy, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)
    _, said = answer(capfd, "measure", study.file, *on_phone)
    (command,) = re.findall(r"update the report: jejunet-nas (report .*)", said)

    shown, _ = answer(capfd, *command.split(), "--out", tmp_path / "out")

    assert [point["mean_ms"] for point in shown["front"]] == [35.0, 20.0]
    page = (tmp_path / "out" / "report.md").read_text()
    assert "## Measured" in page
    assert "2 of the front's 2 trials were measured on Google Pixel 2" in page
    assert re.search(r"\| 0 \| 35\.0 \| 30\.0 \| 1\.17 \| stable \|", page)


@needs_adb
def test_motion_stays_predicted_where_graphs_are_measured_and_is_not_called_measured(
    study: MeasuredStudy, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000, letters="km")

    shown, said = answer(capfd, "measure", study.file, *on_phone)
    answer(capfd, "report", study.file, "--out", tmp_path / "out")

    (trial,) = shown["trials"]
    assert (trial["mean_ms"], trial["source"], trial["miou"]) == (27.5, "predicted", 0.6)
    assert "27.5 (graphs measured, motion predicted)" in said
    assert "No graph finds the motion of the picture" in said
    page = (tmp_path / "out" / "report.md").read_text()
    assert "graphs measured, motion predicted, 0.92 of predicted |" in page
    assert "| 0 | 27.5 | 30.0 | 0.92 | motion predicted |" in page
    site = (tmp_path / "out" / "index.html").read_text()
    assert "a frame, graphs measured, motion predicted" in site


@pytest.fixture
def at_home(graph: Path, tmp_path: Path) -> MeasuredStudy:
    """A study of two trials, and no phone."""
    study = MeasuredStudy(tmp_path, graph)
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)
    return study


def test_this_computer_keeps_nothing_and_says_no_rate(at_home: MeasuredStudy, capfd: Capfd) -> None:
    before, records = at_home.history(), at_home.written()

    shown, said = answer(capfd, "measure", at_home.file, "--device", "host", "--runs", 5)

    assert (at_home.history(), at_home.written()) == (before, records)
    assert {trial["source"] for trial in shown["trials"]} == {"host"}
    rates = ("sustained_fps", "every_frame", "dropped_frames_pct")
    assert {trial[rate] for trial in shown["trials"] for rate in rates} == {None}
    assert shown["front"] == front(before)
    assert "the ranking does not change" in said
    assert not re.search(r"\(host\) +\S+ +\S+ +[\d.]+ ", said)
    assert "interval" not in said


def test_a_prediction_by_another_profile_keeps_nothing(
    at_home: MeasuredStudy, capfd: Capfd
) -> None:
    records = at_home.written()

    shown, _ = answer(
        capfd, "measure", at_home.file, "--device", "predicted:pixel2", "--threads", 4
    )

    assert at_home.written() == records
    assert {graph["threads"] for graph in shown["graphs"]} == {4}
    assert {trial["source"] for trial in shown["trials"]} == {"predicted"}


def test_no_threads_are_refused_for_a_study_too(at_home: MeasuredStudy, capfd: Capfd) -> None:
    arguments = ("measure", at_home.file, "--device", "predicted", "--threads", 0)

    assert exit_code(*arguments) == 2
    assert "jejunet-nas: --threads is 0; allowed" in capfd.readouterr().err


def test_a_study_without_a_front_has_nothing_to_measure(
    graph: Path, tmp_path: Path, capfd: Capfd
) -> None:
    study = MeasuredStudy(tmp_path, graph)
    study.add(miou=0.6, predicted_ms=70.0, us=35_000)

    line = refusal(capfd, "measure", study.file, "--device", "predicted")

    assert re.match(r"no trial of tiny meets 25 fps, so its front is empty\.", line)


def test_a_study_without_its_graphs_says_which_is_missing(
    at_home: MeasuredStudy, capfd: Capfd
) -> None:
    next(at_home.networks.glob("*/gate.tflite")).unlink()
    next(at_home.networks.glob("*/gate.tflite")).unlink()
    capfd.readouterr()

    assert exit_code("measure", at_home.file, "--device", "predicted") == 2

    line = capfd.readouterr().err.splitlines()[-1]
    assert re.search(r"gate\.tflite is missing\. Copy .*, or make the network again", line)


@needs_adb
def test_what_was_measured_before_an_interruption_is_kept(
    study: MeasuredStudy,
    on_phone: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)
    take, taken = PhoneMeter.take, list[Path]()

    def take_four(meter: PhoneMeter, graph: Path) -> Measurement:
        taken.append(graph)
        if len(taken) == 5:  # the second graph of the second network
            raise KeyboardInterrupt
        return take(meter, graph)

    monkeypatch.setattr(PhoneMeter, "take", take_four)
    shown, _ = failure(capfd, "measure", study.file, *on_phone, code=130)

    assert shown["error"].startswith("Interrupted.")
    assert len(study.measurements()) == 1
    monkeypatch.setattr(PhoneMeter, "take", take)
    _, said = answer(capfd, "measure", study.file, *on_phone)
    assert said.count("use --again to measure it again") == 1
    assert len(study.measurements()) == 2


@needs_adb
def test_a_phone_that_goes_away_in_the_middle_leaves_what_was_measured(
    study: MeasuredStudy,
    on_phone: list[object],
    phone: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    study.add(miou=0.6, predicted_ms=30.0, us=35_000)
    study.add(miou=0.5, predicted_ms=20.0, us=20_000)
    take, taken = PhoneMeter.take, list[Path]()

    def take_and_unplug(meter: PhoneMeter, graph: Path) -> Measurement:
        taken.append(graph)
        if len(taken) == 5:
            phone.unplug()
        return take(meter, graph)

    monkeypatch.setattr(PhoneMeter, "take", take_and_unplug)
    capfd.readouterr()

    assert exit_code("measure", study.file, *on_phone) == 4
    line = capfd.readouterr().err.splitlines()[-1]
    assert re.search(r"the phone .* is ", line), line
    assert len(study.measurements()) == 1


# -- starting up ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["measure", "--help"], ["measure", GRAPH], ["doctor"]])
def test_what_needs_no_tensorflow_does_not_load_it(
    words: list[str], graph: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # no adb, whose server would be left behind
    arguments = [str(graph) if word == GRAPH else word for word in words]
    if GRAPH in words:
        arguments += ["--device", "predicted"]
    code = (
        "from jejunet_nas.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit as end:\n    assert end.code == 0"
    )

    assert loaded_after(f"{code}\nprint()", fresh=("tensorflow", "tf_keras")) == set()
