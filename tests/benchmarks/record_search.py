"""Trains every network of a small space with two seeds, and writes all figures as one table.

make record-search DATA_ROOT=../shared/data/DAVIS

About an hour on 2 cores: the networks of search_spaces/benchmark.yaml twice, 20 to 30 s each. A
training is that of the plain trial (`search_runs.PLAIN_TRIAL`) with `STEPS` steps; then every
policy of the space is scored. What is finished is kept in studies/benchmark/record, so the same
command resumes after a kill. The table is reports/search_benchmark/recorded.npz, read by `replay`.
"""

import argparse
import dataclasses
import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from jejunet_nas.cli.streams import native_log
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import write_text_whole
from jejunet_nas.search.prepare import made_from, prepare
from jejunet_nas.search.view import View, duration
from jejunet_nas.space.architecture import Network, Policy, canonical_json
from jejunet_nas.study.named import find_named
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.trial.run import make_network
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import find_network, network_name
from jejunet_nas.video.graphs import graph_files
from tests.benchmarks.recorded_table import FIGURES, STUDY, TABLE, RecordedTable, grid, write_table
from tests.benchmarks.search_runs import PLAIN_TRIAL, machine

WORK = STUDY.parent / "benchmark" / "record"
SEEDS = (0, 1)  # of training
STEPS = 60
Unit = Mapping[str, Any]  # the figures of one training, as JSON


def main() -> None:
    """Train what is not trained yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--study", type=Path, default=STUDY)
    parser.add_argument("--work", type=Path, default=WORK, help="where finished trainings are kept")
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    with native_log(asked.work / "tensorflow.log"):
        table = record(asked.study, asked.data_root, asked.work, View(Console()))
    write_table(table, asked.out)
    print(f"{asked.out}: {len(table.networks)} networks, {len(table.policies)} policies")


def record(study: Path, data_root: Path | None, work: Path, view: View) -> RecordedTable:
    """Return the table of all networks of `study`; finished trainings are found in `work`."""
    root = {"data.root": str(data_root)} if data_root else {}
    brief = {**PLAIN_TRIAL, "training.steps": STEPS}
    plain = find_named(str(study), {**brief, **root}).settings
    networks, policies = grid(plain.search_space)
    columns: list[list[Unit]] = []
    left = len(networks) * len(SEEDS)
    for seed in SEEDS:
        settings = plain.model_copy(
            update={"training": dataclasses.replace(plain.training, seed=seed)}
        )
        setup = prepare(settings, work, view.stage)
        units = _Units(settings, setup, work, policies, view)
        columns.append(units.all_of(networks, left))
        left -= len(networks)
    return _table(plain, networks, policies, columns, len(setup.val.class_names))


@dataclasses.dataclass(frozen=True, slots=True)
class _Units:
    """The trainings with one seed, kept as a JSON file each.

    The folder's name holds all that the figures depend on and a network's id does not.
    """

    settings: StudySettings
    setup: TrialSetup
    work: Path
    policies: Sequence[Policy]
    view: View

    def all_of(self, networks: Sequence[Network], left: int) -> list[Unit]:
        """Return the figures of `networks`; `left`: trainings to the end of the benchmark."""
        units, began_s, made = [], time.monotonic(), 0
        for number, network in enumerate(networks):
            file = self._folder / f"{network_name(network, self.setup)}.json"
            if not file.is_file():
                unit = self._make(network)
                write_text_whole(file, json.dumps(unit))
                made += 1
                each_s = (time.monotonic() - began_s) / made
                self.view.say(
                    f"seed {self.settings.training.seed}, network {number + 1} of {len(networks)}: "
                    f"{unit['train_s']:.1f} s of training, {unit['stages_s']:.1f} s in all, key "
                    f"mIoU {100 * unit['miou'][0]:.1f}; about "
                    f"{duration(each_s * (left - number - 1))} left"
                )
            units.append(json.loads(file.read_text()))
        return units

    @property
    def _folder(self) -> Path:
        decisive = json.dumps(
            [
                self.settings.identity(),
                made_from(self.setup, self.settings),
                [canonical_json(policy) for policy in self.policies],
            ],
            sort_keys=True,
        )
        folder = self.work / f"units-{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _make(self, network: Network) -> Unit:
        """Train `network`, or find it, and score all policies."""
        record = find_network(network, self.setup) or make_network(
            network, self.setup, self.view.stage
        )
        began_s = time.perf_counter()
        streams = Evaluation(self.setup.val, graph_files(record, self.setup.folder)).streams(
            self.policies,
            record.latencies,
            target_fps=self.settings.target_fps,
            tell=self.view.stage,
        )
        return {
            "network": canonical_json(network),
            "train_s": record.stage_s["train"],
            "stages_s": sum(record.stage_s.values()) + time.perf_counter() - began_s,
            "miou": [each.score.miou for each in streams],
            "mean_ms": [each.latency.mean_ms for each in streams],
            "worst_ms": [each.latency.worst_ms for each in streams],
            "dropped": [each.latency.dropped_frames for each in streams],
        }


def _table(
    settings: StudySettings,
    networks: tuple[Network, ...],
    policies: tuple[Policy, ...],
    columns: Sequence[Sequence[Unit]],
    classes: int,
) -> RecordedTable:
    def stacked(name: str) -> Any:
        values = [[unit[name] for unit in units] for units in columns]
        return np.stack([np.asarray(each, np.float32) for each in values], axis=-1)

    about = {
        "target_fps": settings.target_fps,
        "feasible": settings.feasible,
        "training_seeds": list(SEEDS),
        "classes": classes,
        "study": settings.identity(),
        "machine": machine(),
        "python": platform.python_version(),
        "command": "make record-search",
    }
    return RecordedTable(
        networks=networks,
        policies=policies,
        about=about,
        **{name: stacked(name) for name in ("train_s", "stages_s", *FIGURES)},
    )


if __name__ == "__main__":
    main()
