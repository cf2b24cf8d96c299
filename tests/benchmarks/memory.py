"""Memory of a process that trains one network after another, as a search does.

.venv/bin/python -m tests.benchmarks.memory > reports/memory.txt

Two minutes on 2 cores. Each network has other decoder channels than the one before. It is trained,
with its gate, for three steps on procedural clips of 64 px, and converted to int8. The last column
counts the traced graphs that are still in memory: it must stay as it is. Linux only.
"""

import resource
import tempfile
from pathlib import Path

from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.networks.build import build_network
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.settings import TrainingSettings
from tests.builders import (
    LONGEST_AGE,
    int8_graphs,
    tiny_network,
    tiny_splits,
    traced_graphs,
    train_tiny,
)

NETWORKS, WIDTHS = 24, (16, 24, 32, 40, 48)
BRIEF = TrainingSettings(steps=3, gate_pairs=28, gate_steps=3)
MIB = 2**20


def main() -> None:
    """Print a row for each network."""
    print(f"{'network':>7}{'resident MiB':>14}{'graphs':>8}")
    for number in range(NETWORKS):
        make_network(WIDTHS[number % len(WIDTHS)], seed=number)
        graphs = traced_graphs()
        print(f"{number + 1:>7}{resident_bytes() / MIB:>14.0f}{graphs:>8}", flush=True)


def make_network(decoder_channels: int, *, seed: int) -> None:
    """Build, train and convert a tiny network, and keep nothing of it."""
    train, _ = tiny_splits()
    wide = tiny_network(decoder_channels=decoder_channels)
    network = build_network(wide, len(train.class_names), seed=seed)
    train_tiny(network, BRIEF)
    train_gate(network, train, BRIEF, longest_age=LONGEST_AGE)
    frames = calibration_frames(train, height=64, width=64, count=8, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        int8_graphs(network, frames, Path(folder))


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
