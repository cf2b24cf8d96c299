"""A page that is open in a browser, and what a person does on it; nothing here is a test."""

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.records import StudyHistory
from jejunet_nas.reporting.report import write_report
from jejunet_nas.reporting.site.content import Extras
from tests.reporting.build import history, trial
from tests.reporting.site.studies import two_clips

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE_S = 60.0  # both cores may be busy
BASELINE = history(two_clips(trial(0, 0.65, 50.0)), study="the seed")
IMPORTANCES = {"mIoU": {"detail": 0.75, "resolution": 0.25}, "ms a frame": {"resolution": 1.0}}
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
    ),
]
DRAWN = "return Boolean(document.getElementById(arguments[0]).querySelector('.main-svg'))"
POINT = """
const chart = document.getElementById("chart-front"), {xaxis: x, yaxis: y} = chart._fullLayout;
const trace = chart.data.find((each) => (each.customdata || []).includes(arguments[0]));
const at = trace.customdata.indexOf(arguments[0]);
return [x._offset + x.d2p(trace.x[at]), y._offset + y.d2p(trace.y[at])];
"""


class Page:
    """A page that is open, and what a person does on it.

    width: of the window, in pixels; below 600 it is a phone with a touch screen.
    """

    def __init__(self, browser: Any, file: Path, *, width: int = 1300) -> None:
        self.browser, self.file, self.width = browser, file, width
        phone = width < 600
        size = {"width": width, "height": 800 if phone else 1400, "deviceScaleFactor": 1}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "mobile": phone})
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        browser.get("about:blank")
        browser.get(file.as_uri())
        self.wait_for(lambda: self.run("return document.documentElement.dataset.ready"))
        assert self.run("return document.documentElement.dataset.ready") == "yes"

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def see(self, selector: str) -> Any:
        """Scroll to an element, and return it."""
        found = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
        return found

    def draw_all(self) -> None:
        """Draw the charts that are not in view."""
        self.run("for (const place of document.querySelectorAll('.chart')) place.start?.()")

    def set_theme(self, name: str) -> None:
        if self.run("return document.documentElement.dataset.theme") != name:
            self.run("document.getElementById('theme').click()")

    def point_at(self, number: int, *, click: bool = False) -> None:
        """Move the pointer to a trial of the front's chart."""
        from selenium.webdriver import ActionChains

        chart = self.see("#chart-front")
        x, y = self.run(POINT, number)
        width, height = chart.size["width"], chart.size["height"]
        moves = ActionChains(self.browser).move_to_element_with_offset(chart, 3 - width / 2, 0)
        moves.move_to_element_with_offset(chart, x - width / 2, y - height / 2)
        (moves.click() if click else moves).perform()

    def touch(self, x: float, y: float, *, down_px: float = 0.0) -> None:
        """Put a finger on the window, move it down, and lift it."""
        steps = 8 if down_px else 0
        path = [{"x": x, "y": y + down_px * step / 8} for step in range(1, steps + 1)]
        touches = [("touchStart", [{"x": x, "y": y}]), *(("touchMove", [at]) for at in path)]
        for kind, points in (*touches, ("touchEnd", [])):
            self.browser.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )

    def wait_for(self, ready: Any) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not ready():
            assert time.monotonic() < ends, "waited in vain"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        return [each["message"] for each in self.browser.get_log("browser")]


def written(folder: Path, shown: StudyHistory, **extras: Any) -> Path:
    """Write the report of a study with all that there can be, and return its page."""
    baseline = dataclasses.replace(
        BASELINE, dataset=shown.dataset, device=shown.device, class_names=shown.class_names
    )
    return write_report(
        shown, folder, Extras(**{"importances": IMPORTANCES, "baseline": baseline} | extras)
    )
