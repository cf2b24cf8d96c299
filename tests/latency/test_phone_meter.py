"""A phone's figure is stable or says why not, and faults of the phone are reported."""

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency import benchmark_run
from jejunet_nas.latency import phone as phone_module
from jejunet_nas.latency import phone_meter as measured
from jejunet_nas.latency.measuring_plan import MeasuringPlan, hot, throttled
from jejunet_nas.latency.phone import FOLDER, sha256_of
from jejunet_nas.records import GRAPH_NAMES, Latency, from_json, to_json
from jejunet_nas.records.measurements import (
    Core,
    Measurement,
    NetworkMeasurement,
    PhoneInfo,
    PhoneState,
)
from tests.builders import noise, write_graph
from tests.latency.build import TODAY, in_a_round, meter_of, prints, write_program
from tests.made_up import path_latencies
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn, benchmark_binary

needs_adb = pytest.mark.adb
DATA = Path(os.environ.get("JEJUNET_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEED_GRAPH = DATA / "tflite" / "jejunet_mobilenet_v2_deeplab_v3_256_myquant.tflite"
CPU = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
DEADLINE_S = 10.0
PINNED = "Google Pixel 2: pinned to cores 4 to 7 (mask f0)"
REFUSE = """\
case "$*" in *--use_xnnpack=false*) ;; *) echo "ERROR: Failed to apply XNNPACK delegate" && exit 1 ;; esac
"""  # noqa: E501
COOL = PhoneState(
    screen_on=True,
    battery=0.5,
    battery_c=25.0,
    charging=True,
    thermal_status=0,
    cores=tuple(Core(number=n, now_khz=1, limit_khz=2, max_khz=2) for n in range(4)),
)

finite = st.floats(0, 1e9)
latencies = st.builds(
    lambda figures, **rest: Latency(
        low_ms=figures[0], median_ms=figures[1], high_ms=figures[2], **rest
    ),
    st.lists(finite, min_size=3, max_size=3).map(sorted),
    source=st.just("measured"),
    threads=st.integers(1, 8),
    runs=st.integers(0, 1000),
)
maybe = st.none() | finite
states = st.builds(PhoneState, battery=maybe, battery_c=maybe)
measurements = st.builds(Measurement, latency=latencies, spread=finite, before=states, after=states)


class Wait:
    """Replaces `wait`: counts, does what the test says, and takes no time."""

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.seconds: list[float] = []
        self._then = then

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._then(len(self.seconds))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Wait:
    wait = Wait()
    monkeypatch.setattr(measured, "wait", wait)
    return wait


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` is met; a test that waits too long fails."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came to be"
        time.sleep(0.01)


@pytest.mark.parametrize("runs", [49, 1, 0, -5])
def test_fewer_runs_than_fifty_are_refused(runs: int) -> None:
    with pytest.raises(
        SettingError, match=rf"runs is {runs}; .*at least 50\. The nearest is 50"
    ) as e:
        MeasuringPlan(runs=runs)

    assert e.value.exit_code == 2


@pytest.mark.parametrize("name", ["threads", "rounds", "attempts"])
def test_nothing_is_done_less_than_once(name: str) -> None:
    with pytest.raises(SettingError, match=rf"{name} is 0; allowed: 1 or more\. Use 1\."):
        MeasuringPlan(**{name: 0})


@pytest.mark.parametrize(
    "mask", ["", "0", "00", "0xf0", "xyz", "-1", "+f", " f0", "f_0", "f0; touch pwned", "\u0661"]
)
def test_a_mask_that_taskset_would_not_take_is_refused(mask: str) -> None:
    with pytest.raises(SettingError, match=r"core mask is .*; allowed: a hexadecimal .*Use f0"):
        MeasuringPlan(core_mask=mask)


@needs_adb
def test_the_figure_is_the_median_of_the_rounds_and_they_are_its_interval(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    meter = meter_of(phone, prints(tmp_path, 1020, 1000, 1010), rounds=3, threads=2)

    taken = meter.take(graph)

    assert taken.latency == Latency(
        median_ms=1.01, low_ms=1.0, high_ms=1.02, source="measured", threads=2, runs=51
    )
    assert taken.spread == pytest.approx(0.02 / 1.01)
    assert (taken.unstable, taken.rounds) == ((), 3)
    assert taken.graph_sha256 == sha256_of(graph)
    assert taken.runtime == meter.runtime
    assert (taken.phone, taken.core_mask) == (meter.phone.info, "f0")
    assert taken.before.battery_c == taken.after.battery_c == 30.1
    assert taken.taken_at.endswith("+00:00")


@needs_adb
def test_all_runs_are_made_in_rounds_pinned_to_the_fast_cores(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    meter_of(phone, prints(tmp_path, 1000), rounds=3, runs=51).take(graph)

    rounds = [c for c in phone.commands if " --num_runs=17 " in c and " --num_threads=1 " in c]
    assert phone.taskset_masks == ["f0"] * 3
    assert len(rounds) == 3
    assert all(f"exec taskset f0 {FOLDER}/" in command for command in rounds)


@needs_adb
def test_a_given_mask_is_used_and_kept(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    taken = meter_of(phone, prints(tmp_path, 1000), core_mask="0F").take(graph)

    assert phone.taskset_masks == ["0F", "0F"]
    assert taken.core_mask == "0F"


@needs_adb
def test_a_mask_without_a_core_of_the_phone_names_one_with(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    meter = meter_of(phone, prints(tmp_path, 1000), core_mask="f00")

    with pytest.raises(
        SettingError,
        match=r"core mask is f00, .* no core of Google Pixel 2; .*0, 1, .*7\. Use f0\.",
    ):
        meter.take(graph)


@needs_adb
def test_a_phone_that_tells_no_clocks_is_measured_where_it_likes(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    for number in range(8):
        phone.set_file(CPU.format(number, "scaling_max_freq"), "")

    taken = meter_of(phone, prints(tmp_path, 1000)).take(graph)

    assert (taken.core_mask, taken.unstable, taken.before.cores) == ("", (), ())
    assert phone.taskset_masks == []


@needs_adb
def test_fast_cores_without_a_clock_are_not_left_out_in_silence(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    for cpu in range(4, 8):
        phone.locate(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq").unlink()
    said: list[str] = []

    taken = meter_of(phone, prints(tmp_path, 1000), said.append).take(graph)

    assert said == [
        "Google Pixel 2: pinned to no cores; clocks of cores 4 to 7 cannot be read, so choose the "
        "fast cores by hand: --core-mask"
    ]
    assert (taken.core_mask, phone.taskset_masks) == ("", [])
    assert taken.before.unread_cores == (4, 5, 6, 7)


@needs_adb
def test_a_mask_may_name_cores_without_a_clock(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    phone.locate("/sys/devices/system/cpu/cpu7/cpufreq/cpuinfo_max_freq").unlink()

    taken = meter_of(phone, prints(tmp_path, 1000), core_mask="80").take(graph)

    assert (taken.core_mask, taken.before.unread_cores) == ("80", (7,))
    assert phone.taskset_masks == ["80"] * 2


@needs_adb
def test_cores_that_are_offline_are_named_and_kept(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    phone.set_file("/sys/devices/system/cpu/online", "0-3\n")
    said: list[str] = []

    taken = meter_of(phone, prints(tmp_path, 1000), said.append).take(graph)

    assert said == ["Google Pixel 2: pinned to cores 0 to 3 (mask f); cores 4 to 7 are offline"]
    assert (taken.core_mask, taken.before.offline_cores) == ("f", (4, 5, 6, 7))


@needs_adb
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (127, "sh: taskset: inaccessible or not found"),
        (1, "taskset: failed to set pid 7's affinity: Operation not permitted"),
    ],
)
def test_a_phone_that_does_not_pin_is_measured_unpinned_where_asked(
    phone: StandIn, tmp_path: Path, graph: Path, code: int, words: str
) -> None:
    phone.refuse("taskset", code, words)

    with pytest.raises(
        DeviceError, match=rf"cannot pin a program to cores \({words}\)\. .*--core-mask none"
    ):
        meter_of(phone, prints(tmp_path, 1000)).take(graph)
    meter = meter_of(phone, prints(tmp_path, 1000), core_mask="none")
    taken = meter.take(graph)

    assert (taken.core_mask, taken.latency.median_ms) == ("", 1.0)
    assert meter.repeats(NetworkMeasurement(graphs=dict.fromkeys(GRAPH_NAMES, taken)))


@needs_adb
def test_litert_s_program_is_measured_and_named(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    program = prints(tmp_path, 1000)
    words = program.read_text().replace("Inference timings in us", "= BENCHMARK RESULTS =")
    program.write_text(words)

    meter = meter_of(phone, program)

    assert meter.take(graph).latency.median_ms == 1.0
    assert meter.runtime.startswith("LiteRT benchmark_model ")
    with pytest.raises(SettingError, match=r"--operators needs TensorFlow Lite's .* curl -L"):
        meter.profile_operators(graph, tmp_path / "t.csv")
    with pytest.raises(SettingError, match=r"--input-size needs TensorFlow Lite's"):
        meter_of(phone, program, input_size=(64, 64))


@needs_adb
def test_what_lies_on_the_phone_is_not_pushed_again_and_closing_removes_it(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    meter = meter_of(phone, prints(tmp_path, 1000))

    meter.take(graph)
    meter.take(graph)

    program, first, second = phone.pushed
    assert first == second != program
    assert not phone.locate(first).exists()
    meter.close()
    assert list(phone.locate("/data/local/tmp").iterdir()) == []


@needs_adb
def test_a_graphs_evil_name_runs_nothing(
    phone: StandIn, tmp_path: Path, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    evil = Path("a b'\"; touch pwned; $(touch pwned).$(touch pwned)")
    evil.write_bytes(graph.read_bytes())

    taken = meter_of(phone, prints(tmp_path, 1000)).take(evil)

    assert taken.latency.median_ms == 1.0
    assert not list(tmp_path.rglob("pwned"))
    assert not any("pwned" in command for command in phone.commands)


@needs_adb
@pytest.mark.parametrize("method", ["take", "profile_operators"])
@pytest.mark.parametrize("content", [None, b"", b"words", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_a_file_that_is_no_graph_is_not_blamed_on_the_phone(
    phone: StandIn, tmp_path: Path, method: str, content: bytes | None
) -> None:
    meter = meter_of(phone, prints(tmp_path, 1000))
    if content is not None:
        (tmp_path / "g.tflite").write_bytes(content)
    more = [tmp_path / "table"] if method == "profile_operators" else []

    with pytest.raises(SettingError, match=r"g\.tflite .*\. [A-Z]") as e:
        getattr(meter, method)(tmp_path / "g.tflite", *more)

    assert e.value.exit_code == 2
    assert phone.pushed == []


@needs_adb
def test_both_dialects_of_the_program_give_the_same_figures(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    runs = "first=1010 curr=990 min=980 max=1020 avg=1000 std=8"
    today = f"""echo 'INFO: count=50 {runs} p5=987 median=1000 p95=1013'
echo 'INFO: Inference timings in us: Init: 5, First inference: 1, Warmup (avg): 1, Inference (avg): 1000'"""  # noqa: E501
    old = f"""exec >&2
echo 'count=50 {runs}'
echo 'Average inference timings in us: Warmup: 1, Init: 5, no stats: 1000'"""

    one, other = (
        meter_of(phone, write_program(tmp_path, script)).take(graph) for script in (today, old)
    )

    assert one.latency == other.latency
    assert one.latency.median_ms == 1.0
    assert one.runtime != other.runtime


@needs_adb
def test_the_stand_ins_real_litert_is_measured_in_the_old_dialect_too(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    phone.benchmark = "old dialect"

    taken = meter_of(phone, benchmark_binary(tmp_path), rounds=1).take(graph)

    assert taken.latency.runs == 50
    assert taken.latency.median_ms > 0


@needs_adb
def test_a_slow_core_is_named_with_its_clocks(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    phone.set_file(CPU.format(5, "scaling_max_freq"), "1900800\n")
    phone.set_file(CPU.format(0, "scaling_max_freq"), "300000\n")  # not in the mask

    taken = meter_of(phone, prints(tmp_path, 1000)).take(graph)

    assert taken.unstable == ("core 5 is limited to 1.90 of 2.46 GHz",)


@needs_adb
@pytest.mark.parametrize(
    ("condition", "value", "cool", "words"),
    [
        ("battery_tenths_c", 412, 399, "its battery has 41.2 °C"),
        ("battery_tenths_c", 400, 399, "its battery has 40 °C"),
        ("thermal_status", 2, 0, "Android's thermal status is 2"),
    ],
)
def test_a_hot_phone_is_waited_for_until_it_is_cool(
    phone: StandIn,
    tmp_path: Path,
    graph: Path,
    monkeypatch: pytest.MonkeyPatch,
    condition: str,
    value: int,
    cool: int,
    words: str,
) -> None:
    setattr(phone, condition, value)
    wait = Wait(lambda count: setattr(phone, condition, cool) if count == 2 else None)
    monkeypatch.setattr(measured, "wait", wait)
    said: list[str] = []

    taken = meter_of(phone, prints(tmp_path, 1000), said.append, rest_s=7).take(graph)

    assert wait.seconds == [7, 7]
    assert said == [f"Google Pixel 2 is hot ({words}): waiting until it has cooled", PINNED]
    assert taken.unstable == ()


@needs_adb
@pytest.mark.parametrize(("rest_s", "cool_wait_s", "each_s"), [(10, 30, 10.0), (0, 3, 1.0)])
def test_a_phone_that_stays_hot_is_measured_and_doubted(
    phone: StandIn,
    tmp_path: Path,
    graph: Path,
    waits: Wait,
    rest_s: float,
    cool_wait_s: float,
    each_s: float,
) -> None:
    phone.battery_tenths_c = 450

    meter = meter_of(phone, prints(tmp_path, 1000), rest_s=rest_s, cool_wait_s=cool_wait_s)

    taken = meter.take(graph)

    assert waits.seconds == [each_s] * 3
    assert taken.unstable == ("the phone is hot (its battery has 45 °C)",)


@needs_adb
@pytest.mark.parametrize(("first", "then"), [(0, 4), (4, 0)])
def test_heat_at_either_end_of_a_measurement_is_doubted(
    phone: StandIn, tmp_path: Path, graph: Path, first: int, then: int
) -> None:
    change = in_a_round(f'echo {then} > "$CONDITIONS/thermal_status"')
    phone.thermal_status = first

    taken = meter_of(phone, prints(tmp_path, 1000, before=change), cool_wait_s=0).take(graph)

    assert (taken.before.thermal_status, taken.after.thermal_status) == (first, then)
    assert taken.unstable == ("the phone is hot (Android's thermal status is 4)",)


@needs_adb
@pytest.mark.parametrize(("first", "then"), [(1_900_800, 2_457_600), (2_457_600, 1_900_800)])
def test_a_slow_core_at_either_end_of_a_measurement_is_doubted(
    phone: StandIn, tmp_path: Path, graph: Path, first: int, then: int
) -> None:
    limit = CPU.format(5, "scaling_max_freq")
    change = in_a_round(f"echo {then} > {phone.locate(limit)}")
    phone.set_file(limit, f"{first}\n")

    taken = meter_of(phone, prints(tmp_path, 1000, before=change)).take(graph)

    assert taken.unstable == ("core 5 is limited to 1.90 of 2.46 GHz",)


@needs_adb
def test_the_screen_is_on_when_measuring_begins(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    phone.awake = False

    taken = meter_of(phone, prints(tmp_path, 1000)).take(graph)

    assert (taken.before.screen_on, taken.unstable) == (True, ())


@needs_adb
def test_a_screen_that_goes_off_is_doubted(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    program = prints(tmp_path, 1000, before='echo false > "$CONDITIONS/awake"\n')

    taken = meter_of(phone, program).take(graph)

    assert taken.unstable == ("the screen went off",)


@needs_adb
@pytest.mark.parametrize(
    ("rounds", "kept", "attempts"),
    [
        ([1000, 1010, 5000, 5000], (1.0, 1.01), 1),  # steady at once
        ([1000, 2000, 1000, 1010, 5000, 5000], (1.0, 1.01), 2),
        ([1000, 1200, 1000, 2000, 1000, 1500], (1.0, 1.2), 3),  # none is steady: the steadiest
    ],
)
def test_a_measurement_that_scatters_is_taken_again_and_the_steadiest_is_kept(
    phone: StandIn,
    tmp_path: Path,
    graph: Path,
    waits: Wait,
    rounds: list[int],
    kept: tuple[float, float],
    attempts: int,
) -> None:
    said: list[str] = []

    taken = meter_of(phone, prints(tmp_path, *rounds), said.append, attempts=3, rest_s=4).take(
        graph
    )

    assert (taken.latency.low_ms, taken.latency.high_ms) == kept
    assert len(phone.taskset_masks) == 2 * attempts
    assert waits.seconds == [4] * (attempts - 1)
    assert said[0] == PINNED
    assert len(said) == attempts
    assert all("relu.tflite: spread " in words and "measuring again" in words for words in said[1:])
    expected = ("spread 18.2% of the median, over 5%",) if attempts == 3 else ()
    assert taken.unstable == expected


@needs_adb
def test_the_noise_of_a_phone_shows_as_spread(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    phone.slowdown = [1.0, 1.0, 1000.0]  # the look, the first round, the second

    taken = meter_of(phone, benchmark_binary(tmp_path)).take(graph)

    assert taken.latency.high_ms > 10 * taken.latency.low_ms  # however busy this computer is
    assert [words[:7] for words in taken.unstable] == ["spread "]


@needs_adb
def test_the_programs_and_the_phones_instruction_set_have_to_agree(
    phone: StandIn, adb_server: AdbServer, tmp_path: Path
) -> None:
    program = tmp_path / "benchmark_model"
    program.write_bytes(b"\x7fELF".ljust(18, b"\1") + (62).to_bytes(2, "little"))
    with pytest.raises(
        DeviceError, match=r"built for x86_64, and Google Pixel 2 runs arm64-v8a\. Give"
    ):
        meter_of(phone, program)

    program.write_bytes(b"\x7fELF".ljust(18, b"\1") + (183).to_bytes(2, "little"))
    with StandIn(tmp_path / "old", model="Nexus 5", abi="armeabi-v7a") as old:
        adb_server.connect(old)
        with pytest.raises(
            DeviceError, match=r"built for arm64-v8a, and Google Nexus 5 runs armeabi-v7a"
        ) as e:
            meter_of(old, program)
        adb_server.disconnect(old)
    assert e.value.exit_code == 4
    assert phone.pushed == []


FAULTS: list[tuple[str, str, str]] = [
    (
        "words of a text",
        "text",
        r"Google Pixel 2 cannot run benchmark_model \(.*not found.*built for",
    ),
    ("#!/system/bin/none\n", "other shell", r"cannot run benchmark_model \(.*\)\. Use a program"),
    ("#!/bin/sh\nexit 126", "126", r"cannot run benchmark_model \(no reason given\)\. Use"),
    ("#!/bin/sh\nkill -SEGV $$", "crash", r"[Ss]egmentation fault; expected: .*adb shell"),
    (
        "#!/bin/sh\nprintf '\\377\\000\\201 us:'",
        "garbage",
        r"benchmark_model printed: .*; expected: ",
    ),
    ("#!/bin/sh\n", "silence", r"benchmark_model printed: nothing; expected: .*Run it by hand"),
    (
        "#!/bin/sh\nus=5\n" + TODAY + "exit 3",
        "code",
        r"exit code 3 .* --device host",
    ),
    ("#!/bin/sh\nus=0\n" + TODAY, "zero", r"printed 0 us for relu\.tflite on Google Pixel 2"),
    ("#!/bin/sh\nus=nan\n" + TODAY, "nan", r"nan.*; expected: finite figures"),
]


@needs_adb
@pytest.mark.parametrize(
    ("content", "message"), [f[::2] for f in FAULTS], ids=[name for _, name, _ in FAULTS]
)
def test_a_program_that_fails_is_told_by_what_it_said(
    phone: StandIn, tmp_path: Path, graph: Path, content: str, message: str
) -> None:
    program = write_program(tmp_path, "")
    program.write_text(content)
    meter = meter_of(phone, program)

    with pytest.raises(DeviceError, match=message) as e:
        meter.take(graph)

    assert e.value.exit_code == 4
    assert not isinstance(e.value, DeviceAwayError)
    meter.close()
    assert list(phone.locate("/data/local/tmp").iterdir()) == []


@needs_adb
@pytest.mark.parametrize("behaviour", ["garbage", "crashes"])
def test_the_stand_ins_own_faults_are_told(
    phone: StandIn, tmp_path: Path, graph: Path, behaviour: Any
) -> None:
    phone.benchmark = behaviour

    with pytest.raises(DeviceError, match=r"benchmark_model printed: .*; expected: .*adb shell"):
        meter_of(phone, benchmark_binary(tmp_path)).take(graph)


@needs_adb
def test_a_full_disk_stops_the_measurement(phone: StandIn, tmp_path: Path, graph: Path) -> None:
    phone.free_bytes = 100

    with pytest.raises(
        DeviceError, match=r"benchmark_model cannot be copied .*No space left.* df "
    ):
        meter_of(phone, prints(tmp_path, 1000)).take(graph)


@needs_adb
def test_a_run_that_hangs_is_given_up_and_killed(
    phone: StandIn, tmp_path: Path, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_run, "START_S", 1.3)
    # In a session of its own, which the stand-in does not hang up; nor does a phone.
    script = """[ "$1" = away ] || exec setsid "$0" away
trap '' HUP
echo $$ >> "$CONDITIONS/hanging"
for _ in $(seq 600); do sleep 0.05; done
"""
    meter = meter_of(phone, write_program(tmp_path, script), round_s=0.2)

    with pytest.raises(DeviceError, match=r"did not end on .* within .* s\. Restart the phone"):
        meter.take(graph)

    hung = (phone.conditions / "hanging").read_text().split()
    assert hung
    until(lambda: not any(Path("/proc", number).exists() for number in hung))


@needs_adb
def test_a_phone_that_is_unplugged_in_the_middle_of_a_run_is_measured_when_it_is_back(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    marks = phone.conditions / "started"
    program = prints(
        tmp_path, 1000, before=f"[ -e {marks} ] || {{ touch {marks}; exec sleep 30; }}\n"
    )
    meter = meter_of(phone, program)
    pull = threading.Thread(target=lambda: (until(marks.exists), phone.unplug()))
    pull.start()

    with pytest.raises(DeviceAwayError, match=rf"the phone {phone.serial} is ") as e:
        meter.take(graph)

    pull.join()
    assert e.value.exit_code == 4
    phone.replug()
    again = meter_of(phone, program)
    assert again.phone.info == meter.phone.info
    assert again.take(graph).latency.median_ms == 1.0


@needs_adb
def test_two_meters_measure_one_phone_in_turn(
    phone: StandIn, tmp_path: Path, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_module, "LOCK_POLL_S", 0.01)
    log = phone.conditions / "log"
    begin = f'echo "begin $2" >> {log}\n'
    program = write_program(tmp_path, f'{begin}sleep 0.02\nus=9\n{TODAY}echo "end $2" >> {log}\n')
    said: list[str] = []
    meters = [meter_of(phone, program, said.append, threads=threads) for threads in (1, 2)]
    threads = [threading.Thread(target=meter.take, args=(graph,)) for meter in meters]

    with meters[0].phone.turn(said.append):
        for thread in threads:
            thread.start()
        until(lambda: len(said) == 2)  # both wait
    for thread in threads:
        thread.join(DEADLINE_S)

    lines = log.read_text().splitlines()
    first, second = ([f"{word} --num_threads={n}" for word in ("begin", "end")] * 3 for n in (1, 2))
    assert lines in (first + second, second + first)
    waits = [words for words in said if words != PINNED]
    assert all("another process measures on Google Pixel 2: waiting" in words for words in waits)


@needs_adb
def test_a_graph_that_the_delegate_refuses_is_measured_without_and_the_record_says_so(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    said: list[str] = []
    meter = meter_of(phone, prints(tmp_path, 1000, before=REFUSE), said.append)

    taken = meter.take(graph)

    assert taken.latency.median_ms == 1.0
    assert taken.runtime == f"{meter.runtime}, no delegate"
    refused = "relu.tflite runs only without the default delegate: measured without it"
    assert said == [refused, PINNED]


@needs_adb
def test_a_graph_that_runs_in_neither_way_is_told_by_the_delegates_words(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    script = 'echo "ERROR: failed $6 $7" >&2; exit 1'

    with pytest.raises(
        DeviceError, match=r"printed: ERROR: failed --warmup_runs=1 \S+=0; expected"
    ):
        meter_of(phone, write_program(tmp_path, script)).take(graph)


@needs_adb
@pytest.mark.data
@pytest.mark.skipif(not SEED_GRAPH.is_file(), reason=f"there is no {SEED_GRAPH}")
def test_a_real_graph_that_the_delegate_refuses_is_measured_and_profiled(
    phone: StandIn, tmp_path: Path
) -> None:
    said: list[str] = []
    meter = meter_of(phone, benchmark_binary(tmp_path), said.append, rounds=1, round_s=0.5)

    taken = meter.take(SEED_GRAPH)
    operators = meter.profile_operators(SEED_GRAPH, tmp_path / "table.csv")

    assert taken.runtime.endswith(", no delegate")
    assert taken.latency.median_ms > 0
    assert {each.kind for each in operators} > {"CONV_2D", "DEPTHWISE_CONV_2D"}
    assert set(said) == {
        PINNED,
        f"{SEED_GRAPH.name} runs only without the default delegate: measured without it",
    }


@needs_adb
def test_the_operators_of_a_graph_are_timed_in_its_order(phone: StandIn, tmp_path: Path) -> None:
    kernel = noise(0, 3, 3, 8, 4)
    graph = write_graph(
        tmp_path / "g.tflite",
        lambda x: {"y": tf.nn.avg_pool2d(tf.nn.conv2d(x, kernel, 1, "SAME"), 2, 2, "SAME")},
        (1, 8, 8, 8),
        int8=True,
    )
    meter = meter_of(phone, benchmark_binary(tmp_path))

    operators = meter.profile_operators(graph, tmp_path / "table.csv")

    kinds = [each.kind for each in operators]
    assert kinds.index("CONV_2D") < kinds.index("AVERAGE_POOL_2D")
    assert sum(each.share for each in operators) == pytest.approx(1, abs=1e-4)  # 6 digits printed
    assert "Operator-wise Profiling Info" in (tmp_path / "table.csv").read_text()
    assert phone.taskset_masks == ["f0"]
    assert not any("operators" in file.name for file in phone.locate(FOLDER).iterdir())


@needs_adb
@pytest.mark.parametrize("before", ["", REFUSE], ids=["delegate", "no delegate"])
def test_a_program_that_writes_no_profile_is_told(
    phone: StandIn, tmp_path: Path, graph: Path, before: str
) -> None:
    phone.set_file(f"{FOLDER}/operators.csv", "of another graph")
    meter = meter_of(phone, prints(tmp_path, 1000, before=before))

    with pytest.raises(DeviceError, match=r"operators\.csv cannot be copied from .*does not exist"):
        meter.profile_operators(graph, tmp_path / "table")


@needs_adb
def test_a_record_holds_no_serial_and_comes_back_as_it_was(
    phone: StandIn, tmp_path: Path, graph: Path
) -> None:
    taken = meter_of(phone, prints(tmp_path, 1000)).take(graph)

    text = to_json(taken)

    assert from_json(Measurement, text) == taken
    assert phone.serial not in text
    assert "STANDIN" not in text
    assert str(phone.port) not in json.loads(text)["phone"].values()


@given(taken=measurements)
def test_any_measurement_comes_back_from_json(taken: Measurement) -> None:
    assert from_json(Measurement, to_json(taken)) == taken


@given(taken=st.tuples(measurements, measurements, measurements))
def test_a_network_is_its_graphs_measurements(taken: tuple[Measurement, ...]) -> None:
    network = NetworkMeasurement(graphs=dict(zip(GRAPH_NAMES, taken, strict=True)))

    assert from_json(NetworkMeasurement, to_json(network)) == network
    beside = network.latencies_beside(path_latencies(9.0, 8.0, 7.0, 6.0))
    assert beside.gate == network.graphs["gate"].latency
    assert beside.move == path_latencies(9.0, 8.0, 7.0, 6.0).move  # no graph: predicted
    assert (network.phone, network.threads) == (taken[0].phone, taken[0].latency.threads)
    assert network.taken_at == max(each.taken_at for each in taken)
    assert len(network.unstable) == sum(len(each.unstable) for each in taken)


@given(taken=measurements)
def test_a_measurement_of_before_with_the_p90_is_read(taken: Measurement) -> None:
    older = json.loads(to_json(taken)) | {"p90_ms": 1.0}

    assert from_json(Measurement, json.dumps(older)) == taken


def test_a_doubt_names_its_graph() -> None:
    info = PhoneInfo(serial_hash="0", manufacturer="", model="", build="", android="", abi="")
    steady = Measurement(
        graph_sha256="0",
        latency=Latency(median_ms=1, low_ms=1, high_ms=1, source="measured", threads=1, runs=50),
        spread=0.0,
        rounds=5,
        core_mask="f0",
        runtime="benchmark_model 0",
        phone=info,
        before=COOL,
        after=COOL,
        unstable=(),
        taken_at="2026-01-01T00:00:00+00:00",
    )
    doubted = dataclasses.replace(steady, unstable=("it is hot",))

    network = NetworkMeasurement(graphs={"key": steady, "propagate": doubted, "gate": steady})

    assert network.unstable == ("propagate: it is hot",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"battery_c": 39.9}, None),
        ({"battery_c": 40.0}, "its battery has 40 °C"),
        ({"battery_c": None, "thermal_status": None}, None),
        ({"thermal_status": 1}, "Android's thermal status is 1"),
    ],
)
def test_heat_is_told_by_the_battery_or_by_android(
    changes: dict[str, Any], words: str | None
) -> None:
    assert hot(dataclasses.replace(COOL, **changes), 40.0) == words


@pytest.mark.parametrize(
    ("mask", "words"), [("3", None), ("4", "core 2 is limited to 1.00 of 2.46 GHz"), ("", "core 2")]
)
def test_only_a_core_in_use_is_throttled(mask: str, words: str | None) -> None:
    slow = Core(number=2, now_khz=1, limit_khz=1_000_000, max_khz=2_457_600)
    state = dataclasses.replace(COOL, cores=(*COOL.cores[:2], slow))

    said = throttled(state, mask)

    assert (said is None) == (words is None)
    assert (said or "").startswith(words or "")
