"""Whatever a profile's file holds, it is used, or refused in one line that names file and key."""

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.fit import refit
from jejunet_nas.latency.points import COLUMNS, read_points
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.latency.profile_json import PROFILES
from jejunet_nas.latency.trust import trust
from jejunet_nas.records import Operator

PIXEL_2 = json.loads((PROFILES / "pixel2.json").read_text(encoding="utf-8"))
ADD = Operator(kind="ADD", bytes_in=2, bytes_out=1, elements_out=1)
ODD = (None, True, -1, 0, 10**18, 1e300, "", "4.0", "words", [], [[]], {}, {"factor": 1})


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value; of a list, those of its first two."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2])
    found = [path] if path else []
    for key, each in inside:
        found += paths(each, (*path, key)) if isinstance(each, dict | list) else [(*path, key)]
    return found


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    plain: Any = copy.deepcopy(PIXEL_2)
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return dict(plain)


def write(folder: Path, text: str) -> Path:
    file = folder / "odd.json"
    file.write_text(text, encoding="utf-8")
    return file


@settings(max_examples=15)
@given(path=st.sampled_from(paths(PIXEL_2)), value=st.sampled_from(ODD))
def test_any_value_anywhere_is_used_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], value: Any
) -> None:
    file = write(tmp_path_factory.mktemp("profile"), json.dumps(changed(path, value)))

    def predict() -> None:
        load_profile(file).predict([ADD], threads=1)

    for use in (predict, lambda: refit(file), lambda: trust(file)):
        with contextlib.suppress(SettingError):
            use()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"device": "a", "device": "b"}', "the key device occurs twice"),
        ('{"rms": ' + "9" * 5000 + "}", "is too large a number"),
        ('{"rms": NaN}', "NaN is not a finite number"),
        ("[" * 5000, "nested too deeply|Expecting"),
        ("[]", "it is not a JSON object"),
    ],
)
def test_json_that_others_take_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = write(tmp_path, text)

    for use in (load_profile, read_points, refit):
        with pytest.raises(
            SettingError, match=rf"odd\.json cannot be read \(.*({words}).*\)\. Make"
        ):
            use(file)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("costs", "ms_per_operator"), "0.1", r"costs\.ms_per_operator: .*valid number"),
        (("costs", "ms_per_operator"), 1e9, r"ms_per_operator is 1000000000\.0; allowed: 0 to"),
        (("threads", "2", "factor"), 0, r"factor is 0(\.0)?; allowed: 0\.001 to 1000"),
        (("threads",), {}, r"threads has no factor"),
        (("threads",), {"two": {"factor": 1.0, "rms_error": 0.1}}, r"threads\.two.*: .*integer"),
        (("leave_one_out", "rms_error"), [1], r"leave_one_out\.rms_error: .*valid number"),
        (("fitted_kinds",), [1], r"fitted_kinds\.0: .*valid string"),
        (("device",), 7, r"device: .*valid string"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_key(
    tmp_path: Path, path: tuple[Any, ...], value: Any, words: str
) -> None:
    file = write(tmp_path, json.dumps(changed(path, value)))

    with pytest.raises(SettingError, match=rf"odd\.json cannot be read \({words}"):
        load_profile(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "cannot be read"),
        (",".join(COLUMNS).encode() + b",source\n", "has the column source twice"),
        (b'a,b\n"x', "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "points.csv").write_bytes(content)

    with pytest.raises(SettingError, match=rf"points\.csv {words}.* columns network, depth"):
        read_points(tmp_path / "points.csv")


def test_more_points_than_can_be_fitted_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, json.dumps({"points": [PIXEL_2["points"][0]] * 2001}))

    with pytest.raises(SettingError, match=r"has 2001 points; allowed: up to 2000\. Leave some"):
        read_points(file)
