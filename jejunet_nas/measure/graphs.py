"""Measures graphs, one or a folder of them, and adds them to a profile."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.fit import refit, write_profile
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.points import measured_point
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.litert import countable_operators
from jejunet_nas.progress import Say
from jejunet_nas.records import GRAPH_NAMES, Latency
from jejunet_nas.records.measurements import Measurement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimedGraph:
    """A graph's latency; measurement: a phone's, to be saved; None from any other meter."""

    file: Path
    latency: Latency
    measurement: Measurement | None


def graphs_at(target: Path) -> list[Path]:
    """Return the graph that `target` is, or the graphs in that folder.

    Those of a network come in the order key, propagate, gate. Raises `SettingError`.
    """
    cure = "Give a .tflite graph, a folder of them, or a study's name or YAML file."
    if target.is_dir():
        order = {f"{name}.tflite": place for place, name in enumerate(GRAPH_NAMES)}
        found = target.glob("[!.]*.tflite")  # not those that are being written
        files = sorted(found, key=lambda f: (order.get(f.name, 9), f.name))
        if not files:
            raise SettingError(f"{target} has no .tflite file. {cure}")
        return files
    if not target.is_file():
        raise SettingError(f"{target} is not a file. {cure}")
    return [target]


def time_graph(file: Path, meter: LatencyMeter) -> TimedGraph:
    """Return the latency of `file` by `meter`. Raises `SettingError` or `DeviceError`."""
    measurement = meter.take(file)
    latency = measurement.latency if measurement else meter.measure(file)
    return TimedGraph(file=file, latency=latency, measurement=measurement)


def time_graphs(files: Sequence[Path], meter: LatencyMeter, say: Say) -> list[TimedGraph]:
    """Return the latencies of `files`; on a phone, which takes long, `say` follows each graph."""
    if meter.phone_info is None:
        return [time_graph(file, meter) for file in files]
    timed = []
    for number, file in enumerate(files, start=1):
        say(f"measuring {file.name} ({number} of {len(files)})")
        timed.append(time_graph(file, meter))
        say(f"{file.name}: {timed[-1].latency.median_ms:.2f} ms")
    for each in timed:
        for doubt in each.measurement.unstable if each.measurement else ():
            say(f"{each.file.name} is unstable: {doubt}")
    return timed


def require_folder(folder: Path) -> None:
    """Make `folder` if it is missing. Raises `SettingError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"--operators is {folder}, and this folder cannot be made ({error.strerror}). Name "
            "another one."
        ) from None


def require_profile_of(meter: LatencyMeter, profile: Path) -> None:
    """Raise `SettingError` unless `profile` is a profile of the phone of `meter`."""
    assert meter.phone_info is not None, "a profile is of a phone"
    phone = meter.phone_info.name
    fix = f"Make a profile of {phone}: jejunet-nas calibrate --out PROFILE.json"
    if not profile.is_file():
        raise SettingError(f"--add-to is {profile}, which is not a file. {fix}")
    device = load_profile(profile).device
    if device != phone:
        raise SettingError(f"--add-to is a profile of {device}, and {phone} is measured. {fix}")


def add_to_profile(
    profile: Path, timed: Sequence[TimedGraph], size: tuple[int, int] | None = None
) -> str:
    """Add the measurements to `profile`, of the same phone, and fit it again; return a summary.

    size: height and width of inputs that leave them open. Raises `SettingError` if a graph computes
    in float32.
    """
    points = [
        measured_point(
            each.file,
            each.latency,
            stable=not each.measurement.unstable,
            runtime=each.measurement.runtime,
            source=f"measured over adb, {each.measurement.taken_at[:10]}",
            operators=countable_operators(each.file, size=size),
        )
        for each in timed
        if each.measurement is not None
    ]
    plain = refit(profile, points)
    write_profile(plain, profile)
    error = plain["leave_one_out"]
    return (
        f"{profile}: {error['points']} points, leave-one-out error {error['mean_error']:.1%} on "
        f"average, {error['worst_error']:.1%} at worst"
    )
