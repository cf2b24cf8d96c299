"""The latency of moving a mask with the picture, which `video.motion` does without a graph.

No benchmark program runs it, so it is predicted, also where graphs are measured. The Kotlin class
of a bundle took 1.8 ns a comparison in Java 17 on a server (one core of an AMD EPYC, optimised; 3.4
ns by the first compiler alone; a throw-away program, 23 pairs of DAVIS frames, 2026-11-30). A Pixel
2 is assumed to take three times as long: a guess, which the interval shows.

Units: milliseconds of one thread.
"""

from jejunet_nas.latency.predicted_meter import DeviceProfile
from jejunet_nas.records import Latency

# Bytes of a graph's activations that take as long as comparing two pixels, with its part of the sum
# over a window: 5.4 ns on a Pixel 2.
BYTES_PER_COMPARISON = 3.0
INTERVAL = 2.0  # from half to double


def moving_latency(profile: DeviceProfile, comparisons: float) -> Latency:
    """Return the predicted latency of a frame whose motion takes so many `comparisons` of pixels.

    It grows with the device's cost of activations, the work most like it.
    """
    median_ms = comparisons / 1e6 * BYTES_PER_COMPARISON * profile.costs.ms_per_million_bytes
    return Latency(
        median_ms=median_ms,
        low_ms=median_ms / INTERVAL,
        high_ms=median_ms * INTERVAL,
        source="predicted",
        threads=1,
    )
