import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jejunet_nas.datasets import youtube_vos
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.layout import names_of_split
from jejunet_nas.datasets.options import Split
from jejunet_nas.datasets.voc2012 import CLASS_NAMES as VOC_NAMES
from jejunet_nas.datasets.youtube_vos import YoutubeVosSettings, describe_split
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE, DataSplit
from tests.datasets.trees import VIDEOS, save, write_youtube_vos

TRAIN = names_of_split(VIDEOS, "train", 0.1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_youtube_vos(tmp_path)


def opened(root: Path, split: Split = "train", **options: Any) -> DataSplit:
    return open_split("youtube_vos", split, root=root, cache_dir=root / "cache", options=options)


def mask_values(split: DataSplit, video: str) -> list[list[int]]:
    clip = next(clip for clip in split.clips if clip.name == video)
    return [np.unique(mask).tolist() for mask in clip.masks]


def edit_meta(root: Path, video: str, *keys: str, value: Any = None) -> None:
    """Set what `keys` lead to in a video's entry of meta.json, or delete it."""
    meta = root / "train" / "meta.json"
    content = json.loads(meta.read_text())
    *path, last = "videos", video, *keys
    entry = content
    for key in path:
        entry = entry[key]
    entry[last] = value
    if value is None:
        del entry[last]
    meta.write_text(json.dumps(content))


def with_category(category: str) -> str:
    """Return the first train video whose second object is of that category."""
    return next(v for v in TRAIN if ("duck" if VIDEOS.index(v) % 2 else "truck") == category)


def test_each_category_is_a_class_and_late_objects_count(root: Path) -> None:
    split = opened(root)

    assert split.class_names == ("background", "duck", "person", "truck")
    assert mask_values(split, with_category("duck")) == [[0, 2], [0, 1, 2], [0, 1, 2]]
    assert mask_values(split, with_category("truck")) == [[0, 2], [0, 2, 3], [0, 2, 3]]


@pytest.mark.parametrize(
    ("classes", "names", "duck", "truck"),
    [
        ("object", ("background", "object"), [0, 1], [0, 1]),
        ("voc", VOC_NAMES, [0, 3, 15], [0, 15]),
        (["truck", "duck"], ("background", "truck", "duck"), [0, 2], [0, 1]),
        (["person"], ("background", "person"), [0, 1], [0, 1]),
    ],
)
def test_categories_become_the_classes_that_are_asked_for(
    classes: Any, names: tuple[str, ...], duck: list[int], truck: list[int], root: Path
) -> None:
    split = opened(root, classes=classes)

    assert split.class_names == names
    assert mask_values(split, with_category("duck"))[1] == duck
    assert mask_values(split, with_category("truck"))[1] == truck


def test_a_category_that_may_be_a_voc_class_is_not_judged(root: Path) -> None:
    video = with_category("truck")
    edit_meta(root, video, "objects", "2", "category", value="hand")

    assert mask_values(opened(root, classes="voc"), video)[1] == [0, 15, IGNORE]


def test_every_category_is_mapped_to_a_class_that_voc_has() -> None:
    assert {*youtube_vos._TO_VOC.values()} <= {*VOC_NAMES}
    assert not {*youtube_vos._TO_VOC} & {*youtube_vos._IGNORED}


def test_annotated_frames_alone_are_six_a_second(root: Path) -> None:
    clip = opened(root).clips[0]

    assert (len(clip), clip.fps, clip.annotated.all()) == (3, 6.0, True)


def test_with_the_frames_between_every_fifth_is_annotated(tmp_path: Path) -> None:
    clip = opened(write_youtube_vos(tmp_path, all_frames=True)).clips[0]

    assert (len(clip), clip.fps) == (11, 30.0)
    assert np.flatnonzero(clip.annotated).tolist() == [0, 5, 10]


def test_the_frames_between_may_be_left_alone_or_insisted_on(tmp_path: Path, root: Path) -> None:
    both = write_youtube_vos(tmp_path / "both", all_frames=True)

    assert len(opened(both, all_frames=False).clips[0]) == 3
    with pytest.raises(DataError, match=r"train_all_frames/JPEGImages is missing; .*all_frames to"):
        opened(root, all_frames=True)


def test_a_frame_between_may_be_deleted_and_an_annotated_one_not(tmp_path: Path) -> None:
    root = write_youtube_vos(tmp_path, all_frames=True)
    frames = root / "train_all_frames" / "JPEGImages" / TRAIN[0]
    (frames / "00003.jpg").unlink()

    assert {len(clip) for clip in opened(root).clips} == {10, 11}

    (frames / "00005.jpg").unlink()
    with pytest.raises(DataError, match=r"00005\.jpg is missing; .*Unpack train_all_frames\.zip a"):
        opened(root)


def test_a_larger_val_share_only_moves_videos_to_val() -> None:
    names = [f"{number:010x}" for number in range(2000)]
    tenth, fifth = ({*names_of_split(names, "val", share)} for share in (0.1, 0.2))

    assert tenth < fifth
    assert abs(len(tenth) - 200) < 54  # four standard deviations
    assert {*names_of_split(names, "train", 0.1)} == {*names} - tenth
    assert names_of_split(names[:1500], "val", 0.1) == sorted(tenth & {*names[:1500]})


def test_frames_and_masks_are_shrunk_alike(root: Path) -> None:
    clip = opened(root, shorter_side_px=32).clips[0]

    assert (clip.frames.shape[1:3], clip.masks.shape[1:]) == ((32, 43), (32, 43))


def test_fewer_clips_are_part_of_more(root: Path) -> None:
    one, three = ({clip.name for clip in opened(root, clips=n).clips} for n in (1, 3))

    assert one < three


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", r"cannot be read \(Expecting"),
        ('{"video": {}}', r"cannot be read \(no 'videos'\)"),
        ('{"videos": []}', r"cannot be read"),
        ('{"videos": {}}', r"names no video; expected: at least two"),
        ('{"videos": {"a": {"objects": {}}}}', r"names only the video a; expected: at least two"),
        ("[" * 100_000, r"cannot be read"),
        (f'{{"videos": {{"a": {{"objects": {{"{"9" * 5000}": 1}}}}}}}}', r"cannot be read"),
        ('{"videos": {"a": {"objects": {"1": {}}}}}', r"cannot be read \(no 'category'\)"),
    ],
)
def test_a_broken_meta_json_is_named(text: str, reason: str, root: Path) -> None:
    (root / "train" / "meta.json").write_text(text)

    with pytest.raises(DataError, match=rf"meta\.json {reason}[^\n]* Unpack train\.zip again\.$"):
        describe_split("train", root, YoutubeVosSettings())


def test_a_video_that_meta_json_lacks_is_named(root: Path) -> None:
    edit_meta(root, TRAIN[1])

    with pytest.raises(DataError, match=rf"meta\.json lacks the video {TRAIN[1]}; expected: every"):
        describe_split("train", root, YoutubeVosSettings())


@pytest.mark.parametrize("part", ["JPEGImages", "Annotations"])
def test_a_video_that_is_not_on_disk_is_named(part: str, root: Path) -> None:
    (root / "train" / part / TRAIN[1]).rename(root / "elsewhere")

    with pytest.raises(DataError, match=rf"{part}/{TRAIN[1]} is missing; .* remove the video from"):
        describe_split("train", root, YoutubeVosSettings())


def test_a_frame_without_a_mask_names_the_mask(root: Path) -> None:
    (root / "train" / "Annotations" / TRAIN[0] / "00005.png").unlink()

    with pytest.raises(DataError, match=r"00005\.png is missing; expected: the mask of .*05\.jpg"):
        describe_split("train", root, YoutubeVosSettings())


def test_an_object_that_meta_json_lacks_is_named_with_its_file(root: Path) -> None:
    edit_meta(root, TRAIN[0], "objects", "2")

    with pytest.raises(
        DataError, match=rf"{TRAIN[0]}/00005\.png holds the value 2; expected: 0 to 1\. Give"
    ):
        opened(root)


def test_a_mask_in_colours_is_named(root: Path) -> None:
    save(np.zeros((48, 64, 3), np.uint8), root / "train" / "Annotations" / TRAIN[0] / "00005.png")

    with pytest.raises(DataError, match=r"00005\.png is stored in colours"):
        opened(root)


def test_a_category_that_does_not_exist_is_named_with_the_nearest(root: Path) -> None:
    with pytest.raises(SettingError, match=r"classes names trucks; .*Did you mean truck\?"):
        describe_split("train", root, YoutubeVosSettings(classes=["trucks"]))


@pytest.mark.parametrize(
    "options",
    [
        *({"classes": "vok"}, {"classes": []}, {"classes": [1]}, {"all_frames": "yes"}),
        *({"val_share": 0}, {"val_share": 1.0}, {"clips": 0}, {"shorter_side_px": 8}),
    ],
)
def test_an_option_out_of_range_names_what_is_allowed(options: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=rf"^{next(iter(options))} is .*; allowed: "):
        YoutubeVosSettings(**options)


def test_a_wrong_root_is_told_within_a_second(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / "clutter" / f"{number}").mkdir(parents=True)
    started = time.perf_counter()

    with pytest.raises(DataError, match=r"train/meta\.json is missing; .* Give --data-root the"):
        opened(tmp_path / "clutter")

    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 300, "a\nb", "\x1b[31m", 7])
@pytest.mark.parametrize("key", ["video", "category"])
def test_a_name_that_no_folder_can_have_is_named(key: str, name: object, root: Path) -> None:
    if key == "category":
        edit_meta(root, TRAIN[0], "objects", "2", "category", value=name)
    else:
        edit_meta(root, str(name) if name != 7 else "\0", value={"objects": {}})

    with pytest.raises(DataError, match=r"meta\.json cannot be read \(.* is no name of a [^\n]+$"):
        describe_split("train", root, YoutubeVosSettings())
