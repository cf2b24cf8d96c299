"""What a network's record says about the machine, the versions and the data that made it."""

import dataclasses
import json

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import NetworkRecord, from_json, to_json
from jejunet_nas.records.provenance import changes
from tests.builders import tiny_network
from tests.made_up import PROVENANCE, network_record


def record() -> NetworkRecord:
    made = network_record("a", tiny_network(), float_miou=0.5, int8_miou=0.5)
    return dataclasses.replace(made, provenance=PROVENANCE)


def test_it_is_kept_with_the_network() -> None:
    assert from_json(NetworkRecord, to_json(record())) == record()


def test_a_record_of_an_earlier_version_has_none() -> None:
    plain = json.loads(to_json(record()))
    del plain["provenance"]

    assert from_json(NetworkRecord, json.dumps(plain)).provenance is None


def test_all_that_differs_is_named_with_both_values() -> None:
    versions = {"python": "3.12.0", "numpy": "2.4.0"}
    now = dataclasses.replace(PROVENANCE, threads=4, versions=versions, gpus=("H200",))

    assert {each.what: (each.then, each.now) for each in changes(PROVENANCE, now)} == {
        "threads": ("1", "4"),
        "gpus": ("none", "H200"),
        "version of python": ("3.11.0", "3.12.0"),
        "version of tensorflow": ("2.21.0", "none"),
        "version of numpy": ("none", "2.4.0"),
    }
    assert changes(now, now) == []


@pytest.mark.parametrize(
    ("change", "ordered"), [({}, True), ({"threads": 2}, False), ({"gpus": ("H200",)}, False)]
)
def test_sums_have_one_order_with_one_thread_and_no_gpu(
    change: dict[str, object], ordered: bool
) -> None:
    assert dataclasses.replace(PROVENANCE, **change).ordered is ordered


def test_a_number_of_threads_that_no_machine_has_is_refused() -> None:
    with pytest.raises(SettingError, match="threads is 0; allowed: 1 to 1024"):
        dataclasses.replace(PROVENANCE, threads=0)
