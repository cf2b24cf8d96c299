"""The phone's identity and state are read; files on it are complete, and removed at the end."""

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.latency import phone as phone_module
from jejunet_nas.latency.cores import core_mask, in_mask
from jejunet_nas.latency.phone import FOLDER, Phone, parse_state
from jejunet_nas.records.measurements import Core, PhoneInfo, PhoneState
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn

needs_adb = pytest.mark.adb
EVIL = "a b'\"; touch pwned; $(touch pwned) `touch pwned`"
DEADLINE_S = 10.0

# What Android prints, by version; figures are fake. Battery, power and thermal service as their
# services write them in AOSP, with the lines that vendors add; clocks as our command prints them.
ANDROID_8 = """\
Current Battery Service state:
  AC powered: true
  USB powered: false
  Wireless powered: false
  Max charging current: 3000000
  Max charging voltage: 5000000
  Charge counter: 1872034
  status: 2
  health: 2
  present: true
  level: 64
  scale: 100
  voltage: 4181
  temperature: 285
  technology: Li-ion
  mWakefulness=Asleep
clock /sys/devices/system/cpu/cpu0/cpufreq 300000 1900800 1900800
clock /sys/devices/system/cpu/cpu4/cpufreq 825600 2035200 2457600
"""
ANDROID_11 = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: 2322000
  status: 5
  health: 2
  present: true
  level: 100
  scale: 100
  voltage: 4352
  temperature: 274
  technology: Li-ion
  mWakefulness=Awake
Thermal Status: 0
clock /sys/devices/system/cpu/cpu0/cpufreq 576000 1766400 1766400
clock /sys/devices/system/cpu/cpu7/cpufreq 2841600 2841600 2841600
clock /sys/devices/system/cpu/cpu10/cpufreq 1 2 3
"""
ANDROID_14 = """\
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Dock powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 4012000
  status: 3
  health: 2
  present: true
  level: 75
  scale: 100
  voltage: 4156
  temperature: 357
  technology: Li-ion
  Charging state: 0
  Charging policy: 1
  Capacity level: -1
  mSavedBatteryAsoc: -1
[EventLogBuffer]
08-11 18:34:14.721  Sending ACTION_BATTERY_CHANGED: level:72, health:2, voltage:4120, temperature:345
  mWakefulness=Dozing
Thermal Status: 3
clock /sys/devices/system/cpu/cpu0/cpufreq 300000 1704000
clock /sys/devices/system/cpu/cpu4/cpufreq
clock /sys/devices/system/cpu/cpu8/cpufreq 500000 1164000 2914000
"""  # noqa: E501


def cores_of(*khz: int) -> tuple[Core, ...]:
    """Return cores that go as fast as they were built to."""
    return tuple(
        Core(number=number, now_khz=most, limit_khz=most, max_khz=most)
        for number, most in enumerate(khz)
    )


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` is met; a test that waits too long fails."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came to be"
        time.sleep(0.01)


@needs_adb
def test_a_phone_says_who_it_is_and_its_serial_is_kept_hashed(phone: StandIn) -> None:
    attached = Phone.attached(phone.serial)

    assert attached.info == PhoneInfo(
        serial_hash=hashlib.sha256(f"STANDIN{phone.port}".encode()).hexdigest()[:12],
        manufacturer="Google",
        model="Pixel 2",
        build="google/walleye/walleye:11/RP1A.201005.004.A1/6934943:user/release-keys",
        android="11",
        abi="arm64-v8a",
    )
    assert attached.info.name == "Google Pixel 2"


@needs_adb
def test_a_phone_without_a_serial_of_its_own_is_known_by_adbs(phone: StandIn) -> None:
    (phone.conditions / "properties").write_text("ro.product.model=Nexus = 5\n")

    info = Phone.attached(phone.serial).info

    assert info.serial_hash == hashlib.sha256(phone.serial.encode()).hexdigest()[:12]
    assert (info.name, info.android) == ("Nexus = 5", "")


@needs_adb
def test_the_state_of_the_stand_in_is_read(phone: StandIn) -> None:
    phone.battery_level, phone.battery_tenths_c, phone.charging = 12, 405, False
    phone.thermal_status, phone.awake = 2, False
    phone.set_file("/sys/devices/system/cpu/cpu5/cpufreq/scaling_max_freq", "1000000\n")

    state = Phone.attached(phone.serial).state()

    assert (state.battery, state.battery_c, state.charging) == (0.12, 40.5, False)
    assert (state.thermal_status, state.screen_on) == (2, False)
    assert [core.number for core in state.cores] == list(range(8))
    assert state.cores[5] == Core(number=5, now_khz=2457600, limit_khz=1000000, max_khz=2457600)


@needs_adb
def test_a_phone_without_a_thermal_service_says_nothing_of_it(phone: StandIn) -> None:
    phone.thermal_status = None

    assert Phone.attached(phone.serial).state().thermal_status is None


def test_android_8_is_read() -> None:
    assert parse_state(ANDROID_8) == PhoneState(
        screen_on=False,
        battery=0.64,
        battery_c=28.5,
        charging=True,
        thermal_status=None,
        cores=(
            Core(number=0, now_khz=300000, limit_khz=1900800, max_khz=1900800),
            Core(number=4, now_khz=825600, limit_khz=2035200, max_khz=2457600),
        ),
    )


def test_android_11_is_read_and_its_cores_are_put_in_order() -> None:
    reversed_lines = "\n".join(reversed(ANDROID_11.splitlines()))

    for text in (ANDROID_11, ANDROID_11.replace("\n", "\r\n"), reversed_lines):
        state = parse_state(text)
        assert (state.screen_on, state.battery, state.battery_c) == (True, 1.0, 27.4)
        assert (state.charging, state.thermal_status) == (True, 0)
        assert [core.number for core in state.cores] == [0, 7, 10]


def test_android_14_is_read_and_cores_that_keep_their_clocks_to_themselves_are_named() -> None:
    state = parse_state(ANDROID_14)

    assert (state.screen_on, state.battery, state.battery_c) == (False, 0.75, 35.7)
    assert (state.charging, state.thermal_status) == (False, 3)
    assert state.cores == (Core(number=8, now_khz=500000, limit_khz=1164000, max_khz=2914000),)
    assert state.unread_cores


@pytest.mark.parametrize(
    ("present", "online", "unread", "offline"),
    [
        ("0-7", "0-7", (0, 1, 2, 3, 5, 6, 7), ()),
        ("0-7", "0-3,6", (0, 1, 2, 3, 6), (4, 5, 7)),
        ("", "4", (), ()),
        ("0-7", "", (), ()),
        ("0-7", "words", (), ()),
        ("0-999999999", "0-99999", (), ()),  # a list that nobody has
    ],
)
def test_cores_without_a_clock_are_told_from_those_that_are_off(
    present: str, online: str, unread: tuple[int, ...], offline: tuple[int, ...]
) -> None:
    clock = "clock /sys/devices/system/cpu/cpu4/cpufreq 825600 2457600 2457600\n"

    state = parse_state(f"cpus present {present}\ncpus online {online}\n{clock}")

    assert (state.unread_cores, state.offline_cores) == (unread, offline)


@pytest.mark.parametrize(
    ("piece", "field"),
    [
        ("  level: 100\n", "battery"),
        ("  temperature: 274\n", "battery_c"),
        ("  mWakefulness=Awake\n", "screen_on"),
        ("Thermal Status: 0\n", "thermal_status"),
    ],
)
def test_a_missing_piece_is_unknown_and_the_others_are_read(piece: str, field: str) -> None:
    whole, lacking = parse_state(ANDROID_11), parse_state(ANDROID_11.replace(piece, ""))

    for name in ("screen_on", "battery", "battery_c", "charging", "thermal_status", "cores"):
        expected = None if name == field else getattr(whole, name)
        assert getattr(lacking, name) == expected


@given(text=st.text() | st.sampled_from(ANDROID_14.splitlines(keepends=True)))
def test_any_text_is_a_state(text: str) -> None:
    parse_state(text)


def test_frost_is_a_temperature() -> None:
    assert parse_state("  temperature: -35\n").battery_c == -3.5


@pytest.mark.parametrize(
    ("khz", "threads", "mask"),
    [
        (4 * [1900800] + 4 * [2457600], 1, "f0"),  # Pixel 2
        (4 * [1900800] + 4 * [2457600], 4, "f0"),
        (4 * [1900800] + 4 * [2457600], 5, "ff"),
        (4 * [1800000] + 3 * [2400000] + [2840000], 1, "80"),  # one prime core
        (4 * [1800000] + 3 * [2400000] + [2840000], 2, "f0"),
        (4 * [1800000] + 3 * [2400000] + [2840000], 5, "ff"),
        (2 * [2914000] + 2 * [2367000] + 4 * [1704000], 2, "3"),  # the fast ones come first
        (2 * [2914000] + 2 * [2367000] + 4 * [1704000], 3, "f"),
        (8 * [2000000], 1, "ff"),
        (8 * [2000000], 9, ""),
        ([], 1, ""),
    ],
)
def test_the_fastest_clusters_that_hold_all_threads_are_taken(
    khz: list[int], threads: int, mask: str
) -> None:
    assert core_mask(cores_of(*khz), threads) == mask


@given(khz=st.lists(st.integers(1, 4), max_size=12), threads=st.integers(1, 13))
def test_a_mask_holds_enough_cores_and_none_slower_than_one_outside(
    khz: list[int], threads: int
) -> None:
    cores = cores_of(*khz)

    mask = core_mask(cores, threads)

    inside = in_mask(cores, mask)
    assert (mask == "") == (threads > len(cores))
    if mask:
        assert len(inside) >= threads
        outside = [core.max_khz for core in cores if core not in inside]
        assert max(outside, default=0) < min(core.max_khz for core in inside)


def test_an_empty_mask_means_all_cores() -> None:
    cores = cores_of(1, 2, 3)

    assert in_mask(cores, "") == cores
    assert [core.number for core in in_mask(cores, "6")] == [1, 2]
    assert in_mask(cores, "f0") == ()


@needs_adb
def test_a_file_is_pushed_once(phone: StandIn, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(1000))
    attached = Phone.attached(phone.serial)

    targets = {
        attached.install(tmp_path / "a"),
        Phone.attached(phone.serial).install(tmp_path / "a"),
    }

    assert phone.pushed == list(targets)
    assert phone.locate(phone.pushed[0]).read_bytes() == (tmp_path / "a").read_bytes()


@needs_adb
@pytest.mark.parametrize("damage", ["other words", ""])
def test_a_damaged_copy_is_pushed_again(phone: StandIn, tmp_path: Path, damage: str) -> None:
    (tmp_path / "a").write_text("words")
    attached = Phone.attached(phone.serial)
    phone.set_file(attached.install(tmp_path / "a"), damage)

    target = attached.install(tmp_path / "a")

    assert phone.pushed == [target, target]
    assert phone.read_file(target) == "words"


@needs_adb
def test_a_file_that_changed_is_another_file(phone: StandIn, tmp_path: Path) -> None:
    attached = Phone.attached(phone.serial)
    targets = set()
    for words in ("one", "two"):
        (tmp_path / "a").write_text(words)
        targets.add(attached.install(tmp_path / "a"))

    assert set(phone.pushed) == targets
    assert len(targets) == 2


@needs_adb
def test_a_copy_that_arrives_damaged_is_not_used(phone: StandIn, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("words")
    liar = phone.root / "system/bin/sha256sum"
    liar.write_text("#!/bin/sh\necho 0000\n")
    liar.chmod(0o755)

    with pytest.raises(DeviceError, match=r"a was damaged while .*\. Check"):
        Phone.attached(phone.serial).install(tmp_path / "a")


@needs_adb
@pytest.mark.parametrize("has", ["sha1sum", "md5sum", None])
def test_copies_are_checked_by_what_an_older_phone_has(
    phone: StandIn, tmp_path: Path, has: str | None
) -> None:
    for tool in ("sha256sum", "sha1sum", "md5sum"):
        if tool != has:
            phone.refuse(tool)
    (tmp_path / "a").write_text("words")
    attached = Phone.attached(phone.serial)

    target = attached.install(tmp_path / "a")
    attached.install(tmp_path / "a")
    assert phone.pushed == [target]
    phone.set_file(target, "wordz")
    attached.install(tmp_path / "a")

    assert phone.pushed == [target] * 2
    assert phone.read_file(target) == "words"
    assert attached.checked_by == (has or "pulling it back")


@needs_adb
@pytest.mark.parametrize("executable", [False, True])
@pytest.mark.parametrize("name", [f"{EVIL}.tflite", f"graph.{EVIL}", "graph.t f", "-rf", "*"])
def test_a_files_name_never_reaches_a_shell(
    phone: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, executable: bool
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path(name).write_text("words")

    target = Phone.attached(phone.serial).install(Path(name), executable=executable)

    assert phone.read_file(target) == "words"
    assert not any("pwned" in command or "graph" in command for command in phone.commands)
    assert os.listdir() == [name]
    assert not list(tmp_path.rglob("pwned"))


@needs_adb
def test_a_folder_that_cannot_be_made_is_told_with_the_command(
    phone: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("words")
    phone.set_file(FOLDER, "a file stands in its place")

    with pytest.raises(
        DeviceError,
        match=rf"cannot make its folder \(.*File exists\)\. Try: .*shell mkdir -p {FOLDER}",
    ):
        Phone.attached(phone.serial).install(tmp_path / "a")


@needs_adb
def test_half_a_push_is_completed_when_the_phone_is_back(phone: StandIn, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    attached = Phone.attached(phone.serial)
    phone.unplug_on = "push"
    with pytest.raises(DeviceAwayError, match=rf"the phone {phone.serial} is "):
        attached.install(tmp_path / "a")
    phone.replug()

    again = Phone.attached(phone.serial)

    assert again.info == attached.info
    assert phone.locate(again.install(tmp_path / "a")).read_bytes() == (tmp_path / "a").read_bytes()


@needs_adb
def test_cleaning_leaves_nothing_of_ours_and_all_of_others(phone: StandIn, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("words")
    phone.set_file("/data/local/tmp/of others", "stays")
    attached = Phone.attached(phone.serial)
    attached.install(tmp_path / "a", executable=True)
    attached.run("true", timeout_s=5)

    attached.clean()

    assert [file.name for file in phone.locate("/data/local/tmp").iterdir()] == ["of others"]


@needs_adb
def test_a_file_of_ours_is_fetched_and_removed(phone: StandIn, tmp_path: Path) -> None:
    phone.set_file(f"{FOLDER}/table", "words")
    attached = Phone.attached(phone.serial)

    attached.fetch(f"{FOLDER}/table", tmp_path / "table")
    attached.remove(f"{FOLDER}/table")

    assert (tmp_path / "table").read_text() == "words"
    assert not phone.locate(f"{FOLDER}/table").exists()


@needs_adb
def test_a_sleeping_phone_is_woken(phone: StandIn) -> None:
    phone.awake = False

    Phone.attached(phone.serial).wake()

    assert phone.awake


def endless(phone: StandIn) -> str:
    """Install a program that does not end with the connection; return the command that runs it."""
    program = f"{FOLDER}/endless"
    # Out of the session that the stand-in hangs up, and deaf to it, as on a phone.
    script = """[ "$1" = away ] || exec setsid "$0" away
trap '' HUP
echo $$ > "$CONDITIONS/endless"
for _ in $(seq 600); do sleep 0.05; done
"""
    phone.set_file(program, f"#!/bin/sh\n{script}")
    phone.locate(program).chmod(0o755)
    return program


def process_of(phone: StandIn) -> Path:
    """Return the folder of the endless program's process, once it runs."""
    number = phone.conditions / "endless"
    until(lambda: number.exists() and number.read_text().strip())
    return Path("/proc", number.read_text().strip())


@needs_adb
def test_a_command_that_does_not_end_is_killed_on_the_phone(phone: StandIn) -> None:
    attached = Phone.attached(phone.serial)

    with pytest.raises(DeviceError, match=r"`sh -c .* did not end on .* within 2 s\. Restart"):
        attached.run(endless(phone), timeout_s=1.6)

    process = process_of(phone)
    until(lambda: not process.exists())


@needs_adb
def test_what_runs_on_after_the_phone_was_unplugged_is_killed_by_the_next(phone: StandIn) -> None:
    attached, command = Phone.attached(phone.serial), endless(phone)
    pull = threading.Thread(target=lambda: (process_of(phone), phone.unplug()))
    pull.start()
    with pytest.raises(DeviceAwayError, match=rf"the phone {phone.serial} is "):
        attached.run(command, timeout_s=DEADLINE_S)
    pull.join()
    process = process_of(phone)
    assert process.exists()
    phone.replug()

    answer = Phone.attached(phone.serial).run("echo next", timeout_s=DEADLINE_S)

    assert (answer.code, answer.stdout, answer.stderr) == (0, "next\n", "")
    until(lambda: not process.exists())


@needs_adb
def test_a_process_that_took_over_an_old_number_is_left_alone(phone: StandIn) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        phone.set_file(f"{FOLDER}/pid", f"{other.pid}\n")

        printed = Phone.attached(phone.serial).run("echo ours", timeout_s=DEADLINE_S).stdout

        assert (printed, other.poll()) == ("ours\n", None)
        other.kill()


@needs_adb
def test_a_turn_is_waited_for_and_the_one_who_waits_is_told(
    phone: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_module, "LOCK_POLL_S", 0.01)
    said: list[str] = []
    events: list[str] = []

    def second() -> None:
        with Phone.attached(phone.serial).turn(said.append):
            events.append("second")

    with Phone.attached(phone.serial).turn(said.append):
        waits = threading.Thread(target=second)
        waits.start()
        until(lambda: said)
        events.append("first")
    waits.join(DEADLINE_S)

    assert events == ["first", "second"]
    assert said == ["another process measures on Google Pixel 2: waiting for it to finish"]


@needs_adb
def test_a_turn_that_breaks_off_is_over(phone: StandIn) -> None:
    said: list[str] = []
    attached = Phone.attached(phone.serial)

    with pytest.raises(DeviceError, match="broken"), attached.turn(said.append):
        raise DeviceError("broken")
    with attached.turn(said.append):
        pass

    assert not said


@needs_adb
def test_two_phones_are_measured_at_the_same_time(
    phone: StandIn, adb_server: AdbServer, tmp_path: Path, cache: Path
) -> None:
    said: list[str] = []
    with StandIn(tmp_path / "second") as other:
        adb_server.connect(other)
        first, second = Phone.attached(phone.serial), Phone.attached(other.serial)
        with first.turn(said.append), second.turn(said.append):
            pass
        adb_server.disconnect(other)

    assert not said
    locks = {file.name for file in (cache / "phones").iterdir()}
    assert locks <= {f"{each.info.serial_hash}.lock" for each in (first, second)}


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 400, "9" * 5000])
@pytest.mark.parametrize("before", ["  level: ", "  temperature: ", "Thermal Status: "])
def test_a_number_that_no_phone_has_is_not_read(before: str, digits: str) -> None:
    state = parse_state(f"{before}{digits}\n")

    assert (state.battery, state.battery_c, state.thermal_status) == (None, None, None)
