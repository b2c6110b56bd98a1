"""The pages of a fleet with 1,000 assets and 10,000 runs can be used, and nothing complains."""

import pytest
from playwright.sync_api import expect

from financehub_web.console import assets, quotes
from support.console import Console
from support.large_fleet import ASSETS, RUNS
from support.tabs import PAGES, OpenTab


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_pages_of_a_large_fleet_open_without_an_error(open_tab: OpenTab, large: Console, *, has_script: bool) -> None:
    """Each page opens, has a limited number of rows, and no script and no policy complains."""
    tab = open_tab(is_paused=True, java_script_enabled=has_script, base_url=large.url)
    for path in PAGES:
        response = tab.page.goto(path)
        assert response is not None
        assert response.ok, path
        assert tab.page.locator("main tr").count() < 600, path
        assert tab.problems == [], path


def test_assets_of_a_large_fleet_are_found(open_tab: OpenTab, large: Console) -> None:
    """The last of 1,000 assets is found by its symbol and at the end of the pages, on Quotes and on Assets."""
    tab = open_tab(base_url=large.url, is_paused=True)
    for path, rows in (("/quotes", quotes.ROWS), ("/assets", assets.ROWS)):
        tab.page.goto(f"{path}?q=S0999")
        expect(tab.page.locator("main tbody tr")).to_have_count(1)
        tab.page.goto(f"{path}?q=Coin+S&page={ASSETS // rows}")
        expect(tab.page.locator("main tbody")).to_contain_text("S0999-USD")
        assert tab.problems == [], path


def test_runs_of_a_large_fleet_are_paged(open_tab: OpenTab, large: Console) -> None:
    """All pages of the failed runs together show each of them once."""
    tab = open_tab(base_url=large.url, is_paused=True, java_script_enabled=False)
    tab.page.goto("/runs?state=dead-lettered&task=fetch_news_task")
    seen: list[str] = []
    while True:
        rows = tab.page.locator("main tbody tr a[href*='/runs/many-']")
        seen += rows.evaluate_all("(all) => all.map((each) => each.getAttribute('href'))")
        older = tab.page.locator("main a[rel=next]")
        if not older.count():
            break
        with tab.page.expect_navigation():
            older.first.click()
    assert len(set(seen)) == RUNS // 10
    assert tab.problems == []
