"""The page of a comparison of policies."""

import dataclasses

import pytest

from jejunet_nas.records import DataSplit, GateRecord, SearchedFor
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.reporting.policies import policies_page, taken, verdict
from jejunet_nas.space.architecture import Policy
from tests.made_up import GATE, path_latencies
from tests.reporting.build import history, trial
from tests.video.build import numbered_clip

TRIAL = trial(7, 0.6, 20)
EVERY_FRAME = PolicyRow(
    number=1,
    policy=Policy(keyframe_interval=1),
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
    number=2,
    policy=Policy(keyframe_interval=4),
    rule="every 4",
    interval=4,
    mean_ms=22.5,
    dropped_frames=0.0,
    mean_interval=4.0,
    miou=0.7,
)
GATED = dataclasses.replace(
    EVERY_4,
    number=3,
    policy=Policy(keyframe_interval=5, refresh_above=0.25),
    rule="gate",
    threshold=0.25,
    mean_ms=22.04,
    worst_ms=61.0,
    mean_interval=4.57,
    miou=0.72,
)
REUSED = dataclasses.replace(
    EVERY_4,
    number=4,
    policy=Policy(keyframe_interval=4, between_keyframes="reuse"),
    between="reuse",
    mean_ms=15.0,
    miou=0.5,
)
LUMA = dataclasses.replace(
    REUSED,
    number=5,
    policy=None,
    rule="luma difference",
    threshold=0.03125,
    miou=0.4975,
    consistency=None,
)
BACKGROUND = dataclasses.replace(
    EVERY_FRAME,
    number=6,
    policy=Policy(keyframe_interval=1, asynchronous=True),
    rule="in the background, 2 frames each",
    lag=2,
    dropped_frames=0.0,
    mean_ms=10.0,
    worst_ms=10.0,
    mean_interval=2,
    miou=0.65,
)
AT_24 = dataclasses.replace(history(TRIAL), target_fps=24.0)
ROWS = (EVERY_FRAME, EVERY_4, GATED, REUSED, LUMA, BACKGROUND)


def _page(*, study: str = "davis", dataset: str = "DAVIS 2016", gate: GateRecord = GATE) -> str:
    clips = numbered_clip(0, 1, 2), numbered_clip(3, 4)
    val = DataSplit(dataset=dataset, split="val", class_names=("a",), clips=clips, fingerprint="0")
    network = dataclasses.replace(TRIAL.network, gate=gate)
    shown = dataclasses.replace(TRIAL, network=network)
    return policies_page(ROWS, shown, dataclasses.replace(AT_24, study=study), val=val)


def _table(page: str) -> list[list[str]]:
    """Return the cells of the page's first table, line by line."""
    lines = page.split("\n")
    first = next(at for at, line in enumerate(lines) if line.startswith("|"))
    table = lines[first : lines.index("", first)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_page_begins_with_the_policy_to_take_and_what_it_costs_the_same_network() -> None:
    _, _, line, *_ = _page().split("\n")

    assert line == (
        "**At 24 fps take row 3, keyframes by the gate (threshold 0.2500), propagate between**: "
        "72.0 mIoU, 22.0 ms a frame, 0.0 % of frames dropped, worst frame 61.0 ms. Against every "
        "frame a keyframe (80.0 mIoU, 60.0 ms a frame, 40.0 % of frames dropped, worst frame 60.0 "
        "ms): -8.0 points of mIoU, -38.0 ms a frame. The trial's own policy (key every frame): "
        "60.0 mIoU, 20.0 ms a frame (predicted), 0.0 % of frames dropped, worst frame 30.0 ms."
    )


def test_every_frame_a_keyframe_is_taken_where_it_is_the_best_that_drops_none() -> None:
    rows = (dataclasses.replace(EVERY_FRAME, dropped_frames=0.0, mean_ms=30.0), EVERY_4)

    line = verdict(rows, TRIAL, AT_24)

    assert line.startswith("**At 24 fps take row 1, every frame a keyframe**: 80.0 mIoU")
    assert line.endswith("has a higher mIoU. It is the trial's own policy.")


def test_a_rule_that_no_bundle_can_run_is_not_advised() -> None:
    best = dataclasses.replace(LUMA, miou=0.9)

    assert verdict((*ROWS, best), TRIAL, AT_24) == verdict(ROWS, TRIAL, AT_24)


def test_where_every_policy_drops_frames_the_nearest_is_named() -> None:
    less = dataclasses.replace(EVERY_4, dropped_frames=0.1)
    at_60 = dataclasses.replace(AT_24, target_fps=60.0)

    line = verdict((EVERY_FRAME, less), TRIAL, at_60)

    assert line.startswith(
        "**No policy of this network meets 60 fps without a dropped frame. Nearest is row 2, "
        "keyframes every 4, propagate between**: 70.0 mIoU, 22.5 ms a frame, 10.0 % of frames "
        "dropped, worst frame 60.0 ms."
    )
    assert line.endswith(" Take a faster network.")


def test_the_rule_of_the_study_says_which_policies_meet_the_target() -> None:
    on_every_frame, in_the_mean = (
        dataclasses.replace(AT_24, feasible_rule=rule) for rule in ("every_frame", "mean")
    )

    assert taken(ROWS, on_every_frame) is BACKGROUND
    assert taken((EVERY_FRAME, dataclasses.replace(EVERY_4, dropped_frames=0.1)), in_the_mean) == (
        dataclasses.replace(EVERY_4, dropped_frames=0.1)
    )
    assert "take row 6" in verdict(ROWS, TRIAL, on_every_frame)


def test_measured_latencies_are_those_of_the_page() -> None:
    graphs = dataclasses.replace(
        path_latencies(44.0, 5.0, 1.0),
        key=dataclasses.replace(path_latencies(44.0, 5.0, 1.0).key, source="measured"),
    )
    timed = dataclasses.replace(TRIAL, on_measurement=TRIAL.on_prediction, measured_graphs=graphs)
    val = DataSplit(
        dataset="d", split="val", class_names=("a",), clips=(numbered_clip(0),), fingerprint="0"
    )

    page = policies_page(ROWS, timed, AT_24, val=val)

    assert "Key 44.0 ms, propagate 5.0 ms, gate 1.00 ms, measured;" in page


def test_the_table_has_one_line_a_row_and_each_a_cell_for_every_column() -> None:
    header, rule, *lines = _table(_page())

    assert [line[2] for line in lines] == [row.rule for row in ROWS]
    assert {len(header), len(rule), *map(len, lines)} == {12}
    assert "" not in header


def test_a_rule_is_held_against_the_fixed_interval_above_it_and_no_other() -> None:
    header, _, *lines = _table(_page())
    column = header.index("against fixed")

    # The gate against every 4 with propagation, the luma difference against every 4 with reuse.
    assert [line[column] for line in lines] == ["", "", "+2.00", "", "-0.25", ""]


def test_the_cells_of_a_row_are_written_in_the_units_of_the_page() -> None:
    lines = _table(_page())

    assert lines[2] == [
        *("1", "propagate", "every frame", "60.0", "60.0", "40.0", "1.0", "80.00", "", "85.00"),
        *("99.00", ""),
    ]
    assert lines[4] == [
        *("3", "propagate", "gate", "22.0", "61.0", "0.0", "4.6", "72.00", "+2.00", "85.00"),
        *("99.00", "0.2500"),
    ]
    assert lines[6] == [
        *("5", "reuse", "luma difference", "15.0", "60.0", "0.0", "4.0", "49.75", "-0.25", "85.00"),
        *("-", "0.0312"),
    ]


def test_the_page_says_of_which_network_and_frames_it_tells() -> None:
    page = _page()

    assert page.startswith("# Keyframes of davis, trial 7\n")
    assert "224 px, on DAVIS 2016 val: 2 clips, 5 frames. Key 20.0 ms, propagate 20.0 ms" in page
    assert "gate 20.00 ms, predicted; motion 20.0 ms, predicted; the camera delivers" in page


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
    assert "|\n\n```sh\n" in page


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a|b", r"a\|b"), ("<b>_x_", r"\<b\>\_x\_"), ("two\nlines", "two lines"), ("$a*", r"\$a\*")],
)
def test_names_of_somebody_else_are_shown_as_they_are(name: str, shown: str) -> None:
    page = _page(study=name, dataset=name)

    assert page.startswith(f"# Keyframes of {shown}, trial 7\n")
    assert f"on {shown} val:" in page
    assert len(_table(page)) == 2 + len(ROWS)


def test_the_page_ends_with_commands_that_a_shell_takes_for_any_name() -> None:
    *_, export, add, again, _, _ = _page(study="my $tudy").split("\n")

    named = "'my $tudy' --trial 7"
    assert export.startswith(f"jejunet-nas export {named} --policy 3 --out bundle-3  ")
    assert add.startswith(f"jejunet-nas policies {named} --add 3  ")
    assert again.startswith(f"jejunet-nas policies {named}  ")


def test_at_another_target_the_commands_ask_for_it_and_nothing_is_added() -> None:
    was = SearchedFor(target_fps=24.0, device="Pixel 2", asked=("--target-fps", "30"))
    at_30 = dataclasses.replace(AT_24, target_fps=30.0, searched_for=was)
    val = DataSplit(
        dataset="d", split="val", class_names=("a",), clips=(numbered_clip(0),), fingerprint="0"
    )

    page = policies_page(ROWS, TRIAL, at_30, val=val, name="x")

    assert "jejunet-nas export x --trial 7 --target-fps 30 --policy 3 --out bundle-3  " in page
    assert "--add" not in page
