"""This search against plain Optuna: real training, equal wall-clock time, several seeds.

make bench-search DATA_ROOT=../shared/data/DAVIS BUDGET_S=1200 SEEDS=3

Takes BUDGET_S x SEEDS x (4 samplers + the rows of the ablation), and a minute a run to train its
pick anew: with 1200 s, 3 seeds and 4 rows 8 to 9 hours. Give the machine nothing else to do, since
time is what is compared. The study is studies/benchmark.yaml, without start points.

A finished run is kept in studies/benchmark/runs, so the same command resumes after a kill; the run
that was killed begins again. reports/search_benchmark/summary.json, summary.md and summary.png are
written after each run, as soon as all samplers have finished one seed.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import shutil
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from jejunet_nas.cli.streams import native_log
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.files import write_text_whole, write_whole
from jejunet_nas.search.view import View, duration
from jejunet_nas.space.search_space import size_of
from jejunet_nas.study.settings import StudySettings
from tests.benchmarks.plain_optuna import PLAIN
from tests.benchmarks.recorded_table import STUDY
from tests.benchmarks.search_runs import (
    ABLATION,
    OURS,
    RETRAINING_SEEDS,
    SAMPLERS,
    Found,
    Run,
    retrained_miou,
    run,
    run_from_json,
    settings_of,
)
from tests.benchmarks.search_summary import draw_curves, page, seeds_of, summary

WORK = STUDY.parent / "benchmark" / "runs"
OUT = Path(__file__).parents[2] / "reports" / "search_benchmark"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What is compared. work: where finished runs are kept; out: the folder of the summary."""

    study: Path
    data_root: Path | None
    budget_s: float
    seeds: int
    ablation: Sequence[str]
    work: Path
    out: Path

    def units(self) -> Iterator[tuple[str, int]]:
        """Yield (row, seed) in the order of the runs: the samplers first, seed by seed."""
        for rows in (SAMPLERS, self.ablation):
            yield from ((row, seed) for seed in range(self.seeds) for row in rows)

    def file(self, row: str, seed: int) -> Path:
        """Return where a finished run is kept; its name holds the settings and the budget."""
        settings = settings_of(row, seed, self.study, self.data_root)
        name = row.replace(" ", "_")
        return self.work / f"{name}-{seed}-{_key(settings, self.budget_s)}.json"

    def finished(self) -> dict[tuple[str, int], Run]:
        """Return the runs that are kept."""
        files = {unit: self.file(*unit) for unit in self.units()}
        return {
            unit: run_from_json(json.loads(file.read_text()))
            for unit, file in files.items()
            if file.is_file()
        }


def main() -> None:
    """Run what is not finished, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--study", type=Path, default=STUDY)
    parser.add_argument("--budget-s", type=float, default=1200.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--ablation", nargs="*", choices=[*ABLATION], default=[*ABLATION], metavar="ROW"
    )
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = Benchmark(**vars(parser.parse_args()))
    asked.work.mkdir(parents=True, exist_ok=True)
    with native_log(asked.work / "tensorflow.log"):
        bench(asked, View(Console()))


def bench(asked: Benchmark, view: View) -> None:
    """Make the missing runs of `asked` and write the summary after each."""
    units = [*asked.units()]
    left = [unit for unit in units if unit not in asked.finished()]
    view.say(
        f"{len(units)} runs of {duration(asked.budget_s)}, {len(units) - len(left)} finished; "
        f"about {duration(asked.budget_s * len(left))} left, and the picks are trained anew"
    )
    if left:
        _prepare_pictures(asked, view)
    for number, (row, seed) in enumerate(left):
        view.say(
            f"run {len(units) - len(left) + number + 1} of {len(units)}: {row}, seed {seed}; "
            f"about {duration(asked.budget_s * (len(left) - number))} left"
        )
        settings = settings_of(row, seed, asked.study, asked.data_root)
        with _emptied(asked.work / "searching") as folder:
            made = run(row, settings, asked.budget_s, folder, view)
        write_text_whole(asked.file(row, seed), json.dumps(dataclasses.asdict(made)))
        _write(asked, {})
    _write(asked, _retrained(asked, view))


def _prepare_pictures(asked: Benchmark, view: View) -> None:
    """Decode and resize all clips: else the first run would pay for the cache of all others."""
    settings = settings_of(OURS, 0, asked.study, asked.data_root)
    train, _ = (settings.data.open_split(split, view.stage) for split in ("train", "val"))
    for height, width in map(size_of, settings.search_space.resolution):
        augment = settings.training.augment
        input_frames(train, height=height, width=width, augment=augment, progress=view.stage)


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Yield an empty folder for networks, which are not needed once their figures are kept."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _retrained(asked: Benchmark, view: View) -> dict[tuple[str, int], float]:
    """Return the mIoU of each run's pick after the plain training, a mean over fresh seeds."""
    means: dict[tuple[str, int], float] = {}
    for (row, seed), made in asked.finished().items():
        if made.pick is not None:
            view.say(f"train the pick of {row}, seed {seed}, anew")
            scores = [_trained_anew(made.pick, each, asked, view) for each in RETRAINING_SEEDS]
            means[row, seed] = statistics.fmean(scores)
    return means


def _trained_anew(pick: Found, seed: int, asked: Benchmark, view: View) -> float:
    """Return the mIoU of `pick` trained with `seed`; it is kept, and found again."""
    settings = settings_of(PLAIN[0], seed, asked.study, asked.data_root)
    file = asked.work / f"retrained-{_key(settings, json.dumps(pick.architecture))}.json"
    if not file.is_file():
        with _emptied(asked.work / "retraining") as folder:
            write_text_whole(file, json.dumps(retrained_miou(pick, settings, folder, view)))
    return float(json.loads(file.read_text()))


def _key(settings: StudySettings, more: object) -> str:
    apart = (settings.sampler, settings.trials, settings.last_round)  # not in the identity
    decisive = f"{settings.identity()} {apart} {more}"
    return hashlib.sha256(decisive.encode()).hexdigest()[:12]


def _write(asked: Benchmark, retrained: dict[tuple[str, int], float]) -> None:
    """Write the summary of the runs that are finished."""
    runs = asked.finished()
    if not seeds_of(runs):
        return
    command = f"make bench-search BUDGET_S={asked.budget_s:g} SEEDS={asked.seeds}"
    content = summary(runs, retrained, command=command)
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, allow_nan=False)
    write_text_whole(asked.out / "summary.json", f"{text}\n")
    write_text_whole(asked.out / "summary.md", page(content, "summary.png"))
    write_whole(asked.out / "summary.png", lambda beside: draw_curves(content, beside))


if __name__ == "__main__":
    main()
