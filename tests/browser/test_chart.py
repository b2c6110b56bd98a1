"""The chart of an asset: it is drawn, and it shows the values of the API."""

import json
import urllib.request

from playwright.sync_api import Page

from support.console import Console
from support.tabs import OpenTab

_UP, _DOWN, _ACCENT = (13, 107, 70), (176, 42, 31), (28, 86, 168)
_UP_DARK = (79, 197, 141)


def _count_pixels(page: Page, color: tuple[int, int, int]) -> int:
    """Return how many pixels of the chart have a color."""
    count = """([red, green, blue]) => {
        let count = 0;
        for (const canvas of document.querySelectorAll("#chart canvas")) {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            for (let at = 0; at < data.length; at += 4)
                if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] > 200)
                    count += 1;
        }
        return count;
    }"""
    return int(page.evaluate(count, list(color)))


def _open(open_tab: OpenTab, path: str = "/quotes/AAPL", **options: object) -> Page:
    tab = open_tab(**options)
    tab.page.goto(path)
    tab.page.wait_for_selector("#chart[data-drawn]")
    tab.page.wait_for_timeout(300)
    return tab.page


def test_chart_draws_candles_of_both_colors(open_tab: OpenTab) -> None:
    """The canvas contains rising and falling candles in the colors of the theme."""
    page = _open(open_tab)
    assert _count_pixels(page, _UP) > 500
    assert _count_pixels(page, _DOWN) > 500


def test_chart_follows_the_theme(open_tab: OpenTab) -> None:
    """After a change of the theme, the candles have the colors of the other one, and the axis is readable."""
    page = _open(open_tab)
    page.select_option("#theme", "dark")
    page.wait_for_timeout(300)
    assert _count_pixels(page, _UP_DARK) > 500
    assert _count_pixels(page, _UP) == 0


def test_legend_shows_the_values_of_the_api(open_tab: OpenTab, console: Console) -> None:
    """The prices at the pointer are those of the day in the API, and so are the indicators."""
    page = _open(open_tab, "/quotes/AAPL?range=1m&line=sma_20")
    with urllib.request.urlopen(f"{console.url}/api/v1/bars/AAPL") as answer:  # noqa: S310 — our own URL
        bars = json.load(answer)["data"]["bars"]
    by_day = {bar["day"]: bar for bar in bars}
    box = page.locator("#chart").bounding_box()
    assert box is not None
    seen = set()
    for part in (0.2, 0.4, 0.6, 0.8):
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 100)
        page.wait_for_timeout(100)
        day, opened, high, low, close, _, sma = page.locator("#legend b").all_inner_texts()
        seen.add(day)
        bar = by_day[day]
        shown = [float(text.replace(",", "")) for text in (opened, high, low, close)]
        assert shown == [bar["open"], bar["high"], bar["low"], bar["close"]]
        assert abs(float(sma) - bar["close"] * 0.98) < 0.01
    assert len(seen) == 4


def test_line_and_pane_are_drawn_when_they_are_chosen(open_tab: OpenTab) -> None:
    """A checked box adds a line to the chart and itself to the address, and the choice survives a reload."""
    page = _open(open_tab, "/quotes/AAPL?line=none")
    before = _count_pixels(page, _ACCENT)
    page.check("text=SMA 20")
    page.check("text=MACD")
    page.wait_for_timeout(300)
    assert _count_pixels(page, _ACCENT) > before + 200
    assert "line=sma_20" in page.url
    assert "pane=macd" in page.url
    page.reload()
    assert page.is_checked("text=SMA 20")
    assert page.is_checked("text=MACD")
    assert not page.is_checked("text=SMA 50")


def test_range_changes_the_visible_days(open_tab: OpenTab) -> None:
    """A longer range has narrower candles, and is in the address."""
    page = _open(open_tab, "/quotes/AAPL?range=1m&line=none")
    few = _count_pixels(page, _UP) + _count_pixels(page, _DOWN)
    page.click("a[data-range=all]")
    page.wait_for_timeout(300)
    assert "range=all" in page.url
    assert _count_pixels(page, _UP) + _count_pixels(page, _DOWN) != few


def test_chart_without_script_is_a_line_with_a_table(open_tab: OpenTab) -> None:
    """Without JavaScript, the prices are a line, and the newest bars are in a table."""
    tab = open_tab(java_script_enabled=False)
    tab.page.goto("/quotes/AAPL")
    assert tab.page.locator("svg.line-chart").is_visible()
    assert tab.page.locator("#chart").is_hidden()
    tab.page.click("summary >> text=Table of the newest")
    assert tab.page.locator("details table tbody tr").count() == 30
