"""adb's answers, and what is said where the phone that is meant cannot be had."""

import os
import time
from pathlib import Path

import pytest

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.latency import adb as adb_module
from jejunet_nas.latency.adb import Adb, find_adb, find_phone
from tests.phone.server import AdbServer
from tests.phone.stand_in import StandIn

needs_adb = pytest.mark.adb
EVIL = "a b'\"; touch pwned; rm -rf pwned/x $(touch pwned) `touch pwned`"
LISTED = "List of devices attached"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty: what a shell is talked into making is found here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def fake_adb(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program named adb before all others on the PATH."""
    program = folder / "bin" / "adb"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def lists(*phones: tuple[str, str]) -> str:
    """Return a script for a fake adb that lists these serials and states."""
    words = "".join(f" '{serial}' '{state}'" for serial, state in phones)
    return f"[ \"$1\" = devices ] && echo '{LISTED}' && printf '%s\\t%s\\n'{words}"


def test_without_adb_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(DeviceError, match=r"adb is not installed.*apt install adb") as e:
        find_adb()

    assert e.value.exit_code == 4
    assert not isinstance(e.value, DeviceAwayError)


def test_an_adb_that_cannot_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_adb(tmp_path, monkeypatch, "")
    (tmp_path / "bin" / "adb").write_bytes(b"\x7fELF of another machine")

    with pytest.raises(DeviceError, match=r"bin/adb cannot be run \(.*\)\. Install Android"):
        find_phone()


def test_an_adb_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_adb(tmp_path, monkeypatch, "echo 'error: cannot connect to daemon' >&2; exit 1")

    with pytest.raises(DeviceError, match=r"`adb devices` failed: error: cannot connect to daemon"):
        find_phone()


def test_an_adb_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_adb(tmp_path, monkeypatch, "exec sleep 30")
    monkeypatch.setattr(adb_module, "ANSWER_S", 0.2)

    with pytest.raises(DeviceError, match=r"did not answer within .*Run `adb kill-server`"):
        find_phone()


@needs_adb
def test_no_phone_may_come_yet(adb_server: AdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(DeviceAwayError, match=r"no phone is attached\. Plug one in") as e:
        find_phone()

    assert e.value.exit_code == 4


@needs_adb
def test_the_only_phone_needs_no_name(phone: StandIn) -> None:
    assert find_phone().serial == phone.serial


def test_of_several_phones_one_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_adb(tmp_path, monkeypatch, lists(("one", "device"), ("two", "device")))

    with pytest.raises(
        DeviceError, match=r"2 phones .*: one, two\. Choose one: --device adb:one"
    ) as e:
        find_phone()

    assert not isinstance(e.value, DeviceAwayError)
    assert find_phone("two").serial == "two"


def test_of_very_many_phones_some_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = (f"phone{number}" for number in range(50))
    fake_adb(tmp_path, monkeypatch, lists(*((name, "device") for name in phones)))

    with pytest.raises(DeviceError, match=r"50 phones .* phone7 and 42 more\. Choose"):
        find_phone()


def test_words_too_long_for_a_serial_are_no_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_adb(tmp_path, monkeypatch, lists(("x" * 5000, "device"), ("one", "y" * 5000)))

    with pytest.raises(DeviceAwayError, match=r"^the phone one is y{180}[.]+ See"):
        find_phone()


def test_the_phone_that_is_ready_is_meant_where_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_adb(tmp_path, monkeypatch, lists(("one", "unauthorized"), ("two", "device")))

    assert find_phone().serial == "two"


@needs_adb
def test_a_phone_that_does_not_trust_this_computer_is_to_be_unlocked(
    phone: StandIn, adb_server: AdbServer, tmp_path: Path
) -> None:
    with StandIn(tmp_path / "stranger", authorised=False) as stranger:
        adb_server.connect(stranger)
        with pytest.raises(DeviceAwayError, match=r"is unauthorized\. .*allow USB debugging"):
            find_phone(stranger.serial)
        adb_server.disconnect(stranger)


@pytest.mark.parametrize(
    ("state", "cure"),
    [
        ("offline", "Replug it, or run `adb reconnect`"),
        ("authorizing", "Unlock it and allow USB debugging"),
        (
            "no permissions (user in plugdev group; are your udev rules wrong?); see [http://x]",
            "Let your user open it: .*udev",
        ),
        ("recovery", "Start Android on it: adb -s HT7 reboot"),
        ("sideload", "Start Android on it: adb -s HT7 reboot"),
        ("rescue", "Start Android on it: adb -s HT7 reboot"),
        ("bootloader", "Start Android on it: fastboot -s HT7 reboot"),
        ("unauthorized", "Unlock it and allow USB debugging"),
        ("connecting", "Wait a few seconds"),
        ("a word of next year", "See `adb devices`"),
    ],
)
@pytest.mark.parametrize("named", [None, "HT7"])
def test_a_phone_that_is_not_ready_comes_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, cure: str, named: str | None
) -> None:
    fake_adb(tmp_path, monkeypatch, lists(("HT7", state)))

    with pytest.raises(DeviceAwayError, match=rf"the phone HT7 is {state[:9]}.*\. {cure}"):
        find_phone(named)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (
            "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set",
            "allow USB debugging",
        ),
        ("error: device offline", "Replug it, or run `adb reconnect`"),
        ("error: closed", "It gives no shell, as in recovery mode. .*adb -s HT7 reboot"),
        ("error: device 'HT7' not found", "Check the cable"),
        ("protocol fault", "Check the cable"),
    ],
)
def test_a_shell_that_is_refused_comes_with_its_cure_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, cure: str
) -> None:
    refuses = f'[ "$1" = devices ] || {{ printf "%s" "{words}" >&2; exit 1; }}'.replace(
        "$ADB", "ADB"
    )
    fake_adb(tmp_path, monkeypatch, f"{refuses}\n{lists(('HT7', 'device'))}")

    with pytest.raises(DeviceAwayError, match=rf"\({words[:12]}.*\)\. .*{cure}") as e:
        Adb(serial="HT7").shell("true")

    assert "\n" not in str(e.value)


@needs_adb
def test_an_unknown_serial_names_those_that_are_there(phone: StandIn) -> None:
    wrong = phone.serial.replace("127.0.0.1", "127.0.0.")

    with pytest.raises(
        DeviceAwayError,
        match=rf"adb:{wrong}, .* Attached: {phone.serial}\. .*Did you mean {phone.serial}",
    ):
        find_phone(wrong)


@needs_adb
def test_an_address_where_nobody_listens_is_a_phone_that_is_away(phone: StandIn) -> None:
    with pytest.raises(DeviceAwayError, match=r"adb:127\.0\.0\.1:1, which is not attached"):
        find_phone("127.0.0.1:1")


@needs_adb
def test_a_phone_on_the_network_that_adb_has_forgotten_is_connected(
    phone: StandIn, adb_server: AdbServer
) -> None:
    adb_server.disconnect(phone)

    assert find_phone(phone.serial).shell("echo here").stdout == "here\n"


@needs_adb
def test_a_replugged_phone_is_found_at_once(phone: StandIn) -> None:
    adb = find_phone(phone.serial)
    phone.unplug()
    with pytest.raises(DeviceAwayError, match=rf"the phone {phone.serial} is "):
        adb.shell("true")
    phone.replug()

    assert find_phone(phone.serial).shell("echo back").stdout == "back\n"


@needs_adb
def test_an_evil_serial_is_a_name_that_nobody_has(phone: StandIn, folder: Path) -> None:
    with pytest.raises(
        DeviceAwayError, match=r"device is adb:a b'\"; touch pwned.* is not attached"
    ):
        find_phone(EVIL)

    assert not list(folder.iterdir())
    assert phone.commands == []


def test_an_evil_serial_of_a_real_phone_runs_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serial").write_text(EVIL)
    fake_adb(
        tmp_path,
        monkeypatch,
        f"""[ "$1" = devices ] && exec printf '{LISTED}\\n%s\\tdevice\\n' "$(cat {tmp_path}/serial)"
[ "$1 $2 $3" = "-s $(cat {tmp_path}/serial) shell" ] && exec sh -c "$4"
exit 9""",
    )
    adb = find_phone(EVIL)

    assert adb.shell("echo here").stdout == "here\n"
    assert not list(folder.iterdir())


@needs_adb
def test_a_commands_exit_code_is_no_error(phone: StandIn) -> None:
    answer = find_phone(phone.serial).shell("echo good; echo bad >&2; (exit 7)")

    assert (answer.code, answer.stdout, answer.stderr) == (7, "good\n", "bad\n")


@needs_adb
@pytest.mark.parametrize("command", ["printf unfinished", "printf 'unfinished' #"])
def test_output_may_end_without_a_new_line(phone: StandIn, command: str) -> None:
    assert find_phone(phone.serial).shell(command).stdout == "unfinished"


@needs_adb
def test_a_command_that_does_not_end_is_named_in_short(phone: StandIn) -> None:
    with pytest.raises(DeviceError, match=r"`sleep 9; : xx.*\.\.\.` did not end .* Restart") as e:
        find_phone(phone.serial).shell("sleep 9; : " + 90 * "x", timeout_s=0.3)

    assert not isinstance(e.value, DeviceAwayError)


@needs_adb
def test_a_command_whose_end_never_comes_is_a_broken_connection(phone: StandIn) -> None:
    with pytest.raises(DeviceAwayError, match=r"broke during .*\(no reason given\).*cable"):
        find_phone(phone.serial).shell("kill -9 $$")


@needs_adb
def test_a_file_whose_name_begins_with_a_dash_is_no_option(phone: StandIn, folder: Path) -> None:
    (folder / "--sync").write_text("words")

    find_phone(phone.serial).push(Path("--sync"), "/data/local/tmp/file")

    assert phone.read_file("/data/local/tmp/file") == "words"


@needs_adb
def test_a_full_disk_is_told_with_the_command_that_shows_it(phone: StandIn, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1000))
    phone.free_bytes = 999

    with pytest.raises(
        DeviceError, match=r"file cannot .*No space left on device\. Free .* df "
    ) as e:
        find_phone(phone.serial).push(tmp_path / "file", "/data/local/tmp/file")

    assert not isinstance(e.value, DeviceAwayError)


@needs_adb
def test_a_phone_that_is_unplugged_in_the_middle_of_a_push_is_away(
    phone: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1_000_000))
    adb = find_phone(phone.serial)
    phone.unplug_on = "push"

    with pytest.raises(DeviceAwayError, match=rf"the phone {phone.serial} is "):
        adb.push(tmp_path / "file", "/data/local/tmp/file")


@needs_adb
def test_what_cannot_be_pulled_is_named(phone: StandIn, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"/data/local/tmp/x cannot be copied .*does not exist"):
        find_phone(phone.serial).pull("/data/local/tmp/x", tmp_path / "x")


def test_a_push_that_does_not_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_adb(
        tmp_path, monkeypatch, f"{lists(('HT7', 'device'))}\n[ $1 = devices ] || exec sleep 30"
    )
    monkeypatch.setattr(adb_module, "PUSH_S", 0.2)
    begun_s = time.monotonic()

    with pytest.raises(DeviceError, match=r"adb push of file did not end .*Replug the phone"):
        Adb(serial="HT7").push(tmp_path / "file", "/data/local/tmp/file")

    assert time.monotonic() - begun_s < 25
