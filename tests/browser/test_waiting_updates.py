"""Updates that wait for the reader, and what a reader learns when updates fail."""

import re

from playwright.sync_api import Page, Route, expect

from support.tabs import OpenTab


def _open(open_tab: OpenTab, path: str) -> Page:
    page = open_tab().page
    page.clock.install()
    page.goto(path)
    return page


def test_selected_text_is_not_lost(open_tab: OpenTab) -> None:
    """While a reader has text of the page selected, such as to copy it, the page does not change."""
    page = _open(open_tab, "/quotes")
    # The browser loads the icon of the page whenever it has time.
    asked: list[str] = []
    page.evaluate("getSelection().selectAllChildren(document.querySelector('main h1'))")
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    page.clock.run_for(21_000)
    expect(page.locator("#updated")).to_have_text("Updates wait for your selection")
    assert page.evaluate("getSelection().toString()") == "Quotes"
    assert asked == []
    page.evaluate("getSelection().removeAllRanges()")
    with page.expect_request(lambda request: request.headers.get("hx-request") == "true"):
        page.clock.run_for(5_100)


#: Hides the tab from the beginning. Without a window, no command of the browser does it.
_HIDE = """
    window.isHidden = true;
    Object.defineProperty(document, "hidden", { get: () => window.isHidden });
    Object.defineProperty(document, "visibilityState", { get: () => (window.isHidden ? "hidden" : "visible") });
"""


def test_hidden_tab_asks_for_nothing_until_it_is_visible(open_tab: OpenTab) -> None:
    """A tab that nobody sees is not updated, and the reader who comes back gets one update at once."""
    page = open_tab().page
    updates: list[str] = []
    page.on(
        "request",
        lambda request: updates.append(request.url) if request.headers.get("hx-request") == "true" else None,
    )
    page.add_init_script(_HIDE)
    page.clock.install()
    page.goto("/quotes")
    # From here on, the time stands still outside of `run_for`, so no update is due by itself.
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 10)
    page.clock.run_for(30_000)
    # The update that a wrong page asked for comes before this request.
    page.evaluate("fetch('/static/favicon.svg').then((response) => response.status)")
    assert updates == []
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    assert len(updates) == 1


def test_page_says_why_it_is_not_up_to_date(open_tab: OpenTab) -> None:
    """A banner names the problem as long as it lasts, and the page recovers by itself."""
    page = _open(open_tab, "/assets")

    def refuse(route: Route) -> None:
        if route.request.headers.get("hx-request") == "true":
            route.fulfill(status=502, body="")
        else:
            route.continue_()

    page.route(re.compile("/assets"), refuse)
    page.clock.run_for(5_100)
    expect(page.locator("#unreachable")).to_contain_text("the server answered 502")
    page.unroute_all()
    page.clock.run_for(5_100)
    expect(page.locator("#unreachable")).to_be_hidden()


def test_request_that_never_ends_does_not_stop_the_updates(open_tab: OpenTab) -> None:
    """After half a minute, the page asks again."""
    page = _open(open_tab, "/assets")
    page.evaluate(
        "document.dispatchEvent(new CustomEvent('htmx:config:request', {detail: {ctx: {request: {headers: {}}}}}))"
    )
    with page.expect_request(lambda request: request.headers.get("hx-request") == "true"):
        page.clock.run_for(36_000)


def test_table_that_scrolls_has_a_role_and_a_name(open_tab: OpenTab) -> None:
    """What the keyboard can scroll is announced as a region with the caption of its table."""
    page = open_tab(320).page
    page.goto("/fleet")
    region = page.locator(".scroll[tabindex]").first
    expect(region).to_have_attribute("role", "region")
    assert region.get_attribute("aria-label")


def test_outcome_of_an_action_is_not_repeated_by_a_reload(open_tab: OpenTab) -> None:
    """The address that names an action is replaced by that of the page."""
    page = open_tab().page
    page.goto("/quotes?q=a&done=1-1")
    expect(page).to_have_url(re.compile(r"/quotes\?q=a$"))
