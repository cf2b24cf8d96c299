"""Damage in the cache of decoded pictures is noticed, and mended by decoding again."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.index import INDEX, _check
from jejunet_nas.datasets.input_frames import input_frames
from jejunet_nas.datasets.learnable import labels_of
from jejunet_nas.errors import DataError
from jejunet_nas.records import DataSplit
from tests.datasets.trees import TREES


def opened(tmp_path: Path, dataset: str) -> DataSplit:
    root = tmp_path / "data"
    if not root.exists():
        TREES[dataset][0](root)
    split = open_split(dataset, "train", root=root, cache_dir=tmp_path / "cache")
    input_frames(split, height=16, width=16)
    return split


def opened_anew(tmp_path: Path, dataset: str) -> DataSplit:
    """Open with no cache: one example of a test must not leave its damage to the next."""
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    return opened(tmp_path, dataset)


def pixels(split: DataSplit) -> list[bytes]:
    smaller = input_frames(split, height=16, width=16)
    kept = [pictures for clip in split.clips for pictures in (clip.frames, clip.masks)]
    return [np.asarray(pictures[:]).tobytes() for pictures in (*kept, *smaller)]


def cached_files(tmp_path: Path) -> list[Path]:
    return sorted(file for file in (tmp_path / "cache").glob("*/*") if file.is_file())


def flip(file: Path, place: int, *, keep_time: bool = False) -> None:
    state, data = file.stat(), bytearray(file.read_bytes())
    data[place % len(data)] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + (0 if keep_time else 1)))


@pytest.mark.parametrize("dataset", ["davis", "voc2012"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_anywhere_is_mended(
    dataset: str, tmp_path: Path, data: st.DataObject
) -> None:
    whole = pixels(opened_anew(tmp_path, dataset))
    file = data.draw(st.sampled_from(cached_files(tmp_path)))
    flip(file, data.draw(st.integers(0, 10**6) | st.integers(0, 127)))

    assert pixels(opened(tmp_path, dataset)) == whole


@pytest.mark.parametrize("name", ["frames.npy", "masks.npy", "frames.bin"])
def test_a_byte_that_rots_without_a_trace_is_named_then_mended(name: str, tmp_path: Path) -> None:
    whole = pixels(opened(tmp_path, "davis"))
    flip(next(file for file in cached_files(tmp_path) if file.name == name), -1, keep_time=True)

    with pytest.raises(DataError, match=rf"{name} was damaged .*checksum of picture 3 differs"):
        pixels(opened(tmp_path, "davis"))
    assert pixels(opened(tmp_path, "davis")) == whole


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 5000, '{"content": 1}', "\0"])
def test_an_index_that_is_none_is_written_again(text: str, tmp_path: Path) -> None:
    whole = pixels(opened(tmp_path, "voc2012"))
    for index in (tmp_path / "cache").glob("*/index.json"):
        index.write_text(text)

    assert pixels(opened(tmp_path, "voc2012")) == whole


FIGURES = st.sampled_from([-1, 0, 1.5, 10**7, 10**12, 2**70, True, None, "1", [], [[]], {}])


@pytest.mark.parametrize("dataset", ["davis", "voc2012"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), figure=FIGURES)
def test_figures_that_no_pictures_have_are_not_believed(
    dataset: str, tmp_path: Path, data: st.DataObject, figure: object
) -> None:
    whole = pixels(opened_anew(tmp_path, dataset))
    file = data.draw(st.sampled_from([f for f in cached_files(tmp_path) if f.name == INDEX]))
    index = json.loads(file.read_bytes())
    places = list(figures(index["content"]))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = figure
    del index["check"]
    file.write_text(json.dumps({**index, "check": _check(index)}))

    try:
        assert pixels(opened(tmp_path, dataset)) == whole
    except DataError:  # found when the picture was read: the next time it is made again
        assert pixels(opened(tmp_path, dataset)) == whole


def figures(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each holder with a key of a value in `content`, those of classes left out."""
    keys = content if isinstance(content, dict) else range(len(content))
    for key in keys:
        if key != "classes":
            yield content, key
            if isinstance(content[key], dict | list):
                yield from figures(content[key])


def test_a_cache_that_was_copied_is_used(tmp_path: Path) -> None:
    opened(tmp_path, "davis")
    for file in cached_files(tmp_path):
        os.utime(file, ns=(0, 0))
    told: list[str] = []

    root = tmp_path / "data"
    open_split(
        "davis",
        "train",
        root=root,
        cache_dir=tmp_path / "cache",
        progress=lambda what, done, total: told.append(what),
    )

    assert not told


@pytest.mark.parametrize("dataset", [*TREES])
def test_video_and_photos_are_told_apart(dataset: str, tmp_path: Path) -> None:
    split = opened(tmp_path, dataset)
    photos = {"voc2012", "camvid"}

    origins = {clip.name: clip.origin for clip in split.clips}

    if dataset == "folder":
        assert {name for name, origin in origins.items() if origin == "photo"} == {
            name for name in origins if name.startswith("photo")
        }
        assert {*origins.values()} == {"photo", "video"}
    else:
        assert {*origins.values()} == {"photo" if dataset in photos else "video"}


def test_classes_that_occur_in_no_mask_are_known(tmp_path: Path) -> None:
    split = opened(tmp_path, "camvid")

    labels = labels_of(split)
    assert labels is not None
    assert {*labels.absent} == {*split.class_names} - {"sky", "road", "car"}
