"""Whether weights that networks share pay: brief training from them, beside plain training.

.venv/bin/python -m tests.benchmarks.shared_weights --data-root DAVIS --init FILE \\
    --steps 900,2700 --out reports/shared_weights.md

About five hours on 2 cores without a GPU, half of them shared training. Six networks, spread over
the space `mobile_video`, are trained as trials are (plain), and briefly from two kinds of shared
weights (`supernet.py`): those of a parent, the backbone at full width under all heads, and those of
a supernet, which is trained at all widths. The page is written after each training; the same
command resumes after the last one, and shared training from its last checkpoint.
"""

import argparse
import dataclasses
import itertools
import math
import os
import platform
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jejunet_nas.files import write_text_whole
from jejunet_nas.progress import Tell
from jejunet_nas.records.words import counted, markdown_table, network_words, per_cent, points
from jejunet_nas.search.prepare import prepare
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.study_file import read_study
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.quantization import STUDY, _network
from tests.benchmarks.supernet import SharedWeights, train_shared
from tests.benchmarks.trainings import KEYFRAMES, Kept, tell_hundreds, train_network

NETWORKS = (
    _network(1.0, 12, 16, 48, "shared", 8, 192),
    _network(0.5, 12, 16, 48, "thin", 8, 224),
    _network(0.35, 14, 32, 32, "narrow", 8, 256),
    _network(0.75, 9, 16, 64, "shared", 4, 160),
    _network(1.0, 12, 16, 48, "shared", 4, 160),
    _network(0.25, 16, 16, 32, "thin", 4, 256),
)
CHANNELS = (16, 32, 48, 64, 96)
SIZES = {  # of the arms of each width: all arms take about as long
    1.0: (128, 160, 192, 224),
    0.5: (192, 224, 256),
    0.25: (256, 288, 320),
    0.75: (160, 192, 224, 256),
    0.35: (224, 256, 288),
}
TAPS = ((9, 16), (12, 16), (14, 32), (16, 16), (14, 16), (16, 32))  # last block, output stride
DETAILS = ("shared", "thin", "narrow")
ARMS = len(TAPS) * len(DETAILS)  # each tap with each detail once
PLAIN = "plain"
NOISE = 0.014  # the spread of the difference of two trainings of a network, which is 1 to 2 points


class Schedule(NamedTuple):
    """Steps of a network's own training after shared training, at half of a plain one's rate."""

    steps: int
    learning_rate: float = 2e-3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained, how many steps. arms: the networks of each kind of shared training."""

    arms: Mapping[str, Sequence[Network]]
    shared_steps: Sequence[int]
    networks: Sequence[Network] = NETWORKS
    plain_steps: Sequence[int] = (100, 400)
    child_steps: Sequence[int] = (0, 30, 80)


Key = tuple[str, str, int]


class Unit(NamedTuple):
    """One training: plain, or named after the shared training that it continues or is.

    network: its words; of shared training itself "". miou: of keyframes, float. seconds: without
    scoring.
    """

    training: str
    network: str
    steps: int
    seconds: float
    miou: float = 0.0

    @property
    def key(self) -> Key:
        """Says which training it is."""
        return self[:3]


def kept_units(file: Path, plan: Plan, setup: TrialSetup) -> Kept[Unit]:
    """Return the units of `plan` in a file."""
    return Kept(
        file, Unit, [setup.recipe, {k: [*map(repr, arms)] for k, arms in plan.arms.items()}]
    )


def arms_of(kind: str, count: int, seed: int) -> tuple[Network, ...]:
    """Return networks that take turns: each tap with each detail, the supernet's at any width."""
    rng, arms = random.Random(seed), []
    for turn in range(count):
        width = [*SIZES][turn % len(SIZES)] if kind == "supernet" else 1.0
        channels = rng.choice(CHANNELS) if kind == "supernet" else CHANNELS[-1]
        detail, logits = DETAILS[turn % 3], (4, 8)[(turn + turn // ARMS) % 2]
        tap, px = TAPS[turn // 3 % len(TAPS)], rng.choice(SIZES[width])
        arms.append(_network(width, *tap, channels, detail, logits, px))
    return tuple(arms)


def measure(
    plan: Plan, setup: TrialSetup, kept: Kept[Unit], folder: Path, tell: Tell
) -> Iterator[Unit]:
    """Yield each missing unit of the plan when it is kept; `folder` has the checkpoints."""
    for network, steps in itertools.product(plan.networks, plan.plain_steps):
        if (PLAIN, network_words(network), steps) not in kept.units:
            kept.add(unit := _trained(PLAIN, network, steps, None, setup, tell))
            yield unit
    for (kind, arms), shared_steps in itertools.product(plan.arms.items(), plan.shared_steps):
        name = f"{kind} {shared_steps}"
        missing = [
            (network, steps)
            for network, steps in itertools.product(plan.networks, plan.child_steps)
            if (name, network_words(network), steps) not in kept.units
        ]
        if not missing:
            continue
        file = folder / f"{kind}-{shared_steps}-{kept.made_from}.npz"
        shared = _shared(setup)
        seconds = train_shared(
            shared, arms, setup.material, tell, steps=shared_steps, checkpoint=file
        )
        if (name, "", shared_steps) not in kept.units:
            kept.add(unit := Unit(name, "", shared_steps, seconds))
            yield unit
        for network, steps in missing:
            kept.add(unit := _trained(name, network, steps, shared, setup, tell))
            yield unit


def _shared(setup: TrialSetup) -> SharedWeights:
    assert setup.source, "shared training begins with pretrained weights"
    return SharedWeights(
        max(setup.source, key=lambda source: source.depth_multiplier),
        len(setup.val.class_names),
        decoder_channels=CHANNELS[-1],
        seed=setup.training.seed,
    )


def _trained(
    training: str,
    network: Network,
    steps: int,
    shared: SharedWeights | None,
    setup: TrialSetup,
    tell: Tell,
) -> Unit:
    """Train one network from the shared weights, or plainly, and score it."""
    if shared is None:
        made = train_network(
            network, setup, tell, schedule=Schedule(steps, setup.training.learning_rate)
        )
    else:
        made = train_network(
            network,
            setup,
            tell,
            inherit=lambda keras, _: shared.export(
                keras, trained_cut=training.startswith("supernet")
            ),
            # Only the statistics are settled after a step at a rate that changes nothing.
            schedule=Schedule(steps) if steps else Schedule(1, 1e-8),
        )
    return Unit(training, network_words(network), steps, made.seconds, made.miou)


def page(plan: Plan, units: Mapping[Key, Unit], how: str) -> str:
    """Return the report. how: one paragraph on the machine and the data."""
    names = [network_words(network) for network in plan.networks]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(names)]
    rows = dict.fromkeys((unit.training, unit.steps) for unit in units.values() if unit.network)
    wide = max(network.depth_multiplier for network in plan.networks)
    widest = [network_words(n) for n in plan.networks if n.depth_multiplier == wide]
    groups = {"all networks": names, f"width {wide:g}": widest}
    groups["narrower"] = [name for name in names if name not in widest]
    shared = [unit for unit in units.values() if not unit.network]
    lines = [
        "# Shared weights",
        "",
        "Do weights that networks share make a search faster? mIoU in per cent over "
        f"{KEYFRAMES} keyframes of val (float); s: seconds of a network's training, without "
        "scoring.",
        "",
        how,
        "",
        *(f"- {letter}: {name}" for letter, name in zip(letters, names, strict=True)),
        "",
        markdown_table(
            ["training", "own steps", *letters, "s a network"],
            (_row(units, training, steps, names) for training, steps in rows),
            text=["training"],
        ),
        "",
        "A shared training pays from the number of networks on whose saved seconds exceed its own. "
        "Equal mIoU: the mean over the networks that both have is no lower than a plain training's "
        f"by more than the noise, {points(NOISE)[1:]} points divided by the root of their number. "
        "The most favourable comparison is shown, so selection bias favours sharing. For scale: "
        "the committed DAVIS study trained 19 networks in two hours.",
        "",
        *(
            f"- {unit.training} steps ({unit.seconds:.0f} s), {group}: "
            f"{_verdict(plan, units, unit, members)}"
            for unit in shared
            for group, members in groups.items()
        ),
        "",
    ]
    return "\n".join(lines)


def _row(units: Mapping[Key, Unit], training: str, steps: int, names: list[str]) -> list[str]:
    found = [units.get((training, name, steps)) for name in names]
    seconds = np.mean([unit.seconds for unit in found if unit])
    cells = [per_cent(unit.miou if unit else None) for unit in found]
    return [training, f"{steps}", *cells, f"{seconds:.0f}"]


def _verdict(plan: Plan, units: Mapping[Key, Unit], shared: Unit, names: list[str]) -> str:
    """Say from how many networks on a shared training pays, or by how much it falls short."""
    found = []
    for steps, plain_steps in itertools.product(plan.child_steps, plan.plain_steps):
        both = [
            (units.get((shared.training, name, steps)), units.get((PLAIN, name, plain_steps)))
            for name in names
        ]
        pairs = [(child, plain) for child, plain in both if child and plain]
        saved_s = np.mean([plain.seconds - child.seconds for child, plain in pairs] or [0.0])
        if saved_s > 0:
            gain = float(np.mean([child.miou - plain.miou for child, plain in pairs]))
            equal = gain >= -NOISE / math.sqrt(len(pairs))
            count = math.ceil(shared.seconds / saved_s) if equal else math.inf
            words = (
                f"with {counted(steps, 'step')} of its own, a network has {points(gain)} points "
                f"against {plain_steps} plain steps and takes {saved_s:.0f} s less "
                f"({counted(len(pairs), 'network')})."
            )
            found.append((count, -gain, words))
    if not found:
        return "no network takes less time than plain training."
    count, _, words = min(found)
    return f"{'does not pay' if math.isinf(count) else f'pays from {count} networks on'}; {words}"


def main() -> None:
    """Make the missing units, writing the page after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--init", default="imagenet", help="backbone weights of width 1.0")
    parser.add_argument("--steps", default="900,2700", help="of shared training, separated by ,")
    parser.add_argument("--arms", type=int, default=ARMS, help="networks that take turns in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.arms < ARMS:
        parser.error(f"--arms is {asked.arms}; allowed: {ARMS} or more, to train every head.")
    folder = asked.out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    changes = {"root": asked.data_root, "init": asked.init, "seed": asked.seed}
    sections = {"root": "data", "init": "training", "seed": "training"}
    overrides = {f"{sections[name]}.{name}": value for name, value in changes.items()}
    setup = prepare(read_study(STUDY, overrides), folder, tell_hundreds)
    plan = Plan(
        arms={k: arms_of(k, asked.arms, asked.seed) for k in ("parent", "supernet")},
        shared_steps=[int(steps) for steps in asked.steps.split(",")],
    )
    kept = kept_units(folder / "units.jsonl", plan, setup)
    how = (
        f"{setup.train.dataset}, seed {asked.seed}, {asked.arms} arms; {os.cpu_count()} cores, no "
        f"GPU, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}. Command: `python "
        f"-m tests.benchmarks.shared_weights --data-root DAVIS --init FILE --steps {asked.steps} "
        f"--out {asked.out}`"
    )
    for unit in measure(plan, setup, kept, folder, tell_hundreds):
        print(f"{unit.training}: {unit.steps} steps, {unit.network}", file=sys.stderr, flush=True)
        write_text_whole(asked.out, page(plan, kept.units, how))
    print(write_text_whole(asked.out, page(plan, kept.units, how)).read_text())


if __name__ == "__main__":
    main()
