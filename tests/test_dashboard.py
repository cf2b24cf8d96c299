"""A study's dashboard, asked over HTTP as a browser does."""

import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jejunet_nas.dashboard import ARTIFACTS, address, open_dashboard
from jejunet_nas.study.opened import open_study
from tests.cli.commands import refusal
from tests.search.build import SPACE
from tests.searched_study import (
    BROKEN,
    TOO_SLOW,
    give_graphs,
    measure_network,
    network_folder,
    searched_study,
)

PATIENCE_S = 60.0  # both cores may be busy
HOSTILE = ("<script>alert(1)</script>", 'a "quoted" & $x$ ünïcode 犬')


class Browser:
    """Asks a dashboard that is being served."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def picture(self, path: str) -> Image.Image:
        return Image.open(io.BytesIO(self.get(path)))

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def send(self, method: str, path: str, body: object) -> int:
        """Return the status of the answer."""
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    @property
    def study(self) -> Any:
        """The only study, as the dashboard's page gets it."""
        (found,) = self.json("api/studies")["study_summaries"]
        return self.json(f"api/studies/{found['study_id']}") | found


@contextlib.contextmanager
def served(file: Path) -> Iterator[tuple[Browser, list[str]]]:
    """Serve a study's dashboard; yield it, and the lines that were said."""
    lines: list[str] = []
    with open_dashboard(open_study(file), port=0, storage=None, say=lines.append) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Browser(address(server)), lines
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A searched study without graphs."""
    return searched_study(tmp_path)


def test_the_study_has_its_name_objectives_and_note(file: Path) -> None:
    with served(file) as (browser, _):
        study = browser.study

    assert (study["study_name"], study["directions"]) == ("tiny", ["maximize", "minimize"])
    assert study["objective_names"] == ["mIoU", "mean ms a frame"]
    assert study["note"]["body"].startswith("# tiny\n")
    assert "Trials: 2 complete" in study["note"]["body"]


def test_every_trial_has_a_note_and_its_state(file: Path) -> None:
    with served(file) as (browser, _):
        trials = browser.study["trials"]

    assert [trial["state"] for trial in trials] == ["Complete", "Complete", "Pruned", "Fail"]
    notes = [trial["note"]["body"] for trial in trials]
    assert "On the front." in notes[0]
    assert "key every 3" in notes[0]
    assert "Refused before training: too slow" in notes[TOO_SLOW]
    assert "Failed: out of memory" in notes[BROKEN]


def test_what_a_table_shows_of_a_trial_is_figures_and_no_record(file: Path) -> None:
    with served(file) as (browser, _):
        attrs = {each["key"]: each["value"] for each in browser.study["trials"][0]["user_attrs"]}

    assert attrs["state"] == "front"
    assert attrs["ms a frame"] == "30.0"
    assert not {"record", "architecture"} & {*attrs}


def test_constraints_are_shown_and_the_best_are_the_front(file: Path) -> None:
    with served(file) as (browser, _):
        study = browser.study

    assert [trial["constraints"] for trial in study["trials"]] == [[-10.0], [-20.0], [59.0], []]
    assert [trial["number"] for trial in study["best_trials"]] == [0, 1]


def test_what_a_phone_measured_counts_here_as_in_the_report(file: Path) -> None:
    # Every frame of their walks is a keyframe.
    measure_network(file, key_ms=50.0)

    with served(file) as (browser, _):
        study = browser.study

    values = {trial["number"]: trial["values"] for trial in study["trials"][:2]}
    assert values == {0: [0.9, 50.0], 1: [0.4, 50.0]}
    assert [trial["constraints"] for trial in study["trials"][:2]] == [[10.0], [10.0]]
    assert study["best_trials"] == []
    assert "Over the target" in study["trials"][0]["note"]["body"]
    assert "measured on Google Pixel 2; 30.0 predicted" in study["trials"][0]["note"]["body"]


def test_the_front_and_frames_of_its_trials_are_artifacts(file: Path) -> None:
    give_graphs(file)

    with served(file) as (browser, lines):
        study = browser.study
        number = study["study_id"]
        (front,) = study["artifacts"]
        pictures = [
            Image.open(io.BytesIO(browser.get(f"artifacts/{number}/{front['artifact_id']}")))
        ]
        for trial in study["trials"][:2]:
            (film,) = trial["artifacts"]
            path = f"artifacts/{number}/{trial['trial_id']}/{film['artifact_id']}"
            pictures.append(browser.picture(path))

    assert (front["filename"], front["mimetype"]) == ("front.png", "image/png")
    assert film["filename"] == "trial_1_frames.png"
    assert {picture.format for picture in pictures} == {"PNG"}
    assert pictures[0].width == 1350
    assert lines == ["drawing frames of trial 0", "drawing frames of trial 1"]
    assert [trial["artifacts"] for trial in study["trials"][2:]] == [[], []]


def test_pictures_are_drawn_once(file: Path) -> None:
    give_graphs(file)
    with served(file) as (browser, _):
        assert browser.study["artifacts"]
    drawn = {
        each: each.stat().st_mtime_ns
        for each in (network_folder(file).parents[1] / ARTIFACTS).iterdir()
    }

    with served(file) as (browser, lines):
        assert browser.study["artifacts"]

    assert lines == []
    assert len(drawn) == 3
    assert {each: each.stat().st_mtime_ns for each in drawn} == drawn


def test_the_front_is_drawn_anew_once_it_has_changed(file: Path) -> None:
    with served(file) as (browser, _):
        (before,) = browser.study["artifacts"]
        measure_network(file, key_ms=20.0)
        after = wait_until(lambda: only(browser.study["artifacts"]), lambda each: each != before)
        picture = browser.picture(f"artifacts/{browser.study['study_id']}/{after['artifact_id']}")

    assert (after["filename"], picture.format) == ("front.png", "PNG")


def only(values: list[Any]) -> Any:
    (value,) = values
    return value


def wait_until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """Return what `look` returns once that is `enough`."""
    until = time.monotonic() + PATIENCE_S
    while not enough(found := look()):
        assert time.monotonic() < until, found
        time.sleep(0.2)
    return found


def test_without_graphs_or_data_a_line_says_so(tmp_path: Path) -> None:
    file = searched_study(tmp_path)
    with served(file) as (browser, lines):
        assert browser.study["trials"][0]["artifacts"] == []
    assert re.match(r"no frames of trial 0: .*key\.tflite does not exist; allowed", lines[0])

    file.write_text(file.read_text().replace("data: {", "data: {root: nowhere, "))
    open_split = "jejunet_nas.dashboard.open_split"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_split, refuse)
        with served(file) as (_, lines):
            pass
    assert lines == ["no frames of validation videos: there is no data"]


def refuse(*_: object, **__: object) -> None:
    from jejunet_nas.errors import DataError

    raise DataError("there is no data")


def test_names_are_sent_as_text(tmp_path: Path) -> None:
    file = searched_study(tmp_path, class_names=HOSTILE, reason="<script>alert(2)</script>")

    with served(file) as (browser, _):
        study, page = browser.study, browser.get("dashboard").decode()

    notes = [study["note"]["body"], *(trial["note"]["body"] for trial in study["trials"])]
    assert not any("<script>" in note for note in notes)
    assert "\\<script\\>alert(1)" in notes[1]
    assert "ünïcode 犬" in notes[0]
    assert "alert(" not in page


def test_a_note_can_be_edited_and_nothing_else_written(file: Path) -> None:
    with served(file) as (browser, _):
        study = browser.study
        number, trial = study["study_id"], study["trials"][0]["trial_id"]
        refused = [
            browser.send("DELETE", f"api/studies/{number}", {}),
            browser.send("POST", "api/studies", {"study_name": "x", "directions": ["minimize"]}),
            browser.send("POST", f"api/studies/{number}/rename", {"study_name": "x"}),
            browser.send("POST", f"api/trials/{trial}/tell", {"state": "Fail"}),
            browser.send("POST", f"api/trials/{trial}/user-attrs", {"user_attrs": {"a": 1}}),
        ]
        edited = [
            browser.send("PUT", f"api/studies/{number}/{path}", {"version": 1, "body": body})
            for path, body in ((f"{trial}/note", "mine"), ("note", "ours"))
        ]

    assert refused == [403] * 5
    assert edited == [204] * 2
    with served(file) as (browser, _):
        study = browser.study
    assert study["note"]["body"] == "ours"
    assert study["trials"][0]["note"]["body"] == "mine"
    assert study["trials"][1]["note"]["body"].startswith("**Trial 1.**")


def test_a_search_goes_on_while_the_dashboard_looks(file: Path) -> None:
    from jejunet_nas.records import RefusedTrial

    study = open_study(file)
    before = study.history
    with served(file) as (browser, _):
        trial = study.ledger.ask()
        slow = before.refused[0]
        assert isinstance(slow, RefusedTrial)
        shown = [each["state"] for each in browser.study["trials"]]
        study.ledger.refuse(trial, slow)

    assert shown == ["Complete", "Complete", "Pruned", "Fail", "Running"]
    assert study.history.complete == before.complete
    assert len(study.history.refused) == 2


def test_the_command_serves_until_ctrl_c_on_this_computer_alone(file: Path) -> None:
    command = [sys.executable, "-m", "jejunet_nas", "dashboard", str(file), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = next((line for line in process.stderr if line.startswith("dashboard: ")), "")
            (url,) = re.findall(r"dashboard: (http://127\.0\.0\.1:\d+/) ", said)
            assert Browser(url).study["study_name"] == "tiny"
        finally:
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=60)

    assert (process.returncode, rest) == (0, "the dashboard has ended\n")


def test_a_port_that_is_taken_is_named(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with served(file) as (browser, _):
        port = browser.url.rstrip("/").rpartition(":")[2]

        line = refusal(capfd, "dashboard", file, "--port", port)

    assert re.match(rf"--port is {port}, which cannot be opened \(Address .* or 0 for any", line)


def test_without_the_extra_it_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)

    line = refusal(capfd, "dashboard", tmp_path / "no.yaml")

    assert line == (
        "optuna-dashboard is not installed; allowed: the extra `dashboard`. Install it: "
        "`pip install 'jejunet-nas[dashboard]'`"
    )


def test_a_study_that_was_never_searched_has_no_dashboard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(f"name: tiny\n{SPACE}")

    line = refusal(capfd, "dashboard", tmp_path / "tiny.yaml")

    assert line.startswith("tiny has no trials yet; allowed: a study that was searched.")


# -- in a browser ---------------------------------------------------------------------------------

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture
def window() -> Iterator[Any]:
    """A browser's window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1400"):
        options.add_argument(each)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.browser
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed")
def test_a_persons_page_shows_notes_with_hostile_names_as_text(tmp_path: Path, window: Any) -> None:
    file = searched_study(tmp_path, class_names=HOSTILE)

    with served(file) as (browser, _):
        number = browser.study["study_id"]
        window.get(f"{browser.url}dashboard/studies/{number}/trials?numbers=0")
        wanted = f"IoU by class, in per cent: {HOSTILE[0]} 90.0, {HOSTILE[1]} 90.0."
        text = wait_until(
            lambda: window.find_element("css selector", "body").text, lambda text: wanted in text
        )

    assert "Best Trial" in text
