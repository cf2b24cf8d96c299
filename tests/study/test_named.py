"""A study remembers what its search was given; its name leads to its file from where it was run."""

from pathlib import Path

import pytest
import yaml

from jejunet_nas.errors import SettingError
from jejunet_nas.files import NOTED, SPACES, STUDIES, shipped_folder, study_file, study_word
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.named import BESIDE, FOLDED, NamedStudy, find_named
from jejunet_nas.study.storage import storage_url
from jejunet_nas.training.settings import IMAGENET, SCRATCH
from tests.search.build import write_study


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty but for studies/."""
    (tmp_path / STUDIES).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search_begins(named: NamedStudy) -> None:
    """Note what a search notes when it begins."""
    named.folder.mkdir(parents=True, exist_ok=True)
    (named.folder / NOTED).write_text(yaml.safe_dump({**named.settings.identity(), **named.notes}))


def data_with_weights(folder: Path) -> Path:
    root = folder / "data"
    root.mkdir()
    weights = root / BESIDE / FOLDED
    weights.parent.resolve().mkdir()
    weights.touch()
    return root


def test_options_of_the_search_need_not_be_repeated_and_new_ones_win(here: Path) -> None:
    write_study(here / STUDIES)
    (here / "data").mkdir()
    given = {"data.root": "data", "training.seed": 7, "trials": 3}
    search_begins(find_named("tiny", given, "sqlite:///mine.db"))

    again = find_named("tiny")

    assert again.settings.data.root == str(here / "data")
    assert again.settings.training.seed == 7
    assert again.settings.trials == 50  # of the file: a number of trials is for one run
    assert again.storage == f"sqlite:///{here / 'mine.db'}"
    assert find_named("tiny", {"training.seed": 9}).settings.training.seed == 9


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/db", "postgresql://host/db?user=me&password=secret"]
)
def test_a_password_is_not_noted(url: str, here: Path) -> None:
    write_study(here / STUDIES)

    named = find_named("tiny", storage=url)

    assert named.storage == url
    assert "secret" not in str(named.notes)


def test_a_url_that_is_none_is_not_noted(here: Path) -> None:
    write_study(here / STUDIES)

    assert "storage" not in find_named("tiny", storage="postgresql://me:secret@host:x/db").notes


def test_imagenet_stands_for_the_weights_beside_the_data_for_good(here: Path) -> None:
    write_study(here / STUDIES, "training: {init: imagenet}\n")
    given = {"data.root": str(data_with_weights(here))}

    first = find_named("tiny", given)
    search_begins(first)
    (here / "weights" / FOLDED).unlink()

    assert first.settings.training.init == str(here / "weights" / FOLDED)
    assert find_named("tiny").settings == first.settings


def test_a_search_that_began_with_a_download_keeps_it(here: Path) -> None:
    write_study(here / STUDIES, "training: {init: imagenet}\n")
    search_begins(find_named("tiny", {"data.root": str(here / "data")}))
    data_with_weights(here)

    assert find_named("tiny").settings.training.init == IMAGENET


def test_weights_are_the_default_and_an_edited_file_is_heard(here: Path) -> None:
    file = write_study(here / STUDIES, "training: {init: imagenet}\n")
    file.write_text(file.read_text().replace("training: {init: imagenet}\n", ""))
    given = {"data.root": str(data_with_weights(here))}
    assert find_named("tiny").settings.training.init == IMAGENET
    search_begins(find_named("tiny", given))

    file.write_text(f"{file.read_text()}training: {{init: scratch}}\n")

    assert find_named("tiny").settings.training.init == SCRATCH


def test_weights_are_told_apart_by_their_hash_and_not_by_their_file(here: Path) -> None:
    write_study(here / STUDIES)
    settings = find_named("tiny", {"training.init": "a.npz"}).settings
    url = storage_url(here)
    Ledger(settings, url).keep_identity(
        {**settings.identity(), "made_from": {"init_sha256": "11ff"}}
    )

    renamed = find_named("tiny", {"training.init": "b/c.npz"}).settings
    ledger = Ledger.find(renamed, url)

    assert ledger is not None
    with pytest.raises(SettingError, match=r"have the SHA-256 22ee, but .* from 11ff\. Give --in"):
        ledger.keep_identity({"made_from": {"init_sha256": "22ee"}})
    with pytest.raises(SettingError, match=r"training\.init of tiny is scratch, but its earlier"):
        Ledger.find(find_named("tiny").settings, url)


def test_a_study_elsewhere_has_a_name_after_its_search(here: Path) -> None:
    file = write_study(here)  # tiny.yaml, beside studies/
    with pytest.raises(SettingError, match="study tiny does not exist"):
        study_file("tiny")

    search_begins(find_named("tiny.yaml"))

    assert study_file("tiny") == file
    assert find_named("tiny").word == "tiny"


def test_a_file_that_no_name_leads_to_is_named_by_its_path(here: Path) -> None:
    (here / "away").mkdir()
    file = write_study(here / "away")

    assert study_word(file, "tiny") == str(file)


def test_a_study_that_ships_is_found_anywhere_and_its_state_is_here(here: Path) -> None:
    named = find_named("quickstart")

    assert named.file == shipped_folder(STUDIES) / "quickstart.yaml"
    assert named.folder == Path(STUDIES) / "quickstart"
    assert named.word == "quickstart"
    assert "file" not in named.notes


def test_a_study_of_ones_own_comes_before_one_that_ships(here: Path) -> None:
    file = write_study(here / STUDIES).rename(here / STUDIES / "quickstart.yaml")

    assert study_file("quickstart").absolute() == file


def test_a_space_that_ships_is_found_anywhere(here: Path) -> None:
    write_study(here / STUDIES, space="search_space: mobile_video\n")

    assert 320 in find_named("tiny").settings.search_space.resolution
    (here / SPACES).mkdir()
    (here / SPACES / "mobile_video.yaml").write_text("depth_multiplier: 1\n")
    with pytest.raises(SettingError, match=r"mobile_video\.yaml: last_block is missing"):
        find_named("tiny")


@pytest.mark.parametrize("note", ["given: [1]", "given: {1: 2}", "weights: {}", "file: 3"])
def test_notes_that_no_search_writes_are_named(note: str, here: Path) -> None:
    write_study(here / STUDIES)
    (here / STUDIES / "tiny").mkdir()
    (here / STUDIES / "tiny" / NOTED).write_text(note)

    with pytest.raises(SettingError, match=r"study\.yaml: [\w ]+ is .*, which no search writes\."):
        find_named("tiny")


@pytest.mark.parametrize("name", ["t.yaml", "t.YML", "t.zip", "key.tflite"])
def test_a_name_that_ends_like_a_file_is_refused(name: str, here: Path) -> None:
    file = write_study(here)
    file.write_text(file.read_text().replace("name: tiny", f"name: {name}"))

    with pytest.raises(SettingError, match=r"name is '.*'; allowed: a name that does not end in"):
        find_named("tiny.yaml")


@pytest.mark.parametrize("name", ["x" * 300, "x/y", "..", "x\0y"])
def test_a_name_that_no_folder_can_have_is_refused(name: str, here: Path) -> None:
    file = write_study(here / STUDIES)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "name": name}))

    with pytest.raises(SettingError, match=r"tiny\.yaml: name "):
        find_named(str(file))


@pytest.mark.parametrize("long", ["x" * 300, "/x" * 5000])
def test_a_noted_path_that_no_disk_holds_leads_nowhere(long: str, here: Path) -> None:
    write_study(here / STUDIES)
    search_begins(named := find_named("tiny"))
    (named.folder / NOTED).write_text(yaml.safe_dump({**named.notes, "file": long}))

    assert study_file("tiny").samefile(here / STUDIES / "tiny.yaml")
