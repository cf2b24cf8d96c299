"""A cache file of results is read as it was written, or ignored."""

import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.video.results import ClipResults, Shown, read_results, write_results
from tests.video.build import CountedGraphs, MadeUpGraphs, numbered_clip

LENGTHS = (5, 1, 3)
GRAPHS = "key 0123"


def clips(graphs: MadeUpGraphs | CountedGraphs | None = None) -> list[ClipResults]:
    """Three clips, nothing of which is known."""
    return [
        ClipResults(numbered_clip(*range(10 * n, 10 * n + length)), graphs or MadeUpGraphs())
        for n, length in enumerate(LENGTHS)
    ]


def known(seed: int = 0, asked: int = 12) -> list[ClipResults]:
    """Three clips, of which something is known."""
    found, dice = clips(), random.Random(seed)
    for _ in range(asked):
        results = dice.choice(found)
        early, late = sorted(dice.choices(range(len(results)), k=2))
        if dice.random() < 0.5:
            results.mask(Shown(late, early))
        else:
            results.gate(late, early)
    return found


def stored(found: list[ClipResults]) -> list[object]:
    return [(results.compressed, results.scores) for results in found]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where results are kept that have been written."""
    write_results(tmp_path / "results.npz", known(), graphs=GRAPHS)
    return tmp_path / "results.npz"


@given(seed=st.integers(0, 9999), asked=st.integers(0, 30))
def test_what_is_written_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, asked: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "round.npz"
    before, after = known(seed, asked), clips()

    write_results(file, before, graphs=GRAPHS)
    count = read_results(file, after, graphs=GRAPHS)

    assert stored(after) == stored(before)
    assert count == sum(results.size for results in before)


def test_what_was_read_is_not_computed_again(tmp_path: Path) -> None:
    graphs = CountedGraphs(MadeUpGraphs())
    first, second = clips(graphs), clips(graphs)
    masks = [first[0].mask(Shown(4, 2)), first[2].mask(Shown(1, 1)), first[0].gate(3, 0)]
    write_results(tmp_path / "results.npz", first, graphs=GRAPHS)
    graphs.runs.clear()

    read_results(tmp_path / "results.npz", second, graphs=GRAPHS)

    again = [second[0].mask(Shown(4, 2)), second[2].mask(Shown(1, 1)), second[0].gate(3, 0)]
    np.testing.assert_equal(again, masks)
    assert masks[0].shape == (8, 12)
    assert not graphs.runs


def test_a_missing_file_is_ignored(tmp_path: Path) -> None:
    found = clips()

    assert read_results(tmp_path / "results.npz", found, graphs=GRAPHS) == 0
    assert stored(found) == stored(clips())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.99, 0.999])
def test_a_file_that_was_cut_short_is_as_good_as_none(file: Path, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    found = clips()

    assert read_results(file, found, graphs=GRAPHS) == 0
    assert stored(found) == stored(clips())


def test_a_file_that_lacks_but_its_last_byte_is_as_good_as_none(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])

    assert read_results(file, clips(), graphs=GRAPHS) == 0


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_file_in_which_a_bit_tipped_is_right_or_as_good_as_none(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "tipped.npz"
    write_results(file, known(), graphs=GRAPHS)
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    file.write_bytes(content)
    found = clips()

    if read_results(file, found, graphs=GRAPHS):
        assert stored(found) == stored(known())
    else:
        assert stored(found) == stored(clips())


def test_results_of_other_graphs_are_as_good_as_none(file: Path) -> None:
    found = clips()

    assert read_results(file, found, graphs="key 4567") == 0
    assert stored(found) == stored(clips())


@pytest.mark.parametrize("missing", ["graphs", "masks", "lengths", "blob", "scored", "scores"])
def test_a_file_of_another_version_is_as_good_as_none(file: Path, missing: str) -> None:
    with np.load(file) as content:
        rest = {name: content[name] for name in content.files if name != missing}
    np.savez(file, **rest)

    assert read_results(file, clips(), graphs=GRAPHS) == 0


@pytest.mark.parametrize("content", [b"results", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_a_file_of_something_else_is_as_good_as_none(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert read_results(file, clips(), graphs=GRAPHS) == 0


def test_an_array_in_the_files_place_is_as_good_as_none(file: Path) -> None:
    with file.open("wb") as opened:
        np.save(opened, np.arange(3))

    assert read_results(file, clips(), graphs=GRAPHS) == 0


def test_a_writer_that_dies_leaves_what_was_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(beside: Path, **_: object) -> None:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(np, "savez", die)
        with pytest.raises(KeyboardInterrupt):
            write_results(file, known(seed=1, asked=40), graphs=GRAPHS)
    found = clips()

    read_results(file, found, graphs=GRAPHS)

    assert stored(found) == stored(known())
    write_results(
        file, known(seed=1, asked=40), graphs=GRAPHS
    )  # and what the dead one left is in nobody's way
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("masks", np.array([[0, 9, 9]])),
        ("masks", np.array([[7, 0, 0]])),
        ("masks", np.array([[-1, 0, 0]])),
        ("masks", np.array([0])),
        ("lengths", np.array([1])),
        ("blob", np.zeros(99, np.uint8)),
        ("blob", np.frombuffer(zlib.compress(bytes(1 << 24)), np.uint8)),
        ("scores", np.array(["x"])),
        ("scores", np.array([np.nan])),
    ],
)
def test_a_whole_file_of_wrong_values_is_as_good_as_none(
    name: str, wrong: np.ndarray, file: Path
) -> None:
    with np.load(file) as content:
        arrays = {**content, "masks": content["masks"][:1], "lengths": content["lengths"][:1]}
    arrays |= {"scored": arrays["scored"][:1], "scores": arrays["scores"][:1], name: wrong}
    if name == "blob":
        arrays["lengths"] = np.array([len(wrong)])
    np.savez(file, **arrays)
    found = clips()

    assert read_results(file, found, graphs=GRAPHS) == 0
    assert stored(found) == stored(clips())
