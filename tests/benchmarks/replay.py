"""Samplers over the recorded table, hundreds of seeds: what each knows after so many networks.

.venv/bin/python -m tests.benchmarks.replay [--seeds 200]
.venv/bin/python -m tests.benchmarks.replay --seeds 40 --samplers ours --steps 5 10 20

The first takes 20 to 30 minutes on 2 cores, nearly all of it in TPE; the second, while a sampler
is changed, half a minute. Nothing is trained. A step is one drawn trial. Ours draws a network and
learns all its policies; plain Optuna draws a network and one policy, see `plain_optuna`, and pays
for a network that it draws again, as plain Optuna does. ours_nsga2 and ours_random are ours with
another sampler of networks. A replay sees the scores of one of the
recorded trainings, by its seed. What it reports counts with the means over all trainings.

The first command writes replay.json, replay.md and replay.png into reports/search_benchmark; with
fewer samplers or other steps the page is only printed.
"""

import argparse
import functools
import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from jejunet_nas.files import write_text_whole, write_whole
from jejunet_nas.records.words import markdown_table, per_cent
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.benchmarks.our_replay import our_steps
from tests.benchmarks.plain_optuna import PLAIN, plain_study, suggest, tell
from tests.benchmarks.recorded_table import STUDY, TABLE, Place, RecordedTable, read_table

OURS = "ours"
# The study's sampler, and others in its place.
OUR_SAMPLERS = {OURS: None, "ours_nsga2": "nsga2", "ours_random": "random"}
SAMPLERS = (*OUR_SAMPLERS, *PLAIN)
STEPS = (5, 10, 20, 40, 60, 100)  # after which a replay is valued
CLAIM = (OURS, 20), ("nsga2", 100)  # the first should know at least what the second knows
Values = list[tuple[float, float, int]]  # hypervolume, mIoU at the target, different networks


def main() -> None:
    """Replay all samplers, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--study", type=Path, default=STUDY)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=SAMPLERS)
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=TABLE.parent)
    asked = parser.parse_args()
    settings = read_study(asked.study, {"start_with": []})
    began_s = time.monotonic()
    table = read_table(asked.table)
    content = replay(
        table,
        settings,
        seeds=asked.seeds,
        samplers=tuple(asked.samplers),
        steps=tuple(sorted(asked.steps)),
        processes=asked.processes,
    )
    content |= {
        "seconds": round(time.monotonic() - began_s, 1),
        "command": f"python -m tests.benchmarks.replay --seeds {asked.seeds}",
    }
    print(page(content, "replay.png"))
    if (tuple(content["samplers"]), tuple(content["steps"])) == (SAMPLERS, STEPS):
        asked.out.mkdir(parents=True, exist_ok=True)
        write_text_whole(asked.out / "replay.json", json.dumps(content, indent=2) + "\n")
        write_text_whole(asked.out / "replay.md", page(content, "replay.png"))
        write_whole(asked.out / "replay.png", lambda beside: draw(content, beside))


def replay(
    table: RecordedTable,
    settings: StudySettings,
    *,
    seeds: int,
    samplers: Sequence[str] = SAMPLERS,
    steps: Sequence[int] = STEPS,
    processes: int = 1,
) -> dict[str, Any]:
    """Return the content of replay.json: medians over `seeds` replays of each sampler.

    steps: the numbers of trials after which a replay is valued, the smallest first.
    """
    values: dict[str, list[Values]] = {}
    for name in samplers:
        began_s = time.monotonic()
        one = functools.partial(values_of, name, table, settings, steps)
        if processes == 1:
            values[name] = [one(seed) for seed in range(seeds)]
        else:
            with ProcessPoolExecutor(processes) as pool:
                values[name] = [*pool.map(one, range(seeds), chunksize=4)]
        print(f"{name}: {seeds} replays, {time.monotonic() - began_s:.0f} s", flush=True)
    everything = [(n, p) for n in range(len(table.networks)) for p in range(len(table.policies))]
    area, miou = zip(*(table.value(everything, t) for t in range(table.trainings)), strict=True)
    return {
        "seeds": seeds,
        "steps": list(steps),
        "samplers": {name: _figures(values[name]) for name in samplers},
        "whole_table": {
            "hypervolume": statistics.fmean(area),
            "best_at_target": statistics.fmean(miou),
            "networks": len(table.networks),
            "policies": len(table.policies),
        },
        "target_fps": table.target_fps,
    }


def values_of(
    name: str, table: RecordedTable, settings: StudySettings, steps: Sequence[int], seed: int
) -> Values:
    """Return what one replay is worth after each of `steps`.

    A sampler that has nothing more to draw keeps what it knows.
    """
    training = seed % table.trainings
    sampler: dict[str, Any] = {"seed": seed}
    if name in OUR_SAMPLERS:
        draw_steps, other = our_steps, OUR_SAMPLERS[name]
        sampler |= {"name": other} if other else {}
    else:
        draw_steps = functools.partial(plain_steps, name)
    settings = settings.model_copy(update={"sampler": settings.sampler.model_copy(update=sampler)})
    seen: list[Place] = []
    values: Values = []
    source = draw_steps(table, settings, training)
    for step in range(1, steps[-1] + 1):
        seen += next(source, [])
        if step in steps:
            values.append((*table.value(seen, training), len({n for n, _ in seen})))
    return values


def plain_steps(
    name: str, table: RecordedTable, settings: StudySettings, training: int
) -> Iterator[list[Place]]:
    """Yield the place of each trial of a plain Optuna study."""
    study = plain_study(name, settings.sampler.seed)
    while True:
        trial = study.ask()
        place = table.places[canonical_json(suggest(trial, settings.search_space))]
        at = (*place, training)
        tell(
            study,
            trial,
            miou=float(table.miou[at]),
            mean_ms=float(table.mean_ms[at]),
            over_ms=float(table.over_ms[at]),
        )
        yield [place]


def _figures(replays: Sequence[Values]) -> dict[str, list[Any]]:
    """Return medians and quartiles of the values after each step."""
    areas, mious, networks = (
        [[values[figure] for values in after] for after in zip(*replays, strict=True)]
        for figure in range(3)
    )
    return {
        "hypervolume": [statistics.median(each) for each in areas],
        "hypervolume_quartiles": [_quartiles(each) for each in areas],
        "best_at_target": [statistics.median(each) for each in mious],
        "best_at_target_quartiles": [_quartiles(each) for each in mious],
        "networks": [statistics.median(each) for each in networks],
    }


def _quartiles(values: Sequence[float]) -> list[float]:
    if len(values) < 2:
        return [*values, *values]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return [low, high]


def claim_words(content: Mapping[str, Any]) -> str:
    """Return whether the claim holds, in a sentence; empty where it was not replayed."""
    (ours, few), (other, many) = CLAIM
    samplers, steps = content["samplers"], content["steps"]
    if not all(name in samplers and step in steps for name, step in CLAIM):
        return ""
    high, low = (samplers[name]["hypervolume"][steps.index(step)] for name, step in CLAIM)
    verdict = "at least" if high >= low else "less than"
    return (
        f"{ours} after {few} networks: median hypervolume {high:.4f}, {verdict} the {low:.4f} of "
        f"{other} after {many}.\n\n"
    )


def page(content: Mapping[str, Any], figure: str) -> str:
    """Return replay.md."""
    whole = content["whole_table"]
    columns = ("sampler", *(f"{step}" for step in content["steps"]))

    def table(name: str, word: Any) -> str:
        rows = content["samplers"].items()
        return markdown_table(
            columns, [(row, *map(word, each[name])) for row, each in rows], text=("sampler",)
        )

    areas = table("hypervolume", lambda area: f"{area:.3f}")
    mious = table("best_at_target", per_cent)
    networks = table("networks", lambda count: f"{count:g}")
    return (
        "# Replay of the recorded benchmark\n\n"
        f"`{content['command']}`: {content['seeds']} seeds over {whole['networks']} networks with "
        f"{whole['policies']} policies each, at {content['target_fps']:g} fps. Medians after so "
        "many drawn trials, each of which trains a network. A replay sees one of the recorded "
        "trainings; what it would report counts with the mean over all trainings.\n\n"
        f"{claim_words(content)}"
        f"![Hypervolume by drawn trials]({figure})\n\n"
        f"Hypervolume, mIoU x ms (all networks: {whole['hypervolume']:.3f}):\n\n{areas}\n\n"
        f"mIoU % at the target (all networks: {per_cent(whole['best_at_target'])}):\n\n"
        f"{mious}\n\n"
        "Different networks among them (plain Optuna draws some again, with another policy or "
        f"the same):\n\n{networks}\n"
    )


def draw(content: Mapping[str, Any], file: Path) -> None:
    """Draw medians and quartiles of the hypervolume after each step."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for number, (name, figures) in enumerate(content["samplers"].items()):
        low, high = zip(*figures["hypervolume_quartiles"], strict=True)
        axes.fill_between(content["steps"], low, high, color=f"C{number}", alpha=0.15, linewidth=0)
        axes.plot(
            content["steps"], figures["hypervolume"], color=f"C{number}", marker="o", label=name
        )
    axes.axhline(content["whole_table"]["hypervolume"], color="0.6", linestyle="--")
    axes.set(xlabel="drawn trials", ylabel="hypervolume, mIoU x ms")
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
