"""An architecture's prediction is that of its converted graphs."""

import pytest

from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.prediction import predict_paths
from tests.builders import tiny_network, tiny_run

PROFILE = load_profile("pixel2")


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_network_is_predicted_as_its_files_are(threads: int) -> None:
    architecture = Architecture(network=tiny_network(), policy=Policy(keyframe_interval=4))
    run = tiny_run()

    from_wiring = predict_paths(
        architecture, PROFILE, classes=len(run.train.class_names), threads=threads
    )

    meter = PredictedMeter(profile=PROFILE, threads=threads)
    for name in GRAPH_NAMES:
        from_file = meter.measure(run.graphs[name])
        assert getattr(from_wiring, name).median_ms == pytest.approx(from_file.median_ms, rel=1e-9)
        assert getattr(from_wiring, name).threads == from_file.threads == threads
