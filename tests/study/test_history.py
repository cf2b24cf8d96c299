"""What is read straight out of Optuna's tables is what Optuna reads."""

import gc
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest

from jejunet_nas.study.history import count_rows, read_rows, without_garbage_collection
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from tests.search.build import result, tiny_study
from tests.study.test_ledger import begin, refused


@pytest.fixture
def storage(tmp_path: Path) -> optuna.storages.RDBStorage:
    """A storage of two studies, one of which has a trial of each kind."""
    ledger = Ledger(tiny_study(tmp_path), storage_url(tmp_path))
    (one, first), (two, second), (three, _), _ = (begin(ledger) for _ in range(4))
    ledger.complete(one, result(0, first))
    ledger.refuse(two, refused(two, second, 99.0))
    ledger.drop(three, "failed", 'it "broke", 50 % of it \u2014 \U0001f4a5')
    ledger.propose({"resolution": 64})
    optuna.create_study(study_name="another", storage=storage_url(tmp_path)).ask()
    return optuna.storages.RDBStorage(storage_url(tmp_path))


def utc(local: datetime | None) -> datetime | None:
    return local.astimezone(UTC).replace(tzinfo=None) if local else None


def test_rows_are_what_optuna_reads(storage: optuna.storages.RDBStorage) -> None:
    trials = optuna.load_study(study_name="tiny", storage=storage).trials

    found = read_rows(storage, "tiny")

    assert [(row.number, row.start, row.end, dict(row.attributes)) for row in found] == [
        (t.number, utc(t.datetime_start), utc(t.datetime_complete), t.user_attrs) for t in trials
    ]
    assert len(found) == count_rows(storage, "tiny") == 5


def test_a_study_that_is_not_there_has_no_rows(storage: optuna.storages.RDBStorage) -> None:
    assert read_rows(storage, "nobody's") == []
    assert count_rows(storage, "nobody's") == 0


@pytest.mark.parametrize("searches", [True, False])
def test_the_search_for_cycles_is_as_it_was_afterwards(searches: bool) -> None:
    (gc.enable if searches else gc.disable)()
    try:
        with without_garbage_collection():
            assert not gc.isenabled()
        assert gc.isenabled() == searches
    finally:
        gc.enable()
