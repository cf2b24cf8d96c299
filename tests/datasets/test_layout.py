import os
from pathlib import Path

import pytest

from jejunet_nas.datasets.layout import by_stem
from jejunet_nas.errors import DataError


def test_a_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert by_stem(tmp_path / "nowhere", [".png"]) == {}


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)

    with pytest.raises(DataError, match=rf"{tmp_path} cannot be read \(Permission denied\)\. Chec"):
        by_stem(tmp_path, [".png"])
