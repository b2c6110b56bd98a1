"""The chart of an asset: it is drawn, and it shows the values of the API."""

import json
import re
import urllib.request
from datetime import datetime
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect

from financehub_shared.market.redis_store import RedisStore
from support.console import Console, walk
from support.tabs import OpenTab
from support.waiting import eventually

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


def _count_candles(page: Page) -> int:
    return _count_pixels(page, _UP) + _count_pixels(page, _DOWN)


def _open(open_tab: OpenTab, path: str = "/quotes/AAPL", **options: object) -> Page:
    page = open_tab(is_paused=True, **options).page
    page.goto(path)
    wait_until_drawn(page)
    return page


def wait_until_drawn(page: Page) -> None:
    """Wait until the chart shows its candles and does not move."""
    page.wait_for_selector("#chart[data-drawn]")
    eventually(lambda: _is_still(page), "the chart is drawn", poll_seconds=0.1)


def _is_still(page: Page) -> bool:
    """Whether the chart shows candles that some frames later are the same."""
    count = _count_candles(page)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return 0 < count == _count_candles(page)


def test_chart_draws_candles_of_both_colors(open_tab: OpenTab) -> None:
    """The canvas contains rising and falling candles in the colors of the theme."""
    page = _open(open_tab)
    assert _count_pixels(page, _UP) > 500
    assert _count_pixels(page, _DOWN) > 500


def test_chart_follows_the_theme(open_tab: OpenTab) -> None:
    """After a change of the theme, the candles have the colors of the other one, and the axis is readable."""
    page = _open(open_tab)
    page.select_option("#theme", "dark")
    eventually(lambda: _count_pixels(page, _UP_DARK) > 500, "the candles are those of the dark theme")
    eventually(lambda: _count_pixels(page, _UP) == 0, "no candle is one of the light theme")


def test_legend_shows_the_values_of_the_api(open_tab: OpenTab, console: Console) -> None:
    """The prices at the pointer are those of the day in the API, and so are the indicators."""
    page = _open(open_tab, "/quotes/AAPL?range=1m&line=sma_20")
    bars = _data(f"{console.url}/api/v1/bars/AAPL")["data"]["bars"]
    by_day = {bar["day"]: bar for bar in bars}
    box = page.locator("#chart").bounding_box()
    assert box is not None
    seen = set()
    values = page.locator("#legend b")
    for part in (0.2, 0.4, 0.6, 0.8):
        before = values.first.inner_text()
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 100)
        expect(values.first).not_to_have_text(before)
        day, opened, high, low, close, volume, sma = values.all_inner_texts()
        seen.add(day)
        bar = by_day[day]
        shown = [float(text.replace(",", "")) for text in (opened, high, low, close)]
        assert shown == [bar["open"], bar["high"], bar["low"], bar["close"]]
        assert volume.endswith("M")
        assert abs(float(volume[:-1]) * 1e6 - bar["volume"]) <= 5_001  # two decimal places
        average = float(sma.replace(",", ""))
        assert abs(average - bar["close"] * 0.98) < 0.01
        assert sma == f"{average:,.2f}"
    assert len(seen) == 4


@pytest.mark.parametrize(("range_", "interval"), [("1d", "15m"), ("1w", "1h")])
def test_intraday_chart_has_the_candles_of_the_api(
    open_tab: OpenTab, console: Console, range_: str, interval: str
) -> None:
    """The chart gets all candles of its range from the history, and its legend shows those at the pointer."""
    page = _open(open_tab, f"/quotes/AAPL?range={range_}", timezone_id="UTC")
    candles = _data(f"{console.url}/api/v1/quotes/AAPL/history?interval={interval}")["data"]["candles"]
    columns = _data(f"{console.url}/quotes/AAPL/chart.json?range={range_}")["bars"]
    shown = candles[-len(columns["days"]) :]
    assert len(shown) > 90
    assert columns["days"] == [datetime.fromisoformat(candle["at"]).timestamp() for candle in shown]
    for name in ("open", "high", "low", "close"):
        assert columns[name] == [candle[name] for candle in shown], name
    by_time = {f"{candle['at'][5:10]}, {candle['at'][11:16]}": candle for candle in shown}
    box = page.locator("#chart").bounding_box()
    assert box is not None
    values = page.locator("#legend b")
    for part in (0.2, 0.5, 0.8):
        before = values.first.inner_text()
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 100)
        expect(values.first).not_to_have_text(before)
        time, *prices = values.all_inner_texts()[:5]
        assert prices == [f"{by_time[time][name]:,.2f}" for name in ("open", "high", "low", "close")]


def _data(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 — our own URL
        return json.load(answer)


def test_line_and_pane_are_drawn_when_they_are_chosen(open_tab: OpenTab) -> None:
    """A checked box adds a line to the chart and itself to the address, and the choice survives a reload."""
    page = _open(open_tab, "/quotes/AAPL?line=none")
    before = _count_pixels(page, _ACCENT)
    page.click("#overlays-summary")
    page.check("text=SMA 20")
    page.check("text=MACD")
    eventually(lambda: _count_pixels(page, _ACCENT) > before + 200, "the lines are drawn")
    assert "line=sma_20" in page.url
    assert "pane=macd" in page.url
    page.reload()
    assert page.is_checked("text=SMA 20")
    assert page.is_checked("text=MACD")
    assert not page.is_checked("text=SMA 50")


def test_range_changes_the_visible_days(open_tab: OpenTab) -> None:
    """A longer range has narrower candles, and is in the address."""
    page = _open(open_tab, "/quotes/AAPL?range=1m&line=none")
    few = _count_candles(page)
    page.click("a[data-range=all]")
    expect(page).to_have_url(re.compile("range=all"))
    eventually(lambda: _count_candles(page) != few, "more days are visible")


def test_chart_without_script_is_a_line_with_a_table(open_tab: OpenTab) -> None:
    """Without JavaScript, the prices are a line, and the newest bars are in a table."""
    tab = open_tab(java_script_enabled=False)
    tab.page.goto("/quotes/AAPL")
    assert tab.page.locator("svg.line-chart").is_visible()
    assert tab.page.locator("#chart").is_hidden()
    tab.page.click("summary >> text=Table of the newest")
    assert tab.page.locator("details table tbody tr").count() == 30


#: Makes the page note the texts that its canvases show, such as the marks of a time axis.
_NOTE_TEXTS = """
    window.texts = new Set();
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        window.texts.add(text);
        return fill.call(this, text, ...rest);
    };
"""


def _serve_candles(page: Page, start: float, count: int) -> None:
    """Let the chart get hourly candles of one price."""
    page.unroute_all()
    columns: dict[str, list[float | None]] = {name: [10.0] * count for name in ("open", "high", "low", "close")}
    bars = {"days": [start + 3_600 * number for number in range(count)], "volume": [None] * count, **columns}
    answer = json.dumps({"bars": bars, "indicators": {"days": [], "series": {}}})
    page.route("**/chart.json*", lambda route: route.fulfill(status=200, content_type="application/json", body=answer))


def _texts(page: Page) -> set[str]:
    return set(page.evaluate("[...window.texts]"))


def test_days_of_intraday_prices_begin_at_midnight_of_the_reader(open_tab: OpenTab) -> None:
    """The mark of a day is at the midnight of the reader's zone, which no mark shows as a time of day."""
    page = open_tab(is_paused=True, timezone_id="Asia/Tokyo").page
    page.add_init_script(_NOTE_TEXTS)
    _serve_candles(page, 1_767_571_200, 48)  # 2026-01-05 00:00 UTC, which is 09:00 in Tokyo
    page.goto("/quotes/AAPL?range=1w")
    eventually(lambda: {"Jan 6", "Jan 7", "12:00"} <= _texts(page), "the marks of the days are drawn")
    assert "00:00" not in _texts(page)
    expect(page.locator("#legend b").first).to_have_text("01-07, 08:00")


def test_new_candle_is_visible_if_the_last_one_was(open_tab: OpenTab) -> None:
    """Candles that arrive do not leave the chart at its right edge."""
    page = open_tab(is_paused=True, timezone_id="UTC").page
    page.add_init_script(_NOTE_TEXTS)
    _serve_candles(page, 1_767_571_200, 12)
    page.goto("/quotes/AAPL?range=1w")
    page.wait_for_selector("#chart[data-drawn='12']")
    _serve_candles(page, 1_767_571_200, 60)
    page.evaluate("window.texts.clear()")
    page.evaluate("document.dispatchEvent(new Event('console:updated'))")
    page.wait_for_selector("#chart[data-drawn='60']")
    eventually(lambda: "Jan 7" in _texts(page), "the mark of the last day is drawn")


def test_chart_asks_only_when_the_page_changes(open_tab: OpenTab) -> None:
    """A page that is paused gets no new prices for its chart."""
    page = open_tab(is_paused=True).page
    page.clock.install()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "chart.json" in request.url else None)
    page.goto("/quotes/AAPL")
    page.wait_for_selector("#chart[data-drawn]")
    page.clock.run_for(130_000)
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_caption_is_that_of_the_chosen_range(open_tab: OpenTab) -> None:
    """The figures below the chart change with the range, while the chart stays."""
    page = _open(open_tab, "/quotes/AAPL?range=1m")
    before = page.locator("#chart-text").inner_text()
    page.evaluate("document.getElementById('chart').mark = 'same'")
    page.click("a[data-range=all]")
    expect(page.locator("#chart-text")).not_to_have_text(before)
    assert page.evaluate("document.getElementById('chart').mark") == "same"


def test_chart_appears_with_the_first_bars(open_tab: OpenTab, console: Console) -> None:
    """A page that was opened before the asset had bars shows their chart without a reload."""
    page = open_tab().page
    page.clock.install()
    page.goto("/quotes/T449")
    assert page.locator("#chart").count() == 0
    with redis.Redis.from_url(console.redis_url) as client:
        RedisStore(client).put_bars([walk("T449", 20_000)])
    page.wait_for_timeout(2_500)
    page.clock.run_for(5_100)
    page.wait_for_selector("#chart[data-drawn]")
