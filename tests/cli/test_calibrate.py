import functools
import json
import re
from pathlib import Path

import pytest

from jejunet_nas.latency import device
from jejunet_nas.latency.fit import write_profile
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.profiling import profile as profiling
from jejunet_nas.profiling.profile import make_profile
from tests.cli.commands import answer, exit_code, failure, program, refusal, takes
from tests.contracts.test_meters import write_float
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn
from tests.profiling.fake_phone import FakePhone, random_costs, unbuilt
from tests.profiling.few_probes import Takes, install_few_probes

Capfd = pytest.CaptureFixture[str]


@pytest.fixture
def on_phone(phone: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The options of a measurement on the fake phone, in one round."""
    for module in (device, profiling):
        monkeypatch.setattr(
            module, "MeasuringPlan", functools.partial(MeasuringPlan, rounds=1, rest_s=0)
        )
    return ["--device", f"adb:{phone.serial}", "--benchmark-binary", program(tmp_path)]


def profile_of(name: str, folder: Path) -> Path:
    """Write the profile of a fake phone of that name."""
    profile = make_profile(
        FakePhone(random_costs(0)),
        folder / "probes",
        device=name,
        runtime="LiteRT",
        source="fake",
        say=lambda line: None,
        probes=unbuilt(),
    )
    write_profile(profile, folder / "p.json")
    return folder / "p.json"


@pytest.mark.adb
def test_a_phone_is_calibrated_though_it_leaves_in_the_middle(
    phone: StandIn,
    adb_server: AdbServer,
    graph: Path,
    on_phone: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    install_few_probes(monkeypatch, graph)
    seen, out = Takes(monkeypatch, phone), tmp_path / "p.json"
    seen.last = 4
    shown, _ = failure(capfd, "calibrate", *on_phone, "--out", out, code=4)
    assert re.match(r"the phone .* is ", shown["error"])
    assert not out.exists()

    phone.replug()
    adb_server.reconnect(phone)
    trusted, said = answer(capfd, "calibrate", *on_phone, "--out", out)

    assert len(seen.taken) == len(set(seen.taken)) == len(json.loads(out.read_text())["points"])
    assert trusted["device"] == "Google Pixel 2"
    assert re.search(r"^ *\d+\.\d\d ms  4 x  ", said, re.MULTILINE)
    assert f"use it as --device predicted:{out}" in said
    predicted, _ = answer(capfd, "measure", graph, "--device", f"predicted:{out}", "--threads", 4)
    assert [each["source"] for each in predicted["graphs"]] == ["predicted"]
    assert exit_code("doctor", "--profile", out) == 0


@pytest.mark.adb
def test_a_measured_graph_is_added_to_a_profile(
    graph: Path, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    profile = profile_of("Google Pixel 2", tmp_path)
    before = json.loads(profile.read_text())
    new = takes(graph, tmp_path / "new.tflite", 3000)

    shown, said = answer(capfd, "measure", new, *on_phone, "--add-to", profile)

    after = json.loads(profile.read_text())
    assert len(shown["graphs"]) == 1
    assert len(after["points"]) == len(before["points"]) + 1
    assert (after["points"][-1]["graph"], after["points"][-1]["latency_ms"]) == ("new.tflite", 3.0)
    error = after["leave_one_out"]
    assert f"{error['points']} points, leave-one-out error {error['mean_error']:.1%} on" in said


@pytest.mark.adb
def test_a_profile_of_another_phone_is_refused_before_anything_is_measured(
    graph: Path, on_phone: list[object], phone: StandIn, tmp_path: Path, capfd: Capfd
) -> None:
    profile = profile_of("Google Pixel 6", tmp_path)
    before = profile.read_bytes()

    line = refusal(capfd, "measure", graph, *on_phone, "--add-to", profile)

    assert re.match(
        "--add-to is a profile of Google Pixel 6, and Google Pixel 2 is measured. Make a profile",
        line,
    )
    assert phone.pushed == []
    assert profile.read_bytes() == before


@pytest.mark.adb
def test_a_float_graph_is_measured_but_no_part_of_a_profile(
    on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    profile = profile_of("Google Pixel 2", tmp_path)
    before, file = profile.read_bytes(), write_float(tmp_path / "float.tflite")
    takes(file, file, 2000)
    capfd.readouterr()

    assert exit_code("measure", file, *on_phone, "--add-to", profile, "--json") == 2

    shown = capfd.readouterr()
    assert json.loads(shown.out)["graphs"][0]["median_ms"] == 2.0
    assert "float.tflite computes in float32; allowed: int8 graphs" in shown.err.splitlines()[-1]
    assert profile.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--out", "no/p.json"],
            r"--out is no/p\.json, which is not a \.json file in an existing folder\. ",
        ),
        (["--out", "p.txt"], r"--out is p\.txt, which is not a \.json file"),
        (["--out", "p.json", "--device", "host"], r"--device is host; allowed: adb or adb:SERIAL"),
        (["--out", "p.json", "--budget", "soon"], r"--budget is soon; allowed: a number with s, m"),
        ([], r"--out is missing\. See jejunet-nas calibrate --help"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capfd,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert re.match(words, refusal(capfd, "calibrate", *arguments))
    assert list(tmp_path.iterdir()) == []


def test_without_a_program_it_is_said_where_to_get_it(tmp_path: Path, capfd: Capfd) -> None:
    line = refusal(capfd, "calibrate", "--out", tmp_path / "p.json", code=4)

    assert "there is no benchmark program at " in line


@pytest.mark.adb
def test_no_time_is_too_little_and_not_the_usual_time(
    phone: StandIn, on_phone: list[object], tmp_path: Path, capfd: Capfd
) -> None:
    capfd.readouterr()

    assert exit_code("calibrate", *on_phone, "--out", tmp_path / "p.json", "--budget", "0s") == 2

    words = "the budget is 0 s, enough for 0 graphs; a profile needs 8, about 120 s. Use 10m."
    assert words in capfd.readouterr().err
    assert phone.pushed == []
