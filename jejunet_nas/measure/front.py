"""Measure again what was found: a graph, a folder of graphs, or the whole front of a study.

The phone's figures are kept beside the graphs and laid over the study, which ranks its trials
anew; predictions stay where they are. A front is measured until every trial on it is: one that was
measured slower than predicted may leave, and let an unmeasured one in.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency.benchmark_model import OperatorTime
from jejunet_nas.latency.fit import refit, write_profile
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.points import measured_point
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.progress import Say, Tell
from jejunet_nas.records import (
    GRAPH_NAMES,
    Latency,
    NetworkRecord,
    PathLatencies,
    StreamLatency,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.measurements import (
    GraphTiming,
    Measurement,
    NetworkMeasurement,
    TrialTiming,
)
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.kept_measurements import keep, kept, off_the_interval
from jejunet_nas.video.graphs import graph_files, graphs_of

# Each network by its id: its record, what its graphs take, and what there is to doubt about that.
Found = dict[str, tuple[NetworkRecord, PathLatencies, tuple[str, ...]]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrontTiming:
    """A front that was timed; `history` is the study afterwards, ranked anew where measured."""

    history: StudyHistory
    trials: tuple[TrialTiming, ...]
    graphs: tuple[GraphTiming, ...]


def graphs_at(target: Path) -> list[Path]:
    """Return the graphs that `target` stands for: a `.tflite` file, or a folder that holds some.

    Those of a network come in the order key, propagate, gate. Raises `SettingError`.
    """
    if target.is_dir():
        order = {f"{name}.tflite": place for place, name in enumerate(GRAPH_NAMES)}
        files = sorted(target.glob("*.tflite"), key=lambda f: (order.get(f.name, 9), f.name))
        if not files:
            raise SettingError(
                f"{target} holds no .tflite file; allowed: a graph, a folder of graphs, or a "
                "study's name or YAML file. Check the path."
            )
        return files
    if not target.is_file():
        raise SettingError(
            f"{target} is no file; allowed: a graph (.tflite), a folder of graphs, or a study's "
            "name or YAML file. Check the path."
        )
    return [target]


def time_files(files: list[Path], meter: LatencyMeter, tell: Tell) -> list[tuple[Path, Latency]]:
    """Return each file with its latency by `meter`."""
    timed = []
    for number, file in enumerate(files):
        tell(f"time {file.name}", number, len(files))
        timed.append((file, meter.measure(file)))
    return timed


def time_front(
    read: Callable[[], StudyHistory],
    networks: Path,
    meter: LatencyMeter,
    *,
    again: bool,
    say: Say,
) -> FrontTiming:
    """Time every network on the front of the study that `read` returns.

    A phone's measurements are kept. One that was taken on this phone before, with as many threads,
    the same program, the cores that are asked for and no doubts, counts unless `again`. A network
    that the phone cannot run is named and left out, unless there is no other.
    """
    history = read()
    if not front_of(history):
        raise SettingError(
            f"no trial of {history.study} meets {history.target_fps:g} fps, so that there is no "
            "front to measure; allowed: a study with a front. Search on."
        )
    found: Found = {}
    front: list[TrialResult] = []
    failed: dict[str, DeviceError] = {}
    ranks = {trial.number: rank for rank, trial in enumerate(front_of(history), start=1)}
    while fresh := [t for t in front_of(history) if t.number not in {f.number for f in front}]:
        front += fresh
        for trial in fresh:
            if trial.network_id in {*found, *failed}:
                continue
            say(f"timing network {trial.network_id} of trial {trial.number}")
            try:
                latencies, doubts = _time_network(trial.network, networks, meter, again, say)
            except DeviceAwayError:
                raise
            except DeviceError as error:
                say(f"network {trial.network_id} stays predicted: {error}")
                failed[trial.network_id] = error
            else:
                found[trial.network_id] = (trial.network, latencies, doubts)
        if not isinstance(meter, PhoneMeter):
            break  # nothing was kept, so that the ranking is as it was
        history = read()
    if not found:
        raise next(iter(failed.values()))
    timings = tuple(
        TrialTiming(
            trial=trial,
            rank=ranks.get(trial.number),
            stream=_stream(trial, found, history.target_fps),
        )
        for trial in front
        if trial.network_id in found
    )
    return FrontTiming(history=history, trials=timings, graphs=_graphs(found, networks))


def _stream(trial: TrialResult, found: Found, target_fps: float) -> StreamLatency:
    _, latencies, doubts = found[trial.network_id]
    return stream_latency(trial.walks, latencies, target_fps=target_fps, doubts=doubts)


def _graphs(found: Found, networks: Path) -> tuple[GraphTiming, ...]:
    return tuple(
        GraphTiming(
            network_id=name,
            graph=graph,
            file=file,
            latency=getattr(latencies, graph),
            predicted=getattr(network.latencies, graph),
        )
        for name, (network, latencies, _) in found.items()
        for graph, file in graph_files(network, networks).items()
    )


def _time_network(
    network: NetworkRecord, networks: Path, meter: LatencyMeter, again: bool, say: Say
) -> tuple[PathLatencies, tuple[str, ...]]:
    """Return the latencies of a network's graphs, and what there is to doubt about them."""
    files = graphs_of(network, networks)
    if not isinstance(meter, PhoneMeter):
        return PathLatencies(**{name: meter.measure(file) for name, file in files.items()}), ()
    measurement = None if again else _taken_before(network, networks, meter)
    if measurement is not None:
        say(
            f"network {network.network_id} was measured at {measurement.taken_at}; --again "
            "measures it anew"
        )
    else:
        measurement = NetworkMeasurement(
            graphs={name: meter.take(file) for name, file in files.items()}
        )
        keep(measurement, networks / network.network_id)
    for line in off_the_interval(network, measurement):
        say(f"network {network.network_id}, {line}")
    return measurement.latencies, measurement.unstable


def _taken_before(
    network: NetworkRecord, networks: Path, meter: PhoneMeter
) -> NetworkMeasurement | None:
    for each in kept(networks / network.network_id, threads=meter.protocol.threads):
        same_phone = each.phone.serial_hash == meter.phone.info.serial_hash
        same_program = all(one.runtime.startswith(meter.runtime) for one in each.graphs.values())
        masks = {one.core_mask for one in each.graphs.values()}
        same_cores = meter.protocol.core_mask is None or masks == {meter.protocol.core_mask}
        if same_phone and same_program and same_cores and not each.unstable:
            return each
    return None


def write_operator_tables(
    files: list[Path], meter: PhoneMeter, folder: Path
) -> list[tuple[Path, tuple[OperatorTime, ...]]]:
    """Write the phone's own table of each graph's operators to `folder`, as CSV; return them."""
    return [
        (file, meter.profile_operators(file, folder / f"{file.stem}_operators.csv"))
        for file in files
    ]


def require_folder(folder: Path) -> None:
    """Make `folder` where it is not there. Raises `SettingError` where it cannot be one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"--operators is {folder}, which is no folder and cannot be made one "
            f"({error.strerror}); allowed: a folder. Name another one."
        ) from None


def require_profile_of(phone: str, profile: Path) -> None:
    """Raise `SettingError` where `profile` is no profile's file, or that of another phone."""
    if not profile.is_file():
        raise SettingError(
            f"--add-to is {profile}, which is no file; allowed: a profile (.json) of {phone}. "
            "Calibrate it: jejunet-nas calibrate --out PROFILE.json"
        )
    device = load_profile(profile).device
    if device != phone:
        raise SettingError(
            f"--add-to is a profile of {device}; allowed: one of {phone}, which is measured. "
            "Calibrate it: jejunet-nas calibrate --out PROFILE.json"
        )


def add_to_profile(profile: Path, files: list[Path], taken: list[Measurement]) -> str:
    """Fit `profile`, of the phone that was measured, anew; return what came of it in a line."""
    points = [
        measured_point(
            file,
            one.latency,
            stable=not one.unstable,
            runtime=one.runtime,
            source=f"measured over adb, {one.taken_at[:10]}",
        )
        for file, one in zip(files, taken, strict=True)
    ]
    plain = refit(profile, points)
    write_profile(plain, profile)
    error = plain["leave_one_out"]
    return (
        f"{profile}: {error['points']} points, leave-one-out error {error['mean_error']:.1%} on "
        f"average, {error['worst_error']:.1%} at worst"
    )
