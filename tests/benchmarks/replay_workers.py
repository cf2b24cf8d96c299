"""Our search over the recorded table with many workers, in simulated time: what limits it.

.venv/bin/python -m tests.benchmarks.replay_workers --storage-ms 50 [--seeds 8]

Nothing is trained: a network is done after the seconds that the table recorded, times `--slower`.
Sampler and records are the real ones; the time they take is measured, and the leading process does
one thing after the other. `--storage-ms` is added to it for each network, as `many_workers`
measured it. A phone measures one network after the other, `--phone-s` each; meanwhile the search
goes on with predictions.

Writes workers.md into reports/search_benchmark. About 10 minutes on one core.
"""

import argparse
import functools
import heapq
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from jejunet_nas.files import write_text_whole
from jejunet_nas.records.words import markdown_table
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.benchmarks.our_replay import Drawn, ReplayedSearch
from tests.benchmarks.recorded_table import STUDY, TABLE, Place, RecordedTable, read_table
from tests.benchmarks.search_runs import machine

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ENOUGH = 0.98  # of the hypervolume of all networks
Result = TypeVar("Result")


class Scenario(NamedTuple):
    """slower: how much longer a network takes than recorded. phone_s: to measure one.

    storage_s: what the leading process spends in a database for each network.
    """

    slower: float
    phone_s: float
    storage_s: float


class Simulated(NamedTuple):
    """One simulated search, in seconds.

    seen: (when, what it added) for each network. leader_s: how long the leading process was busy.
    trained_s: of all trainings. measured_s: when the last network was measured.
    """

    seen: list[tuple[float, list[Place]]]
    leader_s: float
    trained_s: float
    measured_s: float

    @property
    def end_s(self) -> float:
        """When the last network was known."""
        return self.seen[-1][0]


def simulate(
    table: RecordedTable, settings: StudySettings, workers: int, scenario: Scenario, training: int
) -> Simulated:
    """Search the whole table with `workers` workers."""
    search = ReplayedSearch(table, settings, training)
    leader, phone = _Serial(), _Serial()
    seen: list[tuple[float, list[Place]]] = []
    numbers = itertools.count()  # so that networks that end at one moment keep their order
    under_way: list[tuple[float, int, Drawn]] = []
    trained_s = at_s = 0.0
    while True:
        while len(under_way) < workers and not search.exhausted:
            drawn, drawn_s = leader.timed(at_s, search.draw)
            if drawn:
                took_s = scenario.slower * _seconds(table, drawn)
                heapq.heappush(under_way, (drawn_s + took_s, next(numbers), drawn))
                trained_s += took_s
        if not under_way:
            return Simulated(seen, leader.busy_s, trained_s, phone.free_s)
        at_s, _, drawn = heapq.heappop(under_way)
        leader.take(at_s, scenario.storage_s)
        places, known_s = leader.timed(at_s, functools.partial(search.finish, drawn))
        seen.append((known_s, places))
        phone.take(known_s, scenario.phone_s)


class _Serial:
    """What does one thing after the other. free_s: when it is free."""

    def __init__(self) -> None:
        self.free_s = self.busy_s = 0.0

    def take(self, at_s: float, seconds: float) -> float:
        """Begin what is asked for at `at_s` and takes `seconds`; return its end."""
        self.free_s = max(self.free_s, at_s) + seconds
        self.busy_s += seconds
        return self.free_s

    def timed(self, at_s: float, call: Callable[[], Result]) -> tuple[Result, float]:
        """Return what `call` does, which takes as long as it really takes, and its end."""
        began_s = time.perf_counter()
        done = call()
        return done, self.take(at_s, time.perf_counter() - began_s)


def _seconds(table: RecordedTable, drawn: Drawn) -> float:
    """Return the seconds of the faster training: now and then the machine was asleep."""
    return float(table.stages_s[table.networks.index(drawn[1].network)].min())


def enough_s(table: RecordedTable, made: Simulated, training: int) -> float:
    """Return when the front was nearly as good as that of all networks."""
    everything = [*itertools.product(range(len(table.networks)), range(len(table.policies)))]
    whole, _ = table.value(everything, training)
    known: list[Place] = []
    for now_s, places in made.seen:
        known += places
        if table.value(known, training)[0] >= ENOUGH * whole:
            return now_s
    return made.end_s


def main() -> None:
    """Simulate all numbers of workers, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--slower", type=float, default=14.0, help="14: as in davis_pixel2")
    parser.add_argument("--phone-s", type=float, default=30.0)
    parser.add_argument("--storage-ms", type=float, required=True)
    parser.add_argument("--out", type=Path, default=TABLE.with_name("workers.md"))
    asked = parser.parse_args()
    table, settings = read_table(TABLE), read_study(STUDY, {"start_with": []})
    storage_s = asked.storage_ms / 1000
    scenarios = {
        "Networks as recorded": Scenario(1.0, asked.phone_s, storage_s),
        f"Networks that take {asked.slower:g} times as long": Scenario(
            asked.slower, asked.phone_s, storage_s
        ),
    }
    sections = [
        f"## {words}\n\n{scenario_table(table, settings, scenario, asked.seeds)}"
        for words, scenario in scenarios.items()
    ]
    least_s = statistics.median(table.stages_s.min(axis=1).tolist())
    text = (
        "# Many workers, simulated\n\n"
        f"`python -m tests.benchmarks.replay_workers --seeds {asked.seeds} --storage-ms "
        f"{asked.storage_ms:g}` on {machine()}, {time.strftime('%Y-%m-%d')}: the recorded "
        f"benchmark, {len(table.networks)} networks that take {least_s:.0f} s at the median. Times "
        "are medians over seeds. Enough: the front has "
        f"{100 * ENOUGH:g} % of the hypervolume of all networks. Measured: with one phone, "
        f"{asked.phone_s:g} s a network. The leading process draws and records; its own time is "
        f"measured, and {asked.storage_ms:g} ms of storage are added for a network.\n\n"
        + "\n\n".join(sections)
        + "\n"
    )
    print(write_text_whole(asked.out, text).read_text(encoding="utf-8"))


def scenario_table(
    table: RecordedTable, settings: StudySettings, scenario: Scenario, seeds: int
) -> str:
    """Return the table of one scenario."""
    columns = ("workers", "enough, min", "all, min", "gain", "measured, min")
    columns += ("workers busy, %", "leader busy, %")
    rows, alone_s = list[Sequence[str]](), 0.0
    for workers in WORKERS:
        found = [*_replays(table, settings, workers, scenario, seeds)]
        enough = [enough_s(table, made, n % table.trainings) for n, made in enumerate(found)]
        end_s = statistics.median(made.end_s for made in found)
        alone_s = alone_s or end_s
        rows.append(
            (
                f"{workers}",
                f"{statistics.median(enough) / 60:.1f}",
                f"{end_s / 60:.1f}",
                f"{alone_s / end_s:.1f}",
                f"{statistics.median(made.measured_s for made in found) / 60:.1f}",
                f"{statistics.median(100 * m.trained_s / workers / m.end_s for m in found):.0f}",
                f"{statistics.median(100 * made.leader_s / made.end_s for made in found):.0f}",
            )
        )
        print(*rows[-1], flush=True)
    return markdown_table(columns, rows)


def _replays(
    table: RecordedTable, settings: StudySettings, workers: int, scenario: Scenario, seeds: int
) -> Iterator[Simulated]:
    for seed in range(seeds):
        sampler = settings.sampler.model_copy(update={"seed": seed})
        seeded = settings.model_copy(update={"sampler": sampler})
        yield simulate(table, seeded, workers, scenario, seed % table.trainings)


if __name__ == "__main__":
    main()
