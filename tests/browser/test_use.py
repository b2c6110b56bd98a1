"""What a reader does: filter, sort, turn pages, pause, use keys, choose a time zone."""

import re

import pytest
from playwright.sync_api import Page, expect

from support.tabs import OpenTab
from support.waiting import eventually

_SYMBOLS = "table.quotes tbody th a"
#: Makes the page note each text that an element gets.
_NOTE_TEXTS = """(element) => {
    window.texts = [];
    new MutationObserver(() => window.texts.push(element.textContent)).observe(element, { childList: true });
}"""


def _expect_first(page: Page, *symbols: str) -> None:
    """Wait until the table begins with these symbols."""
    for number, symbol in enumerate(symbols):
        expect(page.locator(_SYMBOLS).nth(number)).to_have_text(symbol)


def _go(page: Page, link: str) -> None:
    """Follow a link, and wait until the whole next page is there."""
    with page.expect_navigation():
        page.click(link)


def test_filter_and_order_are_in_the_address(open_tab: OpenTab) -> None:
    """The filter survives a reload, a click on a heading sorts, and a second click reverses the order."""
    page = open_tab().page
    page.goto("/quotes")
    page.fill("main input[name=q]", "filler 1")
    with page.expect_navigation():
        page.press("main input[name=q]", "Enter")
    assert "q=filler+1" in page.url
    _go(page, "th a:has-text('Change')")
    assert "sort=-change_percent" in page.url
    assert "q=filler+1" in page.url
    _expect_first(page, "T199")
    _go(page, "th a:has-text('Change')")
    _expect_first(page, "T001", "T010")
    page.reload()
    _expect_first(page, "T001", "T010")
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Change")


def test_pages_of_a_table_contain_each_row_once(open_tab: OpenTab) -> None:
    """The pages of the quotes are together all quotes."""
    page = open_tab(java_script_enabled=False).page
    page.goto("/quotes")
    symbols = page.locator(_SYMBOLS).all_inner_texts()
    while page.locator("a[rel=next]").count():
        _go(page, "a[rel=next]")
        symbols += page.locator(_SYMBOLS).all_inner_texts()
    assert len(symbols) == len(set(symbols)) > 450


def test_older_runs_follow_on_the_next_page(open_tab: OpenTab) -> None:
    """The pages of the runs of one state do not overlap."""
    page = open_tab().page
    page.goto("/runs?task=fetch_news_task&state=succeeded")
    first = page.locator("tbody th").all_inner_texts()
    _go(page, "a[rel=next]")
    second = page.locator("tbody th").all_inner_texts()
    assert len(first) == 50
    assert len(second) == 50
    assert not set(first) & set(second)
    assert set(page.locator("tbody .state").all_inner_texts()) == {"✓ succeeded"}


def test_search_leads_to_the_asset(open_tab: OpenTab) -> None:
    """The slash focuses the search, and an exact symbol opens the page of its asset."""
    page = open_tab().page
    page.goto("/runs")
    page.keyboard.press("/")
    page.keyboard.type("aapl")
    page.keyboard.press("Enter")
    page.wait_for_url("**/quotes/AAPL")


def test_question_mark_lists_the_keys(open_tab: OpenTab) -> None:
    """The list opens and closes with keys only."""
    page = open_tab().page
    page.goto("/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_menu_of_a_small_window_works_without_script(open_tab: OpenTab) -> None:
    """The menu opens by a button and leads to each page."""
    page = open_tab(320, java_script_enabled=False).page
    page.goto("/")
    assert page.locator("#nav").is_hidden()
    page.click("text=Menu")
    page.click("#nav >> text=Fleet")
    expect(page).to_have_url(re.compile("/fleet$"))


def test_page_updates_itself_until_it_is_paused(open_tab: OpenTab) -> None:
    """The page asks again every few seconds, gets 304 if nothing changed, and stops when a reader pauses it."""
    tab = open_tab()
    asked = []
    tab.page.on("request", lambda request: asked.append(request.url) if "/assets" in request.url else None)
    tab.page.clock.install()
    opened = tab.page.goto("/assets")
    assert opened is not None
    assert opened.status == 200
    status = 0
    while status != 304:
        with tab.page.expect_response(re.compile("/assets")) as answer:
            tab.page.clock.run_for(5_100)
        status = answer.value.status
    tab.page.click("#pause")
    expect(tab.page.locator("#pause")).to_have_text("Continue")
    asked.clear()
    tab.page.clock.run_for(30_000)
    tab.page.wait_for_timeout(400)
    assert asked == []
    tab.page.reload()
    expect(tab.page.locator("#pause")).to_have_text("Continue")
    tab.page.keyboard.press("p")
    expect(tab.page.locator("#pause")).to_have_text("Pause")
    assert tab.problems == []


def test_times_are_in_the_zone_of_the_reader(open_tab: OpenTab) -> None:
    """Times are local, their UTC is a tooltip, and a reader can choose UTC, which the next page remembers."""
    page = open_tab().page
    page.goto("/runs/hostile-run")
    time = page.locator("main time[data-time=exact]").first
    expect(time).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d{3} E[SD]T"))
    assert str(time.get_attribute("title")).endswith("UTC")
    page.select_option("#zone", "utc")
    expect(time).to_have_text(re.compile(r"UTC$"))
    page.reload()
    expect(page.locator("main time[data-time=exact]").first).to_have_text(re.compile(r"UTC$"))


def test_theme_is_remembered(open_tab: OpenTab) -> None:
    """A reader's theme wins over that of the system, also on the next page."""
    page = open_tab(color_scheme="light").page
    page.goto("/")
    page.select_option("#theme", "dark")
    page.goto("/fleet")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 22)"


def test_marks_of_runs_differ_by_shape_and_lead_to_failures(open_tab: OpenTab) -> None:
    """A reader who sees no color finds the failures, and reaches them with few steps of the keyboard."""
    page = open_tab().page
    page.goto("/tasks")
    read = "(all) => all.map((each) => [each.tagName, each.className, each.getBoundingClientRect().height])"
    marks = {tuple(mark) for mark in page.locator(".squares > *").evaluate_all(read)}
    assert {mark[:2] for mark in marks} >= {("A", "bad"), ("SPAN", "good")}
    assert all((tag == "A") == (kind in {"bad", "warn"}) for tag, kind, _ in marks)
    assert len({height for _, _, height in marks}) == len(marks)


@pytest.mark.parametrize("is_secure", [True, False], ids=["localhost", "plain HTTP"])
def test_button_copies_the_correlation_id(open_tab: OpenTab, is_secure: bool) -> None:
    """It works with the clipboard of the browser, and without it, as on plain HTTP."""
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    if not is_secure:
        tab.page.add_init_script(
            "const own = navigator.clipboard; window.pasted = () => own.readText();"
            "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
        )
    tab.page.goto("/runs/hostile-run")
    button = tab.page.get_by_role("button", name="Copy the correlation id")
    button.evaluate(_NOTE_TEXTS)
    button.click()
    # The text is that for two seconds, which a busy machine may miss.
    eventually(lambda: "Copied" in tab.page.evaluate("window.texts"), "the button says that it has copied")
    pasted = tab.page.evaluate("window.pasted ? window.pasted() : navigator.clipboard.readText()")
    assert pasted == button.get_attribute("data-copy")
    expect(button).to_have_text("Copy")
    assert tab.problems == []


def test_times_of_a_run_have_milliseconds(open_tab: OpenTab) -> None:
    """The steps of a run show milliseconds in the zone of the reader, and without JavaScript in UTC."""
    for has_script, pattern in ((True, r"^[-\d]+ [:\d]+\.\d{3} E[SD]T$"), (False, r"^[-\d]+ [:\d]+\.\d{3} UTC$")):
        page = open_tab(java_script_enabled=has_script).page
        page.goto("/runs/run-010")
        expect(page.locator("time[data-time=exact]").first).to_have_text(re.compile(pattern))
