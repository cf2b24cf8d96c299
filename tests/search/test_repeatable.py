"""One seed, one search: on one machine the same networks are drawn, trained and scored alike."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.scoring import contenders
from jejunet_nas.search.loop import search
from tests.search.build import QuietView, tiny_study

MORE = """\
sampler: {name: tpe, seed: 3, round: 2}
trials: 3
data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}
training: {rungs: [1], steps: 2, pairs_per_step: 2, gate_pairs: 10, gate_steps: 1, seed: 3}
compression: {post_training: {calibration_frames: 2}}
last_round: {seeds: 2, contenders: 2}
"""
TIMED = ("stage_s", "median_step_ms", "input_wait_share", "began", "ended")


def without_times(record: Any) -> Any:
    """Return a record as plain values, without what a clock measured."""
    if isinstance(record, dict):
        return {name: without_times(each) for name, each in record.items() if name not in TIMED}
    if isinstance(record, list | tuple):
        return [without_times(each) for each in record]
    return record


@pytest.mark.slow
def test_one_seed_gives_one_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "WITHIN", 1000.0)  # so that there is a last round
    histories = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        settings = tiny_study(tmp_path / name, MORE)
        histories.append(search(settings, tmp_path / name / "tiny", QuietView()))

    first, second = (
        [without_times(dataclasses.asdict(each)) for each in history.complete]
        for history in histories
    )
    assert first == second
    assert len({each.network_id for each in histories[0].drawn}) == 3
    again, once_more = (
        {n: without_times([*map(dataclasses.asdict, each)]) for n, each in history.repeats.items()}
        for history in histories
    )
    assert again == once_more != {}
