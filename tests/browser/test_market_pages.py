"""The pages of prices: the watchlist of the browser, the chart's legend and its zone, and very wide windows."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from browser.test_chart import wait_until_drawn
from support.tabs import PAGES, OpenTab


def _symbols(page: Page) -> list[str]:
    return page.locator("table.quotes tbody th a").all_inner_texts()


def test_watchlist_is_kept_by_the_browser(open_tab: OpenTab) -> None:
    """A star adds an asset, the link leads to the prices of all of them, and both survive a reload."""
    page = open_tab().page
    page.goto("/quotes")
    expect(page.locator("#watchlist")).to_be_hidden()
    page.click("#quote-AAPL .star")
    page.click("#quote-BTC-USD .star")
    expect(page.locator("#watchlist")).to_have_text("Watchlist (2)")
    page.reload()
    expect(page.locator("#quote-AAPL .star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#quote-T001 .star")).to_have_attribute("aria-pressed", "false")
    page.click("#watchlist")
    expect(page.locator("table.quotes tbody tr")).to_have_count(2)
    assert _symbols(page) == ["AAPL", "BTC-USD"]
    page.goto("/quotes/AAPL")
    page.click("h1 .star")
    page.goto("/quotes")
    expect(page.locator("#watchlist")).to_have_text("Watchlist (1)")


def test_full_watchlist_keeps_its_assets(open_tab: OpenTab) -> None:
    """A hundredth asset is added, another one is not, and the title of its star says why until one is removed."""
    page = open_tab().page
    page.goto("/quotes")
    kept = [f"T{number:03}" for number in range(99)]
    page.evaluate("kept => localStorage.setItem('watchlist', JSON.stringify(kept))", kept)
    page.reload()
    page.click("#quote-M\\%26M\\.NS .star")
    expect(page.locator("#watchlist")).to_have_text("Watchlist (100)")
    page.click("#quote-AAPL .star")
    assert page.evaluate("JSON.parse(localStorage.getItem('watchlist'))") == ["M&M.NS", *kept]
    star = page.locator("#quote-AAPL .star")
    expect(star).to_have_attribute("aria-pressed", "false")
    expect(star).to_have_attribute("title", re.compile("is full.*Remove one"))
    page.click("#quote-M\\%26M\\.NS .star")
    expect(star).to_have_attribute("title", "Watchlist of this browser")
    page.click("#quote-AAPL .star")
    expect(star).to_have_attribute("aria-pressed", "true")


def test_star_stays_after_an_update(open_tab: OpenTab) -> None:
    """The server does not know the watchlist, so an update of the page must not forget it."""
    page = open_tab().page
    page.clock.install()
    page.goto("/quotes")
    page.click("#quote-AAPL .star")
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        page.clock.run_for(5_100)
    page.evaluate("document.dispatchEvent(new Event('console:updated'))")
    expect(page.locator("#quote-AAPL .star")).to_have_attribute("aria-pressed", "true")


def test_watchlist_is_absent_without_script(open_tab: OpenTab) -> None:
    """A button that could do nothing is not shown."""
    page = open_tab(java_script_enabled=False).page
    page.goto("/quotes")
    assert page.locator(".star:visible, #watchlist:visible").count() == 0


def test_legend_shows_indicators_of_the_same_day(open_tab: OpenTab) -> None:
    """An indicator with another number of days than the bars, some of them without a bar, is matched by its day."""
    days = [f"2026-01-{day:02}" for day in range(5, 29)]
    prices: list[float] = [float(day[-2:]) for day in days]
    bars = {"days": days, **dict.fromkeys(("open", "high", "low", "close"), prices), "volume": [1.0] * len(days)}
    own = ["2026-01-01", "2026-01-02", *days[6:]]
    indicators = {"days": own, "series": {"sma_20": [100.0 + float(day[-2:]) for day in own]}}
    answer = json.dumps({"bars": bars, "indicators": indicators})
    page = open_tab(is_paused=True).page
    page.route("**/chart.json*", lambda route: route.fulfill(status=200, content_type="application/json", body=answer))
    page.goto("/quotes/AAPL?range=all&line=sma_20")
    wait_until_drawn(page)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    values = page.locator("#legend b")
    seen = set()
    for part in (0.2, 0.4, 0.5, 0.6, 0.7, 0.8):
        before = values.first.inner_text()
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 100)
        expect(values.first).not_to_have_text(before)
        day, *shown = values.all_inner_texts()
        seen.add(day)
        assert float(shown[3]) == float(day[-2:])
        assert [float(each) for each in shown[5:]] == ([100 + float(day[-2:])] if day in own else [])
    assert len(seen) == 6


def test_times_can_be_those_of_the_exchange(open_tab: OpenTab) -> None:
    """A reader in Tokyo can choose the time of New York for an American stock, and the choice survives a reload."""
    page = open_tab(timezone_id="Asia/Tokyo").page
    page.goto("/quotes/AAPL")
    clock = page.locator("dl.facts time[data-time=clock]")
    expect(clock).to_have_text(re.compile(r"GMT\+9$"))
    page.select_option("#zone", "exchange")
    expect(clock).to_have_text(re.compile(r" E[SD]T$"))
    page.reload()
    expect(clock).to_have_text(re.compile(r" E[SD]T$"))
    page.goto("/runs/hostile-run")
    expect(page.locator("main time[data-time=exact]").first).to_have_text(re.compile(r"GMT\+9$"))


def test_ranges_keep_the_chosen_indicators(open_tab: OpenTab) -> None:
    """Links to other ranges have the boxes that were checked since the page was sent, and the popup closes by a key."""
    page = open_tab(is_paused=True).page
    page.goto("/quotes/AAPL?line=none")
    page.wait_for_selector("#chart[data-drawn]")
    page.click("#overlays-summary")
    page.check("#overlays input[value=ema_12]")
    expect(page.locator("#overlays-count")).to_have_text("1")
    page.keyboard.press("Escape")
    expect(page.locator("#overlays")).to_be_hidden()
    expect(page.locator("#overlays-summary")).to_be_focused()
    for link in page.locator(".ranges a").all():
        assert "line=ema_12" in str(link.get_attribute("href"))
    page.click("a[data-range='1y']")
    expect(page).to_have_url(re.compile("range=1y"))
    assert "line=ema_12" in page.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_not_stretched_in_a_very_wide_window(open_tab: OpenTab, theme: str) -> None:
    """At 3,840 px, the content is in the middle, and no line of it is longer than that of a usual window."""
    tab = open_tab(3840, 2000, color_scheme=theme)
    for path in PAGES:
        tab.page.goto(path)
        box = tab.page.locator("main").bounding_box()
        assert box is not None
        assert 1_600 < box["width"] < 2_300, path
        assert box["x"] > 600, path
        assert tab.page.evaluate("document.documentElement.scrollWidth") == 3840, path
