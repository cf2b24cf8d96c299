"""The summary of the search benchmark: hypervolume and mIoU at the target over wall-clock time.

Every run counts with what it knew within its budget. All hypervolumes have one reference point, the
target's, see `scoring.front`.

Units: seconds, hypervolume in mIoU x ms, mIoU in [0, 1].
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.records.words import counted, markdown_table, per_cent
from jejunet_nas.scoring.front import hypervolume, reference_point
from tests.benchmarks.plain_optuna import PLAIN
from tests.benchmarks.search_runs import OURS, SAMPLERS, Found, Run

Runs = Mapping[tuple[str, int], Run]  # by row and seed
Curve = list[tuple[float, float]]  # (s, hypervolume) where it grew
Retrained = Mapping[tuple[str, int], float]  # the mIoU of a run's pick, trained anew


def curve(run: Run) -> Curve:
    """Return the hypervolume of what a run knew, at the times at which it grew."""
    points, grown, known = [], [(0.0, 0.0)], 0.0
    for end_s, group in itertools.groupby(run.in_time, key=lambda each: each.end_s):
        points += [(each.miou, each.mean_ms) for each in group if each.feasible]
        now = hypervolume(points, reference_point(run.target_fps))
        if now > known:
            known = now
            grown.append((end_s, now))
    return grown


def final(run: Run) -> float:
    """Return the hypervolume at the end of the budget."""
    return curve(run)[-1][1]


def time_ratio(ours: Run, other: Run) -> float:
    """Return our time to the other's final hypervolume, as a share of its budget.

    Infinite where ours does not reach it within its own budget.
    """
    level = final(other)
    reached = [end_s for end_s, area in curve(ours) if area >= level]
    return reached[0] / other.budget_s if reached else math.inf


def summary(runs: Runs, retrained: Retrained, *, command: str) -> dict[str, Any]:
    """Return the content of summary.json; a row of the ablation may still have fewer seeds.

    time_ratio_to: a median over the seeds; null where ours does not reach the level.
    """
    seeds = seeds_of(runs)
    ratios = {x: [time_ratio(runs[OURS, s], runs[x, s]) for s in seeds] for x in PLAIN}
    ablation = list(dict.fromkeys(row for row, _ in runs if row not in SAMPLERS))
    of_row = {
        row: [runs[row, s] for s in seeds if (row, s) in runs] for row in (*SAMPLERS, *ablation)
    }
    figures = {row: _figures(each, retrained) for row, each in of_row.items()}
    return {
        "time_ratio_to": {x: _finite(statistics.median(each)) for x, each in ratios.items()},
        "seeds": len(seeds),
        "hypervolume": {row: figures[row]["hypervolume"] for row in SAMPLERS},
        "best_at_target": {row: figures[row]["best_at_target"] for row in SAMPLERS},
        "ablation": {row: figures[row] for row in ablation},
        "machine": ", ".join(sorted({run.machine for run in runs.values()})),
        "command": command,
        "best_at_target_retrained": {
            row: figures[row]["best_at_target_retrained"] for row in SAMPLERS
        },
        "networks": {row: figures[row]["networks"] for row in SAMPLERS},
        "time_ratio_by_seed": {x: [*map(_finite, each)] for x, each in ratios.items()},
        "budget_s": runs[OURS, seeds[0]].budget_s,
        "target_fps": runs[OURS, seeds[0]].target_fps,
        "code": sorted({run.code for run in runs.values()}),
        "curves": {
            row: [[[round(s, 1), area] for s, area in curve(run)] for run in each]
            for row, each in of_row.items()
        },
    }


def seeds_of(runs: Runs) -> list[int]:
    """Return the seeds for which every sampler has finished."""
    return sorted({s for _, s in runs if all((row, s) in runs for row in SAMPLERS)})


def _figures(runs: Sequence[Run], retrained: Retrained) -> dict[str, Any]:
    picks = [run.pick for run in runs]
    return {
        "hypervolume": [final(run) for run in runs],
        "best_at_target": [pick.miou if pick else None for pick in picks],
        "best_at_target_retrained": [retrained.get((run.row, run.seed)) for run in runs],
        "networks": [_networks(run.in_time) for run in runs],
    }


def _networks(found: Sequence[Found]) -> int:
    return len({each.network_id for each in found})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def page(content: Mapping[str, Any], figure: str) -> str:
    """Return summary.md: `content`, as `summary` returned it, in words."""
    rows = {
        **{row: {name: content[name][row] for name in _COLUMNS} for row in SAMPLERS},
        **content["ablation"],
    }
    table = markdown_table(
        ("row", *_COLUMNS.values()),
        [
            (row, *(_cell(name, figures[name]) for name in _COLUMNS))
            for row, figures in rows.items()
        ],
    )
    ratios = "\n".join(
        f"- {x}: {'not reached' if ratio is None else f'{ratio:.2f}'}"
        for x, ratio in content["time_ratio_to"].items()
    )
    return (
        "# Search benchmark\n\n"
        f"Made by `{content['command']}` on {content['machine']}: "
        f"{counted(content['seeds'], 'seed')}, {content['budget_s']:g} s of wall-clock time a run, "
        f"{content['target_fps']:g} fps. Latencies are predicted. `ours` is the search as "
        "`studies/benchmark.yaml` sets it up; the three below it are Optuna's samplers over the "
        "plain trial. Further rows are ours with some settings changed.\n\n"
        f"![Hypervolume over time]({figure})\n\n"
        f"{table}\n\n"
        "Values of the seeds in order. mIoU at the target is that of the run's best feasible "
        "trial, as scored; trained anew: the same architecture after the plain training, the mean "
        "of two other seeds.\n\n"
        "Our time to the final hypervolume of each sampler, as a share of its budget (median over "
        f"the seeds):\n\n{ratios}\n"
    )


_COLUMNS = {
    "hypervolume": "hypervolume",
    "best_at_target": "mIoU % at the target",
    "best_at_target_retrained": "trained anew",
    "networks": "networks",
}


def _cell(name: str, values: Sequence[float | None]) -> str:
    def word(value: float | None) -> str:
        if value is None:
            return "none"
        if name == "networks":
            return f"{value:d}"
        return f"{value:.3f}" if name == "hypervolume" else per_cent(value)

    return ", ".join(map(word, values))


def draw_curves(content: Mapping[str, Any], file: Path) -> None:
    """Draw the hypervolume of each sampler over time: a thin line a seed, a thick mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    budget_s = content["budget_s"]
    times = [budget_s * n / 200 for n in range(201)]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for number, row in enumerate(SAMPLERS):
        heights = [[_height(each, s) for s in times] for each in content["curves"][row]]
        for height in heights:
            axes.step(times, height, where="post", color=f"C{number}", linewidth=0.6, alpha=0.5)
        mean = [statistics.fmean(column) for column in zip(*heights, strict=True)]
        axes.step(times, mean, where="post", color=f"C{number}", linewidth=2, label=row)
    axes.set(xlabel="wall-clock time, s", ylabel="hypervolume, mIoU x ms", xlim=(0, budget_s))
    axes.legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def _height(points: Sequence[Sequence[float]], at_s: float) -> float:
    return max(area for end_s, area in points if end_s <= at_s)
