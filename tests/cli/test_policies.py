"""The commands `policies` and `show`, on a study whose graphs are the tiny network's."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jejunet_nas.cli.targets import _why_none
from jejunet_nas.records import GRAPH_NAMES, Latency, PathLatencies
from jejunet_nas.reporting.markdown import front_markdown
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.opened import open_study
from jejunet_nas.study.storage import storage_url
from tests.builders import PROCEDURAL, tiny_network, tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.export.bundles import described_graphs
from tests.made_up import as_in, scored
from tests.reporting.build import history
from tests.search.build import result, tiny_study
from tests.searched_study import searched_study

KEYS = {
    *(
        "number",
        "policy",
        "rule",
        "between",
        "interval",
        "latest",
        "threshold",
        "lag",
        "mean_ms",
        "worst_ms",
    ),
    *("dropped_frames", "mean_interval", "miou", "own_frame_miou", "consistency"),
}
DATA = f"data: {{options: {json.dumps(PROCEDURAL)}}}\n"
KEY_MS, PROPAGATE_MS, GATE_MS = 60.0, 10.0, 1.0


def _latency(ms: float) -> Latency:
    return Latency(median_ms=ms, low_ms=ms, high_ms=ms, source="predicted", threads=1)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of two trials of the tiny network, which differ in their policy; 0 is the best."""
    state = tmp_path / "studies" / "tiny"
    state.mkdir(parents=True)
    ledger = Ledger(tiny_study(tmp_path, DATA), storage_url(state))
    ledger.note_class_names(tiny_run().train.class_names)
    latencies = PathLatencies(
        key=_latency(KEY_MS), propagate=_latency(PROPAGATE_MS), gate=_latency(GATE_MS)
    )
    for number in range(2):
        policy = Policy(keyframe_interval=2 + number)
        made = result(number, Architecture(network=tiny_network(), policy=policy))
        names = tiny_run().train.class_names
        network = dataclasses.replace(made.network, latencies=latencies, class_names=names)
        network = as_in(described_graphs()["key"].parent, network)
        miou = 0.9 - number / 2
        score = dataclasses.replace(made.score, miou=miou, class_iou=(miou,) * len(names))
        made = scored(dataclasses.replace(made, network=network), score)
        trial = ledger.ask()
        ledger.begin(trial, made.architecture)
        ledger.complete(trial, made)
    folder = state / "networks" / made.network_id
    folder.mkdir(parents=True)
    for name in GRAPH_NAMES:
        shutil.copy(described_graphs()[name], folder / f"{name}.tflite")
    return tmp_path / "tiny.yaml"


def test_rows_are_printed_and_the_page_lies_among_the_reports(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows, said = answer(capfd, "policies", study)

    assert [set(row) for row in rows] == [KEYS] * len(rows)
    assert (rows[0]["rule"], rows[0]["mean_ms"], rows[0]["threshold"]) == ("every frame", 60, None)
    assert [row["interval"] for row in rows if row["rule"].startswith("every")] == [
        *(1, 2, 2, 4, 4, 8, 8)
    ]
    assert (rows[-1]["rule"], rows[-1]["lag"]) == ("in the background, 2 frames each", 2)
    page = tmp_path / "reports" / "tiny" / "policies.md"
    assert said.endswith(f"comparison: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Keyframes of tiny, trial 0\n")
    for row in rows:
        latest = f", at least every {row['latest']}" if row["latest"] else ""
        assert f"| {row['rule']}{latest} | {row['mean_ms']:.1f} |" in text


def test_a_trial_that_is_named_is_compared_and_the_page_goes_where_it_shall(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "page.md"

    assert exit_code("policies", study, "--trial", 1, "--out", out) == 0

    shown = capfd.readouterr()
    assert shown.out == out.read_text(encoding="utf-8") + "\n"
    assert shown.err == f"comparison: {out}\n"
    assert "\n**At 24 fps take row " in shown.out
    assert shown.out.startswith("# Keyframes of tiny, trial 1\n")
    assert f"jejunet-nas policies {study} --trial 1   # this table\n" in shown.out
    assert not (tmp_path / "reports").exists()


def test_a_trial_that_is_not_there_is_answered_with_those_that_are(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capfd, "policies", study, "--trial", 7) == "--trial is 7; allowed: 0, 1."
    assert not (tmp_path / "reports").exists()


def test_without_a_feasible_trial_one_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.searched_study.PREDICTED_MS", (99.0, 98.0))

    line = refusal(capfd, "policies", searched_study(tmp_path))

    assert line == "no trial of tiny meets 25 fps, so --trial has to name one; allowed: 0, 1."


def test_a_data_root_that_is_none_is_refused(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "policies", study, "--data-root", tmp_path / "nowhere")

    assert line.startswith(f"--data-root is {tmp_path / 'nowhere'}, which is not a folder. Check")


def test_graphs_that_are_gone_are_named(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "studies" / "tiny" / "networks")

    assert "key.tflite" in refusal(capfd, "policies", study)


def test_show_draws_the_frames_and_says_their_paths(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shown, said = answer(capfd, "show", study, "--frames", 3, "--from", 1)

    film = tmp_path / "reports" / "tiny" / "film.png"
    assert (shown["file"], shown["trial"]) == (str(film), 0)
    assert [(each["frame"], each["path"]) for each in shown["frames"]] == [
        *((1, "propagate"), (2, "key"), (3, "propagate"))
    ]
    assert all(0 <= each["miou"] <= 1 for each in shown["frames"])
    assert said == f"film: {film}\n"
    assert film.is_file()


def test_show_says_where_the_picture_is_on_standard_output(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("show", study, "--frames", 1, "--out", tmp_path / "film.png") == 0

    assert capfd.readouterr() == (f"film: {tmp_path / 'film.png'}\n", "")


def fixed_rows(capfd: pytest.CaptureFixture[str], study: Path) -> dict[str, int]:
    """Return the numbers of the rows by their rule, and those with reuse by `reuse RULE`."""
    rows, _ = answer(capfd, "policies", study)
    named = {True: "", False: "reuse "}
    return {f"{named[row['between'] == 'propagate']}{row['rule']}": row["number"] for row in rows}


def test_a_row_becomes_a_trial_of_its_own_and_only_once(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = fixed_rows(capfd, study)["every 8"]  # an interval that the space does not have

    added, said = answer(capfd, "policies", study, "--add", row)

    assert (added["trial"], added["policy"]["keyframe_interval"]) == (2, 8)
    assert "added: trial 2, key every 8, propagate, of the network of trial 0: " in said
    assert ", meets the target" in said or ", misses the target (" in said
    trials = open_study(study).trials().set_index("trial")
    assert [*trials["added"]] == [False, False, True]
    assert trials.loc[2, "network_id"] == trials.loc[0, "network_id"]
    assert trials.loc[2, "mean_ms"] == pytest.approx((KEY_MS + 7 * PROPAGATE_MS) / 8)
    line = refusal(capfd, "policies", study, "--add", row)
    assert line == "key every 8, propagate is the policy of trial 2 already. Add another policy."
    assert "key every 8, propagate, added |" in front_markdown(open_study(study).history)


def test_the_policy_of_a_trial_is_not_added_again(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = fixed_rows(capfd, study)["every 2"]

    line = refusal(capfd, "policies", study, "--add", row)

    assert line.startswith("key every 2, propagate is the policy of trial 0 already. ")


def test_rows_that_are_none_or_run_in_no_bundle_are_refused(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = fixed_rows(capfd, study)
    last, luma = max(rows.values()), rows["luma difference"]

    beyond = refusal(capfd, "policies", study, "--add", last + 1)
    unfit = refusal(capfd, "export", study, "--policy", luma, "--out", tmp_path / "b")

    assert beyond == f"--add is {last + 1}; allowed: 1 to {last}. The nearest is {last}."
    assert unfit.startswith(f"--policy is {luma}, the luma difference, a rule for comparison that ")
    assert not (tmp_path / "b").exists()


def test_a_row_is_not_added_at_another_target(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "policies", study, "--add", 2, "--target-fps", 30)

    assert line.startswith("--add is 2 with --target-fps or --device; a study's trials have its ")


def test_an_added_row_writes_no_page(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = refusal(capfd, "policies", study, "--add", 2, "--out", "page.md")

    assert line == "--out is page.md with --add 2, which writes no page. Leave one of them out."


def test_a_bundle_with_the_policy_of_a_row_has_its_figures_and_says_so(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows, _ = answer(capfd, "policies", study)
    row = next(each for each in rows if each["rule"] == "gate" and each["between"] == "propagate")
    bundle = tmp_path / "b"

    said = answer(capfd, "export", study, "--policy", row["number"], "--out", bundle)[1]

    assert f"trial 0 with key every {row['latest']}, propagate, gate refresh > " in said
    plain = json.loads((bundle / "manifest.json").read_text())
    assert plain["policy"] == row["policy"]
    assert plain["metrics"]["accuracy"]["miou"] == pytest.approx(row["miou"])
    assert plain["metrics"]["latency"]["mean_ms"] == pytest.approx(row["mean_ms"])
    assert plain["source"]["trial_policy"]["keyframe_interval"] == 2
    assert set(plain["graphs"]) == {"key", "propagate", "gate"}
    card = (bundle / "README.md").read_text()
    assert "chosen after the search, the figures are those of this policy (trial 0 has: " in card
    answer(capfd, "verify", bundle)


def test_where_no_trial_is_complete_the_search_comes_first() -> None:
    empty: Any = SimpleNamespace(history=history(), name="tiny", word="my study.yaml")

    assert _why_none(empty) == (
        "tiny has no complete trial to choose from. Continue its search: "
        "jejunet-nas search 'my study.yaml'."
    )
