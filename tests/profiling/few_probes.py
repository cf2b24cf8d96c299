"""A handful of probes whose files any program can open, each with the time it takes at its end."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.profiling import profile
from jejunet_nas.profiling.choose import LEAST_MS
from jejunet_nas.profiling.probes import Probe, candidates
from jejunet_nas.records.measurements import Measurement
from tests.phone.stand_in import StandIn

FACTOR = 1.5  # of the Pixel 2's times: the fake phone is slower


def install_few_probes(monkeypatch: pytest.MonkeyPatch, graph: Path) -> Sequence[Probe]:
    """Let profiling choose among copies of `graph` in place of ten real probes."""
    timed = [probe for probe in candidates() if probe.predicted_ms >= LEAST_MS]
    keys = sorted((p for p in timed if p.kind == "key"), key=lambda p: p.predicted_ms)[:2]
    by_kind = {probe.kind: probe for probe in timed if not probe.of_network}
    probes = [_with_time(probe, graph) for probe in (*keys, *by_kind.values())]
    monkeypatch.setattr(profile, "candidates", lambda: probes)
    return probes


def _with_time(probe: Probe, graph: Path) -> Probe:
    us = round(1000 * FACTOR * load_profile("pixel2").costs.of(probe.work))

    def write(file: Path) -> None:
        file.write_bytes(graph.read_bytes() + f"\n{probe.name}\n{us}".encode())

    return dataclasses.replace(probe, write=write)


class Takes:
    """The graphs and threads that were measured; unplugs the phone before number `last`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, phone: StandIn) -> None:
        self.taken: list[tuple[str, int]] = []
        self.last: int | None = None
        take = PhoneMeter.take

        def noted(meter: PhoneMeter, graph: Path) -> Measurement:
            if len(self.taken) == self.last:
                self.last = None
                phone.unplug()
            measurement = take(meter, graph)
            self.taken.append((graph.name, meter.plan.threads))
            return measurement

        monkeypatch.setattr(PhoneMeter, "take", noted)
