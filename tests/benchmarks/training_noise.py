"""How far trainings of a network differ, and whether brief training ranks networks as long does.

.venv/bin/python -m tests.benchmarks.training_noise --davis DAVIS --camvid CAMVID \\
    --init FILE

An hour and a half on 2 cores without a GPU, for 52 trainings. The figure is the float mIoU of
keyframes of val. On each data set one network is trained with several seeds under each recipe; on
DAVIS also a second network briefly, and 12 networks of the space, each briefly with one seed and
long with another. They are the first of a uniform draw (`drawn_networks`) that can meet the study's
target under some policy, by predicted latency. `noise_plan.py` has the recipes and the networks.

The page is written after each training; the same command resumes after the last one. Trainings are
kept by what was requested, data and settings, not by the code: remove the folder beside the page to
measure a change of the code.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

import numpy as np

from jejunet_nas.files import write_text_whole
from jejunet_nas.records.words import counted, markdown_table, network_words, per_cent, points
from jejunet_nas.search.feasibility import Aim
from jejunet_nas.search.prepare import prepare
from jejunet_nas.study.study_file import read_study
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.noise_plan import (
    CAMVID_NETWORK,
    DRAWN,
    NETWORK,
    SECOND,
    Plan,
    Recipe,
    Table,
    Unit,
    drawn_networks,
    kept_units,
    measure,
)
from tests.benchmarks.noise_statistics import (
    Correlation,
    Estimate,
    Spread,
    best,
    bootstrapped,
    kendall,
    mean_difference,
    pearson,
    ranks,
    ratio,
    scatter,
    spearman,
    spread,
    unpaired,
)
from tests.benchmarks.quantization import STUDY
from tests.benchmarks.search_runs import machine
from tests.benchmarks.trainings import KEYFRAMES, Kept, tell_hundreds

CAMVID_STUDY = STUDY.with_name("camvid_pixel2.yaml")
LEAST_RANKED = 4  # networks before a correlation is given
CORRELATIONS: Mapping[str, Correlation] = {
    "Spearman's rho": spearman,
    "Kendall's tau": kendall,
    "linear (Pearson)": pearson,
}


def page(tables: Sequence[Table], how: str) -> str:
    """Return the report. how: one paragraph on the machine and the command."""
    lines = [
        "# Noise of training",
        "",
        "How far do trainings of one network differ, and does brief training rank networks as long "
        "training does? mIoU in per cent: float, over keyframes of val, "
        + " and ".join(f"{table.keyframes} of {table.data}" for table in tables)
        + ". Seconds: of training, without scoring. In brackets: 95 % intervals.",
        "",
        how,
        "",
        "## One network, trained again",
        "",
        *(f"- {table.data}: {network_words(table.plan.network)}" for table in tables),
        "",
        _noise_table(tables),
        "",
        f"The last three columns compare with {tables[0].plan.recipes[0].name}: the mean "
        "difference, paired by seed; the ratio of the standard deviations (F distribution, as if "
        "independent); the ratio of the seconds.",
        "",
        *(line for table in tables for line in _pair_lines(table)),
        *(line for table in tables for line in _rank_lines(table)),
    ]
    return "\n".join(lines)


def _noise_table(tables: Sequence[Table]) -> str:
    text = ["data", "recipe"]
    columns = [*text, "seeds", "mIoU", "standard deviation", "s", "ms a step"]
    columns += ["mIoU, difference", "standard deviation, ratio", "s, ratio"]
    rows = (
        [table.data, recipe.words, *_noise_row(table, recipe)]
        for table in tables
        for recipe in table.plan.recipes
    )
    return markdown_table(columns, rows, text=text)


def _noise_row(table: Table, recipe: Recipe) -> list[str]:
    network, first = table.plan.network, table.plan.recipes[0]
    units, base = table.of(recipe, network), table.of(first, network)
    if not units:
        return ["0", *["-"] * 7]
    seconds, step_ms, miou = (
        float(np.mean([unit[place] for unit in units.values()])) for place in (3, 4, 5)
    )
    both = units.keys() & base.keys()
    known = len(units) > 1
    std = _interval(_spread(units).estimate, _std_words) if known else "-"
    cells = [f"{len(units)}", per_cent(miou), std, f"{seconds:.0f}", f"{step_ms:.0f}"]
    if recipe == first or len(both) < 2:
        return [*cells, *["-"] * 3]
    difference = mean_difference([units[seed].miou - base[seed].miou for seed in both])
    return [
        *cells,
        _interval(difference, points),
        _interval(ratio(_spread(units), _spread(base)), "{:.2f}".format),
        f"{seconds / np.mean([unit.seconds for unit in base.values()]):.2f}",
    ]


def _pair_lines(table: Table) -> Iterator[str]:
    """Say how far the difference of two networks varies, with equal and with different seeds."""
    plan = table.plan
    if not plan.second:
        return
    first, second = (table.of(plan.brief, network) for network in (plan.network, plan.second))
    both = first.keys() & second.keys()
    if len(both) < 2:
        return
    equal = spread([first[seed].miou - second[seed].miou for seed in both])
    different = unpaired(_spread(first), _spread(second))
    yield "## Two networks, equal seeds"
    yield ""
    yield (
        f"Equal seeds give two networks the same batches. On {table.data}, {plan.brief.words}, the "
        f"difference between the network above and {network_words(plan.second)} has a standard "
        f"deviation of {_interval(equal.estimate, _std_words)} points with equal seeds "
        f"({counted(len(both), 'pair')}), and of {_interval(different.estimate, _std_words)} with "
        "different ones (from the spread of each network)."
    )
    yield ""


def _rank_lines(table: Table) -> Iterator[str]:
    """Say how well brief training ranks the drawn networks."""
    plan, seeds = table.plan, table.plan.seeds
    found: list[tuple[str, Unit, Unit]] = []
    for network in plan.ranked:
        brief, long = table.of(plan.brief, network), table.of(plan.long, network)
        if seeds[0] in brief and seeds[1] in long:
            found.append((network_words(network), brief[seeds[0]], long[seeds[1]]))
    if len(found) < LEAST_RANKED:
        return
    mious = [[units[which].miou for _, *units in found] for which in (0, 1)]
    yield "## Brief and long training"
    yield ""
    yield (
        f"{len(found)} networks drawn uniformly from {table.data}'s space among those that can "
        f"meet the target, each trained twice: as {plan.brief.words} (brief) with seed {seeds[0]}, "
        f"and as {plan.long.words} (long) with seed {seeds[1]}."
    )
    yield ""
    columns = [(map(per_cent, each), map("{:g}".format, ranks(each))) for each in mious]
    names = (name for name, *_ in found)
    rows = zip(ascii_uppercase, names, *columns[0], *columns[1], strict=False)
    yield markdown_table(
        ["", "network", "brief", "rank", "long", "rank"], rows, text=["", "network"]
    )
    yield ""
    yield from _correlation_lines(*mious)
    yield from _ceiling_lines(table, mious[1])
    yield ""
    yield "Brief to the right, long upwards:"
    yield ""
    yield f"```\n{scatter(*mious)}\n```"
    yield ""


def _correlation_lines(brief: Sequence[float], long: Sequence[float]) -> Iterator[str]:
    for name, correlation in CORRELATIONS.items():
        yield f"- {name}: {_interval(bootstrapped(correlation, brief, long), '{:.2f}'.format)}"
    third, half = round(len(brief) / 3), len(brief) // 2
    top = best(long, third)
    yield (
        f"- Of the best {third} after long training, {len(top & best(brief, third))} are among the "
        f"best {third} after brief training, and {len(top & best(brief, half))} in the best half."
    )


def _ceiling_lines(table: Table, long: Sequence[float]) -> Iterator[str]:
    """Say what correlation the noise leaves to two long trainings."""
    units = table.of(table.plan.long, table.plan.network)
    if len(units) > 1 and np.var(long) > 0:
        share = 1 - _spread(units).std ** 2 / float(np.var(long, ddof=1))
        yield (
            "- For comparison: if the noise of each is that of the network above, two long "
            f"trainings of these networks have a linear correlation of about {max(share, 0):.2f}."
        )


def _spread(units: Mapping[int, Unit]) -> Spread:
    return spread([unit.miou for unit in units.values()])


def _std_words(std: float) -> str:
    return per_cent(std, 2)


def _interval(estimate: Estimate, word: Callable[[float], str]) -> str:
    value, low, high = map(word, estimate)
    return f"{value} ({low} to {high})"


def main() -> None:
    """Make the missing units, writing the page after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True)
    parser.add_argument("--camvid", type=Path, required=True)
    parser.add_argument("--init", default="imagenet", help="backbone weights of width 1.0")
    parser.add_argument("--out", type=Path, default=Path("reports/training_noise.md"))
    asked = parser.parse_args()
    folder = asked.out.with_suffix("")
    ready = [
        _prepared("DAVIS", STUDY, asked.davis, asked.init, folder),
        _prepared("CamVid", CAMVID_STUDY, asked.camvid, asked.init, folder),
    ]
    tables = [table for table, _, _ in ready]
    how = (
        f"{machine()}, no GPU, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}. "
        "Command: `python -m tests.benchmarks.training_noise --davis DAVIS --camvid CAMVID "
        "--init FILE`"
    )
    for table, setup, kept in ready:
        for unit in measure(table.plan, setup, kept, tell_hundreds):
            done = f"{table.data}, {unit.recipe}, seed {unit.seed}, {unit.network}"
            print(f"{done}: {per_cent(unit.miou)}", file=sys.stderr, flush=True)
            write_text_whole(asked.out, page(tables, how))
    print(write_text_whole(asked.out, page(tables, how)).read_text(encoding="utf-8"))


def _prepared(
    data: str, study: Path, root: Path, init: str, folder: Path
) -> tuple[Table, TrialSetup, Kept[Unit]]:
    settings = read_study(study, {"data.root": root, "training.init": init})
    here = folder / data.lower()
    here.mkdir(parents=True, exist_ok=True)
    setup = prepare(settings, here, tell_hundreds)
    plan = Plan(network=CAMVID_NETWORK)
    if data == "DAVIS":
        aim = Aim.of(settings, len(setup.val.class_names))
        plan = Plan(network=NETWORK, second=SECOND, ranked=drawn_networks(aim, DRAWN))
    kept = kept_units(here / "units.jsonl", setup)
    annotated = sum(int(clip.annotated.sum()) for clip in setup.val.clips)
    return Table(data, plan, kept.units, min(annotated, KEYFRAMES)), setup, kept


if __name__ == "__main__":
    main()
