"""Documents that people and programs write: studies, spaces, profiles, manifests, options."""

import functools
import json
from pathlib import Path
from typing import Any

import yaml

import jejunet_nas
from jejunet_nas.errors import SettingError
from tests.fuzz.attempt import Parser
from tests.fuzz.datasets import CLASSES
from tests.fuzz.makers import of_text, of_values, of_yaml, put
from tests.reporting.build import history, trial

PROJECT = Path(__file__).parents[2]
_PROFILE = Path(jejunet_nas.__file__).parent / "latency" / "profiles" / "pixel2.json"
_ALIASES = b"a: &a {x: 1}\nb: {<<: *a, y: [*a]}\n"
_JSON = b'{"a": [1, 2.5e3, "\\u00e9", null]}'
_AMOUNTS = (b"30m", b"1.5h", b"90s", b"20G", b"30d", b"0s")


@functools.cache
def _studies() -> list[str]:
    """Return the shipped studies with their spaces written inside, and without most choices."""
    space = yaml.safe_load((PROJECT / "search_spaces" / "mobile_video.yaml").read_text())
    texts = []
    for file in sorted((PROJECT / "studies").glob("*.yaml"))[:4]:
        content = yaml.safe_load(file.read_text())
        texts.append(yaml.safe_dump({**content, "search_space": space}, sort_keys=False))
    return texts


def _spaces() -> list[str]:
    ranges = "keyframe_interval: {from: 1, to: 12, step: 2}\n"
    texts = [file.read_text() for file in sorted((PROJECT / "search_spaces").glob("*.yaml"))[:4]]
    kept = [line for line in texts[0].splitlines() if not line.startswith("keyframe_interval")]
    return [*texts, "\n".join(kept) + "\n" + ranges]


def _study(data: bytes, folder: Path) -> None:
    from jejunet_nas.study.settings import init_file, start_choices
    from jejunet_nas.study.study_file import read_study

    study = read_study(put(folder, "s.yaml", data))
    study.identity()
    start_choices(study)
    init_file(study)


def _space(data: bytes, folder: Path) -> None:
    from jejunet_nas.space.space_file import read_search_space

    read_search_space(put(folder, "s.yaml", data))


def _mapping(data: bytes, folder: Path) -> None:
    from jejunet_nas.files import read_mapping

    json.dumps(read_mapping(put(folder, "m.yaml", data))).encode()


def _json(data: bytes, _: Path) -> None:
    from jejunet_nas.documents.json_file import parse_json

    json.dumps(parse_json(data), allow_nan=False, ensure_ascii=False).encode()


def _profile(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.predicted_meter import load_profile
    from jejunet_nas.records import Operator

    profile = load_profile(put(folder, "p.json", data))
    operator = Operator(kind="CONV_2D", macs=100, bytes_in=8, bytes_out=8, elements_out=8)
    profile.predict([operator], threads=1)


def _points(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.fit import read_float_pairs
    from jejunet_nas.latency.points import read_points

    file = put(folder, "p.json", data)
    read_points(file)
    read_float_pairs(file)


def _table(data: bytes, folder: Path) -> None:
    from jejunet_nas.latency.points import read_points

    read_points(put(folder, "p.csv", data))


def _table_seed() -> bytes:
    from jejunet_nas.latency.points import COLUMNS

    rows = ("mobilenet_v2", "1.0", "224", "1", "77.0", "300.0", "tflite", "a page, 2019")
    quoted = ",".join(f'"{value}"' for value in rows)
    return f"{','.join(COLUMNS)}\n{quoted}\n{quoted}\n".encode()


def _manifest(data: bytes, folder: Path) -> None:
    """Read a manifest whose hash is right, so that its values are looked at."""
    from jejunet_nas.video.manifest_file import manifest_text, read_manifest

    try:
        plain = json.loads(data)
        text = manifest_text(plain) if isinstance(plain, dict) else data.decode()
    except (ValueError, RecursionError):
        text = data.decode("utf-8", "surrogateescape")
    put(folder, "manifest.json", text.encode("utf-8", "surrogateescape"))
    read_manifest(folder)


def manifest_seed() -> dict[str, Any]:
    from jejunet_nas.export.facts import facts_of
    from jejunet_nas.study.study_file import read_study

    made = trial(1, 0.5, 20.0, interval=2)
    settings = read_study(PROJECT / "studies" / "quickstart.yaml")
    facts = facts_of(made, history(made), settings, fingerprints={})
    tensor = {
        "name": "image",
        "shape": [1, 8, 8, 3],
        "type": "uint8",
        "scale": 0.1,
        "zero_point": 0,
    }
    graphs = {
        name: {**graph, "file": "key.tflite", "inputs": [tensor], "outputs": [tensor]}
        for name, graph in facts["graphs"].items()
    }
    return {**facts, "graphs": graphs, "files": {"key.tflite": "0" * 64}}


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
    from jejunet_nas.cli.arguments import data_options
    from jejunet_nas.datasets.options import settings_from
    from jejunet_nas.datasets.procedural import ProceduralSettings

    settings_from(ProceduralSettings, "procedural", data_options([data.decode(errors="replace")]))


def parsers() -> list[Parser]:
    """Return the parsers of documents."""
    profile = json.loads(_PROFILE.read_text())
    short = {**profile, "points": profile["points"][:3]}
    return [
        Parser(name="study", make=of_yaml(_studies()), feed=_study, share=1.5),
        Parser(name="space", make=of_yaml(_spaces()), feed=_space, share=1.5),
        Parser(name="yaml", make=of_text(*CLASSES, _ALIASES), feed=_mapping, share=2.0),
        Parser(name="json", make=of_text(_JSON), feed=_json, share=1.5, allowed=(ValueError,)),
        Parser(name="profile", make=of_values(short), feed=_profile),
        Parser(name="points", make=of_values(short), feed=_points),
        Parser(name="table", make=of_text(_table_seed()), feed=_table),
        Parser(name="manifest", make=of_values(manifest_seed()), feed=_manifest),
        Parser(
            name="frame paths",
            make=of_text(b"kpprKPR-"),
            feed=_letters,
            allowed=(ValueError,),
            share=0.5,
        ),
        Parser(name="amounts", make=of_text(*_AMOUNTS), feed=_amount, share=0.5),
        Parser(name="options", make=of_text(b"clips=10", b"height=64"), feed=_option, share=0.5),
    ]
