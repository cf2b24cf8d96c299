"""The page as a person has it: in a browser, with a pointer."""

from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.reporting.site.compare import write_comparison
from tests.reporting.site.pages import DRAWN, IN_A_BROWSER, Page, written
from tests.reporting.site.studies import HOSTILE, hostile_study, study

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(browser, written(tmp_path_factory.mktemp("page"), study()))


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
    card = page.find("#pinned").text
    assert "90.0 ms" in card
    assert "11.1 fps" in card
    assert "jejunet-nas export davis --trial 3 --out davis-3" in card


def test_a_trial_that_was_refused_has_no_command(page: Page) -> None:
    page.run("location.hash = 'trial-4'")

    page.wait_for(lambda: "Trial 4, refused" in page.find("#pinned").text)
    assert "at least 120.0 ms" in page.find("#pinned").text
    assert page.run("return document.querySelector('#pinned .command')") is None


def test_the_baseline_can_be_pointed_at(page: Page) -> None:
    page.point_at(-1)

    page.wait_for(lambda: "the seed, trial 0" in page.find("#tip").text)


def test_a_baseline_s_card_has_the_command_of_its_study(page: Page) -> None:
    page.point_at(-1, click=True)

    page.wait_for(lambda: "the seed, trial 0" in page.find("#pinned").text)
    command = page.run("return document.querySelector('#pinned code').textContent")
    assert command == "jejunet-nas export 'the seed' --trial 0 --out 'the seed-0'"


def test_a_name_in_the_legend_hides_and_shows_its_points(page: Page) -> None:
    shown = "return document.getElementById('chart-front').data.find(e => e.name === 'dominated')"
    name = "[...document.querySelectorAll('#legend-front button')].find(e => e.innerText === "
    page.run(f"{name} 'dominated').click()")

    page.wait_for(lambda: page.run(shown)["visible"] == "legendonly")
    page.run(f"{name} 'dominated').click()")
    page.wait_for(lambda: page.run(shown)["visible"] is True)


def test_a_diamond_means_one_thing(page: Page) -> None:
    """Trial 2 is dominated and a diamond; the sign of dominated trials is round nevertheless."""
    signs = dict(
        page.run(
            "return [...document.querySelectorAll('#legend-front > *')]"
            ".map(e => [e.innerText, e.querySelector('svg').innerHTML])"
        )
    )

    diamonds = [name for name, sign in signs.items() if "<path" in sign and "L15 6" in sign]
    assert diamonds == ["diamond: every frame a keyframe"]
    assert "<circle" in signs["dominated"]


def test_the_tools_of_the_chart_are_hidden_until_it_is_pointed_at(page: Page) -> None:
    opacity = "return getComputedStyle(document.querySelector('#chart-front .modebar')).opacity"
    page.see("h1").click()
    page.wait_for(lambda: page.run(opacity) == "0")

    page.point_at(1)

    page.wait_for(lambda: page.run(opacity) == "1")


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
    page = Page(browser, written(tmp_path, hostile_study()))
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
    assert HOSTILE in page.find("#legend-front").text
    assert page.complaints() == []
