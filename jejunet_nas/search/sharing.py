"""Sharing: a study in a database that several machines reach is searched by all of them.

The same command on any machine joins the search. One process leads: it draws the trials and writes
what they scored. The workers of all machines do the work, those of the leader too. When the leader
ends or dies, another process takes the lead; when the database is away, all wait for it.
"""

import time
from collections.abc import Callable

from jejunet_nas.errors import DeviceError, SettingError, StorageError
from jejunet_nas.faults import STORAGE_GONE_S, insist
from jejunet_nas.progress import Say
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import counted
from jejunet_nas.search.crew import Crew
from jejunet_nas.search.view import View, duration
from jejunet_nas.search.worker import Post
from jejunet_nas.study.lead import SharedLead
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import is_locked, study_lock

LOOK_S = 1.0  # between two attempts to take the lead
CANNOT_LEAD_S = 60.0  # then, where the phone that the study measures on is missing


def share(
    post: Post, crew: Crew, view: View, search: Callable[[SharedLead], StudyHistory]
) -> StudyHistory:
    """Do the work of the study's search, and `search` it when the lead is free.

    Raises `SettingError` if the settings or the data differ from those of the search, and
    `StorageError` if the database cannot be reached at the beginning; later it is awaited.
    """
    lead = SharedLead(post.url, post.settings.name)
    if ledger := Ledger.find(post.settings, post.url, view.say):
        ledger.close()
    try:
        while True:
            try:
                _await_lead(lead, post, crew, view)
                with study_lock(post.folder, post.settings.name):
                    return search(lead)
            except DeviceError as error:
                if not crew.started:
                    raise
                lead.release()
                view.say(f"this machine cannot lead the search: {error}. Its workers go on")
                time.sleep(CANNOT_LEAD_S)
            except StorageError as error:
                lead.release()
                view.say(f"{error} Waiting up to {duration(STORAGE_GONE_S)} for it")
                _await_storage(post, view.say)
    finally:
        lead.release()


def _await_lead(lead: SharedLead, post: Post, crew: Crew, view: View) -> None:
    said = False
    while not _has_lead(lead, post):
        if not crew.started:
            _join(post, crew, view)
        if not said:
            said, workers = True, counted(len(crew), "worker")
            view.say(
                f"another process leads the search of {post.settings.name}: {workers} of this "
                "machine join it"
            )
        if crew.started:
            insist(crew.tend)
        time.sleep(LOOK_S)


def _has_lead(lead: SharedLead, post: Post) -> bool:
    """Take the lead, unless another process has it, or has not left this study's folder yet."""
    if insist(lead.acquire) and not is_locked(post.folder):
        return True
    lead.release()
    return False


def _join(post: Post, crew: Crew, view: View) -> None:
    """Start the crew if the search that another process leads has begun."""
    ledger = Ledger.find(post.settings, post.url, view.say)
    if ledger and ledger.identity():
        crew.start(ledger.jobs())
    elif ledger:
        ledger.close()


def _await_storage(post: Post, say: Say) -> None:
    ends = time.monotonic() + STORAGE_GONE_S
    while True:
        try:
            if ledger := Ledger.find(post.settings, post.url, say):
                ledger.close()
        except (StorageError, SettingError):  # a database that is away cannot be opened either
            if time.monotonic() >= ends:
                raise
            time.sleep(LOOK_S)
        else:
            return
