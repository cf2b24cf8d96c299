"""Measures the front of a study.

A phone's measurements are saved beside the graphs. The study is then ranked by them; predictions
are kept. Measuring ends when every trial on the front is measured: a trial that is slower than
predicted may leave the front and let an unmeasured one in.
"""

import dataclasses
import functools
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from jejunet_nas.errors import DeviceAwayError, DeviceError, SettingError
from jejunet_nas.latency.device import Device, HowToMeasure, open_meter
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.measure.graphs import time_graph
from jejunet_nas.progress import Say
from jejunet_nas.records import DataSplit, NetworkRecord, PathLatencies, StudyHistory, TrialResult
from jejunet_nas.records.measurements import GraphTiming, NetworkMeasurement, TrialTiming
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.kept_measurements import (
    measurements_of,
    outside_interval,
    save_measurement,
    with_measured,
)
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.opened import Study
from jejunet_nas.study.screens import Screens
from jejunet_nas.video.graphs import graph_files, graphs_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrontTiming:
    """A timed front; `history` is the study afterwards, ranked by the measurements."""

    history: StudyHistory
    trials: tuple[TrialTiming, ...]
    graphs: tuple[GraphTiming, ...]


Timed: TypeAlias = tuple[PathLatencies, tuple[str, ...]]  # of a network; why it is unstable


def measure_front(
    study: Study, device: Device, how: HowToMeasure, *, again: bool, say: Say
) -> FrontTiming:
    """Time the front of `study` on `device`, with the study's settings where `how` has none.

    Raises as `time_front` does, and `SettingError` for other threads than the study's on a phone.
    """
    latency = study.settings.latency
    if device.is_phone and how.threads not in (None, latency.threads):
        raise SettingError(
            f"--threads is {how.threads}; allowed for {study.name}: {latency.threads}, with which "
            "its trials are ranked. Leave it out, or measure a graph's file."
        )
    program = latency.benchmark_binary
    how = dataclasses.replace(
        how,
        threads=latency.threads if how.threads is None else how.threads,
        program=Path(program) if how.program is None and program else how.program,
    )
    if device == Device(kind="adb"):
        device = dataclasses.replace(device, name=latency.serial)
    with open_meter(device, how, say) as meter:
        return time_front(
            study.ledger,
            study.networks,
            meter,
            again=again,
            say=say,
            word=study.word,
            open_val=functools.cache(lambda: study.settings.data.open_split("val")),
        )


def time_front(
    ledger: Ledger,
    networks: Path,
    meter: LatencyMeter,
    *,
    again: bool,
    say: Say,
    word: str = "",
    open_val: Callable[[], DataSplit] | None = None,
) -> FrontTiming:
    """Time every network on the front of the study in `ledger`.

    A phone's measurements are saved, and the masks scored with the measured latencies on the clips
    that `open_val` opens; trials whose masks cannot be scored stay predicted. An earlier
    measurement that `meter` would repeat is used instead, unless `again`. A network that the phone
    cannot run is reported and left out; if it runs none, its first `DeviceError` is raised. Raises
    `SettingError`, with the command that searches the study, named by `word`, if the front is
    empty.
    """
    screens = Screens(networks, ledger.history().target_fps, open_val, say)
    history = _read(ledger, networks, meter, screens)
    ranks = {trial.number: rank for rank, trial in enumerate(front_of(history), start=1)}
    if not ranks:
        raise _empty_front(history, word or history.study)
    found: dict[str, Timed] = {}
    front: list[TrialResult] = []
    failed: dict[str, DeviceError] = {}
    while fresh := [t for t in front_of(history) if t.number not in {f.number for f in front}]:
        front += fresh
        for trial in fresh:
            name = trial.network_id
            if name in {*found, *failed}:
                continue
            say(f"timing network {name} of trial {trial.number}")
            try:
                found[name] = _time_network(
                    trial.network, history.threads, networks, meter, again, say
                )
            except DeviceAwayError:
                raise
            except DeviceError as error:
                say(f"network {name} stays predicted: {error}")
                failed[name] = error
        history = _read(ledger, networks, meter, screens)
    if not found:
        raise next(iter(failed.values()))
    now = {trial.number: trial for trial in history.complete}
    fps = history.target_fps
    trials = tuple(
        _trial_timing(now[each.number], ranks.get(each.number), *found[each.network_id], fps)
        for each in front
        if each.network_id in found
    )
    return FrontTiming(
        history=history, trials=trials, graphs=_graph_timings(trials, found, networks)
    )


def _read(ledger: Ledger, networks: Path, meter: LatencyMeter, screens: Screens) -> StudyHistory:
    return with_measured(ledger.history(), networks, phone=meter.phone_info, screens=screens)


def _graph_timings(
    trials: Sequence[TrialTiming], found: Mapping[str, Timed], networks: Path
) -> tuple[GraphTiming, ...]:
    timed = {each.trial.network_id: each.trial.network for each in trials}
    return tuple(
        GraphTiming(
            network_id=name,
            graph=graph,
            file=file,
            latency=getattr(found[name][0], graph),
            predicted=getattr(network.latencies, graph),
        )
        for name, network in timed.items()
        for graph, file in graph_files(network, networks).items()
    )


def _empty_front(history: StudyHistory, word: str) -> SettingError:
    return SettingError(
        f"no trial of {history.study} meets {history.target_fps:g} fps, so its front is empty. "
        f"Continue the search: jejunet-nas search {shlex.quote(word)}"
    )


def _trial_timing(
    trial: TrialResult,
    rank: int | None,
    latencies: PathLatencies,
    doubts: tuple[str, ...],
    target_fps: float,
) -> TrialTiming:
    stream = stream_latency(trial.walks, latencies, target_fps=target_fps, doubts=doubts)
    return TrialTiming(trial=trial, rank=rank, stream=stream, graphs_source=latencies.source)


def _time_network(
    network: NetworkRecord,
    threads: int,
    networks: Path,
    meter: LatencyMeter,
    again: bool,
    say: Say,
) -> Timed:
    files, folder = graphs_of(network, networks), networks / network.network_id
    known = [] if again else measurements_of(network, networks, threads=threads)
    earlier = [each for each in known if each.graphs.keys() == files.keys()]
    measurement = next(filter(meter.repeats, earlier), None)
    if measurement:
        say(
            f"network {network.network_id} was measured at {measurement.taken_at}; use --again to "
            "measure it again"
        )
    else:
        timed = {name: time_graph(file, meter) for name, file in files.items()}
        measured = {name: one.measurement for name, one in timed.items() if one.measurement}
        if not measured:
            latencies = {name: one.latency for name, one in timed.items()}
            return dataclasses.replace(network.latencies, **latencies), ()
        measurement = NetworkMeasurement(graphs=measured)
        save_measurement(measurement, folder)
    for line in outside_interval(network, measurement):
        say(f"network {network.network_id}, {line}")
    return measurement.latencies_beside(network.latencies), measurement.unstable
