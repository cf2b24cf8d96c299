"""The command `compress`, on a study whose network is the tiny one."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import TrialError
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial import compress
from tests.builders import PROCEDURAL, tiny_network, tiny_run
from tests.cli.commands import answer, exit_code, refusal
from tests.search.build import result, tiny_study

DATA = f"data: {{options: {json.dumps(PROCEDURAL)}}}\n"
OTHER = "float16"


def make_study(folder: Path) -> Path:
    """Leave a study with one trial of the tiny network, its weights where a search keeps them."""
    state = folder / "studies" / "tiny"
    state.mkdir(parents=True)
    ledger = Ledger(tiny_study(folder, DATA), storage_url(state))
    ledger.note_class_names(tiny_run().train.class_names)
    made = result(0, Architecture(network=tiny_network(), policy=Policy(keyframe_interval=2)))
    network = dataclasses.replace(made.network, class_names=tiny_run().train.class_names)
    ledger.complete(ledger.ask(), dataclasses.replace(made, network=network))
    weights = state / "networks" / made.network_id
    weights.mkdir(parents=True)
    tiny_run().network.save_weights(weights / "weights.npz")
    return folder / "tiny.yaml"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path)


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose network was compressed in two ways."""
    study = make_study(tmp_path_factory.mktemp("compressed"))
    code = exit_code("compress", study, "--settings", "int8", "--settings", OTHER, "--frames", 4)
    assert code == 0
    return study


def rows_again(capfd: pytest.CaptureFixture[str], study: Path) -> tuple[list[Any], str]:
    return answer(
        capfd, "compress", study, "--settings", "int8", "--settings", OTHER, "--frames", 4
    )


def refuse(*_: object, **__: object) -> None:
    raise TrialError("nothing is left to be compressed")


def test_a_row_says_what_a_chain_costs_and_brings(
    compressed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (int8, other), said = rows_again(capfd, compressed)

    assert [int8["settings"], other["settings"]] == ["int8", OTHER]
    assert (int8["frames"], int8["train_s"]) == (4, 0)
    assert int8["trained_miou"] == int8["float_miou"] == other["trained_miou"]
    assert other["miou"] == pytest.approx(other["float_miou"], abs=0.01)  # 11 bits of each weight
    assert int8["deflated_bytes"] < other["deflated_bytes"]
    assert int8["latencies"]["key"]["median_ms"] < other["latencies"]["key"]["median_ms"]
    assert int8["latencies"]["key"]["source"] == "predicted"
    assert int8["agreement"]["key"] > 0.97  # as in compression
    assert said.endswith(f"compression: {compressed.parent / 'reports/tiny/compression.md'}\n")


def test_the_page_lies_among_the_reports_and_names_its_command(
    compressed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("compress", compressed, "--settings", "int8", "--frames", 4) == 0

    page = (compressed.parent / "reports/tiny/compression.md").read_text(encoding="utf-8")
    assert capfd.readouterr().out == page + "\n"
    assert page.startswith("# Compression of tiny, trial 0\n")
    assert "\n| int8 | " in page
    assert f"`jejunet-nas compress {compressed} --trial 0 --frames 4 --settings int8`" in page


def test_what_was_made_is_found_again(
    compressed: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress, "compress", refuse)

    rows, _ = rows_again(capfd, compressed)

    assert len(rows) == 2
    kept = compressed.parent / "studies" / "tiny" / "compressed"
    folders = [folder for network in kept.iterdir() for folder in network.iterdir()]
    graphs = {f"{name}.tflite" for name in GRAPH_NAMES}
    assert [{file.name for file in folder.iterdir()} for folder in folders] == [
        graphs | {"row.json"}
    ] * 2


def test_what_was_left_half_made_is_made_anew(
    compressed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = compressed.parent / "studies" / "tiny" / "compressed"
    (row,) = (file for file in kept.rglob("row.json") if '"int8"' in file.read_text())
    row.write_text(row.read_text()[:-9])  # as a disk that was full leaves it
    half = row.parent.with_name(f"{row.parent.name}.part")
    half.mkdir()
    (half / "key.tflite").write_text("half")

    rows, _ = rows_again(capfd, compressed)

    assert [each["settings"] for each in rows] == ["int8", OTHER]
    assert not half.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("int9", "--settings names int9; allowed: float32, float16, dynamic, int8, qat, prune, "),
        (
            "int8 + prune",
            "int8 comes before prune (channels); allowed: prune (channels, ",
        ),
        ("prune:share=2", "pruning.share is 2.0; allowed: 0.01 to 0.9. The nearest is 0.9."),
        (
            "qat:step=9",
            "--settings gives step=9 for qat; allowed: steps=VALUE, learning_rate=VALUE",
        ),
    ],
)
def test_settings_that_cannot_be_are_answered_with_those_that_can(
    study: Path, capfd: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    line = refusal(capfd, "compress", study, "--settings", "int8", "--settings", words)

    assert told in line


def test_weights_that_are_gone_are_named(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "studies" / "tiny" / "networks")

    line = refusal(capfd, "compress", study)

    assert "weights.npz, the weights that the search left, is missing. Copy the study's" in line
    assert not (tmp_path / "reports").exists()


def test_a_folder_is_no_page(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capfd, "compress", study, "--out", tmp_path)

    assert line == f"--out is {tmp_path}, which is a folder. Name a Markdown file."


def test_a_way_that_breaks_is_named_and_the_others_are_told(
    compressed: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise TrialError("the loss became nan at step 3 of 9. Lower it.")

    monkeypatch.setattr(compress, "compress", break_off)

    ways = ("--settings", "int8", "--settings", "int8:equalize=never", "--frames", 4)
    assert exit_code("compress", compressed, *ways) == 1

    said = capfd.readouterr()
    assert "\n| int8 | " in said.out
    assert "int8:equalize=never: the loss became nan at step 3 of 9. Lower it." in said.err
    assert "1 of 2 compression settings failed; see the messages above." in said.err
