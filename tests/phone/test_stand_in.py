import hashlib
import itertools
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import write_graph
from tests.phone.server import AdbServer
from tests.phone.shell import Rewriter
from tests.phone.stand_in import Benchmark, StandIn, benchmark_binary

pytestmark = pytest.mark.adb
QUICK = "--num_threads=1 --num_runs=5 --min_secs=0.01 --warmup_min_secs=0.01"
RUN = f"/data/local/tmp/benchmark_model --graph=/data/local/tmp/graph.tflite {QUICK}"


def adb(
    *arguments: str | Path, timeout_s: float = 20, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run adb as the code under test does: with nothing but the environment of this process."""
    return subprocess.run(
        ["adb", *map(str, arguments)],
        input=typed,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


def said(ran: subprocess.CompletedProcess[str]) -> str:
    """Return both outputs: `adb push` complains on stdout in adb 29, on stderr in adb 36."""
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graph") / "graph.tflite"
    kernel = np.ones((3, 3, 8, 8), np.float32)
    return write_graph(file, lambda x: {"y": tf.nn.conv2d(x, kernel, 1, "SAME")}, (1, 32, 32, 8))


@pytest.fixture
def bench(phone: StandIn, graph: Path, tmp_path: Path) -> StandIn:
    adb("push", benchmark_binary(tmp_path), graph, "/data/local/tmp/")
    return phone


@pytest.fixture
def second_phone(adb_server: AdbServer, tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "second", model="Pixel 6") as stand_in:
        adb_server.connect(stand_in)
        yield stand_in
        adb_server.disconnect(stand_in)


@pytest.mark.parametrize("size", [0, 1, 70_000, 1_000_003])
def test_a_file_comes_back_as_it_was_pushed(phone: StandIn, tmp_path: Path, size: int) -> None:
    file, back = tmp_path / "a file", tmp_path / "back"
    file.write_bytes(os.urandom(size))

    assert adb("push", file, "/data/local/tmp/a folder/a file").returncode == 0
    assert adb("pull", "/data/local/tmp/a folder/a file", back).returncode == 0

    assert back.read_bytes() == file.read_bytes()
    assert phone.pushed == ["/data/local/tmp/a folder/a file"]


def test_a_pushed_file_has_the_checksum_of_the_original(phone: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(100_000))
    adb("push", file, "/data/local/tmp/file")

    printed = adb("shell", "sha256sum /data/local/tmp/file").stdout

    assert printed == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  /data/local/tmp/file\n"


def test_a_folder_is_pulled_with_its_files(phone: StandIn, tmp_path: Path) -> None:
    phone.set_file("/data/local/tmp/folder/a", "1")
    phone.set_file("/data/local/tmp/folder/b", "2")

    adb("pull", "/data/local/tmp/folder", tmp_path / "here")

    assert [(tmp_path / "here" / name).read_text() for name in "ab"] == ["1", "2"]


def test_what_is_not_there_cannot_be_pulled(phone: StandIn, tmp_path: Path) -> None:
    pulled = adb("pull", "/data/local/tmp/nothing", tmp_path)

    assert pulled.returncode == 1
    assert "adb: error: remote object '/data/local/tmp/nothing' does not exist" in said(pulled)


def test_a_command_keeps_its_exit_code_and_its_two_outputs_apart(phone: StandIn) -> None:
    ran = adb("shell", "echo good; echo bad >&2; exit 7")

    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "good\n", "bad\n")
    assert phone.commands == ["echo good; echo bad >&2; exit 7"]


def test_a_command_reads_what_is_typed(phone: StandIn) -> None:
    assert adb("shell", "tr a-z A-Z", typed="hello").stdout == "HELLO"


def test_output_of_any_length_arrives_whole(phone: StandIn) -> None:
    printed = adb("shell", "seq 200000").stdout

    assert printed == "".join(f"{number}\n" for number in range(1, 200_001))


def test_a_program_sees_the_sandbox_and_the_computer_the_phone(phone: StandIn) -> None:
    adb("shell", "mkdir /data/local/tmp/x && echo 1 > /data/local/tmp/x/y")

    assert phone.read_file("/data/local/tmp/x/y") == "1\n"
    assert adb("shell", "ls /data/local/tmp/x/*").stdout == "/data/local/tmp/x/y\n"


@given(cuts=st.lists(st.integers(0, 30)))
def test_the_sandboxs_path_is_taken_out_wherever_the_flow_is_cut(cuts: list[int]) -> None:
    text = b"/t/roo/t/root/data /t/root/x /t/"
    rewriter = Rewriter(Path("/t/root"))
    bounds = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds)]

    rewritten = b"".join(map(rewriter.feed, pieces)) + rewriter.flush()

    assert rewritten == b"/t/roo/data /x /t/"


def test_two_phones_are_told_apart_by_serial(phone: StandIn, second_phone: StandIn) -> None:
    first, second = (
        adb("-s", each.serial, "shell", "getprop ro.product.model").stdout
        for each in (phone, second_phone)
    )
    unnamed = adb("shell", "true")

    assert (first, second) == ("Pixel 2\n", "Pixel 6\n")
    assert unnamed.returncode == 1
    assert re.fullmatch("(error|adb): more than one device/emulator\n", unnamed.stderr)


def test_an_unknown_serial_is_not_found(phone: StandIn) -> None:
    ran = adb("-s", "nobody", "shell", "true")

    assert ran.returncode == 1
    assert re.fullmatch("(error|adb): device 'nobody' not found\n", ran.stderr)


def test_a_phone_that_trusts_nobody_is_listed_as_unauthorized(
    adb_server: AdbServer, tmp_path: Path
) -> None:
    with StandIn(tmp_path / "phone", authorised=False) as stranger:
        adb_server.connect(stranger)
        listed = adb_server.adb("devices").stdout
        ran = adb_server.adb("-s", stranger.serial, "shell", "true")
        adb_server.disconnect(stranger)

    assert f"{stranger.serial}\tunauthorized" in listed
    assert ran.returncode == 1
    assert "device unauthorized." in ran.stderr
    assert stranger.commands == []


def test_a_cable_pulled_in_a_push_fails_it_at_once(phone: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(1_000_000))
    phone.unplug_on = "push"

    pushed = adb("push", file, "/data/local/tmp/file", timeout_s=5)

    assert pushed.returncode == 1
    assert re.search("couldn't read from device|failed to read copy response", said(pushed))
    assert phone.pushed == []
    assert 0 < len(phone.read_file("/data/local/tmp/file")) < 1_000_000
    assert f"{phone.serial}\toffline" in adb("devices").stdout


def test_a_cable_pulled_in_a_run_ends_its_output_without_an_exit_code(bench: StandIn) -> None:
    bench.unplug_on = "run"

    ran = adb("shell", f"{RUN} --min_secs=10; echo done", timeout_s=5)

    assert ran.stdout.startswith("INFO: STARTING!")
    assert "done" not in ran.stdout
    assert ran.returncode in (0, 255)  # adb 29 calls it a success, adb 36 does not


def test_a_replugged_phone_works_again(adb_server: AdbServer, phone: StandIn) -> None:
    phone.unplug()
    without = adb("-s", phone.serial, "shell", "true")
    phone.replug()
    adb_server.reconnect(phone)

    assert without.returncode == 1
    assert "device offline" in without.stderr
    assert adb("-s", phone.serial, "shell", "echo back").stdout == "back\n"


def test_a_full_disk_says_so_and_keeps_no_half_file(phone: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(200_000))
    phone.free_bytes = 150_000

    pushed = adb("push", file, "/data/local/tmp/file")

    assert pushed.returncode == 1
    assert "remote write failed: No space left on device" in said(pushed)
    assert adb("shell", "ls /data/local/tmp").stdout == ""
    assert re.search(r" 146 \d+% /data", adb("shell", "df /data/local/tmp").stdout)


@pytest.mark.parametrize(
    ("dialect", "result"),
    [
        (
            "works",
            r"INFO: count=\d+ first=.* p95=\d+\n\nINFO: Inference timings in us: Init: \d+, ",
        ),
        ("middle dialect", r"\ncount=\d+ first=.* std=\d+\n\nInference timings in us: Init: "),
        ("old dialect", r"Average inference timings in us: Warmup: \S+, Init: \d+, no stats: "),
        ("noisy", r"INFO: Inference timings in us: "),
    ],
)
def test_the_benchmark_runs_a_real_graph(bench: StandIn, dialect: Benchmark, result: str) -> None:
    bench.benchmark = dialect

    ran = adb("shell", RUN)

    assert ran.returncode == 0
    assert "Loaded model /data/local/tmp/graph.tflite" in said(ran)
    assert re.search(result, said(ran))


def mean_us(printed: str) -> float:
    found = re.search(r"Inference \(avg\): (\S+)", printed)
    assert found, printed
    return float(found[1])


def test_each_run_of_the_benchmark_takes_the_next_factor(bench: StandIn) -> None:
    bench.slowdown = [1000.0, 1.0]

    slow, first, second = (mean_us(adb("shell", RUN).stdout) for _ in range(3))

    assert slow > 20 * max(first, second)  # a busy computer is not fifty times slower
    assert bench.slowdown == [1.0]


def test_a_missing_graph_fails_the_benchmark(bench: StandIn) -> None:
    ran = adb("shell", "/data/local/tmp/benchmark_model --graph=/data/local/tmp/none.tflite")

    assert ran.returncode == 1
    assert "ERROR: Failed to load model /data/local/tmp/none.tflite\n" in ran.stderr
    assert ran.stderr.endswith("ERROR: Benchmarking failed.\n")


def test_an_unknown_flag_is_named_and_left_out(bench: StandIn) -> None:
    ran = adb("shell", f"{RUN} --colour=red")

    assert ran.returncode == 0
    assert "WARN: Unconsumed cmdline flags: --colour=red\n" in ran.stdout


def test_the_profile_lists_the_operators_of_the_graph(bench: StandIn) -> None:
    file = "/data/local/tmp/profile.csv"

    adb("shell", f"{RUN} --enable_op_profiling=true --profiling_output_csv_file={file}")

    runs = bench.read_file(file).partition("Operator-wise Profiling Info")[2]
    head, *rows = runs.partition("Run Order ")[2].split("\n\n")[0].splitlines()[1:]
    assert head == "node type, first, avg_ms, %, cdf%, mem KB, times called, name"
    assert [row.split(", ")[0] for row in rows] == ["QUANTIZE", "CONV_2D"]


def test_a_crash_is_the_exit_code_of_its_signal(bench: StandIn) -> None:
    bench.benchmark = "crashes"

    ran = adb("shell", RUN)

    assert ran.returncode == 139
    assert "timings" not in ran.stdout


def test_garbage_is_neither_text_nor_a_failure(bench: StandIn) -> None:
    bench.benchmark = "garbage"

    ran = adb("shell", RUN)

    assert ran.returncode == 0
    assert "\N{REPLACEMENT CHARACTER}" in ran.stdout


def test_a_benchmark_that_hangs_ends_with_the_adb_that_started_it(bench: StandIn) -> None:
    bench.benchmark = "hangs"

    with pytest.raises(subprocess.TimeoutExpired):
        adb("shell", f"echo $$ > /data/local/tmp/pid; exec {RUN}", timeout_s=2)

    pid = int(bench.read_file("/data/local/tmp/pid"))
    deadline_s = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline_s, "it still runs"
        time.sleep(0.01)


def test_taskset_takes_a_bare_hexadecimal_mask(phone: StandIn) -> None:
    good, bad = adb("shell", "taskset f0 echo run"), adb("shell", "taskset 0xf0 echo run")

    assert (good.returncode, good.stdout) == (0, "run\n")
    assert (bad.returncode, bad.stderr) == (1, "taskset: bad mask '0xf0'\n")
    assert phone.taskset_masks == ["f0"]


def test_dumpsys_tells_the_conditions_of_the_moment(phone: StandIn) -> None:
    phone.battery_level, phone.battery_tenths_c, phone.charging = 12, 405, False
    phone.thermal_status = 3

    battery = adb("shell", "dumpsys battery").stdout

    assert {"  level: 12", "  temperature: 405", "  status: 3"} < set(battery.splitlines())
    assert "Thermal Status: 3\n" in adb("shell", "dumpsys thermalservice").stdout


def test_an_old_android_has_no_thermal_service(phone: StandIn) -> None:
    phone.thermal_status = None

    asked = adb("shell", "dumpsys thermalservice")

    assert (asked.stdout, asked.stderr) == ("", "Can't find service: thermalservice\n")


def test_a_sleeping_phone_is_woken_by_a_key(phone: StandIn) -> None:
    phone.awake = False
    asleep = adb("shell", "dumpsys power").stdout

    adb("shell", "input keyevent KEYCODE_WAKEUP")

    assert phone.awake
    assert "mWakefulness=Asleep\n" in asleep
    assert "mWakefulness=Awake\n" in adb("shell", "dumpsys power").stdout


def test_the_cpus_are_a_pixel_2s_until_a_test_changes_them(phone: StandIn) -> None:
    file = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_max_freq"
    phone.set_file(file.format(4), "1000000\n")

    printed = adb("shell", "; ".join(f"cat {file.format(cpu)}" for cpu in (3, 4, 5))).stdout

    assert printed.split() == ["1900800", "1000000", "2457600"]
