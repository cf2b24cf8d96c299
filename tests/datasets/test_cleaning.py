import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.cleaning import Cleaning, cached, clean_cache
from jejunet_nas.errors import DataError
from tests.datasets.trees import TREES

NOW_S = 1_000_000.0
DAY_S = 86_400.0


def write_entry(
    cache: Path, name: str, *, age_days: float, size: int = 100, partial: bool = False
) -> Path:
    """Write an entry as the cache does, its lock file beside it, last used some days ago."""
    folder = cache / f"davis-{name}-{'0' * 16}{'.partial' if partial else ''}"
    folder.mkdir(parents=True)
    (cache / f"davis-{name}-{'0' * 16}.lock").touch()
    (folder / "frames.npy").write_bytes(bytes(size))
    used_s = NOW_S - age_days * DAY_S
    os.utime(folder / "frames.npy", (used_s, used_s))
    os.utime(folder, (used_s, used_s))
    return folder


def names(cache: Path) -> list[str]:
    return [entry.folder.name.split("-")[1] for entry in cached(cache)]


def removed(cleaning: Cleaning) -> list[str]:
    return [entry.folder.name.split("-")[1] for entry in cleaning.removed]


def test_what_was_not_used_for_so_long_is_removed(tmp_path: Path) -> None:
    write_entry(tmp_path, "old", age_days=31)
    write_entry(tmp_path, "young", age_days=29)

    done = clean_cache(tmp_path, now_s=NOW_S, older_than_s=30 * DAY_S)

    assert removed(done) == ["old"]
    assert names(tmp_path) == ["young"]
    assert [entry.size_bytes for entry in done.kept] == [100]


def test_the_least_recently_used_go_until_the_rest_is_small_enough(tmp_path: Path) -> None:
    for age_days, name in enumerate(("newest", "newer", "older", "oldest")):
        write_entry(tmp_path, name, age_days=age_days)

    done = clean_cache(tmp_path, now_s=NOW_S, keep_below_bytes=250)

    assert removed(done) == ["oldest", "older"]
    assert names(tmp_path) == ["newer", "newest"]


def test_an_entry_that_was_read_of_late_stays(tmp_path: Path) -> None:
    folder = write_entry(tmp_path, "old", age_days=90)
    written_s = NOW_S - 90 * DAY_S
    os.utime(folder / "frames.npy", (NOW_S - DAY_S, written_s))

    assert not removed(clean_cache(tmp_path, now_s=NOW_S, older_than_s=30 * DAY_S))


def test_a_dry_run_tells_the_same_and_removes_nothing(tmp_path: Path) -> None:
    write_entry(tmp_path, "old", age_days=31)

    told = clean_cache(tmp_path, now_s=NOW_S, older_than_s=30 * DAY_S, dry_run=True)

    assert removed(told) == ["old"]
    assert names(tmp_path) == ["old"]
    assert removed(clean_cache(tmp_path, now_s=NOW_S, older_than_s=30 * DAY_S)) == ["old"]


@pytest.mark.parametrize("partial", [False, True])
def test_what_another_process_writes_is_not_touched(partial: bool, tmp_path: Path) -> None:
    folder = write_entry(tmp_path, "held", age_days=90, partial=partial)

    with FileLock(tmp_path / f"davis-held-{'0' * 16}.lock"):
        done = clean_cache(tmp_path, now_s=NOW_S, older_than_s=DAY_S, keep_below_bytes=0)

    assert not done.removed
    assert [entry.folder for entry in done.busy] == [folder]
    assert (folder / "frames.npy").exists()


def test_what_a_killed_process_left_goes_whatever_its_age(tmp_path: Path) -> None:
    write_entry(tmp_path, "killed", age_days=0, partial=True)

    assert removed(clean_cache(tmp_path, now_s=NOW_S, keep_below_bytes=1000)) == ["killed"]
    assert not names(tmp_path)


def test_nothing_but_entries_is_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    (tmp_path / f"davis-file-{'0' * 16}").write_text("keep")

    done = clean_cache(tmp_path, now_s=NOW_S, older_than_s=0, keep_below_bytes=0)

    assert not done.removed
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert clean_cache(tmp_path / "none", now_s=NOW_S) == Cleaning(removed=(), kept=(), busy=())


@pytest.mark.parametrize("dataset", TREES)
def test_all_that_a_data_set_caches_can_be_removed_and_is_made_again(
    dataset: str, tmp_path: Path
) -> None:
    root, cache = TREES[dataset][0](tmp_path / "data"), tmp_path / "cache"
    first = open_split(dataset, "train", root=root, cache_dir=cache)
    pixels = first.clips[0].frames[0].tobytes()

    clean_cache(cache, now_s=time.time(), keep_below_bytes=0)

    assert not [file for file in cache.iterdir() if file.suffix != ".lock"]
    again = open_split(dataset, "train", root=root, cache_dir=cache)
    assert again.fingerprint == first.fingerprint
    assert again.clips[0].frames[0].tobytes() == pixels


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_a_folder_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    folder = write_entry(tmp_path, "old", age_days=31)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match=rf"{folder} cannot be removed \(Permission denied\)"):
            clean_cache(tmp_path, now_s=NOW_S, keep_below_bytes=0)
    finally:
        tmp_path.chmod(0o700)
