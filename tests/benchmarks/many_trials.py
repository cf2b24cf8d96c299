"""Time of the report of a study of ten thousand trials, and of opening its page.

.venv/bin/python -m tests.benchmarks.many_trials [FOLDER] [--trials 10000]

Makes a synthetic study in FOLDER (a temporary one by default; an existing study is reused). Times
each part of the report, then the command `report`, and last how long Chromium takes to draw every
visible chart of the page. Nothing is trained: architectures are drawn from
search_spaces/mobile_video.yaml, latencies are predicted, scores are synthetic, and records are as
large as those of ten DAVIS clips. Trials are written into Optuna's tables as `study.ledger` writes
them.

Targets: at most 10 s for the command and 3 s for the page. `reports/many_trials.txt` has the result
on 2 cores without a GPU. The first line, ten million additions in Python, shows the CPU speed.
"""

import argparse
import contextlib
import dataclasses
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from jejunet_nas.drawing.front import draw_front
from jejunet_nas.latency.predicted_meter import DeviceProfile, load_profile
from jejunet_nas.latency.stream import least_stream, stream_latency
from jejunet_nas.records import (
    GRAPH_NAMES,
    FramePaths,
    NetworkRecord,
    PathLatencies,
    RefusedTrial,
    TrialResult,
    to_json,
)
from jejunet_nas.records.scores import ClipScore, Streamed
from jejunet_nas.reporting.attainment import compare
from jejunet_nas.reporting.baseline import answer
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.site.charts import progress
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.scoring.score import combine
from jejunet_nas.space.architecture import Architecture, canonical_json, network_id
from jejunet_nas.space.draw import choices_of, draw
from jejunet_nas.study.importance import importances
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.prediction import predict_paths
from jejunet_nas.study.samplers import distribution
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study
from jejunet_nas.study.tables import summary, trials_table
from tests.made_up import TEMPORAL, graph_record, network_record

SPACES = Path(__file__).parents[2] / "search_spaces"
CLIPS, FRAMES = 10, 66  # of DAVIS' validation clips, about
FAILED, DUPLICATE = 0.04, 0.06  # shares of the trials; what cannot meet the target is refused
LOSSES = 100  # that a training record keeps
REPEATS = 5


def main() -> None:
    """Make the study if it does not exist, and print the time of each part of its report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--trials", type=int, default=10_000)
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        timed("ten million additions", lambda: sum(n for n in range(10_000_000)))
        settings = write_study(folder)
        state = folder / "studies" / settings.name
        if not (state / "study.db").exists():
            timed("make the study", lambda: make_study(settings, state, asked.trials))
        timed("all parts of the report", lambda: time_parts(settings, state, folder / "parts"))
        for _ in range(REPEATS):
            time_command(folder)
        time_page(folder / "reports" / settings.name / "index.html")


def time_parts(settings: StudySettings, state: Path, out: Path) -> None:
    """Print the seconds of each part."""
    ledger = timed("open the ledger", lambda: Ledger(settings, storage_url(state)))
    history = timed("ledger.history", ledger.history)
    history = timed("with_measured", lambda: with_measured(history, state / NETWORKS))
    out.mkdir(exist_ok=True)
    timed("summary and tables", lambda: (summary(history), trials_table(history).to_csv()))
    timed("figure", lambda: draw_front(history, out / "front.png"))
    timed("Markdown", lambda: page(history, figure="front.png"))
    timed("progress", lambda: progress(history))
    timed("importances", lambda: importances(settings, history))
    timed("compare with itself", lambda: compare([history, history]))
    few = dataclasses.replace(history, complete=history.complete[:4])
    timed("answer to a baseline of 4", lambda: answer(history, few))
    print(
        f"{len(history.complete)} complete, {len(history.refused)} refused, "
        f"{len(history.failed)} failed, {history.duplicates} duplicates"
    )


def time_command(folder: Path) -> None:
    """Print the seconds of `jejunet-nas report`, including imports."""
    command = [sys.executable, "-m", "jejunet_nas", "report", "many_trials.yaml"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    show(clock, cpu, "jejunet-nas report")


def time_page(page: Path) -> None:
    """Print the seconds until the page has drawn its charts, in a running browser."""
    driver = shutil.which("chromedriver")
    if not (shutil.which("chromium") and driver):
        print("the page was not opened: chromium or chromedriver is not installed")
        return
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    # Without a graphics card WebGL is drawn by the processor.
    webgl = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    for each in ("--headless=new", "--no-sandbox", "--window-size=1300,1400", *webgl):
        options.add_argument(each)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        for _ in range(REPEATS):
            browser.get("about:blank")
            began = time.perf_counter()
            browser.get(page.as_uri())
            while browser.execute_script("return document.documentElement.dataset.ready") != "yes":
                time.sleep(0.01)
            print(f"{time.perf_counter() - began:7.2f} s  the page, {page.stat().st_size} bytes")
    finally:
        browser.quit()


def show(clock: float, cpu: float, name: str) -> None:
    """Print the wall time and the CPU time of a part, in seconds."""
    print(f"{clock:7.2f} s, {cpu:7.2f} s CPU  {name}", flush=True)


def timed(name: str, call: Callable[[], Any]) -> Any:
    """Print the wall time and the CPU time of `call`; return its result."""
    began, began_cpu = time.perf_counter(), time.process_time()
    result = call()
    clock, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    show(clock, cpu, name)
    return result


def write_study(folder: Path) -> StudySettings:
    """Write the study's file, with the space of the Pixel 2 studies."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "many_trials.yaml"
    file.write_text(
        f"name: many_trials\nsearch_space: {SPACES / 'mobile_video.yaml'}\n"
        "sampler: {name: random}\ntrials: 10000\n"
    )
    return read_study(file)


def make_study(settings: StudySettings, state: Path, trials: int) -> None:
    """Write `trials` trials into the storage in the folder `state`."""
    state.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(settings, storage_url(state))
    ledger.keep_identity(settings.identity())
    ledger.note_class_names(("background", "object"))
    engine = optuna.storages.RDBStorage(storage_url(state)).engine
    tables: dict[Any, list[dict[str, Any]]] = {}
    for number, trial in enumerate(made_up_trials(settings, trials)):
        for table, rows in rows_of(number, trial).items():
            tables.setdefault(table, []).extend(rows)
    with engine.begin() as connection:
        for table, rows in tables.items():
            connection.execute(sqlalchemy.insert(table), rows)


def rows_of(number: int, trial: FrozenTrial) -> dict[Any, list[dict[str, Any]]]:
    """Return a trial as rows of Optuna's tables: Optuna's own calls take ninety times as long."""
    of = {"trial_id": number + 1}
    kinds = trial.distributions
    finite = models.TrialValueModel.TrialValueType.FINITE
    about = {
        name: getattr(trial, name) for name in ("state", "datetime_start", "datetime_complete")
    }
    return {
        models.TrialModel: [{**of, "number": number, "study_id": 1, **about}],
        models.TrialParamModel: [
            {
                **of,
                "param_name": name,
                "param_value": kinds[name].to_internal_repr(value),
                "distribution_json": distribution_to_json(kinds[name]),
            }
            for name, value in trial.params.items()
        ],
        models.TrialValueModel: [
            {**of, "objective": place, "value": value, "value_type": finite}
            for place, value in enumerate(trial.values or [])
        ],
        models.TrialUserAttributeModel: [
            {**of, "key": key, "value_json": json.dumps(value)}
            for key, value in trial.user_attrs.items()
        ],
        models.TrialSystemAttributeModel: [
            {**of, "key": key, "value_json": json.dumps(value)}
            for key, value in trial.system_attrs.items()
        ],
    }


def made_up_trials(settings: StudySettings, count: int) -> Iterator[FrozenTrial]:
    """Yield trials as the ledger writes them, in time order."""
    dice, profile = random.Random(0), load_profile(settings.latency.device)
    networks: dict[str, NetworkRecord] = {}
    now = datetime(2026, 11, 1)
    for number in range(count):
        architecture = draw(settings.search_space, lambda _, choices: dice.choice(choices))
        trial, seconds = made_up_trial(number, architecture, settings, profile, networks, dice)
        trial.datetime_start, now = now, now + timedelta(seconds=seconds)
        trial.datetime_complete = now
        yield trial


def made_up_trial(
    number: int,
    architecture: Architecture,
    settings: StudySettings,
    profile: DeviceProfile,
    networks: dict[str, NetworkRecord],
    dice: random.Random,
) -> tuple[FrozenTrial, float]:
    """Return one trial and its working seconds."""
    attributes = {"architecture": canonical_json(architecture)}
    latencies = predict_paths(architecture, profile, classes=2, threads=1)
    least = least_stream(architecture.policy, latencies, target_fps=settings.target_fps)
    over, chance = over_target_ms(least, settings.feasible, settings.target_fps), dice.random()
    if chance < FAILED + DUPLICATE:
        outcome = "failed" if chance < FAILED else "duplicate"
        reason = dice.choice(("out of memory", "the loss is not a number", "it broke"))
        attributes |= {"outcome": outcome, "reason": reason}
        return as_optuna(architecture, settings, TrialState.FAIL, attributes), 30.0
    if over > 0:
        refused = RefusedTrial(
            number=number,
            architecture=architecture,
            mean_ms=least.mean_ms,
            worst_ms=least.worst_ms,
            dropped_frames=least.dropped_frames,
            source="predicted",
            reason=f"at least {least.mean_ms:.1f} ms a frame; 24 fps leave 41.7 ms",
        )
        attributes |= {"outcome": "refused", "record": to_json(refused)}
        return as_optuna(architecture, settings, TrialState.PRUNED, attributes, over_ms=over), 0.01
    result = made_up_result(number, architecture, latencies, networks, dice)
    attributes |= {"outcome": "complete", "record": to_json(result)}
    values = (result.score.miou, result.latency.mean_ms)
    over = over_target_ms(result.latency, settings.feasible, settings.target_fps)
    made = as_optuna(
        architecture, settings, TrialState.COMPLETE, attributes, over_ms=over, values=values
    )
    return made, sum(result.stage_s.values())


def as_optuna(
    architecture: Architecture,
    settings: StudySettings,
    state: TrialState,
    attributes: dict[str, str],
    *,
    over_ms: float | None = None,
    values: tuple[float, float] | None = None,
) -> FrozenTrial:
    """Return a trial with the choices and distributions that `samplers.chooser` has."""
    choices, spaces = choices_of(architecture), settings.search_space.choices()
    return create_trial(
        state=state,
        values=values,
        params=choices,
        distributions={name: distribution(spaces[name]) for name in choices},
        user_attrs=attributes,
        constraints=None if over_ms is None else {"ms_over_target": over_ms},
    )


def made_up_result(
    number: int,
    architecture: Architecture,
    latencies: PathLatencies,
    networks: dict[str, NetworkRecord],
    dice: random.Random,
) -> TrialResult:
    """Return a complete trial: mIoU rises with latency, with noise."""
    network, policy = architecture.network, architecture.policy
    name = network_id(network, {})
    record = networks.get(name) or made_up_network(name, architecture, latencies, dice)
    reused = name in networks
    networks[name] = record
    ease = 0.78 - 2.0 / latencies.key.median_ms - 0.004 * policy.keyframe_interval
    clips = tuple(made_up_clip(index, ease + dice.gauss(0, 0.02)) for index in range(CLIPS))
    letter = policy.between_keyframes[0]
    gated = letter.upper() if policy.gated else letter
    walk = "".join("k" if t % policy.keyframe_interval == 0 else gated for t in range(FRAMES))
    walks = tuple(FramePaths(clip=f"clip {index}", letters=walk) for index in range(CLIPS))
    stages = {"evaluate": 20.0} if reused else {"train": 600.0, "convert": 10.0, "evaluate": 40.0}
    return TrialResult(
        number=number,
        architecture=architecture,
        network=record,
        own_frame_score=combine(clips),
        temporal=TEMPORAL,
        on_prediction=Streamed(
            latency=stream_latency(walks, latencies, target_fps=24.0),
            score=combine(clips),
            walks=walks,
            every_frame_miou=ease,
            every_frame_dropped=0.0,
        ),
        stage_s=stages,
        network_reused=reused,
    )


def made_up_network(
    name: str, architecture: Architecture, latencies: PathLatencies, dice: random.Random
) -> NetworkRecord:
    """Return a record as large as a trained network's."""
    made = network_record(name, architecture.network, float_miou=0.7, int8_miou=0.7)
    losses = tuple(dice.random() for _ in range(LOSSES))
    return dataclasses.replace(
        made,
        latencies=latencies,
        training=dataclasses.replace(made.training, losses=losses),
        graphs={graph: graph_record(f"{graph}.tflite") for graph in GRAPH_NAMES},
    )


def made_up_clip(index: int, iou: float) -> ClipScore:
    """Return the pixels of a clip whose two classes have about the IoU `iou`."""
    hard = min(max(iou - 0.02 * index, 0.02), 0.98)
    return ClipScore(
        name=f"clip {index}",
        frames=FRAMES,
        annotated=(5_000_000, 500_000),
        intersection=(4_900_000, round(500_000 * hard)),
        union=(5_100_000, 500_000),
    )


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
