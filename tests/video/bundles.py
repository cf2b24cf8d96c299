"""Bundles of the tiny network, for tests that run them; nothing here is a test."""

from typing import Any

from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import Bundle, BundleSource
from tests.builders import tiny_run

LAG = 2


def tiny_bundle(policy: Policy, **changes: Any) -> Bundle:
    """Return the tiny network's graphs to be run under `policy`, but for `changes`."""
    run = tiny_run()
    values: dict[str, Any] = {
        "graphs": run.graphs,
        "class_names": run.train.class_names,
        "policy": policy,
        "input_height": 64,
        "input_width": 64,
        "keyframe_lag": LAG,
        "target_fps": 24.0,
        "source": BundleSource(study="tiny", trial=3, network_id="0123456789ab"),
    }
    return Bundle(**(values | changes))
