"""What ImageNet weights and a teacher are worth after brief training on DAVIS, in one table.

.venv/bin/python -m tests.benchmarks.pretraining --data-root DAVIS --steps 200 \
    --out reports/pretraining_davis.md

takes an hour or so on 2 cores without a GPU. A row is written as soon as its network is trained;
the same command goes on behind the last one. Beside DAVIS are looked for the folded ImageNet
weights (--weights) and a VOC segmentation graph that teaches (--teacher); what is missing is left
out.

All rows train alike, on pairs as every trial does; the teacher's say "object" wherever it sees any
class but background. Rows with few annotations keep one frame in twenty.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from jejunet_nas.records import DataSplit
from jejunet_nas.search.prepare import prepare
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.study.settings import StudySettings, read_study
from jejunet_nas.training.settings import SCRATCH, TrainingSettings
from jejunet_nas.training.teacher import Teacher
from jejunet_nas.training.teaching import teach
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import TrialSetup

INTERVALS = (1, 4)
FEW = 20  # of so many frames one stays annotated
WEIGHTS = "../weights/mobilenet_v2_1.0_imagenet_folded.npz"
TEACHER = "../tflite/deeplabv3_mnv2_pascal_quant.tflite"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to train: of which width, from what, with how many annotations, taught or not."""

    name: str
    width: float
    pretrained: bool = True
    few: bool = False
    teacher_on: str | None = None


ROWS = (
    Row(name="scratch", width=1.0, pretrained=False),
    Row(name="scratch", width=0.5, pretrained=False),
    Row(name="scratch", width=0.35, pretrained=False),
    Row(name="ImageNet", width=1.0),
    Row(name="ImageNet 1.0, cut", width=0.5),
    Row(name="ImageNet 1.0, cut", width=0.35),
    Row(name="ImageNet, teacher on all frames", width=1.0, teacher_on="all"),
    Row(name="ImageNet, few annotations", width=1.0, few=True),
    Row(name="ImageNet, few annotations, teacher", width=1.0, few=True, teacher_on="unannotated"),
)


def main() -> None:
    """Train what is not yet in the table, writing it anew after each row."""
    asked = _arguments()
    state = asked.out.with_suffix("")
    state.mkdir(parents=True, exist_ok=True)
    kept = state / "rows.json"
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    for row in ROWS:
        key = f"{row} {asked.steps} {asked.pixels}"
        if key in done or not _at_hand(row, asked):
            continue
        print(f"{row.name} {row.width}", file=sys.stderr)
        done[key] = dict(_run(row, asked, state))
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(done, indent=2))
        part.rename(kept)
        asked.out.write_text(_page(done, asked))
    asked.out.write_text(_page(done, asked))
    print(asked.out.read_text())


def _run(row: Row, asked: argparse.Namespace, state: Path) -> Iterator[tuple[str, float]]:
    """Yield the figures of a row: mIoU under each interval, float and int8 mIoU, minutes."""
    began = time.monotonic()
    setup = _setup(row, asked, state)
    for interval in INTERVALS:
        policy = Policy(keyframe_interval=interval)
        result = run_trial(
            0, Architecture(network=_network(row, asked.pixels), policy=policy), setup, _tell
        )
        yield f"interval {interval}", result.score.miou
    yield "float", result.network.float_miou
    yield "int8", result.network.int8_miou
    yield "minutes", (time.monotonic() - began) / 60


def _network(row: Row, pixels: int) -> Network:
    return Network(
        depth_multiplier=row.width,
        last_block=12,
        output_stride=16,
        decoder_channels=48,
        detail="shared",
        logit_stride=8,
        input_height=pixels,
        input_width=pixels,
    )


def _setup(row: Row, asked: argparse.Namespace, state: Path) -> TrialSetup:
    settings = _study(row, asked, state)
    setup = prepare(settings, state, _tell)
    train = _few(setup.train) if row.few else setup.train
    training, recipe, taught = setup.training, dict(setup.recipe), None
    recipe["train_fingerprint"] = train.fingerprint
    if row.teacher_on:
        training = _taught(setup.training, row, asked.teacher)
        digest = hashlib.sha256(asked.teacher.read_bytes()).hexdigest()
        taught = teach(Teacher(asked.teacher), digest, train, training, state, _tell)
        plain = {**training.recipe(), "init": recipe["training"]["init"]}
        recipe |= {"training": {**plain, "teacher": asked.teacher.name}, "teacher_sha256": digest}
    return dataclasses.replace(setup, train=train, training=training, recipe=recipe, taught=taught)


def _study(row: Row, asked: argparse.Namespace, state: Path) -> StudySettings:
    """Return a study of the one network, through the file that a user would write."""
    network = dataclasses.asdict(_network(row, asked.pixels))
    network["resolution"] = network.pop("input_height")
    network.pop("input_width")
    file = state / "study.yaml"
    space = {name: [value] for name, value in network.items()} | {
        "keyframe_interval": list(INTERVALS),
        "between_keyframes": ["propagate"],
        "reuse_below": ["off"],
        "refresh_above": ["off"],
    }
    init = str(asked.weights) if row.pretrained else SCRATCH
    content = {
        "name": "pretraining",
        "search_space": space,
        "data": {"dataset": "davis", "root": str(asked.data_root)},
        "training": {"init": init, "steps": asked.steps},
    }
    file.write_text(yaml.safe_dump(content))
    return read_study(file)


def _taught(training: TrainingSettings, row: Row, teacher: Path) -> TrainingSettings:
    assert row.teacher_on in ("unannotated", "all")
    return dataclasses.replace(
        training,
        teacher=str(teacher),
        teacher_classes=("background", "object"),
        teacher_on=row.teacher_on,
    )


def _few(train: DataSplit) -> DataSplit:
    """Return the split with one annotated frame in `FEW`."""
    clips = []
    for clip in train.clips:
        known = clip.annotated.copy()
        known[[t for t in range(len(clip)) if t % FEW]] = False
        clips.append(dataclasses.replace(clip, annotated=known))
    fingerprint = f"{train.fingerprint}-{FEW}"
    return dataclasses.replace(train, clips=tuple(clips), fingerprint=fingerprint)


def _page(done: dict[str, Any], asked: argparse.Namespace) -> str:
    lines = [
        f"# Pretraining and teaching on DAVIS, {asked.steps} steps each",
        "",
        "mIoU in per cent on DAVIS val, whole clips walked by the int8 graphs under keyframe",
        "intervals 1 and 4 (propagate between), and on some of their frames, each a keyframe, in",
        f"float and int8. {asked.pixels} px, shared detail, logits at stride 8, cut after block",
        "12. One seed; runs differ by about a point.",
        "",
        "| trained from | width | interval 1 | interval 4 | float | int8 | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    minutes = 0.0
    for row in ROWS:
        found = done.get(f"{row} {asked.steps} {asked.pixels}")
        if found is None:
            reason = "not run yet" if _at_hand(row, asked) else "its file was not there"
            lines.append(f"| {row.name} | {row.width} | {reason} | | | | |")
            continue
        figures = [f"{100 * found[n]:.1f}" for n in ("interval 1", "interval 4", "float", "int8")]
        minutes += found["minutes"]
        lines.append(
            f"| {row.name} | {row.width} | {' | '.join(figures)} | {found['minutes']:.1f} |"
        )
    command = f"--data-root DAVIS --steps {asked.steps} --pixels {asked.pixels} --out {asked.out}"
    return "\n".join(
        [
            *lines,
            "",
            f"`.venv/bin/python -m tests.benchmarks.pretraining {command}`",
            "",
            f"{os.cpu_count()} cores ({platform.machine()}), no GPU, Python "
            f"{platform.python_version()}; {minutes:.0f} minutes in all.",
            "",
        ]
    )


def _at_hand(row: Row, asked: argparse.Namespace) -> bool:
    weights = asked.weights.is_file() or not row.pretrained
    return weights and (asked.teacher.is_file() or row.teacher_on is None)


def _tell(what: str, done: int, total: int) -> None:
    if done == total or done % 100 == 0:
        print(f"  {what}: {done}/{total}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--teacher", type=Path)
    asked = parser.parse_args()
    asked.weights = asked.weights or asked.data_root / WEIGHTS
    asked.teacher = asked.teacher or asked.data_root / TEACHER
    return asked


if __name__ == "__main__":
    main()
