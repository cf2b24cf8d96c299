"""Many workers and trials on a PostgreSQL server: what the storage costs, and what is lost.

.venv/bin/python -m tests.benchmarks.many_workers [--trials 2000] [--workers 8]

The server is the benchmark's own (`tests.postgresql`). Networks are made in no time
(`tests.search.fast`), so the process that leads is what limits. Storage time: the time that it
spends in the ledger and in the table of jobs, from one drawn trial's end to the next one's.
reports/many_workers.md has the figures. About 10 minutes on 2 cores.
"""

import argparse
import collections
import contextlib
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jejunet_nas.files import write_text_whole
from jejunet_nas.records.words import markdown_table
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.jobs import Jobs
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.study_file import read_study
from tests.benchmarks.search_runs import machine
from tests.postgresql import Server
from tests.search.build import SPACE, write_study
from tests.search.fast import SECONDS, fast_search

OUT = Path(__file__).parents[2] / "reports" / "many_workers.md"
LARGE = (
    SPACE.replace("[0.25, 0.5]", "[0.25, 0.35, 0.5, 0.75]")
    .replace("last_block: [9]", "last_block: [9, 12]")
    .replace("detail: [thin]", "detail: [thin, shared]")
    .replace("[8, 16, 24]", "{from: 8, to: 96, step: 8}")
    .replace("[64, 96]", "{from: 64, to: 512, step: 32}")
    .replace("{from: 1, to: 3}", "[1, 3]")
)
SETTINGS = "trials: {trials}\ntarget_fps: 5\ntraining: {{steps: 9}}\n"


class Timer:
    """The seconds that this process spends in the storage, by drawn trial."""

    def __init__(self) -> None:
        self.trials: list[float] = []
        self._spent_s, self._depth = 0.0, 0

    def watch(self, kind: type) -> None:
        """Count the time of all public methods of `kind`."""
        for name, method in [*vars(kind).items()]:
            if not name.startswith("_") and callable(method):
                setattr(kind, name, self._timed(method, last=name == "complete"))

    def _timed(self, method: Callable[..., Any], *, last: bool) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*given: Any, **named: Any) -> Any:
            began_s, self._depth = time.perf_counter(), self._depth + 1
            try:
                return method(*given, **named)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._spent_s += time.perf_counter() - began_s
                if last and not given[2].added:
                    self.trials.append(self._spent_s)
                    self._spent_s = 0.0

        return timed


def main() -> None:
    """Search, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    os.environ.setdefault(SECONDS, "0.01")
    timer = Timer()
    timer.watch(Ledger)
    timer.watch(Jobs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # so that the server's user reaches its folder
        server = Server(folder / "server")
        server.start()
        try:
            url = server.new_database()
            study = write_study(folder, SETTINGS.format(trials=asked.trials), LARGE)
            began_s = time.monotonic()
            fast_search(study, folder / "tiny", url, asked.workers)
            seconds = time.monotonic() - began_s
            with contextlib.closing(Ledger(read_study(study), url)) as ledger:
                history = ledger.history()
        finally:
            server.stop()
    doubled = collections.Counter(canonical_json(each.architecture) for each in history.complete)
    thousandths = [1000 * each for each in timer.trials]
    deciles = statistics.quantiles(thousandths, n=10)
    last = statistics.median(thousandths[-100:])
    rows = [
        ("drawn trials", f"{len(history.drawn)}"),
        ("added trials", f"{len(history.complete) - len(history.drawn)}"),
        ("failed", f"{len(history.failed)}"),
        ("architectures that are there twice", f"{sum(n > 1 for n in doubled.values())}"),
        ("storage time a drawn trial, median, ms", f"{statistics.median(thousandths):.1f}"),
        ("the same, 90 % are below, ms", f"{deciles[-1]:.1f}"),
        ("the same, median of the last 100, ms", f"{last:.1f}"),
        ("all, minutes", f"{seconds / 60:.1f}"),
    ]
    text = (
        f"# {asked.workers} workers, {asked.trials} trials, PostgreSQL\n\n"
        f"`python -m tests.benchmarks.many_workers` on {machine()}, {time.strftime('%Y-%m-%d')}: "
        "networks that are made in at most 10 ms by workers of one machine. Storage time: what the "
        "leading process spends in the ledger and in the table of jobs.\n\n"
        f"{markdown_table(('what', 'figure'), rows)}\n"
    )
    print(write_text_whole(asked.out, text).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
