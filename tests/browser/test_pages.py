"""Every page at every size, in both themes, with and without JavaScript."""

import re
from collections.abc import Iterable

import pytest

from support.axe import axe_script
from support.console import HOSTILE_END, HOSTILE_LETTER, HOSTILE_RUN, Console
from support.tabs import PAGES, OpenTab, Tab

#: Whether anything reaches beyond the right edge of the page.
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What only an operator sees in the mode `write`.
_ACTIONS = "main a[href*='/actions/'], main form.selection"
#: The pages that have some of it.
_WITH_ACTIONS = {
    "/quotes/AAPL",
    "/quotes/BTC-USD",
    "/assets",
    "/schedules",
    "/schedules/default/demo",
    f"/runs/{HOSTILE_RUN}",
    "/tasks",
    "/dead-letters",
    f"/dead-letters/{HOSTILE_LETTER}",
    "/providers",
}


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_pages_fit_and_raise_no_error(open_tab: OpenTab, width: int, theme: str, has_script: bool) -> None:
    """Each page has its title and its heading, fits the window, and no script and no policy complains."""
    tab = open_tab(width, is_paused=True, color_scheme=theme, java_script_enabled=has_script)
    assert _visit_all(tab, has_script) == set()


@pytest.mark.parametrize(("width", "theme", "has_script"), [(320, "light", True), (1280, "dark", False)])
def test_pages_with_actions_fit_and_raise_no_error(
    open_tab: OpenTab, writable: Console, width: int, theme: str, has_script: bool
) -> None:
    """The same holds in the mode `write`, in which pages have buttons and boxes that select rows."""
    settings = {"color_scheme": theme, "java_script_enabled": has_script, "base_url": writable.url}
    tab = open_tab(width, is_paused=True, **settings)
    assert _visit_all(tab, has_script) == _WITH_ACTIONS


def _visit_all(tab: Tab, has_script: bool) -> set[str]:
    """Check each page, and return those with actions."""
    acting = set()
    for path, title in PAGES.items():
        response = tab.page.goto(path)
        assert response is not None, path
        assert response.ok, path
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.title() in {f"{mark} {title} – FinanceHub" for mark in "▲✗"}, path
        assert tab.page.locator("h1").count() == 1, path
        assert tab.page.evaluate(_OVERFLOW) == 0, path
        if not has_script:
            assert tab.page.locator(".script:visible").count() == 0, path
        assert tab.problems == [], path
        if tab.page.locator(_ACTIONS).count():
            acting.add(path)
    return acting


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_have_no_barriers(open_tab: OpenTab, width: int, theme: str) -> None:
    """A checker finds nothing serious for readers who need a screen reader, a keyboard or contrast."""
    assert _barriers(open_tab(width, is_paused=True, color_scheme=theme, bypass_csp=True), PAGES) == {}


@pytest.mark.parametrize(("width", "theme"), [(320, "dark"), (1280, "light")])
def test_pages_with_actions_have_no_barriers(open_tab: OpenTab, writable: Console, width: int, theme: str) -> None:
    """The same holds for the pages that have buttons and boxes in the mode `write`."""
    tab = open_tab(width, is_paused=True, color_scheme=theme, bypass_csp=True, base_url=writable.url)
    assert _barriers(tab, sorted(_WITH_ACTIONS)) == {}


def _barriers(tab: Tab, paths: Iterable[str]) -> dict[str, list[tuple[str, list[str]]]]:
    """Return path → (rule, elements) of what a checker finds on each page."""
    found = {}
    for path in paths:
        tab.page.goto(path)
        tab.page.wait_for_load_state("networkidle")
        tab.page.add_script_tag(path=axe_script())
        violations = tab.page.evaluate("axe.run({resultTypes: ['violations']}).then((result) => result.violations)")
        found[path] = [
            (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
            for each in violations
            if each["impact"] in {"serious", "critical"}
        ]
    return {path: each for path, each in found.items() if each}


def test_rows_have_ids_that_are_unique_on_their_page(open_tab: OpenTab) -> None:
    """An update finds each row by its id, so it never turns a row that the reader uses into another one."""
    tab = open_tab(java_script_enabled=False)
    for path in PAGES:
        tab.page.goto(path)
        ids = tab.page.locator("[id]").evaluate_all("(all) => all.map((each) => each.id)")
        assert sorted(ids) == sorted(set(ids)), path
        assert not any(re.search(r"\s", id) for id in ids), path
        if tab.page.locator("main[data-live]").count():
            assert tab.page.locator("main tbody tr:not([id])").count() == 0, path


def test_captions_are_not_cut_in_a_small_window(open_tab: OpenTab) -> None:
    """The caption of a table that can be scrolled sideways ends where the window ends."""
    tab = open_tab(320)
    beyond = (
        "(all) => all.filter((each) => each.getBoundingClientRect().right > innerWidth).map((each) => each.innerText)"
    )
    for path in PAGES:
        tab.page.goto(path)
        assert tab.page.locator("main caption:not(.hidden)").evaluate_all(beyond) == [], path


def test_numbers_and_currencies_are_on_one_line(open_tab: OpenTab) -> None:
    """In a small window, no number is apart from its unit, and no currency and no duration is broken."""
    tab = open_tab(320)
    tall = """(all) => all.filter((each) => {
        const range = document.createRange();
        range.selectNodeContents(each);
        // Boxes of one line overlap, whatever the sizes of their fonts are.
        const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
        const lowestTop = Math.max(...boxes.map((box) => box.top));
        return boxes.some((box) => box.bottom <= lowestTop);
    }).map((each) => each.innerText)"""
    for path in ("/quotes", "/quotes/AAPL", "/", "/schedules/default/demo", "/runs"):
        tab.page.goto(path)
        cells = tab.page.locator("table.quotes td:visible, td.number:visible, time[data-time=ago]:visible")
        assert cells.evaluate_all(tall) == [], path


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_hostile_data_is_text(open_tab: OpenTab, has_script: bool) -> None:
    """No headline, name, note, error or traceback becomes a part of the page, and no mark changes its direction."""
    tab = open_tab(java_script_enabled=has_script)
    shown = set()
    for path in PAGES:
        tab.page.goto(path)
        text = tab.page.locator("body").inner_text()
        assert "owned" not in tab.page.title(), path
        assert tab.page.locator("main img, main script").count() == 0, path
        assert tab.page.locator("a[href^='javascript']").count() == 0, path
        assert "\u202e" not in tab.page.content(), path
        if HOSTILE_END in text:
            shown.add(path)
    assert shown >= {
        "/quotes/AAPL",
        "/quotes/BTC-USD",
        "/news",
        "/quarantine",
        "/schedules",
        "/runs",
        "/runs/hostile-run",
        "/dead-letters",
        "/dead-letters/hostile-letter",
    }


def test_errors_are_pages(open_tab: OpenTab) -> None:
    """A wrong address leads to a page with the menu, which says what was wrong."""
    tab = open_tab()
    for path, status, text in (
        ("/nope", 404, "This page does not exist"),
        ("/quotes/APPL", 404, "AAPL"),
        ("/quotes?sort=nothing", 400, "sort"),
        ("/runs/nope", 404, "does not exist"),
        ("/dead-letters?older_than=soon", 400, "older_than"),
    ):
        response = tab.page.goto(path)
        assert response is not None
        assert response.status == status
        assert text in tab.page.locator("main").inner_text()
        assert tab.page.locator("nav a").count() > 10
