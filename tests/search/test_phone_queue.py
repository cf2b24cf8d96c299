import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jejunet_nas.errors import DeviceAwayError, DeviceError
from jejunet_nas.records import GRAPH_NAMES, NetworkRecord
from jejunet_nas.search import phone_queue as module
from jejunet_nas.search.phone_queue import TRIES, PhoneQueue
from jejunet_nas.study.kept_measurements import read_measurements
from tests.search.build import result
from tests.search.measured import OTHER_PHONE, PATIENCE_S, PHONE, FakePhone, Gate, Lines
from tests.space.build import ARCHITECTURE

Start = Callable[[FakePhone], PhoneQueue]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def start(tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Begin to measure on a phone; the thread has ended when the test has."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.01)
    started: list[PhoneQueue] = []

    def start(phone: FakePhone) -> PhoneQueue:
        started.append(PhoneQueue(phone.open, tmp_path, lines.say))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for measuring in started:
        measuring.abandon()
        join(measuring)


def join(measuring: PhoneQueue) -> None:
    measuring._thread.join(PATIENCE_S)
    assert not measuring._thread.is_alive(), "the thread does not end"


def network(networks: Path, name: str) -> NetworkRecord:
    """A network under any name, whose folder is there."""
    (networks / name).mkdir()
    return dataclasses.replace(result(0, ARCHITECTURE).network, network_id=name)


def graphs_of(*names: str) -> list[str]:
    return [f"{name}/{graph}" for name in names for graph in GRAPH_NAMES]


def finish(measuring: PhoneQueue) -> int:
    """Wait for the end of measuring, but not for ever; return how many networks are left."""
    left: list[int] = []
    waiting = threading.Thread(target=lambda: left.append(measuring.finish(lambda _: None)))
    waiting.daemon = True
    waiting.start()
    waiting.join(PATIENCE_S)
    assert left, "finish does not end"
    return left[0]


def through(measuring: PhoneQueue) -> list[tuple[str, bool]]:
    """Return the networks that are through, and whether each was measured."""
    return [(each.network_id, each.measurement is not None) for each in measuring.done()]


def measured(networks: Path) -> list[str]:
    """Return the networks with a measurement on disk."""
    return [
        folder.name for folder in sorted(networks.iterdir()) if read_measurements(folder, threads=1)
    ]


def test_networks_are_measured_in_their_order_and_kept(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    measuring = start(phone)

    for name in ("b", "a", "c"):
        measuring.submit(network(tmp_path, name))

    assert finish(measuring) == 0
    assert phone.taken == graphs_of("b", "a", "c")
    assert through(measuring) == [("b", True), ("a", True), ("c", True)]
    assert measured(tmp_path) == ["a", "b", "c"]
    assert lines.lines == []


def test_nothing_is_done_before_something_is_submitted(start: Start) -> None:
    measuring = start(FakePhone())

    assert (measuring.phone, measuring.away, measuring.left()) == (PHONE, False, 0)
    assert (measuring.done(), finish(measuring)) == ([], 0)


def test_a_phone_that_is_not_there_at_the_start_is_an_error(start: Start) -> None:
    phone = FakePhone()
    phone.leave()

    with pytest.raises(DeviceAwayError, match="no phone is attached"):
        start(phone)


def test_a_network_that_waits_or_is_being_measured_is_not_queued_again(
    start: Start, tmp_path: Path
) -> None:
    phone, gate = FakePhone(), Gate()
    phone.at = {"a/propagate": gate.wait}
    measuring = start(phone)
    first, second = network(tmp_path, "a"), network(tmp_path, "b")
    measuring.submit(first)
    gate.wait_until_reached()

    for each in (first, second, first, second):
        measuring.submit(each)

    assert measuring.left() == 2
    gate.opened.set()
    assert finish(measuring) == 0
    assert phone.taken == graphs_of("a", "b")
    assert through(measuring) == [("a", True), ("b", True)]


def test_a_network_that_is_through_is_told_again_and_not_measured_again(
    start: Start, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.broken = {"b"}
    measuring = start(phone)
    both = network(tmp_path, "a"), network(tmp_path, "b")
    for each in both:
        measuring.submit(each)
    finish(measuring)
    told, taken = through(measuring), list(phone.taken)

    for each in both:
        measuring.submit(each)

    assert (finish(measuring), phone.taken) == (0, taken)
    assert through(measuring) == told == [("a", True), ("b", False)]


@pytest.mark.parametrize("graph", GRAPH_NAMES)
def test_a_phone_that_goes_away_and_comes_back_starts_its_network_again(
    graph: str, start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.at = {f"a/{graph}": phone.leave}
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))

    lines.wait_for("measuring pauses, and predictions are used meanwhile: the connection broke")
    assert (measuring.away, measured(tmp_path), through(measuring)) == (True, [], [])
    before = len(phone.taken)
    phone.come_back()
    lines.wait_for("the phone is back: measuring continues")

    assert finish(measuring) == 0
    assert (before, phone.taken[before:]) == (GRAPH_NAMES.index(graph), graphs_of("a"))  # type: ignore[arg-type]
    assert (measuring.away, through(measuring)) == (False, [("a", True)])
    assert len(lines.lines) == 2


def test_a_phone_that_stays_away_leaves_its_networks_unmeasured(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.at = {"b/key": phone.leave}
    measuring = start(phone)
    for name in "abc":
        measuring.submit(network(tmp_path, name))

    assert finish(measuring) == 2

    measuring.close()
    assert (measured(tmp_path), through(measuring)) == (["a"], [("a", True)])
    assert len(lines.with_words("measuring pauses")) == len(lines.lines) == 1
    assert phone.closed == 0  # there is nothing to tidy up on a phone that is away


def test_networks_that_come_while_the_phone_is_away_are_measured_later(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.at = {"a/gate": phone.leave}
    measuring = start(phone)
    first, second = network(tmp_path, "a"), network(tmp_path, "b")
    measuring.submit(first)
    lines.wait_for("measuring pauses")

    for each in (second, first, second):
        measuring.submit(each)
    assert measuring.left() == 2
    phone.come_back()
    lines.wait_for("the phone is back")

    assert finish(measuring) == 0
    assert sorted(through(measuring)) == [("a", True), ("b", True)]


def test_a_network_that_drives_the_phone_away_lets_the_others_pass(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone, gate = FakePhone(), Gate()
    phone.at = {"a/key": gate.wait, "a/gate": phone.leave}
    measuring = start(phone)
    for name in "ab":
        measuring.submit(network(tmp_path, name))
    gate.opened.set()
    lines.wait_for("measuring pauses")
    phone.come_back()
    lines.wait_for("the phone is back")

    assert finish(measuring) == 0
    assert [name for name, _ in through(measuring)] == ["b", "a"]


def test_a_graph_that_the_phone_cannot_run_is_tried_twice_and_leaves_its_network_predicted(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone, gate = FakePhone(), Gate()
    phone.broken, phone.at = {"a"}, {"a/key": gate.wait}
    measuring = start(phone)
    for name in "ab":
        measuring.submit(network(tmp_path, name))
    gate.opened.set()

    assert finish(measuring) == 0

    assert phone.taken == ["a/key", *graphs_of("b"), "a/key"]
    assert through(measuring) == [("b", True), ("a", False)]
    assert lines.lines == ["network a stays predicted: a/key crashed"]
    assert not measuring.away


def test_a_network_that_fails_once_is_measured_the_second_time(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    def stumble() -> None:
        raise DeviceError("out of memory")

    phone = FakePhone()
    phone.at = {"a/propagate": stumble}
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))

    assert finish(measuring) == 0
    assert through(measuring) == [("a", True)]
    assert lines.lines == []


def test_measuring_outlives_what_cannot_be_kept_and_faults_of_its_own(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    def stumble() -> None:
        raise ZeroDivisionError

    phone, gate = FakePhone(), Gate()
    phone.at = {"a/key": gate.wait, "b/key": stumble}
    measuring = start(phone)
    for name in "abc":
        measuring.submit(network(tmp_path, name))
    gate.wait_until_reached()
    (tmp_path / "a" / "measured").touch()  # a file where the folder is to be
    gate.opened.set()

    assert finish(measuring) == 0
    assert sorted(through(measuring)) == [("a", False), ("b", True), ("c", True)]
    assert len(lines.with_words("network a stays predicted: FileExistsError")) == 1


def test_another_phone_in_the_place_of_the_first_is_not_measured_on(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.at = {"a/gate": phone.leave}
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))
    lines.wait_for("measuring pauses")

    phone.phone_info = OTHER_PHONE
    phone.come_back()
    phone.looked_at(3)

    assert finish(measuring) == 1
    assert (measuring.away, through(measuring), phone.taken) == (True, [], graphs_of("a")[:2])
    with pytest.raises(DeviceAwayError, match=r"another phone is attached, .*\. Attach .* again"):
        measuring._reopen()


def test_an_adb_that_fails_is_no_fault_of_a_network(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.at = {"a/key": phone.leave}
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))
    lines.wait_for("measuring pauses")
    phone.opening = DeviceError("`adb devices` failed")
    phone.looked_at(2 * TRIES)

    assert (measuring.away, measuring.left(), through(measuring)) == (True, 1, [])
    phone.come_back()
    lines.wait_for("the phone is back")

    assert finish(measuring) == 0
    assert through(measuring) == [("a", True)]


def test_a_graph_off_its_interval_and_one_that_is_unstable_are_told(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone = FakePhone()
    phone.median_ms, phone.unstable = 30.0, ("the screen went off",)
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))

    finish(measuring)

    assert through(measuring) == [("a", True)]
    assert len(lines.with_words("network a, key: measured 30.00 ms, 1.50 of the")) == 1
    assert lines.with_words("unstable")[0] == "network a is unstable: key: the screen went off"
    assert len(lines.lines) == 2 * len(GRAPH_NAMES)


def test_the_number_of_those_that_wait_is_told(start: Start, tmp_path: Path) -> None:
    phone, gate, told = FakePhone(), Gate(), []
    phone.at = {"a/key": gate.wait}
    measuring = start(phone)
    for name in "ab":
        measuring.submit(network(tmp_path, name))
    gate.wait_until_reached()

    def tell(left: int) -> None:
        told.append(left)
        gate.opened.set()

    assert measuring.finish(tell) == 0
    assert told[0] == 2
    assert sorted(told, reverse=True) == told


def test_closing_tidies_the_phone_up(start: Start, tmp_path: Path) -> None:
    phone = FakePhone()
    measuring = start(phone)
    measuring.submit(network(tmp_path, "a"))
    finish(measuring)

    measuring.close()

    assert phone.closed == 1
    assert not measuring._thread.is_alive()


def test_closing_stops_after_the_graph_that_is_being_measured_and_tidies_up(
    start: Start, lines: Lines, tmp_path: Path
) -> None:
    phone, gate = FakePhone(), Gate()
    phone.at = {"a/key": gate.wait}
    measuring = start(phone)
    for name in "ab":
        measuring.submit(network(tmp_path, name))
    gate.wait_until_reached()

    closing = threading.Thread(target=measuring.close)
    closing.start()
    with measuring._changed:
        assert measuring._changed.wait_for(lambda: measuring._ending, PATIENCE_S)
    gate.opened.set()
    closing.join(PATIENCE_S)

    assert not closing.is_alive()
    assert (phone.taken, phone.closed) == (["a/key"], 1)
    assert (measured(tmp_path), through(measuring), lines.lines) == ([], [], [])


@pytest.mark.parametrize("error", [DeviceError("no space"), PermissionError("of its lock")])
def test_what_fails_while_tidying_up_is_no_matter(start: Start, error: Exception) -> None:
    class Stubborn(FakePhone):
        def close(self) -> None:
            raise error

    start(Stubborn()).close()


def test_an_abandoned_phone_is_not_waited_for(start: Start, tmp_path: Path) -> None:
    phone, gate = FakePhone(), Gate()
    phone.at = {"b/key": gate.wait}
    measuring = start(phone)
    for name in "abc":
        measuring.submit(network(tmp_path, name))
    gate.wait_until_reached()

    measuring.abandon()  # returns, though the gate is shut

    gate.opened.set()
    join(measuring)
    assert phone.taken == [*graphs_of("a"), "b/key"]
    assert measured(tmp_path) == ["a"]
