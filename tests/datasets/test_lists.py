import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.catalog import describe_split
from jejunet_nas.datasets.folder import FolderSettings
from jejunet_nas.datasets.folder import describe_split as describe_folder
from jejunet_nas.datasets.lists import read_list, stem_of
from jejunet_nas.errors import DataError
from tests.datasets.trees import CAMVID_LINE, TREES, voc_folder

NAME = "Straße 7"  # its NFD form differs
MANGLED = {
    "a byte order mark": lambda text: "\ufeff" + text,
    "Windows' line ends": lambda text: text.replace("\n", "\r\n"),
    "old line ends of the Mac": lambda text: text.replace("\n", "\r"),
    "spaces at the ends": lambda text: text.replace("\n", "  \t\n"),
    "doubled spaces": lambda text: text.replace(" ", "  "),
    "blank lines and comments": lambda text: "# mine\n\n" + text + "\n  \n# end\n",
    "a trailing slash": lambda text: text.replace("\n", "/\n"),
    "a leading ./": lambda text: "".join(f"./{line}\n" for line in text.splitlines()),
    "another Unicode form": lambda text: unicodedata.normalize("NFD", text),
}
LISTS = {  # of each tree: its train list, and lines in a form that its readers know
    "davis": ("ImageSets/2016/train.txt", "bear\nboat\n"),
    "voc2012": (
        "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt",
        "2007_000000\n2007_000001\n2007_000002\n",
    ),
    "camvid": ("train.txt", CAMVID_LINE.format(split="train", name="0001TP_006690")),
    "folder": ("train.txt", f"walk\n{NAME}\nphoto1\n"),
}


@pytest.fixture
def root(dataset: str, tmp_path: Path) -> Path:
    root = TREES[dataset][0](tmp_path / "data")
    if dataset == "folder":
        for part in ("images", "masks"):
            (root / part / "ride").rename(root / part / unicodedata.normalize("NFD", NAME))
    file, text = LISTS[dataset]
    (root / file).write_text(text)
    return root


@pytest.mark.parametrize("dataset", LISTS)
@pytest.mark.parametrize("change", MANGLED)
def test_a_list_from_another_editor_means_the_same(change: str, dataset: str, root: Path) -> None:
    before = describe_split(dataset, "train", root)
    file = root / LISTS[dataset][0]
    with file.open("w", newline="") as out:
        out.write(MANGLED[change](LISTS[dataset][1]))

    assert describe_split(dataset, "train", root) == before


@pytest.mark.parametrize("dataset", ["camvid", "folder"])
def test_backslashes_and_suffixes_mean_the_same(dataset: str, root: Path) -> None:
    before = describe_split(dataset, "train", root)
    file = root / LISTS[dataset][0]
    text = file.read_text().replace("photo1", "images/photo1.png").replace("/", "\\")
    file.write_bytes(text.encode("utf-16"))

    assert describe_split(dataset, "train", root) == before


@pytest.mark.parametrize("dataset", ["voc2012"])
def test_names_may_end_as_their_photos_do(dataset: str, root: Path) -> None:
    before = describe_split(dataset, "train", root)
    file = root / LISTS[dataset][0]
    file.write_text("".join(f"JPEGImages/{line}.JPG\n" for line in file.read_text().split()))

    assert describe_split(dataset, "train", root) == before


@pytest.mark.parametrize("dataset", LISTS)
def test_lists_that_share_a_name_are_told(dataset: str, root: Path) -> None:
    train = root / LISTS[dataset][0]
    train.with_name("val.txt").write_text(train.read_text().splitlines()[0] + "\n")

    with pytest.raises(DataError, match=r"train\.txt and val\.txt share \w+; expected: no clip"):
        describe_split(dataset, "train", root)


@pytest.mark.parametrize("dataset", LISTS)
@pytest.mark.parametrize(
    "line", ["no such name", "a\0b", "x" * 3000, "x " * 400, "..", "/", "'bear'"]
)
def test_a_line_that_names_nothing_is_told(line: str, dataset: str, root: Path) -> None:
    file = root / LISTS[dataset][0]
    file.write_text(f"{LISTS[dataset][1]}{line}\n")
    number = len(file.read_text().splitlines())

    if line == "/":  # an empty name is a blank line
        describe_split(dataset, "train", root)
    else:
        with pytest.raises(DataError, match=rf"line {number} [^\n]*\.$"):
            describe_split(dataset, "train", root)


def test_a_list_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"caf\xe9\n")

    with pytest.raises(DataError, match=r"train\.txt cannot be read \(.*\); expected: a list with"):
        read_list(tmp_path / "train.txt", "a name", "Write it.")


@pytest.mark.parametrize(
    ("path", "stem"),
    [("a/b.jpg", "b"), ("b.JPEG", "b"), ("v1.2", "v1.2"), ("b.tar.png", "b.tar"), ("b", "b")],
)
def test_only_the_suffix_of_a_picture_is_taken_away(path: str, stem: str) -> None:
    assert stem_of(path) == stem


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_list_is_read_or_named(tmp_path: Path, text: str) -> None:
    root, said = tmp_path / "data", ""
    if not root.exists():
        TREES["folder"][0](root)
    (root / "train.txt").write_text(text, newline="")
    try:
        describe_folder("train", root, FolderSettings())
    except DataError as error:
        said = str(error)

    assert said
    assert "\n" not in said


@pytest.mark.parametrize("dataset", ["davis"])
def test_a_list_that_names_some_frames_means_those(dataset: str, root: Path) -> None:
    lines = [
        f"/JPEGImages/480p/bear/{t:05d}.jpg /Annotations/480p/bear/{t:05d}.png" for t in (2, 0)
    ]
    (root / "ImageSets" / "2016" / "train.txt").write_text("\n".join(lines))

    (clip,) = describe_split("davis", "train", root).clips

    assert [file.stem for file in clip.frames] == ["00000", "00002"]
    assert clip.fps == 12


@pytest.mark.parametrize("dataset", ["davis"])
def test_a_listed_frame_that_is_missing_is_named(dataset: str, root: Path) -> None:
    (root / "ImageSets" / "2016" / "train.txt").write_text("/JPEGImages/480p/bear/00009.jpg\n")

    with pytest.raises(DataError, match=r"bear/00009\.jpg is missing; .* frame that line 1 of"):
        describe_split("davis", "train", root)


@pytest.mark.parametrize("dataset", ["davis"])
def test_lists_of_2017_alone_name_the_option_year(dataset: str, root: Path) -> None:
    (root / "ImageSets" / "2016").rename(root / "ImageSets" / "2017")

    with pytest.raises(DataError, match=r"2016/train\.txt is missing; .* or set year=2017\.$"):
        describe_split("davis", "train", root)
    assert describe_split("davis", "train", root, {"year": 2017}).clips


@pytest.mark.parametrize("dataset", ["voc2012"])
def test_the_augmented_lists_are_compared_too(dataset: str, root: Path) -> None:
    sets = voc_folder(root) / "ImageSets" / "Segmentation"
    (sets / "trainaug.txt").write_text("2007_000007\n")

    with pytest.raises(DataError, match=r"trainaug\.txt and val\.txt share 2007_000007; expected"):
        describe_split("voc2012", "train", root, {"augmented": True})
