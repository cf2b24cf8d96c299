"""The panel below the frames of a segmented video, and the masks over them."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from jejunet_nas.drawing.live import LiveView, _captions, _paths_of, smooth
from jejunet_nas.drawing.overlay import PATH_COLOURS
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.runtime import Segmentation

HEIGHT, WIDTH = 96, 320
_BILINEAR = Image.Resampling.BILINEAR
NAMES = ("background", "thing", "other")
FRAME = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
MASK = np.zeros((24, 80), np.uint8)
MASK[6:18, 20:60] = 1
POLICY = Policy(keyframe_interval=4)
SHOWN = Segmentation(
    mask=MASK,
    path="key",
    gate_score=None,
    age_frames=0,
    keyframe_began=False,
    resize_ms=0.1,
    latency_ms=4.2,
)


def view(names: tuple[str, ...] = NAMES, policy: Policy = POLICY, **size: int) -> LiveView:
    return LiveView((size.get("height", HEIGHT), size.get("width", WIDTH)), names, policy)


def holds(picture: Any, colour: str) -> bool:
    return bool((picture == ImageColor.getrgb(colour)).all(axis=-1).any())


def test_the_frame_is_above_its_panel_tinted_where_there_is_an_object() -> None:
    drawn = view()

    picture = drawn.draw(FRAME, SHOWN)

    assert picture.shape == (*drawn.size, 3)
    assert drawn.size[1] == WIDTH
    inside, outside = picture[48, 160].astype(int), picture[5, 5].astype(int)
    assert inside[0] > inside[2] + 50  # the first colour is an orange
    assert np.ptp(outside) < 12
    assert outside.mean() < 100  # muted
    assert FRAME.min() == FRAME.max() == 100  # and the frame is left alone


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (48, 64), (97, 33)])
def test_no_frame_is_too_small(size: tuple[int, int]) -> None:
    drawn = view(height=size[0], width=size[1])

    picture = drawn.draw(np.zeros((*size, 3), np.uint8), SHOWN)

    assert picture.shape == (*drawn.size, 3)


def test_the_strip_grows_to_the_right_and_then_scrolls() -> None:
    drawn, propagated = view(), dataclasses.replace(SHOWN, path="propagate")
    top = HEIGHT + drawn._line
    key = ImageColor.getrgb(PATH_COLOURS["key"])

    first = drawn.draw(FRAME, SHOWN)
    for _ in range(drawn._bars.maxlen or 0):
        last = drawn.draw(FRAME, propagated)

    assert (first[top, drawn._margin] == key).all()
    assert not (last[top : top + drawn._bar_height] == key).all(axis=-1).any()
    newest = drawn._margin + ((drawn._bars.maxlen or 0) - 1) * drawn._bar_width
    bottom = top + drawn._bar_height - 1
    assert (last[bottom, newest] == ImageColor.getrgb(PATH_COLOURS["propagate"])).all()


def test_a_bar_is_higher_for_a_slower_path_and_has_a_cap_where_a_keyframe_began() -> None:
    bar = view()._bar

    heights = [
        (bar(path, False)[:, 0] == ImageColor.getrgb(PATH_COLOURS[path])).all(axis=1).sum()
        for path in ("key", "propagate", "reuse")
    ]

    assert heights[0] > heights[1] > heights[2] > 0
    capped = bar("reuse", True)[0, 0]
    assert (capped == ImageColor.getrgb(PATH_COLOURS["key"])).all()


def test_the_path_of_the_frame_is_filled_in_the_caption() -> None:
    drawn = view()

    pictures = {
        path: drawn.draw(FRAME, dataclasses.replace(SHOWN, path=path))
        for path in ("key", "propagate")
    }

    for path, picture in pictures.items():
        line = picture[HEIGHT : HEIGHT + drawn._line]
        filled = (line == ImageColor.getrgb(PATH_COLOURS[path])).all(axis=-1).sum()
        other = next(p for p in pictures if p != path)
        outlined = (line == ImageColor.getrgb(PATH_COLOURS[other])).all(axis=-1).sum()
        assert filled > 1.5 * outlined > 0


@pytest.mark.parametrize(
    ("policy", "paths"),
    [
        (Policy(keyframe_interval=1), ["key"]),
        (Policy(keyframe_interval=2), ["key", "propagate"]),
        (Policy(keyframe_interval=2, between_keyframes="reuse"), ["key", "reuse"]),
        (Policy(keyframe_interval=2, reuse_below=0.1), ["key", "propagate", "reuse"]),
        (Policy(keyframe_interval=1, asynchronous=True), ["key", "propagate"]),
    ],
)
def test_the_paths_that_a_policy_never_takes_are_not_named(
    policy: Policy, paths: list[str]
) -> None:
    assert _paths_of(policy) == paths


def test_a_caption_names_age_and_time_in_ever_fewer_words() -> None:
    old = dataclasses.replace(SHOWN, age_frames=1, latency_ms=4.25)

    assert _captions(old) == [
        "keyframe 1 frame old, 4.2 ms on this computer",
        "1 frame old, 4.2 ms host",
        "age 1, 4.2 ms",
        "4.2 ms",
    ]


def test_classes_that_fit_are_all_named_and_others_only_once_they_are_seen() -> None:
    many = ("background", *(f"class {number}" for number in range(60)))

    few, crowded = view(), view(many)
    for each in (few, crowded):
        each.draw(FRAME, SHOWN)

    assert [index for index, _, _ in few._legend.place(few._always, rows=1)[0]] == [1, 2]
    assert crowded._always == []
    assert [index for index, _, _ in crowded._legend.place(sorted(crowded._seen), rows=2)[0]] == [1]


def test_a_class_that_comes_later_joins_the_legend() -> None:
    drawn = view(("background", *(f"class {number}" for number in range(60))))
    later = dataclasses.replace(SHOWN, mask=np.full_like(MASK, 2))
    legend = slice(HEIGHT + drawn._line + drawn._bar_height, None)

    first, second = drawn.draw(FRAME, SHOWN)[legend], drawn.draw(FRAME, later)[legend]

    colour = drawn._colours[2]
    assert not (first == colour).all(axis=-1).any()
    assert (second == colour).all(axis=-1).any()


@given(count=st.integers(0, 30), width=st.integers(60, 900), rows=st.integers(1, 3))
def test_the_legend_keeps_inside_the_picture_and_counts_what_it_leaves_out(
    count: int, width: int, rows: int
) -> None:
    drawn = view(("background", *(f"thing {number}" for number in range(30))), width=width)

    placed, left_out = drawn._legend.place(range(1, count + 1), rows=rows)

    assert [index for index, _, _ in placed] == list(range(1, len(placed) + 1))
    assert len(placed) + left_out == count
    for index, row, x in placed:
        assert row < rows
        end = x + drawn._font.getlength(f"thing {index - 1}")
        assert x == drawn._margin or end < width


@given(
    seed=st.integers(0, 99),
    classes=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_a_smooth_mask_has_no_new_class(seed: int, classes: int, height: int, width: int) -> None:
    mask = np.random.default_rng(seed).integers(0, classes, (6, 9)).astype(np.uint8) * 20
    present = {int(value) for value in np.unique(mask)}

    found = smooth(mask, height, width, present)

    assert found.shape == (height, width)
    assert {int(value) for value in np.unique(found)} <= present


@given(seed=st.integers(0, 99), classes=st.integers(1, 5))
def test_a_smooth_mask_of_the_same_size_is_the_mask(seed: int, classes: int) -> None:
    mask = np.random.default_rng(seed).integers(0, classes, (6, 9)).astype(np.uint8)

    np.testing.assert_array_equal(smooth(mask, 6, 9, np.unique(mask).tolist()), mask)


@given(seed=st.integers(0, 99), classes=st.integers(2, 5))
def test_an_enlarged_mask_has_the_class_of_the_largest_weight(seed: int, classes: int) -> None:
    mask = np.random.default_rng(seed).integers(0, classes, (6, 9)).astype(np.uint8)
    size = (45, 30)  # width, height

    found = smooth(mask, 30, 45, range(classes))

    weights = [
        np.asarray(Image.fromarray(255 * (mask == each).astype(np.uint8)).resize(size, _BILINEAR))
        for each in range(classes)
    ]
    chosen = np.take_along_axis(np.stack(weights), found[None].astype(np.intp), axis=0)[0]
    # Between two classes the other's weight is what the one leaves, which is rounded apart.
    assert (np.max(weights, axis=0).astype(int) - chosen <= 1).all()


def test_what_is_a_pixel_wide_stays_when_a_mask_is_enlarged() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[:, 4], mask[2, 8] = 1, 2

    found = smooth(mask, 72, 72, [0, 1, 2])

    assert (found[:, 36] == 1).all()
    assert found[20, 68] == 2
