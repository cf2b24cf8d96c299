"""A study's dashboard, asked over HTTP as a browser does."""

import contextlib
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

from jejunet_nas.dashboard import _refusal, address, open_dashboard
from jejunet_nas.study.opened import open_study
from tests.cli.commands import refusal
from tests.search.build import SPACE
from tests.searched_study import (
    measure_network,
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
def served(file: Path) -> Iterator[Browser]:
    """Serve a study's dashboard; yield what asks it."""
    with open_dashboard(open_study(file), port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Browser(address(server))
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The YAML file of a searched study."""
    return searched_study(tmp_path)


def test_the_study_has_its_name_objectives_and_note(file: Path) -> None:
    with served(file) as browser:
        study = browser.study

    assert (study["study_name"], study["directions"]) == ("tiny", ["maximize", "minimize"])
    assert study["objective_names"] == ["mIoU", "mean ms a frame"]
    assert study["note"]["body"].startswith("# tiny\n")
    assert "2 trials complete" in study["note"]["body"]


def test_every_trial_has_its_state_and_a_note_or_a_reason(file: Path) -> None:
    with served(file) as browser:
        trials = browser.study["trials"]

    assert [trial["state"] for trial in trials] == ["Complete", "Complete", "Pruned", "Fail"]
    notes = [trial["note"]["body"] for trial in trials]
    assert "On the Pareto front." in notes[0]
    assert "key every 3" in notes[0]
    reasons = [attr["value"] for t in trials for attr in t["user_attrs"] if attr["key"] == "reason"]
    assert reasons == ["too slow", "out of memory"]


def test_what_a_table_shows_of_a_trial_is_figures_and_no_record(file: Path) -> None:
    with served(file) as browser:
        attrs = {each["key"]: each["value"] for each in browser.study["trials"][0]["user_attrs"]}

    assert attrs["state"] == "front"
    assert (attrs["miou"], attrs["mean_ms"]) == ("0.9", "30.0")
    assert not {"record", "architecture"} & {*attrs}


def test_the_best_trials_are_the_front(file: Path) -> None:
    with served(file) as browser:
        study = browser.study

    assert [trial["number"] for trial in study["best_trials"]] == [0, 1]


def test_what_a_phone_measured_counts_here_as_in_the_report(file: Path) -> None:
    # Every frame of their walks is a keyframe.
    measure_network(file, key_ms=50.0)

    with served(file) as browser:
        study = browser.study

    values = {trial["number"]: trial["values"] for trial in study["trials"][:2]}
    assert values == {0: [0.9, 50.0], 1: [0.4, 50.0]}
    assert [trial["state"] for trial in study["trials"][:2]] == ["Pruned", "Pruned"]
    assert study["best_trials"] == []
    assert "Over the target" in study["trials"][0]["note"]["body"]
    assert "measured on Google Pixel 2; 30.0 predicted" in study["trials"][0]["note"]["body"]


def wait_until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """Return what `look` returns once that is `enough`."""
    until = time.monotonic() + PATIENCE_S
    while not enough(found := look()):
        assert time.monotonic() < until, found
        time.sleep(0.2)
    return found


def test_names_are_sent_as_text(tmp_path: Path) -> None:
    file = searched_study(tmp_path, class_names=HOSTILE, reason="<script>alert(2)</script>")

    with served(file) as browser:
        study, page = browser.study, browser.get("dashboard").decode()

    notes = [study["note"]["body"], *(trial["note"]["body"] for trial in study["trials"])]
    assert not any("<script>" in note for note in notes)
    assert "\\<script\\>alert(1)" in notes[1]
    assert "ünïcode 犬" in notes[0]
    assert "alert(" not in page


def test_a_measurement_shows_while_the_dashboard_is_served(file: Path) -> None:
    with served(file) as browser:
        assert browser.study["trials"][0]["values"] == [0.9, 30.0]
        measure_network(file, key_ms=20.0)
        wait_until(
            lambda: browser.study["trials"][0]["values"], lambda values: values == [0.9, 20.0]
        )


def test_it_only_reads(file: Path) -> None:
    with served(file) as browser:
        study = browser.study
        number, trial = study["study_id"], study["trials"][0]["trial_id"]
        refused = [
            browser.send("DELETE", f"api/studies/{number}", {}),
            browser.send("POST", "api/studies", {"study_name": "x", "directions": ["minimize"]}),
            browser.send("POST", f"api/studies/{number}/rename", {"study_name": "x"}),
            browser.send("POST", f"api/trials/{trial}/tell", {"state": "Fail"}),
            browser.send("POST", f"api/trials/{trial}/user-attrs", {"user_attrs": {"a": 1}}),
            browser.send("PUT", f"api/studies/{number}/note", {"version": 2, "body": "mine"}),
        ]
        after = browser.study

    assert refused == [403] * 6
    assert after == study


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:{port}", None, 200),
        ("LOCALHOST:{port}", "http://localhost:{port}", 200),
        ("[::1]:{port}", None, 200),
        ("evil.example:{port}", None, 403),  # a name that was given this computer's address
        ("evil.example:{port}", "http://evil.example:{port}", 403),
        ("127.0.0.1.evil.example:{port}", None, 403),
        ("127.0.0.1:1", None, 403),
        ("127.0.0.1", None, 403),
        ("", None, 403),
        ("127.0.0.1:{port}", "http://evil.example", 403),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}", 403),
        ("127.0.0.1:{port}", "null", 403),
    ],
)
def test_it_answers_to_this_computers_names_and_to_no_page_of_another_site(
    method: str, host: str, origin: str | None, status: int
) -> None:
    environ = {"SERVER_PORT": "8080", "HTTP_HOST": host.format(port=8080), "REQUEST_METHOD": method}
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin.format(port=8080)

    assert (_refusal(environ) is None) == (status == 200)


def test_a_page_under_a_foreign_name_reads_nothing(file: Path) -> None:
    with served(file) as browser:
        request = urllib.request.Request(browser.url + "api/studies")
        request.add_header("Host", "rebound.example:" + browser.url.rpartition(":")[2].strip("/"))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=60)


def test_a_search_goes_on_while_the_dashboard_looks(file: Path) -> None:
    study = open_study(file)
    before = study.history
    with served(file) as browser:
        trial = study.ledger.ask()
        states = wait_until(
            lambda: [each["state"] for each in browser.study["trials"]],
            lambda states: len(states) == 5,
        )
        study.ledger.refuse(trial, before.refused[0])
        wait_until(lambda: browser.study["trials"][4]["state"], lambda state: state == "Pruned")

    assert states == ["Complete", "Complete", "Pruned", "Fail", "Running"]
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

    assert (process.returncode, rest) == (0, "dashboard stopped\n")


def test_a_port_that_is_taken_is_named(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with served(file) as browser:
        port = browser.url.rstrip("/").rpartition(":")[2]

        line = refusal(capfd, "dashboard", file, "--port", port)

    assert re.match(rf"--port is {port}, which cannot be opened \(Address .* or 0 for any", line)


def test_without_the_extra_it_is_named_with_what_installs_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)

    line = refusal(capfd, "dashboard", file)

    assert line == (
        "optuna-dashboard is not installed. Install it: pip install 'jejunet-nas[dashboard]'"
    )


def test_a_study_that_was_never_searched_has_no_dashboard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(f"name: tiny\n{SPACE}")

    line = refusal(capfd, "dashboard", file)

    assert line.startswith(f"tiny has no trials yet. Run `jejunet-nas search {file}` first.")


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

    with served(file) as browser:
        number = browser.study["study_id"]
        window.get(f"{browser.url}dashboard/studies/{number}/trials?numbers=0")
        wanted = f"IoU by class, in per cent: {HOSTILE[0]} 90.0, {HOSTILE[1]} 90.0."
        text = wait_until(
            lambda: window.find_element("css selector", "body").text, lambda text: wanted in text
        )

    assert "Best Trial" in text
