import os
from pathlib import Path

from jejunet_nas.reporting.site.gather import PICTURES, gather
from tests.reporting.build import history
from tests.search.build import tiny_study


def test_a_report_removes_what_a_killed_one_left_among_the_pictures(tmp_path: Path) -> None:
    part = tmp_path / PICTURES / f".jejunet-part.{2**22 + 1}.3"
    part.mkdir(parents=True)
    (part / "late.jpg").touch()
    os.utime(part, (0, 0))

    gather(tiny_study(tmp_path), history(), tmp_path, lambda *_: None)

    assert [*(tmp_path / PICTURES).iterdir()] == []
