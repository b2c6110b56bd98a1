"""Hostile data on every page: it is shown as text, and no script, style or direction mark of it has an effect."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

import financehub_web.console
from support.console import HOSTILE_END, HOSTILE_SYMBOL, Console
from support.hostile_fleet import NAMED_LETTER, NAMED_RUN
from support.tabs import PAGES, OpenTab

#: Pages in which nothing comes from outside, or only the numbers of it.
PLAIN = {"/schedules/default/demo"}
_SOURCES = [path for ending in ("html", "py") for path in Path(financehub_web.console.__path__[0]).rglob(f"*.{ending}")]
#: The elements that the templates and their filters contain.
KNOWN = {tag for path in _SOURCES for tag in re.findall(r"<([a-z][a-z0-9]*)", path.read_text(encoding="utf-8"))}
#: Returns the elements and attributes of the body that come from no template. A script draws the chart and its legend.
_FOREIGN = """(known) => [...document.body.querySelectorAll("*")]
    .filter((each) => !each.closest("#chart, #legend"))
    .filter((each) => !known.includes(each.localName)
        || each.getAttributeNames().some((name) => /[^a-zA-Z0-9:-]|^on/.test(name)))
    .map((each) => each.outerHTML.slice(0, 200))"""


def _foreign(page: Page) -> list[str]:
    return page.evaluate(_FOREIGN, sorted(KNOWN - {"script", "link", "meta"}))  # type: ignore[no-any-return]


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_hostile_names_are_text_on_every_page(open_tab: OpenTab, hostile: Console, *, has_script: bool) -> None:
    """Names of tasks, schedules, hosts, upstreams and users are escaped on each page, also on those named like them."""
    tab = open_tab(is_paused=True, java_script_enabled=has_script, base_url=hostile.url)
    tab.page.goto("/schedules")
    links = tab.page.locator("main a[href*='%3Cscript']").evaluate_all("(all) => all.map((each) => each.href)")
    named = {re.sub(r"^https?://[^/]*", "", link) for link in links}
    assert any(link.startswith("/schedules/default/") for link in named), named
    plain = set()
    for path in [*PAGES, f"/runs/{NAMED_RUN}", f"/dead-letters/{NAMED_LETTER}", *sorted(named)]:
        response = tab.page.goto(path)
        assert response is not None
        assert response.status == 200, path
        assert "owned" not in tab.page.title().removeprefix("✗ ").partition("<script>")[0], path
        assert _foreign(tab.page) == [], path
        assert tab.page.locator("a[href^='javascript']").count() == 0, path
        assert "\u202e" not in tab.page.content(), path
        assert tab.problems == [], path
        if HOSTILE_END not in tab.page.locator("body").inner_text():
            plain.add(path)
    assert plain <= PLAIN


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_hostile_symbol_is_text_on_its_pages(open_tab: OpenTab, hostile: Console, *, has_script: bool) -> None:
    """No asset can have such a symbol, and every page that names it shows it letter by letter."""
    assert not KNOWN & {"b", "img"}
    tab = open_tab(is_paused=True, java_script_enabled=has_script, base_url=hostile.url)
    symbol = quote(HOSTILE_SYMBOL)
    tab.page.goto("/news")
    tab.page.locator("main a", has_text=re.compile(f"^{HOSTILE_SYMBOL}$")).click()
    assert tab.page.url == f"{hostile.url}/quotes/{symbol}"
    assert tab.page.locator("h1").inner_text() == f"The symbol {HOSTILE_SYMBOL} is unknown"
    assert _foreign(tab.page) == []
    for path in ("/quarantine", "/assets", f"/quotes?q={symbol}&symbols={symbol}", f"/actions/fetch?symbol={symbol}"):
        tab.page.goto(path)
        assert HOSTILE_SYMBOL in tab.page.locator("main").inner_text(), path
        assert _foreign(tab.page) == [], path
    # A browser reports that the answer to the first and to the last of these requests was an error.
    assert [problem for problem in tab.problems if "Failed to load resource" not in problem] == []
