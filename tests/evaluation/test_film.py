"""What is shown of a clip is what the trial's graphs make of it under its policy."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.film import choose_clip, film_frames
from jejunet_nas.files import sha256_of
from jejunet_nas.records import FramePaths, TrialResult
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.video.graphs import NetworkGraphs
from tests.builders import tiny_network, tiny_run
from tests.made_up import graph_record, on_screen
from tests.search.build import result
from tests.video.plain import run_plainly


@pytest.fixture
def trial(tmp_path: Path) -> TrialResult:
    """A trial of the tiny network with keyframe interval 3, its graphs where a study keeps them."""
    architecture = Architecture(network=tiny_network(), policy=Policy(keyframe_interval=3))
    bare = result(0, architecture)
    (tmp_path / bare.network_id).mkdir()
    graphs = {}
    for name, file in tiny_run().graphs.items():
        shutil.copy(file, tmp_path / bare.network_id / file.name)
        graphs[name] = graph_record(file.name, sha256=sha256_of(file))
    return dataclasses.replace(bare, network=dataclasses.replace(bare.network, graphs=graphs))


def test_the_frames_are_those_of_a_walk_over_the_clip(trial: TrialResult, tmp_path: Path) -> None:
    clip = tiny_run().val.clips[0]

    film = film_frames(trial, clip, tmp_path, [0, 2, 4], len(tiny_run().train.class_names))

    run = run_plainly(NetworkGraphs(tiny_run().graphs), clip, trial.architecture.policy, None)
    assert [each.time for each in film] == [0, 2, 4]
    assert [each.path for each in film] == ["key", "propagate", "propagate"]
    for each in film:
        shown = each.mask[::2, ::2]
        assert (shown == run.masks[each.time]).mean() > 0.99  # nearest pixels, there and back
        assert np.array_equal(each.frame, clip.frames[each.time])
        assert each.miou is not None
        assert 0 <= each.miou <= 1


def test_keyframes_in_the_background_come_as_late_as_in_the_trial(
    trial: TrialResult, tmp_path: Path
) -> None:
    clip, policy = tiny_run().val.clips[0], Policy(keyframe_interval=2, asynchronous=True)
    walked = dataclasses.replace(
        on_screen(trial, walks=(FramePaths(clip="val-000", letters="kppppppp", lag=3),)),
        architecture=Architecture(network=tiny_network(), policy=policy),
    )

    film = film_frames(walked, clip, tmp_path, [0, 4, 5], len(tiny_run().train.class_names))

    run = run_plainly(NetworkGraphs(tiny_run().graphs), clip, policy, 3)
    assert [each.path for each in film] == ["key", "propagate", "propagate"]
    for each in film:
        assert (each.mask[::2, ::2] == run.masks[each.time]).mean() > 0.99  # as above


def test_a_frame_that_nobody_annotated_has_no_score(trial: TrialResult, tmp_path: Path) -> None:
    clip = tiny_run().val.clips[0]
    unknown = dataclasses.replace(clip, annotated=np.zeros(len(clip), np.bool_))

    (frame,) = film_frames(trial, unknown, tmp_path, [1], len(tiny_run().train.class_names))

    assert (frame.annotation, frame.miou) == (None, None)


def test_the_longest_clip_is_chosen_and_an_unknown_one_is_refused() -> None:
    val = tiny_run().val

    assert choose_clip(val, None) in val.clips
    assert choose_clip(val, val.clips[1].name) is val.clips[1]
    with pytest.raises(SettingError, match=rf"--clip is vall-000; allowed: {val.clips[0].name}, "):
        choose_clip(val, "vall-000")
