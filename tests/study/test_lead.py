"""The lead of a study in PostgreSQL: one process has it, and loses it with its server."""

from typing import Any

import pytest

from jejunet_nas.errors import SettingError, StorageError
from jejunet_nas.study.lead import SharedLead, is_shared, sole_lead


def test_one_process_leads_a_study_and_others_lead_other_studies(postgresql: Any) -> None:
    url = postgresql.new_database()
    first, second, other = (SharedLead(url, name) for name in ("tiny", "tiny", "other"))

    assert [each.acquire() for each in (first, second, other)] == [True, False, True]
    with pytest.raises(SettingError, match="tiny is being searched by another process"):  # noqa: SIM117
        with sole_lead(url, "tiny"):
            pass
    first.release()
    with sole_lead(url, "tiny") as check:
        check()
        assert not second.acquire()
    assert second.acquire()
    for each in (second, other):
        each.release()


def test_a_lead_whose_server_went_away_is_lost(postgresql: Any) -> None:
    lead = SharedLead(postgresql.new_database(), "tiny")
    assert lead.acquire()
    postgresql.stop()
    try:
        with pytest.raises(StorageError, match="Check"):
            lead.check()
    finally:
        postgresql.start()
    lead.release()


def test_a_file_has_no_lead_and_other_servers_are_refused() -> None:
    assert not is_shared("sqlite:///study.db")
    with sole_lead("sqlite:///study.db", "tiny") as check:
        check()
    with pytest.raises(SettingError, match="allowed: sqlite and postgresql"):
        is_shared("mysql://host/nas")
