"""What long training brings: a curve over its steps, and a row for each ingredient of a recipe.

.venv/bin/python -m tests.benchmarks.long_training --camvid CAMVID --init FILE --steps 600 2000 6000
.venv/bin/python -m tests.benchmarks.long_training --camvid CAMVID --init FILE --steps 1000 \\
    --recipes base Dice "class weights" --seeds 0 1
.venv/bin/python -m tests.benchmarks.long_training --camvid CAMVID --davis DAVIS   # write the page

Each training has a cosine schedule over all its steps. The figures: the float network and the int8
graphs with every frame a keyframe, by class, and own-frame mIoU where only every 2nd, 4th and 8th
frame is a keyframe, with the others propagated, or the mask moved. mIoU of val: what is compared
here is chosen on it.

A step of the CamVid network takes about a second on one core, so a row of 1,000 steps takes 17
minutes. Rows are kept in a file of lines beside the page; trainings resume from checkpoints, except
those whose recipe averages or decays weights.
"""

import argparse
import contextlib
import dataclasses
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from jejunet_nas.compression.chain import chain_of
from jejunet_nas.compression.compress import compress
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.evaluation.latencies import predict_graphs
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import write_text_whole
from jejunet_nas.networks.build import KerasNetwork, as_input, build_network
from jejunet_nas.networks.paths import key_path
from jejunet_nas.records.words import markdown_table, network_words, per_cent, points
from jejunet_nas.search.prepare import prepare
from jejunet_nas.space.architecture import Network, Policy
from jejunet_nas.study.study_file import read_study
from jejunet_nas.training.inherit import inherit_backbones
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.long_recipes import BASE, RECIPES, AfterSteps, Recipe, changed, in_place
from tests.benchmarks.quantization import STUDY, _network
from tests.benchmarks.search_runs import machine
from tests.benchmarks.trainings import KEYFRAMES, Kept, tell_hundreds

INTERVALS = (2, 4, 8)
POLICIES = [
    Policy(keyframe_interval=interval, between_keyframes=between)
    for between in ("propagate", "move")
    for interval in INTERVALS
]
# All but the teacher can meet 24 fps on one big core under some policy, by predicted latency.
DAVIS_NETWORKS = {"pick": _network(1.0, 14, 32, 32, "narrow", 4, 160)}


def _camvid(network: Network, height: int, width: int) -> Network:
    return dataclasses.replace(network, input_height=height, input_width=width)


CAMVID_NETWORKS = {
    "pick": _camvid(_network(1.0, 12, 16, 48, "thin", 4, 224), 224, 288),
    "logits at 8": _camvid(_network(1.0, 12, 16, 48, "thin", 8, 224), 224, 288),
    "0.75 wide, larger": _camvid(_network(0.75, 12, 16, 48, "thin", 4, 256), 256, 352),
    "teacher": _camvid(_network(1.0, 16, 16, 96, "shared", 4, 352), 352, 480),
}
NETWORKS: Mapping[str, Mapping[str, Network]] = {
    "davis": DAVIS_NETWORKS,
    "camvid": CAMVID_NETWORKS,
}


class Unit(NamedTuple):
    """One training. int8_ious: of its graphs, by class.

    own_frame: mIoU of the graphs under each of `POLICIES`; only of the first ones where masks did
    not move yet.
    """

    network: str
    recipe: str
    steps: int
    seed: int
    step_ms: float
    miou: float
    int8_miou: float
    int8_ious: Sequence[float | None]
    own_frame: Sequence[float]

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Says which training it is."""
        return self[:4]


class Data(NamedTuple):
    """One data set, and what is kept of its trainings."""

    name: str
    setup: TrialSetup
    folder: Path
    kept: Kept[Unit]

    @classmethod
    def prepared(cls, name: str, root: Path, init: str, folder: Path) -> "Data":
        """Return the data set `name` with the settings of its study, without rungs."""
        study = STUDY.with_name(f"{name}_pixel2.yaml")
        plain = {"training.rungs": [], "training.dice_weight": 0.0}
        given = {"data.root": root, "training.init": init, **plain}
        settings = read_study(study, {**given, "last_round": {"seeds": 1}})
        folder.mkdir(parents=True, exist_ok=True)
        setup = prepare(settings, folder, tell_hundreds)
        training = setup.training.recipe()
        about = {key: value for key, value in training.items() if key not in ("steps", "seed")}
        fingerprints = [setup.train.fingerprint, setup.val.fingerprint]
        lines = folder.parent.with_name(f"{folder.parent.name}_{name}.jsonl")
        kept = Kept(lines, Unit, [fingerprints, setup.longest_age, about])
        return cls(name, setup, folder, kept)

    @property
    def units(self) -> list[Unit]:
        """All trainings of this data."""
        return [*self.kept.units.values()]


def measure(
    data: Data, network: str, recipe: str, steps: int, seed: int, teacher: Unit | None = None
) -> Unit:
    """Return one training, which is made unless it is kept."""
    if (key := (network, recipe, steps, seed)) in data.kept.units:
        return data.kept.units[key]
    how, setup = RECIPES[recipe], data.setup
    setup = dataclasses.replace(
        setup, training=changed(setup.training, how, steps=steps, seed=seed)
    )
    keras = build_network(NETWORKS[data.name][network], len(setup.val.class_names), seed=seed)
    name = "-".join(f"{part}" for part in key).replace(" ", "_")
    resumable = not (how.average or how.decay)
    checkpoints = data.folder / "checkpoints" / name if resumable else None
    material = dataclasses.replace(setup.material, checkpoints=checkpoints)
    material.pictures(keras.network, tell_hundreds)
    pretrained = inherit_backbones(keras, setup.source)
    told = _teacher(data, teacher) if how.distilled else None
    after = AfterSteps(how, keras, setup.training)  # its means start from the inherited weights
    with in_place(how, setup.train, told) if _is_special(how) else contextlib.nullcontext():
        record = material.train(
            keras, tell_hundreds, pretrained=pretrained, after_step=after, watch=after.watch()
        )
    keras.save_weights(data.folder / f"{name}.npz")
    unit = Unit(*key, record.median_step_ms, *_scores(keras, setup, data.folder))
    data.kept.add(unit)
    if checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return unit


def _is_special(recipe: Recipe) -> bool:
    return bool(recipe.loss or recipe.auxiliary or recipe.distilled)


def _scores(keras: KerasNetwork, setup: TrialSetup, folder: Path) -> Iterator[Any]:
    """Yield the figures of a trained network, in the order of `Unit`."""
    keyframes = Keyframes(setup.val, keras.network, count=KEYFRAMES)
    graphs = folder / "graphs"
    graphs.mkdir(exist_ok=True)
    chain = chain_of(keras.network, setup.compression)
    made = compress(keras, chain, setup.material, graphs, tell_hundreds)
    floats = keyframes.score(keras.masks(keyframes.frames))
    int8 = keyframes.score(keyframes.masks_of_graphs(made.files))
    scores = Evaluation(setup.val, made.files, keep=False).score(
        POLICIES,
        predict_graphs(made.files, keras.network, setup.meter),
        target_fps=setup.target_fps,
        tell=tell_hundreds,
    )
    yield from (floats.miou, int8.miou, int8.class_iou)
    yield [score.own_frame.miou for score in scores]


def _teacher(data: Data, unit: Unit | None) -> Any:
    """Return the logits of the network of `unit` as a function of uint8 frames."""
    assert unit is not None, "train the teacher first: --networks teacher"
    network = NETWORKS[data.name][unit.network]
    keras = build_network(network, len(data.setup.val.class_names), seed=unit.seed)
    name = "-".join(f"{part}" for part in unit.key).replace(" ", "_")
    keras.load_weights(data.folder / f"{name}.npz")
    folded, size = keras.folded(), (network.input_height, network.input_width)

    def logits(frames: Any) -> Any:
        seen = tf.image.resize(as_input(frames), size)
        return key_path(folded.layers, seen, network, keras.classes)[0]

    return logits


def page(datas: Sequence[Data], how: str) -> str:
    """Return the report."""
    lines = [
        "# Long training",
        "",
        "mIoU % of val with every frame a keyframe, and of the int8 graphs where every 2nd, 4th "
        "and 8th frame is one and the others are propagated, or the mask moves (each mask against "
        "its own frame). Each training has a cosine schedule over its steps. Means over seeds.",
        "",
        how,
        "",
    ]
    for data in datas:
        lines += [f"## {data.name}", ""]
        for name in dict.fromkeys(unit.network for unit in data.units):
            lines += [f"- {name}: {network_words(NETWORKS[data.name][name])}"]
        lines += ["", _figures(data), "", _classes(data), ""]
    return "\n".join(lines)


Row = tuple[str, str, int]  # network, recipe, steps


def _rows(data: Data) -> dict[Row, list[Unit]]:
    rows: dict[Row, list[Unit]] = {}
    for unit in sorted(data.units, key=lambda each: each.key):
        rows.setdefault(unit.key[:3], []).append(unit)
    order = [*RECIPES]
    return dict(
        sorted(rows.items(), key=lambda row: (row[0][0], row[0][2], order.index(row[0][1])))
    )


def _figures(data: Data) -> str:
    columns = ["network", "recipe", "steps", "seeds", "float", "to base, points", "int8"]
    columns += [f"{each.between_keyframes}, {each.keyframe_interval}" for each in POLICIES]
    columns += ["ms a step"]
    rows = []
    known = _rows(data)
    for (network, recipe, steps), units in known.items():
        base = {each.seed: each for each in known.get((network, BASE, steps), ())}
        pairs = [(each, base[each.seed]) for each in units if each.seed in base]
        gain = points(statistics.fmean(a.miou - b.miou for a, b in pairs)) if pairs else "-"
        known_of_all = min(len(each.own_frame) for each in units)
        own_frame = zip(*(each.own_frame[:known_of_all] for each in units), strict=True)
        rows.append(
            [
                *(network, recipe, f"{steps}", f"{len(units)}"),
                per_cent(statistics.fmean(each.miou for each in units)),
                "" if recipe == BASE else gain,
                per_cent(statistics.fmean(each.int8_miou for each in units)),
                *map(per_cent, map(statistics.fmean, own_frame)),
                *[""] * (len(POLICIES) - known_of_all),
                f"{statistics.median(each.step_ms for each in units):.0f}",
            ]
        )
    return markdown_table(columns, rows, text=("network", "recipe"))


def _classes(data: Data) -> str:
    """Return the table of int8 IoU by class."""
    names = data.setup.val.class_names
    rows = []
    for (network, recipe, steps), units in _rows(data).items():
        means = [
            None if None in values else statistics.fmean(v for v in values if v is not None)
            for values in zip(*(each.int8_ious for each in units), strict=True)
        ]
        rows.append([network, recipe, f"{steps}", *map(per_cent, means)])
    return markdown_table(["network", "recipe", "steps", *names], rows, text=("network", "recipe"))


def main() -> None:
    """Make the missing units, writing the page after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--camvid", type=Path)
    parser.add_argument("--davis", type=Path)
    parser.add_argument("--init", default="imagenet", help="backbone weights of width 1.0")
    parser.add_argument("--networks", nargs="+", default=["pick"])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=[BASE], metavar="RECIPE")
    parser.add_argument("--steps", nargs="+", type=int, default=[])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("reports/long_training.md"))
    asked = parser.parse_args()
    datas = [
        Data.prepared(name, root, asked.init, asked.out.with_suffix("") / name)
        for name, root in (("davis", asked.davis), ("camvid", asked.camvid))
        if root
    ]
    how = (
        f"{machine()}, no GPU, {time.strftime('%Y-%m-%d')}. `python -m "
        "tests.benchmarks.long_training`; its documentation has the commands."
    )
    for data in datas:
        for network in asked.networks:
            for steps in asked.steps:
                for seed in asked.seeds:
                    for recipe in asked.recipes:
                        teachers = [u for u in data.units if u.network == "teacher"]
                        teacher = max(teachers, key=lambda u: u.miou, default=None)
                        unit = measure(data, network, recipe, steps, seed, teacher)
                        print(unit[:7], file=sys.stderr, flush=True)
                        write_text_whole(asked.out, page(datas, how))
    print(write_text_whole(asked.out, page(datas, how)).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
