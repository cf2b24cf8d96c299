"""Cost of int8 for networks spread through the space of the Pixel 2 studies, trained on DAVIS.

.venv/bin/python -m tests.benchmarks.quantization --data-root DAVIS --out reports/quantization.md

One hour on 2 cores without a GPU, two thirds of it training. Networks are trained as the trials of
`studies/davis_pixel2.yaml`, then written in int8 three ways: with ranges alone, after training with
all corrections that the check requests, and after quantisation-aware training (QAT). A row is
written as soon as it is complete; the same command resumes after the last one. Each mIoU is over
the same frames: every second annotated frame of DAVIS val, each a keyframe. `--times` only converts
the two networks of width 0.35 repeatedly, and needs an idle machine.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.compression.compress import compress
from jejunet_nas.compression.settings import PostTrainingInt8, QuantizationAware
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.records.words import network_words
from jejunet_nas.search.prepare import prepare
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.study_file import read_study
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.inherit import inherit_backbones
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.search_runs import PLAIN_TRIAL

STUDY = Path("studies/davis_pixel2.yaml")
REPEATS = 5  # of a conversion that is timed
EVERY = 2  # of the annotated validation frames, one in so many is scored


def _network(
    width: float, last: int, stride: int, channels: int, detail: Any, logits: int, px: int
) -> Network:
    return Network(
        depth_multiplier=width,
        last_block=last,
        output_stride=stride,
        decoder_channels=channels,
        detail=detail,
        logit_stride=logits,
        input_height=px,
        input_width=px,
    )


# Between them: every width, last block, output stride, detail, logit stride and nearly every size.
NETWORKS = (
    _network(0.35, 12, 16, 16, "thin", 8, 192),
    _network(0.25, 9, 16, 16, "thin", 4, 128),
    _network(1.0, 12, 16, 48, "thin", 8, 256),
    _network(0.35, 16, 32, 32, "shared", 8, 224),
    _network(0.5, 12, 16, 32, "narrow", 8, 224),
    _network(0.75, 14, 32, 64, "shared", 4, 192),
    _network(0.5, 16, 16, 48, "thin", 4, 160),
    _network(1.0, 12, 16, 48, "shared", 8, 192),
    _network(0.75, 12, 16, 48, "thin", 8, 256),
    _network(1.0, 16, 16, 96, "shared", 8, 128),
)
PLAIN = PostTrainingInt8(equalize="never", correct_bias="never")
WAYS = {
    "ranges alone": (PLAIN,),
    "int8 after training": (PostTrainingInt8(),),
    "QAT": (QuantizationAware(),),
}


def main() -> None:
    """Make the missing rows of the table, writing it after each network."""
    asked = _arguments()
    state = asked.out.with_suffix("")
    state.mkdir(parents=True, exist_ok=True)
    setup = setup_of(asked, state)
    kept = state / "rows.json"
    rows: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    for network in NETWORKS:
        name = network_words(network)
        row = rows.setdefault(name, {})
        if {*WAYS, "float"} <= row.keys():
            continue
        keras = trained(network, setup, state)
        keyframes = keyframes_of(network, setup)
        row["float"] = keyframes.miou(keras.masks(keyframes.frames))
        for way, chain in WAYS.items():
            if way not in row:
                print(f"{name}: {way}", file=sys.stderr, flush=True)
                row[way] = dict(_compressed(keras, chain, keyframes, setup, state))
                _keep(rows, kept)
                asked.out.write_text(_page(rows, asked, setup))
    if asked.times:
        rows["times"] = list(_times(setup, state))
        _keep(rows, kept)
    asked.out.write_text(_page(rows, asked, setup))
    print(asked.out.read_text())


def _times(setup: TrialSetup, state: Path) -> Iterator[str]:
    """Yield a line for each network of width 0.35: seconds from trained weights to three files."""
    folder = state / "graphs"
    folder.mkdir(exist_ok=True)
    brief = QuantizationAware(steps=1, gate_steps=1)  # what is trained has no say in converting
    for network in (each for each in NETWORKS if each.depth_multiplier == 0.35):
        keras = trained(network, setup, state)
        words = []
        for way, chain in (("int8 after training", WAYS["int8 after training"]), ("QAT", (brief,))):
            seconds = [
                compress(keras, chain, setup.material, folder, lambda *_: None).convert_s
                for _ in range(REPEATS)
            ]
            words.append(
                f"{way} {np.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
            )
        yield f"{network_words(network)}: {', '.join(words)}"


def _compressed(
    keras: KerasNetwork, chain: Any, keyframes: Keyframes, setup: TrialSetup, state: Path
) -> Iterator[tuple[str, Any]]:
    """Yield the figures of one compression chain."""
    folder = state / "graphs"
    folder.mkdir(exist_ok=True)
    made = compress(keras, chain, setup.material, folder, lambda *_: None)
    agreement = made.agreement()
    yield "miou", keyframes.miou_of_graphs(made.files)
    yield "alike", agreement.key
    yield "logits_db", agreement.logits_db
    yield "noisiest", f"{agreement.noisiest[0].layer} {agreement.noisiest[0].snr_db:.0f} dB"
    yield "equalized", agreement.equalized
    yield "train_s", made.train_s
    yield "convert_s", made.convert_s


def trained(network: Network, setup: TrialSetup, state: Path) -> KerasNetwork:
    """Return the network trained as in a trial; its weights are cached."""
    words = "-".join(network_words(network).replace("/", "").replace(",", "").split())
    file = state / f"{words}.npz"
    keras = build_network(network, len(setup.val.class_names), seed=setup.training.seed)
    if file.is_file():
        keras.load_weights(file)
        return keras
    print(f"{network_words(network)}: train", file=sys.stderr, flush=True)
    material = setup.material
    pretrained = inherit_backbones(keras, setup.source)
    material.train(keras, lambda *_: None, pretrained=pretrained)
    train_gate(keras, setup.train, setup.training, longest_age=setup.longest_age)
    part = state / "part.npz"
    keras.save_weights(part)
    part.rename(file)
    return keras


def keyframes_of(network: Network, setup: TrialSetup) -> Keyframes:
    annotated = sum(int(clip.annotated.sum()) for clip in setup.val.clips)
    return Keyframes(setup.val, network, count=annotated // EVERY)


def setup_of(asked: argparse.Namespace, state: Path) -> TrialSetup:
    study = read_study(STUDY, {"data.root": str(asked.data_root), **PLAIN_TRIAL})
    return prepare(study, state, lambda *_: None)


def _keep(rows: dict[str, Any], file: Path) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=2))
    part.rename(file)


def _page(rows: dict[str, Any], asked: argparse.Namespace, setup: TrialSetup) -> str:
    done = {n: row for n, row in rows.items() if n != "times" and {*WAYS, "float"} <= row.keys()}
    qat = WAYS["QAT"][0]
    assert isinstance(qat, QuantizationAware)
    lines = [
        "# Cost of int8 on DAVIS",
        "",
        f"{len(done)} networks of the space `mobile_video`, trained {setup.training.steps} steps "
        f"from ImageNet weights on DAVIS 2016 (30 train and 10 val sequences at 427x240). mIoU in "
        f"per cent over every {EVERY}nd annotated val frame, each a keyframe; differences in "
        "points.",
        "",
        "- ranges alone: int8 weights per channel, activation ranges from "
        f"{PLAIN.calibration_frames} frames.",
        "- int8 after training: with bias correction, and with equalisation where the check "
        "requests it.",
        f"- QAT: {qat.steps} more steps of quantisation-aware training at a learning rate of "
        f"{qat.learning_rate:g}.",
        "- alike: share of class map pixels that are equal in float and int8 (after training), on "
        "4 training frames.",
        "",
        "| network | float | ranges alone | int8 after training | QAT | alike % | logits dB "
        "| noisiest layer | equalised | convert s | QAT: train s, convert s |",
        "| --- |" + " ---: |" * 6 + " --- |" * 2 + " ---: |" * 2,
        *(_line(name, row) for name, row in done.items()),
        "",
        *_means(done),
        "",
        f"Machine: {os.cpu_count()} cores, no GPU, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}. The times in the table were taken while other programs ran.",
        "",
        *_told_times(rows.get("times", [])),
        f"`python -m tests.benchmarks.quantization --data-root DAVIS --out {asked.out}`",
        "",
    ]
    return "\n".join(lines)


def _told_times(times: list[str]) -> Iterator[str]:
    if times:
        yield (
            f"Converting, from trained weights to three files, with nothing else running: median "
            f"(least and most) of {REPEATS}."
        )
        yield ""
        yield from (f"- {line}" for line in times)
        yield ""


def _line(name: str, row: dict[str, Any]) -> str:
    best, qat = row["int8 after training"], row["QAT"]
    cells = (
        name,
        f"{100 * row['float']:.2f}",
        *(_difference(row, way) for way in WAYS),
        f"{100 * best['alike']:.2f}",
        f"{best['logits_db']:.1f}",
        best["noisiest"],
        "yes" if best["equalized"] else "no",
        f"{best['convert_s']:.1f}",
        f"{qat['train_s']:.0f}, {qat['convert_s']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _difference(row: dict[str, Any], way: str) -> str:
    return f"{100 * (row[way]['miou'] - row['float']):+.2f}"


def _means(done: dict[str, Any]) -> Iterator[str]:
    """Yield the mean and the worst cost of each way."""
    yield "| | mean | worst | best |"
    yield "| --- |" + " ---: |" * 3
    for way in WAYS:
        points = [100 * (row[way]["miou"] - row["float"]) for row in done.values()]
        if points:
            yield (
                f"| {way} | {np.mean(points):+.2f} | {np.min(points):+.2f} "
                f"| {np.max(points):+.2f} |"
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--times", action="store_true", help="time conversions too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
