"""A probe is known by its operators, and those are the ones of the graph that it writes."""

from collections import Counter
from pathlib import Path

import pytest

from jejunet_nas.litert import list_operators
from jejunet_nas.profiling.probes import SPACE, SYNTHETIC, Probe, candidates
from jejunet_nas.space.search_space import NETWORK_DIMENSIONS
from jejunet_nas.space.space_file import read_search_space
from tests.test_layers import loaded_after

MOBILE_VIDEO = Path(__file__).parents[2] / "search_spaces" / "mobile_video.yaml"


def _quickest(kind: str) -> Probe:
    return min((p for p in candidates() if p.kind == kind), key=lambda probe: probe.predicted_ms)


@pytest.mark.parametrize(
    "kind", [*dict.fromkeys(kind for kind, _, _ in SYNTHETIC), "key", "propagate", "gate"]
)
def test_a_built_probe_has_the_operators_that_it_was_chosen_for(kind: str, tmp_path: Path) -> None:
    probe = _quickest(kind)
    probe.write(tmp_path / "probe.tflite")
    # The converter may order independent branches its way.
    assert Counter(list_operators(tmp_path / "probe.tflite")) == Counter(probe.operators)


def test_a_probe_is_built_the_same_every_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        _quickest("pointwise").write(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("pointwise", "million_pointwise_macs"),
        ("window", "million_window_macs"),
        ("depthwise", "million_depthwise_macs"),
        ("resize", "million_resized_elements"),
        ("addition", "million_bytes"),
        ("concatenation", "million_bytes"),
        ("tiny", "operators"),
    ],
)
def test_a_synthetic_probe_has_more_of_its_work_than_any_network(kind: str, work: str) -> None:
    def share(probe: Probe) -> float:
        return getattr(probe.work, work) / probe.predicted_ms

    networks = max(
        share(probe) for probe in candidates() if probe.of_network and probe.kind != "gate"
    )
    assert all(share(probe) > networks for probe in candidates() if probe.kind == kind)


def test_no_two_probes_share_a_name_or_a_file() -> None:
    assert len({probe.name for probe in candidates()}) == len(candidates())
    assert len({probe.file_name for probe in candidates()}) == len(candidates())


def test_the_networks_are_those_of_the_shipped_space() -> None:
    shipped = read_search_space(MOBILE_VIDEO).choices()
    ours = {name: SPACE.choices()[name] for name in NETWORK_DIMENSIONS}
    assert ours == {name: shipped[name] for name in ours}


def test_choosing_needs_no_tensorflow() -> None:
    code = "from jejunet_nas.profiling.profile import candidates; candidates()"
    assert loaded_after(code, fresh=("tensorflow", "tf_keras")) == set()
