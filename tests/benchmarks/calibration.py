"""Error of a calibrated latency profile for networks that it has not timed, on this computer.

.venv/bin/python -m tests.benchmarks.calibration > reports/calibration_on_host.txt

One minute. No phone is timed: the benchmark tests the choice of probe graphs and the fit on a
device that they were not designed for. With LiteRT's default delegate on one core of an x86
server, the expected mean error is 5 to 12 %, as the profile itself states.
"""

import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

from jejunet_nas.latency.fit import write_profile
from jejunet_nas.latency.host_meter import HostMeter
from jejunet_nas.latency.points import read_points
from jejunet_nas.latency.predicted_meter import DeviceProfile, load_profile
from jejunet_nas.profiling.probes import Probe, candidates
from jejunet_nas.profiling.profile import POINTS_FILE, make_profile
from jejunet_nas.records import Latency

LEAST_MS = 0.2  # shorter graphs cannot be timed reliably on a busy computer
SPREAD = 0.1  # of the rounds' medians, over which a timing is not fitted


def main() -> None:
    """Calibrate, predict the other networks' graphs, and print each error."""
    meter = HostMeter(threads=1, runs=50, say=_say)

    def time_graph(graph: Path, threads: int) -> tuple[Latency, bool]:
        latency = meter.measure(graph)
        return latency, latency.high_ms - latency.low_ms <= SPREAD * latency.median_ms

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = make_profile(
            time_graph,
            folder,
            device=f"this computer ({platform.machine()})",
            runtime="LiteRT",
            source="timed on this computer",
            threads=(1,),
            say=_say,
        )
        write_profile(plain, folder / "profile.json")
        profile = load_profile(folder / "profile.json")
        chosen = {point.graph for point in read_points(folder / POINTS_FILE)}
        others = [p for p in candidates() if p.of_network and p.name not in chosen]
        print(f"{'graph that was not timed':78}{'ms':>10}{'predicted':>11}{'error':>9}  inside")
        found = [_error(probe, folder, meter, profile) for probe in others]
        errors = [error for error in found if error is not None]
    left_out = plain["leave_one_out"]
    sizes = np.abs(errors)
    print(
        f"\n{len(errors)} graphs that were not timed: mean error {sizes.mean():.1%}, "
        f"worst {sizes.max():.1%}; the profile's leave-one-out error: mean "
        f"{left_out['mean_error']:.1%}, worst {left_out['worst_error']:.1%}."
    )
    print(f"Timed on this computer, not on a phone; Python {platform.python_version()}.")


def _error(probe: Probe, folder: Path, meter: HostMeter, profile: DeviceProfile) -> float | None:
    file = folder / probe.file_name
    probe.write(file)
    known_ms, predicted = meter.measure(file).median_ms, profile.predict(probe.operators)
    if known_ms < LEAST_MS:
        return None
    error = predicted.median_ms / known_ms - 1.0
    inside = "yes" if predicted.low_ms <= known_ms <= predicted.high_ms else "no"
    print(
        f"{probe.name:78}{known_ms:>10.2f}{predicted.median_ms:>11.2f}{error:>+9.1%}  {inside}",
        flush=True,
    )
    return error


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
