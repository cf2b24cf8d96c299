"""The page as a person has it: in a browser, with a pointer."""

import dataclasses
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.records import StudyHistory
from jejunet_nas.reporting.report import write_report
from jejunet_nas.reporting.site.compare import write_comparison
from jejunet_nas.reporting.site.content import Extras
from tests.reporting.build import history, trial
from tests.reporting.site.studies import HOSTILE, hostile_study, study, two_clips

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE_S = 60.0  # both cores may be busy
BASELINE = history(two_clips(trial(0, 0.65, 50.0)), study="the seed")
IMPORTANCES = {"mIoU": {"detail": 0.75, "resolution": 0.25}, "ms a frame": {"resolution": 1.0}}

pytestmark = [
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1400"):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


class Page:
    """A page that is open, and what a person does on it."""

    def __init__(self, browser: Any, file: Path) -> None:
        self.browser, self.file = browser, file
        browser.get(file.as_uri())
        self.wait_for(lambda: self.run("return document.documentElement.dataset.ready"))
        assert self.run("return document.documentElement.dataset.ready") == "yes"

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def point_at(self, number: int, *, click: bool = False) -> None:
        """Move the pointer to a trial of the front's chart."""
        from selenium.webdriver import ActionChains

        chart = self.find("#chart-front")
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
        x, y = self.run(POINT, number)
        width, height = chart.size["width"], chart.size["height"]
        moves = ActionChains(self.browser).move_to_element_with_offset(chart, 3 - width / 2, 0)
        moves.move_to_element_with_offset(chart, x - width / 2, y - height / 2)
        (moves.click() if click else moves).perform()

    def wait_for(self, ready: Any) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not ready():
            assert time.monotonic() < ends, "waited in vain"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        return [each["message"] for each in self.browser.get_log("browser")]


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return opened(browser, tmp_path_factory.mktemp("page"), study())


def opened(browser: Any, folder: Path, shown: StudyHistory) -> Page:
    """Write the report of a study with all that there can be, and open it."""
    baseline = dataclasses.replace(
        BASELINE, dataset=shown.dataset, device=shown.device, class_names=shown.class_names
    )
    write_report(shown, folder, Extras(importances=IMPORTANCES, baseline=baseline))
    return Page(browser, folder / "index.html")


def test_pointing_at_a_trial_tells_its_whole_architecture(page: Page) -> None:
    page.point_at(2)

    page.wait_for(lambda: page.find("#tip").is_displayed())
    told = page.find("#tip").text
    assert told.startswith("Trial 2, dominated\n55.0 % mIoU\n20.0 ms, 50.0 fps, predicted")
    assert "0.5 x blocks 0-12 /16, 48 ch, thin /8, 224 px\nkey every frame" in told


def test_a_click_keeps_the_card_of_a_trial(page: Page) -> None:
    assert page.find("#pinned h3").text.startswith("Trial 0")  # the best, until one is clicked

    page.point_at(1, click=True)

    page.wait_for(lambda: "Trial 1" in page.find("#pinned").text)
    card = page.find("#pinned").text
    assert "60.0 %" in card
    assert "key every 4, propagate" in card
    assert "jejunet-nas export davis --trial 1 --out davis-1" in card


def test_a_trial_beside_the_front_has_a_card_too(page: Page) -> None:
    page.point_at(3, click=True)

    page.wait_for(lambda: "Trial 3, over target" in page.find("#pinned").text)
    assert "90.0 ms" in page.find("#pinned").text


def test_the_baseline_can_be_pointed_at(page: Page) -> None:
    page.point_at(-1)

    page.wait_for(lambda: "Baseline trial 0" in page.find("#tip").text)


def test_light_and_dark_are_exchanged_by_a_button(page: Page) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    before, name = page.run(colour), page.run("return document.documentElement.dataset.theme")

    page.find("#theme").click()

    assert page.run("return document.documentElement.dataset.theme") != name
    assert page.run(colour) != before
    page.find("#theme").click()
    assert page.run(colour) == before


def test_all_charts_are_drawn_when_they_are_looked_at(page: Page) -> None:
    for name in ("progress", "importance", "slice", "stages"):
        place = page.find(f"#chart-{name}")
        page.run("arguments[0].scrollIntoView({behavior: 'instant'})", place)
        page.wait_for(lambda name=name: page.run(DRAWN, f"chart-{name}"))


def test_hypervolume_is_shown_over_time_when_asked(page: Page) -> None:
    first = "return document.getElementById('chart-progress').data[0].x"
    page.run("document.querySelector('[data-progress=hours]').click()")

    page.wait_for(lambda: page.run(first)[-1] < 1)  # 21 minutes in hours
    assert page.run(first)[-1] == pytest.approx(sum(range(1, 7)) / 60)


def test_the_console_has_nothing_to_complain_of(page: Page) -> None:
    assert page.complaints() == []


def test_a_trial_named_in_the_address_is_shown_at_once(page: Page, browser: Any) -> None:
    browser.get("about:blank")
    browser.get(f"{page.file.as_uri()}#trial-1")

    page.wait_for(lambda: "Trial 1" in page.find("#pinned").text)


def test_names_that_are_scripts_show_as_text(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, hostile_study())
    page.point_at(1, click=True)

    assert page.run("return window.hurt") is None
    assert page.find("h1").text == HOSTILE
    assert HOSTILE in page.find("#pinned").text  # a class's name
    assert page.complaints() == []


def test_studies_are_compared_on_one_page(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, write_comparison([study(study=HOSTILE), study(study="b")], tmp_path))

    assert HOSTILE in page.find("h1").text
    page.wait_for(lambda: page.run(DRAWN, "chart-front"))
    assert page.run("return window.hurt") is None
    assert HOSTILE in page.find("#chart-front .legend").text
    assert page.complaints() == []
