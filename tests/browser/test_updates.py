"""What an update of a page changes, and what it leaves to the reader."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from support.tabs import OpenTab
from support.waiting import eventually

_AGE = re.compile(r"(?:(\d+)m )?(\d+)s ago")


def _age(page: Page) -> int:
    """Return the first age on the page in seconds."""
    found = _AGE.fullmatch(page.locator("main time[data-time=ago]").first.inner_text())
    assert found
    return 60 * int(found[1] or 0) + int(found[2])


def _update(page: Page) -> int:
    """Let the time pass until the page asks for an update, and return the status of the answer."""
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true") as answer:
        page.clock.run_for(5_100)
    page.wait_for_timeout(200)
    return answer.value.status


def _open(open_tab: OpenTab, path: str) -> Page:
    page = open_tab().page
    page.clock.install()
    page.goto(path)
    return page


def _change(page: Page, edit: Callable[[str], str], path: str) -> None:
    """Change the page that the next updates get."""

    def answer(route: Route) -> None:
        if route.request.headers.get("hx-request") != "true":
            return route.continue_()
        response = route.fetch(headers={**route.request.headers, "if-none-match": ""})
        return route.fulfill(status=200, content_type="text/html", body=edit(response.text()))

    page.route(re.compile(rf"{path}(\?.*)?$"), answer)


def test_age_after_updates_without_change_has_grown_by_the_time_that_passed(open_tab: OpenTab) -> None:
    """An answer 304 says nothing about the clock of the server, so ages go on from the last page that was sent."""
    page = _open(open_tab, "/runs?task=fetch_news_task")
    statuses = [200]
    while statuses != [304, 304, 304]:  # the verdict of the fleet may change, which is in each page
        before = _age(page)
        statuses = [_update(page) for _ in range(3)]
    assert _age(page) - before >= 14
    expect(page.locator("#updated")).to_have_text(re.compile(r"Updated [0-5]s ago"))


def test_update_is_not_answered_by_the_cache_of_the_browser(open_tab: OpenTab) -> None:
    """The first update, which has no ETag yet, reaches the server: its page has a later time than the first one."""
    page = _open(open_tab, "/assets")
    first = float(page.get_attribute("#live", "data-now") or 0)
    page.wait_for_timeout(1_100)
    while _update(page) != 304:
        pass
    assert float(page.get_attribute("#live", "data-now") or 0) > first + 1


def test_step_back_updates_once_although_the_page_is_paused(open_tab: OpenTab) -> None:
    """A page from the history is brought up to date, and its ages go on from the clock that the tab knows."""
    page = open_tab().page
    page.goto("/runs?task=fetch_news_task")
    page.click("#pause")
    before = _age(page)
    page.goto("/about")
    page.wait_for_timeout(2_500)
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        page.go_back(wait_until="commit")
    eventually(lambda: _age(page) - before >= 2, "the age has grown")
    expect(page.locator("#pause")).to_have_text("Continue")


def test_open_details_and_focus_survive_an_update(open_tab: OpenTab) -> None:
    """A changed page leaves open what the reader has opened, and the focus where it is."""
    page = _open(open_tab, "/quotes/AAPL")
    page.click("summary >> text=Table of the newest")
    page.set_viewport_size({"width": 320, "height": 600})
    table = page.locator(".scroll[tabindex]").first
    table.focus()
    _change(page, lambda text: text.replace('<h2 id="news">News', '<h2 id="news">Newer news'), "/quotes/AAPL")
    _update(page)
    expect(page.locator("#news")).to_have_text("Newer news")
    expect(page.locator("details[open]")).to_have_count(1)
    expect(table).to_be_focused()


def test_verdict_is_the_same_element_after_an_update(open_tab: OpenTab) -> None:
    """A screen reader announces the verdict when it changes, and not with each update."""
    page = _open(open_tab, "/assets")
    page.evaluate("document.getElementById('verdict').mark = 'same'")
    _change(page, lambda text: text.replace("Degraded", "Worse").replace("Down", "Worse"), "/assets")
    _update(page)
    expect(page.locator("#verdict")).to_contain_text("Worse")
    assert page.evaluate("document.getElementById('verdict').mark") == "same"


def test_banner_of_simulated_data_comes_with_an_update(open_tab: OpenTab) -> None:
    """The reader learns that the prices are simulated without a reload."""
    page = _open(open_tab, "/assets")
    _change(page, lambda text: re.sub(r"(<main [^>]*>)", r'\1<p id="simulated">Simulated data.</p>', text), "/assets")
    assert page.locator("#simulated").count() == 0
    _update(page)
    expect(page.locator("#simulated")).to_be_visible()


def test_page_of_a_proxy_does_not_replace_the_page(open_tab: OpenTab) -> None:
    """If a proxy answers with its own page, the last page stays and says that it is not up to date."""
    page = _open(open_tab, "/assets")
    _change(page, lambda _: "<!doctype html><title>Log in</title><form>Password</form>", "/assets")
    _update(page)
    expect(page.locator("#updated")).to_contain_text("Not updated")
    expect(page.locator("main h1")).to_have_text("Assets")
    assert page.title().endswith("Assets – FinanceHub")


def test_keys_can_be_switched_off(open_tab: OpenTab) -> None:
    """A reader whose software speaks letters can switch the keys off, and the choice survives a reload."""
    page = open_tab().page
    page.goto("/assets")
    page.click("#keys-button")
    page.uncheck("#use-keys")
    page.reload()
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_text("Pause")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
