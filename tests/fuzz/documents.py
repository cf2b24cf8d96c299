"""Parsers of text that people and programs write: studies, spaces, classes, profiles, records."""

import functools
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

import jejunet_nas
from jejunet_nas.errors import SettingError
from jejunet_nas.records import TrialResult, to_json
from tests.fuzz.attempt import Parser
from tests.fuzz.mutation import mutated, mutated_json
from tests.latency.test_benchmark_model import OLD, PREFIXED, PROFILED, QUANTILES
from tests.reporting.build import history, trial

_PROFILE = Path(jejunet_nas.__file__).parent / "latency" / "profiles" / "pixel2.json"
_PROJECT = Path(__file__).parents[2]
_CLASSES = (
    b"- background\n- road\n- car\n",
    b"{background: 0, road: [1, 2], ignore: 255}\n",
    b"ground: 0\nthing: [1, 2]\nignore: [254, 255]\n",
)
_LIST = (b"walk\nrun 1\nphoto0.jpg\n# no comment\n", "\ufeffwalk\r\n\r\nréal\r\n".encode())
_OBJECTS = b'{"objects": {"1": {"category": "cat", "frames": ["00000"]}}}'
_META = b'{"videos": {"a1": %s, "b2": %s, "c3": %s}}' % ((_OBJECTS,) * 3)
_STATE = b"""mWakefulness=Awake
  AC powered: false
  USB powered: true
  level: 87
  temperature: 291
Thermal Status: 0
clock /sys/devices/system/cpu/cpu0/cpufreq 1900800 1900800 1900800
clock /sys/devices/system/cpu/cpu4/cpufreq 2457600 2457600 2457600
"""
_DEVICES = b"""* daemon started successfully
List of devices attached
FA7\tdevice
192.168.0.2:5555\toffline
"""
_ALIASES = b"a: &a {x: 1}\nb: {<<: *a, y: [*a]}\n"
_JSON = b'{"a": [1, 2.5e3, "\\u00e9", null]}'
_NOTES = b"name: x\nmade_from:\n  train_fingerprint: ab12\n  val_fingerprint: cd\n"
_PROPERTIES = (
    b"serial=FA7\nmanufacturer=Google\nmodel=Pixel 2\nbuild=google/x\nandroid=11\nabi=arm64-v8a\n"
)
_OPERATORS = b"""Operator-wise Profiling Info for Regular Benchmark Runs:
= Run Order =
node type, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 3.0, 3.0, 75%, 75%, 0, 1, [a]:0
RELU, 1.0, 1.0, 25%, 100%, 0, 1, [b]:1
"""
_AMOUNTS = (b"30m", b"1.5h", b"90s", b"20G", b"30d", b"0s")


def _text(*seeds: bytes) -> Callable[[random.Random], bytes]:
    return lambda rng: mutated(rng, seeds, text=True)


def _values(*plain: Any) -> Callable[[random.Random], bytes]:
    """Return a maker of JSON: changed values mostly, changed bytes otherwise."""
    texts = [json.dumps(each).encode() for each in plain]

    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return mutated(rng, texts, text=True)
        return json.dumps(mutated_json(rng, rng.choice(plain))).encode("utf-8", "surrogatepass")

    return make


def _yaml_values(texts: list[str]) -> Callable[[random.Random], bytes]:
    """Return a maker of YAML: changed values, or changed bytes."""
    plain = [yaml.safe_load(text) for text in texts]
    seeds = [text.encode() for text in texts]

    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.6:
            return mutated(rng, seeds, text=True)
        changed = mutated_json(rng, rng.choice(plain))
        return yaml.safe_dump(changed, allow_unicode=rng.random() < 0.5).encode()

    return make


def _file(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@functools.cache
def _studies() -> list[str]:
    """Return the shipped studies with their spaces written inside, and without most choices."""
    space = yaml.safe_load((_PROJECT / "search_spaces" / "mobile_video.yaml").read_text())
    texts = []
    for file in sorted((_PROJECT / "studies").glob("*.yaml"))[:4]:
        content = yaml.safe_load(file.read_text())
        texts.append(yaml.safe_dump({**content, "search_space": space}, sort_keys=False))
    return texts


def _spaces() -> list[str]:
    ranges = "keyframe_interval: {from: 1, to: 12, step: 2}\n"
    texts = [file.read_text() for file in sorted((_PROJECT / "search_spaces").glob("*.yaml"))[:4]]
    kept = [line for line in texts[0].splitlines() if not line.startswith("keyframe_interval")]
    return [*texts, "\n".join(kept) + "\n" + ranges]


def _study(data: bytes, folder: Path) -> None:
    from jejunet_nas.study.settings import init_file, start_choices
    from jejunet_nas.study.study_file import read_study

    study = read_study(_file(folder, "s.yaml", data))
    study.identity()
    start_choices(study)
    init_file(study)


def _space(data: bytes, folder: Path) -> None:
    from jejunet_nas.space.space_file import read_search_space

    read_search_space(_file(folder, "s.yaml", data))


def _mapping(data: bytes, folder: Path) -> None:
    from jejunet_nas.files import read_mapping

    json.dumps(read_mapping(_file(folder, "m.yaml", data))).encode()


def _folder_tree(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    for name in ("walk", "run"):
        for part, mode in (("images", "RGB"), ("masks", "L")):
            (folder / part / name).mkdir(parents=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).convert(mode).save(
                folder / part / name / "00000.png"
            )
    (folder / "classes.yaml").write_bytes(_CLASSES[0])


def _split(folder: Path) -> None:
    from jejunet_nas.datasets.folder import FolderSettings, describe_split

    describe_split("train", folder, FolderSettings())


def _classes(data: bytes, folder: Path) -> None:
    _file(folder, "classes.yaml", data)
    _split(folder)


def _list(data: bytes, folder: Path) -> None:
    _file(folder, "train.txt", data)
    _split(folder)


def _meta(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.youtube_vos import YoutubeVosSettings, describe_split

    for part in ("JPEGImages", "Annotations"):
        for video in json.loads(_META)["videos"]:
            (folder / "train" / part / video).mkdir(parents=True, exist_ok=True)
            for kind in ("jpg", "png"):
                (folder / "train" / part / video / f"00000.{kind}").touch()
    _file(folder, "train/meta.json", data)
    describe_split("train", folder, YoutubeVosSettings())


def _profile(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.predicted_meter import load_profile
    from jejunet_nas.records import Operator

    profile = load_profile(_file(folder, "p.json", data))
    operator = Operator(kind="CONV_2D", macs=100, bytes_in=8, bytes_out=8, elements_out=8)
    profile.predict([operator], threads=1)


def _points(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.fit import read_float_pairs
    from jejunet_nas.latency.points import read_points

    file = _file(folder, "p.json", data)
    read_points(file)
    read_float_pairs(file)


def _table(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.points import read_points

    read_points(_file(folder, "p.csv", data))


def _measurement(data: bytes, folder: Path) -> None:
    from jejunet_nas.study.kept_measurements import read_measurements, with_measured

    (folder / "000000000001" / "measured").mkdir(parents=True, exist_ok=True)
    _file(folder, "000000000001/measured/0123456789ab-1.json", data)
    read_measurements(folder / "000000000001", threads=1)
    with_measured(history(trial(1, 0.5, 20.0)), folder)


def _record(data: bytes, _: Path) -> None:
    from jejunet_nas.study.history import read_records
    from jejunet_nas.study.tables import summary

    found = read_records(TrialResult, [data.decode("utf-8", "replace")])
    summary(history(*found))


def _manifest(data: bytes, folder: Path) -> None:
    """Read a manifest whose hash is right, so that its values are looked at."""
    from jejunet_nas.video.manifest import manifest_text, read_manifest

    try:
        plain = json.loads(data)
        text = manifest_text(plain) if isinstance(plain, dict) else data.decode()
    except (ValueError, RecursionError):
        text = data.decode("utf-8", "surrogateescape")
    _file(folder, "manifest.json", text.encode("utf-8", "surrogateescape"))
    read_manifest(folder)


def _benchmark(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.benchmark_model import parse_output

    parse_output(data.decode(errors="replace"))


def _operators(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.benchmark_model import parse_operator_profile

    parse_operator_profile(data.decode(errors="replace"))


def _phone(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.phone import choose_mask, parse_state

    state = parse_state(data.decode(errors="replace"))
    choose_mask(state.cores, 2, None, "Pixel 2")


def _properties(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.adb import Answer
    from jejunet_nas.latency.phone import Phone

    text = data.decode(errors="replace")
    adb = mock.Mock(serial="FA7")
    adb.shell.return_value = Answer(code=0, stdout=text, stderr=text)
    assert Phone(adb).info.name is not None


def _devices(data: bytes, _: Path) -> None:
    from jejunet_nas.latency import adb

    text = data.decode(errors="replace")
    done: Any = subprocess.CompletedProcess(["adb"], 0, stdout=text, stderr="")
    with (
        mock.patch.object(adb.subprocess, "run", return_value=done),
        mock.patch.object(adb.shutil, "which", return_value="/usr/bin/adb"),
    ):
        adb.find_phone()


def _letters(data: bytes, _: Path) -> None:
    from jejunet_nas.records import FramePaths, from_json

    text = json.dumps({"clip": "bear", "letters": data.decode(errors="replace"), "lag": None})
    walk = from_json(FramePaths, text)
    assert len(walk.paths) == len(walk.gated)


def _amount(data: bytes, _: Path) -> None:
    from jejunet_nas.cli.arguments import amount_of, seconds_of
    from jejunet_nas.cli.data import _BYTES, _SECONDS

    text = data.decode(errors="replace")
    for units in (_BYTES, _SECONDS):
        try:
            amount_of(text, units, "--older-than", "30d")
        except SettingError:
            continue
    seconds_of(text, "--time-budget")


def _option(data: bytes, _: Path) -> None:
    from jejunet_nas.cli.data import _options
    from jejunet_nas.datasets.options import settings_from
    from jejunet_nas.datasets.procedural import ProceduralSettings

    settings_from(ProceduralSettings, "procedural", _options([data.decode(errors="replace")]))


def _notes(data: bytes, folder: Path) -> None:
    from jejunet_nas.export.facts import known_fingerprints

    _file(folder, "study.yaml", data)
    known_fingerprints(folder)


def _json(data: bytes, _: Path) -> None:
    from jejunet_nas.documents.json_file import parse_json

    json.dumps(parse_json(data), allow_nan=False, ensure_ascii=False).encode()


def parsers() -> list[Parser]:
    """Return the parsers of text."""
    from tests.search.measured import network_measurement

    profile = json.loads(_PROFILE.read_text())
    short = {**profile, "points": profile["points"][:3]}
    record = json.loads(to_json(trial(1, 0.5, 20.0, interval=2)))
    measured = json.loads(to_json(network_measurement(key_ms=20.0)))
    printed = [text.encode() for text in (OLD, PROFILED, PREFIXED, QUANTILES)]
    return [
        Parser(name="study", make=_yaml_values(_studies()), feed=_study, share=1.5),
        Parser(name="space", make=_yaml_values(_spaces()), feed=_space, share=1.5),
        Parser(name="yaml", make=_text(*_CLASSES, _ALIASES), feed=_mapping, share=2.0),
        Parser(name="json", make=_text(_JSON), feed=_json, share=1.5, allowed=(ValueError,)),
        Parser(name="classes", make=_text(*_CLASSES), feed=_classes, prepare=_folder_tree),
        Parser(name="list", make=_text(*_LIST), feed=_list, prepare=_folder_tree),
        Parser(name="meta.json", make=_values(json.loads(_META)), feed=_meta),
        Parser(name="profile", make=_values(short), feed=_profile),
        Parser(name="points", make=_values(short), feed=_points),
        Parser(name="table", make=_text(_table_seed()), feed=_table),
        Parser(name="measurement", make=_values(measured), feed=_measurement),
        Parser(name="record", make=_values(record), feed=_record),
        Parser(name="manifest", make=_values(_manifest_seed()), feed=_manifest),
        Parser(name="benchmark", make=_text(*printed), feed=_benchmark),
        Parser(name="operator profile", make=_text(_OPERATORS), feed=_operators),
        Parser(name="phone state", make=_text(_STATE), feed=_phone),
        Parser(name="properties", make=_text(_PROPERTIES), feed=_properties),
        Parser(name="adb devices", make=_text(_DEVICES), feed=_devices),
        Parser(name="frame paths", make=_text(b"kpprKPR"), feed=_letters),
        Parser(name="amounts", make=_text(*_AMOUNTS), feed=_amount),
        Parser(name="options", make=_text(b"clips=10", b"height=64"), feed=_option),
        Parser(name="study.yaml", make=_text(_NOTES), feed=_notes),
    ]


def _table_seed() -> bytes:
    from jejunet_nas.latency.points import COLUMNS

    rows = ("mobilenet_v2", "1.0", "224", "1", "77.0", "300.0", "tflite", "a page, 2019")
    quoted = ",".join(f'"{value}"' for value in rows)
    return f"{','.join(COLUMNS)}\n{quoted}\n{quoted}\n".encode()


def _manifest_seed() -> dict[str, Any]:
    from jejunet_nas.export.facts import facts_of
    from jejunet_nas.study.study_file import read_study

    made = trial(1, 0.5, 20.0, interval=2)
    settings = read_study(_PROJECT / "studies" / "quickstart.yaml")
    facts = facts_of(made, history(made), settings, fingerprints={}, export_steps=0)
    tensor = {
        "name": "image",
        "shape": [1, 8, 8, 3],
        "type": "uint8",
        "scale": 0.1,
        "zero_point": 0,
    }
    graph = {"file": "key.tflite", "metadata": True, "inputs": [tensor], "outputs": [tensor]}
    graphs = {name: graph for name in ("key", "propagate", "gate")}
    return {**facts, "graphs": graphs, "files": {"key.tflite": "0" * 64}}
