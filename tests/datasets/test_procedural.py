import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.procedural import ProceduralSettings, generate_split
from jejunet_nas.datasets.scene import CLASS_NAMES, draw_scene, render
from jejunet_nas.errors import SettingError
from jejunet_nas.records import DataSplit

SMALL = ProceduralSettings(clips=2, val_clips=2, frames=9, height=40, width=48)


@cache
def default_split(split: Split) -> DataSplit:
    return generate_split(split, ProceduralSettings())


def changes(frames: np.ndarray) -> np.ndarray:
    """Return the mean change from each frame to the next, in grey levels."""
    return np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_seed_gives_one_set_of_clips(seed: int) -> None:
    asked = dataclasses.replace(SMALL, seed=seed)

    once, again = generate_split("train", asked), generate_split("train", asked)

    assert once.fingerprint == again.fingerprint
    for clip, same in zip(once.clips, again.clips, strict=True):
        np.testing.assert_array_equal(clip.frames, same.frames)
        np.testing.assert_array_equal(clip.masks, same.masks)


def test_another_seed_gives_other_clips_and_another_fingerprint() -> None:
    one, other = (generate_split("train", dataclasses.replace(SMALL, seed=s)) for s in (1, 2))

    assert one.fingerprint != other.fingerprint
    assert changes(np.stack([one.clips[0].frames[0], other.clips[0].frames[0]])) > 20


def test_a_shorter_split_is_the_beginning_of_a_longer_one() -> None:
    longer = generate_split("train", dataclasses.replace(SMALL, clips=3))

    for clip, same in zip(generate_split("train", SMALL).clips, longer.clips[:2], strict=True):
        np.testing.assert_array_equal(clip.frames, same.frames)


def test_train_and_val_share_no_scene() -> None:
    first = [clip.frames[0] for s in ("train", "val") for clip in default_split(s).clips]

    alike = [
        (i, j)
        for i in range(len(first))
        for j in range(i)
        if changes(np.stack([first[i], first[j]])) < 8  # of two frames in a row: 3 to 13
    ]

    assert alike == []


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_class_fills_at_least_a_fiftieth_of_a_split(split: Split) -> None:
    masks = np.concatenate([clip.masks.ravel() for clip in default_split(split).clips])

    shares = np.bincount(masks, minlength=len(CLASS_NAMES)) / len(masks)

    assert len(shares) == len(CLASS_NAMES)
    assert shares.min() > 0.02, shares


def test_every_second_clip_has_one_cut_and_the_others_none() -> None:
    for number, clip in enumerate(default_split("train").clips):
        step = changes(clip.frames)
        cuts = np.flatnonzero(step > 3 * np.median(step))
        assert len(cuts) == number % 2, (clip.name, step)


def test_objects_cover_each_other() -> None:
    alone = [area_drawn_alone(seed) for seed in range(6)]

    hidden = [1 - seen / drawn for seen, drawn in alone]

    assert max(hidden) > 0.15, hidden


def area_drawn_alone(seed: int) -> tuple[int, int]:
    """Return the pixels of a scene's objects that are seen, and those each would have alone."""
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, [1, 2, 3], 64, 64, 24)
    together = render(scene, 12, 64, 64, rng)[1]
    single = [
        render(dataclasses.replace(scene, things=(thing,)), 12, 64, 64, rng)[1]
        for thing in scene.things
    ]
    return np.count_nonzero(together), sum(np.count_nonzero(mask) for mask in single)


def test_objects_grow_and_shrink() -> None:
    thing = draw_scene(np.random.default_rng(0), [1], 64, 64, 24).things[0]

    radii = [thing.pose(t, 64, 64)[2] for t in range(60)]

    assert max(radii) / min(radii) > 1.2


def test_a_class_is_not_one_flat_colour() -> None:
    split = default_split("train")

    spread = [
        np.concatenate([clip.frames[clip.masks == k] for clip in split.clips]).std(axis=0).max()
        for k in range(len(CLASS_NAMES))
    ]

    assert min(spread) > 25, spread  # grey levels; one flat colour with this noise has 3


@settings(max_examples=15, deadline=None)
@given(
    frames=st.integers(1, 4),
    height=st.integers(32, 70),
    width=st.integers(32, 70),
    objects=st.integers(1, 8),
)
def test_every_allowed_setting_gives_clips_of_its_shape(
    frames: int, height: int, width: int, objects: int
) -> None:
    asked = ProceduralSettings(clips=2, frames=frames, height=height, width=width, objects=objects)

    for clip in generate_split("train", asked).clips:
        assert clip.frames.shape == (frames, height, width, 3)
        assert clip.masks.shape == (frames, height, width)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 20}, r"height is 20; allowed: .* from 32 to 512\. The nearest is 32\."),
        ({"clips": "16"}, r"clips is '16'; allowed: whole numbers .* as in clips: 1\."),
        ({"objects": True}, r"objects is True; allowed: whole numbers from 1 to 8\."),
        ({"seed": -1}, r"seed is -1; allowed: .* The nearest is 0\."),
    ],
)
def test_a_setting_out_of_range_names_what_is_allowed(
    options: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        ProceduralSettings(**options)
