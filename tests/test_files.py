"""Where a study's files lie, however its file is named."""

from pathlib import Path

import pytest

from jejunet_nas.files import project_folder, state_folder, study_file


@pytest.mark.parametrize(
    ("stands_in", "said"),
    [
        (".", "tiny"),
        (".", "studies/tiny.yaml"),
        ("studies", "tiny.yaml"),
        ("studies/deeper", "../tiny.yaml"),
        ("reports", "../studies/tiny.yaml"),
    ],
)
def test_a_study_has_one_state_wherever_one_stands(
    stands_in: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("studies/deeper", "reports"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "studies" / "tiny.yaml").write_text("name: tiny\n")
    monkeypatch.chdir(tmp_path / stands_in)

    file = study_file(said)

    assert file.samefile(tmp_path / "studies" / "tiny.yaml")
    assert state_folder(file, "tiny").resolve() == tmp_path / "studies" / "tiny"
    assert project_folder(file).resolve() == tmp_path
