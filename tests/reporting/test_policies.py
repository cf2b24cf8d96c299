"""The page of a comparison of policies."""

import dataclasses

import pytest

from jejunet_nas.records import DataSplit, GateRecord
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.reporting.policies import policies_page, verdict
from tests.made_up import GATE
from tests.reporting.build import trial
from tests.video.build import numbered_clip

TRIAL = trial(7, 0.6, 20)
EVERY_FRAME = PolicyRow(
    rule="every frame",
    between="propagate",
    interval=1,
    latest=None,
    threshold=None,
    lag=None,
    mean_ms=60.0,
    worst_ms=60.0,
    dropped_frames=0.4,
    mean_interval=1.0,
    miou=0.8,
    own_frame_miou=0.85,
    consistency=0.99,
)
EVERY_4 = dataclasses.replace(
    EVERY_FRAME,
    rule="every 4",
    interval=4,
    mean_ms=22.5,
    dropped_frames=0.0,
    mean_interval=4.0,
    miou=0.7,
)
GATED = dataclasses.replace(
    EVERY_4,
    rule="gate",
    threshold=0.25,
    mean_ms=22.04,
    worst_ms=61.0,
    mean_interval=4.57,
    miou=0.72,
)
REUSED = dataclasses.replace(EVERY_4, between="reuse", mean_ms=15.0, miou=0.5)
LUMA = dataclasses.replace(
    REUSED, rule="luma difference", threshold=0.03125, miou=0.4975, consistency=None
)
BACKGROUND = dataclasses.replace(
    EVERY_FRAME,
    rule="in the background, 2 frames each",
    lag=2,
    dropped_frames=0.0,
    mean_ms=10.0,
    worst_ms=10.0,
    mean_interval=2,
    miou=0.65,
)
ROWS = (EVERY_FRAME, EVERY_4, GATED, REUSED, LUMA, BACKGROUND)


def _page(*, study: str = "davis", dataset: str = "DAVIS 2016", gate: GateRecord = GATE) -> str:
    clips = numbered_clip(0, 1, 2), numbered_clip(3, 4)
    val = DataSplit(dataset=dataset, split="val", class_names=("a",), clips=clips, fingerprint="0")
    network = dataclasses.replace(TRIAL.network, gate=gate)
    shown = dataclasses.replace(TRIAL, network=network)
    return policies_page(ROWS, shown, study=study, val=val, target_fps=24.0)


def _table(page: str) -> list[list[str]]:
    """Return the cells of the page's first table, line by line."""
    lines = page.split("\n")
    first = next(at for at, line in enumerate(lines) if line.startswith("|"))
    table = lines[first : lines.index("", first)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_page_begins_with_the_policy_to_take_and_what_it_costs_the_same_network() -> None:
    _, _, line, *_ = _page().split("\n")

    assert line == (
        "**At 24 fps take keyframes by the gate (threshold 0.2500), propagate between**: 72.0 "
        "mIoU, 22.0 ms a frame, no frame dropped. Against every frame a keyframe (80.0 mIoU, 60.0 "
        "ms, 40.0 % dropped): -8.0 points of mIoU, -38.0 ms a frame."
    )


def test_every_frame_a_keyframe_is_taken_where_it_is_the_best_that_drops_none() -> None:
    rows = (dataclasses.replace(EVERY_FRAME, dropped_frames=0.0), EVERY_4)

    assert verdict(rows, 24.0).startswith("**At 24 fps take every frame a keyframe**: 80.0 mIoU")


def test_a_rule_that_no_bundle_can_run_is_not_advised() -> None:
    best = dataclasses.replace(LUMA, miou=0.9)

    assert verdict((*ROWS, best), 24.0) == verdict(ROWS, 24.0)


def test_where_every_policy_drops_frames_the_nearest_is_named() -> None:
    less = dataclasses.replace(EVERY_4, dropped_frames=0.1)

    assert verdict((EVERY_FRAME, less), 60.0) == (
        "**No policy keeps up with 60 fps.** Nearest is keyframes every 4, propagate between: 70.0 "
        "mIoU, 22.5 ms a frame, 10.0 % of the frames dropped. Take a faster network."
    )


def test_the_table_has_one_line_a_row_and_each_a_cell_for_every_column() -> None:
    header, rule, *lines = _table(_page())

    assert [line[1] for line in lines] == [row.rule for row in ROWS]
    assert {len(header), len(rule), *map(len, lines)} == {11}
    assert "" not in header


def test_a_rule_is_held_against_the_fixed_interval_above_it_and_no_other() -> None:
    header, _, *lines = _table(_page())
    column = header.index("against fixed")

    # The gate against every 4 with propagation, the luma difference against every 4 with reuse.
    assert [line[column] for line in lines] == ["", "", "+2.00", "", "-0.25", ""]


def test_the_cells_of_a_row_are_written_in_the_units_of_the_page() -> None:
    lines = _table(_page())

    assert lines[2] == [
        *("propagate", "every frame", "60.0", "60.0", "40.0", "1.0", "80.00", "", "85.00"),
        *("99.00", ""),
    ]
    assert lines[4] == [
        *("propagate", "gate", "22.0", "61.0", "0.0", "4.6", "72.00", "+2.00", "85.00"),
        *("99.00", "0.2500"),
    ]
    assert lines[6] == [
        *("reuse", "luma difference", "15.0", "60.0", "0.0", "4.0", "49.75", "-0.25", "85.00"),
        *("-", "0.0312"),
    ]


def test_the_page_says_of_which_network_and_frames_it_tells() -> None:
    page = _page()

    assert page.startswith("# Keyframes of davis, trial 7\n")
    assert "224 px, on DAVIS 2016 val: 2 clips, 5 frames. Key 20.0 ms, propagate 20.0 ms" in page
    assert "gate 20.00 ms, predicted; the camera delivers 24 frames a second." in page


def test_the_accuracy_of_the_gate_is_shown_bin_by_bin() -> None:
    page = _page()

    assert "validation frames: mean error 0.040, rank correlation 0.80.\n" in page
    assert "| 100 | 0.010 | 0.020 |\n| 44 | 0.200 | 0.300 |\n" in page


def test_a_gate_that_never_changes_its_mind_orders_nothing() -> None:
    page = _page(gate=dataclasses.replace(GATE, rank_correlation=None))

    assert "validation frames: mean error 0.040.\n" in page


def test_nothing_is_said_of_a_gate_that_saw_no_pair() -> None:
    page = _page(gate=GateRecord(bins=(), mean_error=None, rank_correlation=None))

    assert "Accuracy" not in page
    assert "| pairs |" not in page
    assert page.endswith("|\n\n`jejunet-nas policies davis --trial 7`\n")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a|b", r"a\|b"), ("<b>_x_", r"\<b\>\_x\_"), ("two\nlines", "two lines"), ("$a*", r"\$a\*")],
)
def test_names_of_somebody_else_are_shown_as_they_are(name: str, shown: str) -> None:
    page = _page(study=name, dataset=name)

    assert page.startswith(f"# Keyframes of {shown}, trial 7\n")
    assert f"on {shown} val:" in page
    assert len(_table(page)) == 2 + len(ROWS)


def test_the_page_ends_with_a_command_that_a_shell_takes_for_any_name() -> None:
    assert _page(study="my $tudy").endswith("`jejunet-nas policies 'my $tudy' --trial 7`\n")
