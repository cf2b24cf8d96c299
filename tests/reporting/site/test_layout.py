"""The page as a computer and as a phone show it: nothing overlaps, is cut, or traps a finger."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.reporting.site.compare import write_comparison
from tests.reporting.site.pages import IN_A_BROWSER, POINT, Page, written
from tests.reporting.site.studies import crowded_pictures, crowded_study

pytestmark = IN_A_BROWSER
COMPUTER, PHONE = 1400, 400
MOST_HIGH_PX = 12_500  # of the page on a phone; cards below one another take 25,000

LAYOUT = Path(__file__).with_name("layout.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[COMPUTER, PHONE], ids=["computer", "phone"])
def page(
    browser: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Page:
    study = crowded_study()
    file = written(tmp_path_factory.mktemp("layout"), study, pictures=crowded_pictures(study))
    opened = Page(browser, file, width=request.param)
    opened.draw_all()
    return opened


def wrong(page: Page, measure: str) -> list[str]:
    """Return what a function of `layout.js` finds."""
    found: list[str] = page.run(f"{LAYOUT}; return {measure}()")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "measure",
    ["textsThatMeet", "textsThatLeave", "labelsOnLines", "whatIsCut", "textsOfCardsThatMeet"],
)
def test_nothing_overlaps_or_is_cut(page: Page, measure: str, theme: str) -> None:
    page.set_theme(theme)

    assert wrong(page, measure) == []


def test_all_picks_are_labelled(page: Page) -> None:
    labels = page.run("return [...document.querySelectorAll('.labels span')].map(e => e.innerText)")

    assert {"best mIoU", "knee", "fastest"} <= {name.partition(" ")[2] for name in labels}


def test_labels_cover_nothing_wherever_points_and_lines_are(page: Page) -> None:
    covered, placed, wanted = page.run(f"{LAYOUT}; return randomLabels(7)")

    assert covered == []
    assert placed > wanted / 4  # of crowded points some have no room


def test_a_pick_without_room_for_its_name_has_its_number(page: Page) -> None:
    assert page.run(f"{LAYOUT}; return widthInANarrowArea()") == 15


def test_the_page_does_not_scroll_sideways(page: Page) -> None:
    assert page.run("return document.documentElement.scrollWidth") <= page.width


def test_the_button_of_the_theme_is_one_line(page: Page) -> None:
    long = "a_study_with_a_name_that_is_longer_than_a_line_of_a_phone_" * 3
    high = page.run(
        "const title = document.querySelector('h1'), before = title.textContent;"
        "title.textContent = arguments[0];"
        "const high = document.getElementById('theme').clientHeight;"
        "title.textContent = before; return high",
        long,
    )

    assert high < 40  # two lines are higher


def test_cards_are_a_strip_on_a_phone_alone(page: Page) -> None:
    high, scrolls, tops = page.run(
        "const strip = document.querySelector('.cards');"
        "return [document.documentElement.scrollHeight, strip.scrollWidth > strip.clientWidth,"
        "  new Set([...strip.children].map((each) => each.offsetTop)).size]"
    )

    assert scrolls == (page.width == PHONE)
    assert (tops == 1) == (page.width == PHONE)
    assert page.width != PHONE or high < MOST_HIGH_PX


def test_a_finger_on_a_chart_scrolls_the_page_and_a_tap_shows_a_card(page: Page) -> None:
    if page.width != PHONE:
        pytest.skip("a computer has no touch screen")
    number = page.run("return Number([...document.querySelectorAll('.card')].at(-1).dataset.trial)")
    (x, y), (right, down) = corner(page), page.run(POINT, number)
    page.touch(x + right, y + down)
    page.wait_for(lambda: f"Trial {number}" in page.find("#pinned").text)

    (x, y), before = corner(page), page.run("return scrollY")
    page.touch(x + 200, y + 250, down_px=-200)
    page.wait_for(lambda: page.run("return scrollY") > before + 100)


def corner(page: Page) -> tuple[float, float]:
    """Return the upper left corner of the front's chart, which is brought into view."""
    chart = page.see("#chart-front")
    left, top = page.run("const b = arguments[0].getBoundingClientRect(); return [b.x, b.y]", chart)
    return left, top


def test_the_console_has_nothing_to_complain_of(page: Page) -> None:
    assert page.complaints() == []


def test_a_comparison_fits_a_phone_too(browser: Any, tmp_path: Path) -> None:
    study = crowded_study()
    other = dataclasses.replace(study, study=f"{study.study}_again")
    page = Page(browser, write_comparison([study, other], tmp_path), width=PHONE)

    for measure in ("textsThatMeet", "textsThatLeave", "whatIsCut"):
        assert wrong(page, measure) == []
    assert page.run("return document.documentElement.scrollWidth") <= PHONE
