"""Chaos: workers and the search itself are killed at random moments, again and again.

.venv/bin/python -m tests.benchmarks.chaos [--kills 50] [--real 5]

Two studies: one of networks that are made in no time (`tests.search.fast`), in which `--kills`
processes are killed, and one of tiny networks that are trained, with `--real` kills. After each
kill the study goes on by itself, or is started again where its search was killed. In the end every
trial must be there once, every network of a trial must be whole, and `doctor` must find nothing
damaged. reports/chaos.md has the figures. 5 to 10 minutes on 2 cores.
"""

import argparse
import collections
import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.errors import JejunetError
from jejunet_nas.files import write_text_whole
from jejunet_nas.records.words import counted, markdown_table
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.checkup import check_up
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import has_study, storage_url
from jejunet_nas.study.study_file import read_study
from tests.benchmarks.search_runs import machine
from tests.search.build import SPACE, write_study
from tests.search.fast import SECONDS, start_search

OUT = Path(__file__).parents[2] / "reports" / "chaos.md"
WIDE = (
    SPACE.replace("[8, 16, 24]", "{from: 8, to: 96, step: 8}")
    .replace("detail: [thin]", "detail: [thin, shared]")
    .replace("logit_stride: [8]", "logit_stride: [4, 8]")
    .replace("[64, 96]", "[64, 96, 128, 160, 192]")
    .replace("{from: 1, to: 3}", "[1, 3]")
)
REAL = """\
data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}
training: {steps: 6, rungs: [3], pairs_per_step: 2, gate_pairs: 10, gate_steps: 2}
compression: {post_training: {calibration_frames: 4}}
"""
SEARCH_SHARE = 0.3  # of the kills; the others are of workers
LAST_S = 900.0  # for the end of a study after the last kill


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """What was killed, and the seconds from the first start to the end."""

    workers: int
    searches: int
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is left in the end.

    damaged, left_over: what `doctor` finds, the second harmless. as_recorded: whether Optuna's
    values, from which fronts are drawn, are those of the records.
    """

    trials: int
    added: int
    doubled: int
    failed: int
    damaged: tuple[str, ...]
    left_over: tuple[str, ...]
    as_recorded: bool


def torment(
    study: Path,
    start: Callable[[], Any],
    *,
    url: str | None,
    kills: int,
    pause_s: tuple[float, float],
    dice: random.Random,
) -> Kills:
    """Kill processes of the study's search until `kills` are dead, then let it end.

    start: begins the search and returns its process. pause_s: the shortest and the longest time
    between two kills. Nothing is killed before it works.
    """
    began, killed = time.monotonic(), collections.Counter[str]()
    search = start()
    while killed.total() < kills:
        time.sleep(dice.uniform(*pause_s))
        if search.poll() is not None:
            if search.returncode == 0:
                raise RuntimeError(f"the study ended after {counted(killed.total(), 'kill')}")
            search = start()
            continue
        workers = workers_of(study, url)
        if not workers:
            continue  # they start
        victim = search.pid if dice.random() < SEARCH_SHARE else dice.choice(workers)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            killed["search" if victim == search.pid else "worker"] += 1
        if victim == search.pid:
            search.wait()
            search = start()
    if search.wait(LAST_S) != 0:
        raise RuntimeError(f"the search ended with exit code {search.returncode}")
    seconds = time.monotonic() - began
    return Kills(workers=killed["worker"], searches=killed["search"], seconds=seconds)


def workers_of(study: Path, url: str | None = None) -> list[int]:
    """Return the processes of the workers that have begun, without those that died."""
    url = url or storage_url(study.parent / "tiny")
    with contextlib.suppress(JejunetError):
        if has_study(url, "tiny"):
            with contextlib.closing(Ledger(read_study(study), url)) as ledger:
                present = ledger.jobs().present()
            pids = [int(each.worker.rpartition(":")[2]) for each in present]
            return [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return []


def look(study: Path, url: str | None = None) -> Found:
    """Hold the records of the study against each other, Optuna's values and the files."""
    ledger = Ledger(read_study(study), url or storage_url(study.parent / "tiny"))
    history = ledger.history()
    found = collections.Counter(canonical_json(each.architecture) for each in history.complete)
    with contextlib.chdir(study.parent.parent):
        checkup = check_up(str(study), url, print)
    harmless = [each.what for each in checkup.findings if not each.damaged]
    values = {each.number: each.values for each in ledger.trials() if each.state.name == "COMPLETE"}
    records = {each.number: [each.score.miou, each.latency.mean_ms] for each in history.complete}
    return Found(
        trials=len(history.drawn),
        added=len(history.complete) - len(history.drawn),
        doubled=sum(count > 1 for count in found.values()),
        failed=len(history.failed),
        damaged=tuple(each.what for each in checkup.findings if each.damaged),
        left_over=tuple(harmless),
        as_recorded=values == records,
    )


def page(rows: Sequence[tuple[str, Kills, Found]], seed: int, command: str) -> str:
    """Return the report."""
    table = markdown_table(
        (
            *("study", "workers killed", "searches killed", "minutes", "trials", "added"),
            *("doubled", "failed", "damaged", "left over", "Optuna's values are the records'"),
        ),
        [
            (
                *(name, f"{kills.workers}", f"{kills.searches}", f"{kills.seconds / 60:.1f}"),
                *(f"{found.trials}", f"{found.added}", f"{found.doubled}", f"{found.failed}"),
                *(f"{len(found.damaged)}", f"{len(found.left_over)}"),
                "yes" if found.as_recorded else "no",
            )
            for name, kills, found in rows
        ],
    )
    return (
        "# Chaos\n\n"
        f"`{command}` on {machine()}, {time.strftime('%Y-%m-%d')}, seed {seed}: processes of "
        "searches with two workers each, killed with SIGKILL at random moments. A search that was "
        "killed is started again.\n\n"
        f"{table}\n\n"
        "Trials: drawn ones, one a network; added: further policies. Doubled: architectures that "
        "are there twice. Failed: networks that were killed three times while they were trained, "
        "which a search takes for their own fault. Damaged and left over: what `jejunet-nas "
        "doctor` finds, the second is harmless (networks that no trial names, and what a killed "
        "process was writing).\n"
    )


class _Fast:
    """A search with fast networks, as `torment` sees a process."""

    def __init__(self, study: Path, url: str | None) -> None:
        self._process = start_search(study, study.parent / "tiny", url, 2)
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int | None:
        self._process.join(seconds)
        return self._process.exitcode


def fast_chaos(
    folder: Path, *, kills: int, trials: int, url: str | None, dice: random.Random
) -> tuple[Kills, Found]:
    """Torment a study of `trials` fast networks in `folder`."""
    studies = folder / "studies"
    studies.mkdir(parents=True)
    study = write_study(studies, f"trials: {trials}\ntraining: {{steps: 9, rungs: [3]}}\n", WIDE)
    done = torment(
        study,
        lambda: _Fast(study, url),
        url=url,
        kills=kills,
        pause_s=(0.2, 4.0),
        dice=dice,
    )
    return done, look(study, url)


def real_chaos(folder: Path, *, kills: int, dice: random.Random) -> tuple[Kills, Found]:
    """Torment a study of tiny networks that are trained."""
    studies = folder / "studies"
    studies.mkdir(parents=True)
    study = write_study(studies, f"trials: 8\n{REAL}", SPACE)
    command = [sys.executable, "-m", "jejunet_nas", "search", "tiny", "--workers", "2"]

    def start() -> Any:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    done = torment(study, start, url=None, kills=kills, pause_s=(5.0, 30.0), dice=dice)
    return done, look(study)


def main() -> None:
    """Torment the studies, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--real", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    os.environ.setdefault(SECONDS, "1.5")
    dice, rows = random.Random(asked.seed), []
    with tempfile.TemporaryDirectory() as folder:
        done = fast_chaos(Path(folder) / "fast", kills=asked.kills, trials=300, url=None, dice=dice)
        rows.append(("fast networks", *done))
        done = real_chaos(Path(folder) / "real", kills=asked.real, dice=dice)
        rows.append(("trained networks", *done))
    text = page(rows, asked.seed, "make chaos")
    write_text_whole(asked.out, text)
    print(text)
    for name, _, found in rows:
        if found.doubled or found.failed or found.damaged or not found.as_recorded:
            sys.exit(f"{name}: {found}")


if __name__ == "__main__":
    main()
